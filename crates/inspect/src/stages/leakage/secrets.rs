//! Secrets: keys and tokens by the prefix their issuer gave them, checked by their checksum where they have one.

use model::finding::Confidence;
use model::reason::LeakReason::Secret;

use super::Found;

/// A form of secret: its prefix, which characters follow, how many, what it is.
struct Form {
    prefix: &'static str,
    /// The prefix with its own case, as the automaton is blind to it.
    exact: &'static [u8],
    body: fn(u8) -> bool,
    least: usize,
    most: usize,
    what: &'static str,
}

const fn form(
    prefix: &'static str,
    exact: &'static [u8],
    body: fn(u8) -> bool,
    least: usize,
    most: usize,
    what: &'static str,
) -> Form {
    Form { prefix, exact, body, least, most, what }
}

fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn token(byte: u8) -> bool {
    url_safe(byte) || byte == b'.'
}

const FORMS: &[Form] = &[
    form("akia", b"AKIA", upper, 16, 16, "an access key of AWS"),
    form("asia", b"ASIA", upper, 16, 16, "a temporary access key of AWS"),
    form("ghp_", b"ghp_", letter, 36, 36, "a token of GitHub"),
    form("gho_", b"gho_", letter, 36, 36, "a token of GitHub"),
    form("ghs_", b"ghs_", letter, 36, 36, "a token of GitHub"),
    form("ghu_", b"ghu_", letter, 36, 36, "a token of GitHub"),
    form("ghr_", b"ghr_", letter, 36, 76, "a token of GitHub"),
    form("github_pat_", b"github_pat_", url_safe, 50, 100, "a token of GitHub"),
    form("glpat-", b"glpat-", url_safe, 20, 40, "a token of GitLab"),
    form("xoxb-", b"xoxb-", url_safe, 20, 80, "a token of Slack"),
    form("xoxp-", b"xoxp-", url_safe, 20, 80, "a token of Slack"),
    form("xoxa-", b"xoxa-", url_safe, 20, 80, "a token of Slack"),
    form(
        "hooks.slack.com/services/t",
        b"hooks.slack.com/services/T",
        |byte| letter(byte) || byte == b'/',
        30,
        60,
        "a webhook of Slack",
    ),
    form("sk_live_", b"sk_live_", letter, 16, 120, "a secret key of Stripe"),
    form("rk_live_", b"rk_live_", letter, 16, 120, "a restricted key of Stripe"),
    form("aiza", b"AIza", url_safe, 35, 35, "a key of Google"),
    form("ya29.", b"ya29.", url_safe, 30, 400, "a token of Google"),
    form("sg.", b"SG.", token, 60, 72, "a key of SendGrid"),
    form("npm_", b"npm_", letter, 36, 36, "a token of npm"),
    form("pypi-ageichlwas5vcmc", b"pypi-AgEIcHlwaS5vcmc", url_safe, 40, 400, "a token of PyPI"),
    form("dop_v1_", b"dop_v1_", letter, 64, 64, "a token of DigitalOcean"),
    form("shpat_", b"shpat_", letter, 32, 32, "a token of Shopify"),
    form("sk-ant-", b"sk-ant-", url_safe, 60, 140, "a key of Anthropic"),
    form("sk-proj-", b"sk-proj-", url_safe, 40, 200, "a key of OpenAI"),
    form("sq0csp-", b"sq0csp-", url_safe, 43, 43, "a secret of Square"),
    form("hvs.", b"hvs.", url_safe, 60, 140, "a token of Vault"),
    form("age-secret-key-1", b"AGE-SECRET-KEY-1", upper, 50, 64, "a key of age"),
    form(
        "accountkey=",
        b"AccountKey=",
        |byte| letter(byte) || matches!(byte, b'+' | b'/' | b'='),
        80,
        96,
        "an account key of Azure",
    ),
];

/// Headings of private keys (RFC 7468).
const KEYS: &[&str] = &[
    "-----begin private key-----",
    "-----begin rsa private key-----",
    "-----begin ec private key-----",
    "-----begin openssh private key-----",
    "-----begin encrypted private key-----",
    "-----begin dsa private key-----",
    "-----begin pgp private key block-----",
];

/// What is looked for, for the automaton of the stage.
pub(super) fn fragments() -> impl Iterator<Item = &'static str> + Clone {
    FORMS.iter().map(|form| form.prefix).chain(KEYS.iter().copied())
}

/// Adds the secret whose prefix, with this index, ends at `end`.
pub(super) fn judge(text: &[u8], index: usize, end: usize, found: &mut Found) {
    let Some(form) = FORMS.get(index) else {
        let heading = KEYS.get(index - FORMS.len()).map_or(0, |heading| heading.len());
        // The key itself stands behind its heading.
        let rest = text.get(end..text.len().min(end + KEY_BYTES_MAX)).unwrap_or_default();
        let body = memchr::memmem::find(rest, b"-----END").unwrap_or(rest.len());
        return found.add(Secret, Confidence::Sure, "a private key", end - heading..end + body);
    };
    let start = end.saturating_sub(form.exact.len());
    let begins = start == 0 || text.get(start - 1).is_some_and(|&before| !url_safe(before));
    if !begins || text.get(start..end) != Some(form.exact) {
        return;
    }
    let rest = text.get(end..).unwrap_or_default();
    let length = rest.iter().take(form.most + 1).take_while(|&&byte| (form.body)(byte)).count();
    let body = rest.get(..length).unwrap_or_default();
    // A sample (`xxxx`, `EXAMPLE`) is what documentation shows.
    if (form.least..=form.most).contains(&length) && !is_sample(body) && checksum_holds(form, body) {
        found.add(Secret, Confidence::Sure, form.what, start..end + length);
    }
}

/// Longest text behind the heading of a private key that is taken to belong to it.
const KEY_BYTES_MAX: usize = 16 * 1024;

fn is_sample(body: &[u8]) -> bool {
    let mut seen = [false; 256];
    for &byte in body {
        if let Some(slot) = seen.get_mut(byte as usize) {
            *slot = true;
        }
    }
    seen.iter().filter(|seen| **seen).count() < 6
        || memchr::memmem::find(&body.to_ascii_lowercase(), b"example").is_some()
}

/// Tokens of GitHub and npm end in the CRC-32 of what stands before, in base 62 ("Behind GitHub's new authentication
/// token formats", 2021).
fn checksum_holds(form: &Form, body: &[u8]) -> bool {
    if !(form.exact.starts_with(b"gh") || form.exact == b"npm_") || form.least != 36 || body.len() != 36 {
        return true;
    }
    let (random, sum) = body.split_at(30);
    let mut digits = [b'0'; 6];
    let mut rest = crc32(random);
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    sum == digits
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// CRC-32 (ISO 3309), bit by bit: it runs over thirty bytes, and rarely.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    /// Written in pieces so that scanners of source code have nothing to report.
    fn github(sum: &str) -> String {
        format!("{}{}{sum}", "gh", "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ")
    }

    #[test]
    fn the_sum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn checked_tokens_need_their_checksum() {
        check(&github("0mLq17"), &[(Secret, Confidence::Sure, "a token of GitHub")]);
        check(&github("0mLq18"), &[]);
    }

    #[test]
    fn samples_and_parts_of_words_pass() {
        check("AKIAIOSFODNN7EXAMPLE", &[]);
        check(&format!("{}{}", "AK", "IAXXXXXXXXXXXXXXXX"), &[]);
        check(&format!("x{}{}", "AK", "IAZ7Q4LM2NB8VC5XD1"), &[]);
        check(&format!("{}{}", "AK", "IAZ7Q4LM2NB8VC5XD1"), &[(Secret, Confidence::Sure, "an access key of AWS")]);
        check("-----BEGIN RSA PRIVATE KEY-----", &[(Secret, Confidence::Sure, "a private key")]);
    }
}
