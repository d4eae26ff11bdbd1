//! Masking: what a response gives away is overwritten while it streams to the client.
//!
//! Every byte is replaced by one byte, so that lengths and framing stay as the upstream made them. Of card numbers and
//! IBANs the last four signs stay readable, as people need to recognise them. Held back is only what may still become
//! something: at most [`HELD_BYTES_MAX`].
//!
//! INVARIANT: however the body is cut into pieces, the client gets the same bytes.

use std::ops::Range;

use model::finding::{Confidence, Finding, Findings, Place};
use model::reason::{LeakReason, Reason};

use super::{Found, search};

/// Most bytes held back between two pieces: longer than anything with a validator, but for private keys.
const HELD_BYTES_MAX: usize = 1024;
/// Signs that stay readable at the end of card numbers and IBANs.
const SHOWN_SIGNS: usize = 4;

/// The mask over one response.
#[derive(Clone, Debug)]
pub struct Mask {
    kinds: Vec<LeakReason>,
    held: Vec<u8>,
    /// The text stands inside a private key, whose end has not come yet.
    in_key: bool,
    /// What was masked, and how often.
    masked: Vec<(LeakReason, &'static str, u64)>,
}

/// True for kinds that can be masked: traces and database errors are sentences.
pub const fn can_mask(reason: LeakReason) -> bool {
    !matches!(reason, LeakReason::StackTrace | LeakReason::SqlError | LeakReason::Uninspected)
}

impl Mask {
    /// A mask over these kinds.
    pub fn new(kinds: Vec<LeakReason>) -> Self {
        Self { kinds, held: Vec::new(), in_key: false, masked: Vec::new() }
    }

    /// How many things were masked so far.
    pub fn count(&self) -> u64 {
        self.masked.iter().map(|(_, _, count)| count).sum()
    }

    /// A finding for each kind that was masked: reported, never refused.
    pub fn into_findings(self) -> Findings {
        let each = self.masked.into_iter().map(|(reason, what, count)| {
            let place = Place::ResponseBody("".into());
            Finding::new(Reason::Leak(reason), Confidence::Likely, place, &format!("{what}, masked {count} times"))
        });
        each.collect()
    }

    fn note(&mut self, reason: LeakReason, what: &'static str) {
        match self.masked.iter_mut().find(|(known, text, _)| *known == reason && *text == what) {
            Some((_, _, count)) => *count += 1,
            None => self.masked.push((reason, what, 1)),
        }
    }

    /// Takes the next piece of the body and appends to `out` what may go on.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(piece);
        let cut = settled(&self.held);
        self.pass(cut, out);
    }

    /// The body has ended: the rest goes on.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.pass(self.held.len(), out);
    }

    /// Masks what is held and passes on what stands before `cut`, or before something that goes on behind it.
    fn pass(&mut self, cut: usize, out: &mut Vec<u8>) {
        if cut == 0 {
            return;
        }
        let mut found = Found { spans: Some(Vec::new()), ..Found::default() };
        search(self.held.get(..cut).unwrap_or_default(), &mut found);
        let mut masked = self.held.get(..cut).unwrap_or_default().to_vec();
        if self.in_key {
            let end = memchr::memmem::find(&masked, KEY_END);
            self.in_key = end.is_none();
            overwrite(&mut masked, 0..end.unwrap_or(cut), 0, b'*');
        }
        for (reason, what, span) in found.spans.unwrap_or_default() {
            if !self.kinds.contains(&reason) || !can_mask(reason) {
                continue;
            }
            self.note(reason, what);
            let shown = match reason {
                LeakReason::CardNumber | LeakReason::Iban => SHOWN_SIGNS,
                _ => 0,
            };
            let sign = if is_bare_number(&self.held, &span) { b'9' } else { b'*' };
            let is_key = memchr::memmem::find(self.held.get(span.clone()).unwrap_or_default(), KEY_BEGIN).is_some();
            // The heading stays, so that people see what was there.
            let heading = if is_key { heading_bytes(self.held.get(span.clone()).unwrap_or_default()) } else { 0 };
            self.in_key |= is_key && span.end >= cut;
            overwrite(&mut masked, span.start + heading..span.end, shown, sign);
        }
        out.extend_from_slice(&masked);
        self.held.drain(..cut);
    }
}

const KEY_BEGIN: &[u8] = b"-----BEGIN";
const KEY_END: &[u8] = b"-----END";

/// The length of the heading line of a key.
fn heading_bytes(key: &[u8]) -> usize {
    memchr::memmem::find(key.get(KEY_BEGIN.len()..).unwrap_or_default(), b"-----")
        .map_or(0, |at| at + KEY_BEGIN.len() + 5)
}

/// How much of a text can be judged for good: up to the last sign that stands in nothing that is looked for, or, where
/// there is none for long, all but the most that one thing can be long.
fn settled(text: &[u8]) -> usize {
    let may_go_on = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'.' | b'_' | b'+' | b'/' | b'=' | b'@' | b':')
    };
    let open = text.iter().rev().take(HELD_BYTES_MAX).take_while(|byte| may_go_on(byte)).count();
    if open < HELD_BYTES_MAX { text.len() - open } else { text.len() - HELD_BYTES_MAX / 2 }
}

/// Overwrites letters and digits but the last `shown` of them; signs between them stay.
fn overwrite(text: &mut [u8], span: Range<usize>, shown: usize, sign: u8) {
    let Some(part) = text.get_mut(span) else { return };
    let hidden = part.iter().filter(|byte| byte.is_ascii_alphanumeric()).count().saturating_sub(shown);
    for byte in part.iter_mut().filter(|byte| byte.is_ascii_alphanumeric()).take(hidden) {
        *byte = sign;
    }
}

/// A number without quotes, as JSON writes it: asterisks would make it no JSON any more.
fn is_bare_number(text: &[u8], span: &Range<usize>) -> bool {
    let number = text.get(span.clone()).unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default().trim_ascii_end().last();
    let behind = text.get(span.end..).unwrap_or_default().trim_ascii_start().first();
    number.iter().all(u8::is_ascii_digit)
        && matches!(before, Some(b':' | b',' | b'['))
        && matches!(behind, Some(b',' | b'}' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: &[LeakReason] =
        &[LeakReason::Secret, LeakReason::CardNumber, LeakReason::Iban, LeakReason::Email, LeakReason::NationalId];

    fn masked(pieces: &[&[u8]]) -> String {
        let mut mask = Mask::new(ALL.to_vec());
        let mut out = Vec::new();
        for piece in pieces {
            mask.feed(piece, &mut out);
        }
        mask.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(masked(&[text.as_bytes()]), expected);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(masked(&bytes), expected, "byte by byte");
    }

    #[test]
    fn what_is_known_by_its_check_is_overwritten() {
        check(r#"{"pan":"4111 1111 1111 1111","n":1}"#, r#"{"pan":"**** **** **** 1111","n":1}"#);
        check(r#"{"pan":5500000000000004,"n":1}"#, r#"{"pan":9999999999990004,"n":1}"#);
        check(r#"{"iban":"DE89 3704 0044 0532 0130 00"}"#, r#"{"iban":"**** **** **** **** **30 00"}"#);
        check(r#"{"mail":"ann@example.com"}"#, r#"{"mail":"***@*******.***"}"#);
        check(r#"{"id":"4111111111111112","name":"O'Brien"}"#, r#"{"id":"4111111111111112","name":"O'Brien"}"#);
    }

    #[test]
    fn private_keys_keep_their_heading() {
        let body = "MIIEvQIBADANBgkq\n".repeat(200);
        let text = format!("-----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY-----\nafter");
        let expected = format!(
            "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\nafter",
            "****************\n".repeat(200)
        );
        assert_eq!(masked(&[text.as_bytes()]), expected);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(700).collect();
        assert_eq!(masked(&pieces), expected);
    }

    #[test]
    fn little_is_held_back() {
        let mut mask = Mask::new(ALL.to_vec());
        let mut out = Vec::new();
        mask.feed(b"data: {\"a\":1}\n\n", &mut out);
        assert_eq!(out, b"data: {\"a\":1}\n\n");
        for _ in 0..100 {
            mask.feed(&[b'a'; 100], &mut out);
            assert!(mask.held.len() <= HELD_BYTES_MAX + 100);
        }
    }

    proptest! {
        #[test]
        fn the_length_stays_and_pieces_do_not_matter(
            parts in proptest::collection::vec(proptest::sample::select(vec![
                "4111 1111 1111 1111", "\"", ",", " ", "a@b.example", "DE89370400440532013000", "x", "12345678Z", "\n",
                "529.982.247-25", "-", "{\"k\":",
            ]), 0..40),
            piece in 1usize..50,
        ) {
            let text = parts.concat();
            let whole = masked(&[text.as_bytes()]);
            prop_assert_eq!(whole.len(), text.len());
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
            prop_assert_eq!(masked(&pieces), whole);
        }
    }
}
