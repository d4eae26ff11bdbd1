//! Archives that are damaged, huge, or both.

use std::io::Read;

use super::split::{Cut, ENTRY_BYTES_MAX, STRING_BYTES_MAX, Splitter};
use crate::{Options, Summary};

fn entry(path: &str) -> String {
    format!(
        r#"{{"startedDateTime":"2026-11-23T10:00:00Z","time":1,"request":{{"method":"GET","url":"https://a/{path}","headers":[]}},"response":{{"status":200,"content":{{"text":"a \"quoted\" {{[ body"}}}}}}"#
    )
}

fn archive(entries: &[&str]) -> String {
    format!(r#"{{"log":{{"pages":[{{"entries":[1]}}],"entries":[{}],"x":[]}}}}"#, entries.join(","))
}

fn targets(text: &[u8]) -> (Vec<String>, Summary) {
    let mut all = Vec::new();
    let options = Options { format: Some(crate::Format::Har), ..Options::default() };
    let summary = crate::read(text, &options, &mut |observation| all.push(observation.target.to_string())).unwrap();
    (all, summary)
}

#[test]
fn one_wrong_entry_loses_no_other() {
    let (a, b) = (entry("a"), entry("b"));
    let wrong = [
        // Well-formed, and no exchange.
        "7",
        "null",
        r#"{"request":{}}"#,
        r#"{"request":{"method":7,"url":"https://a/x"},"response":{"status":200}}"#,
        r#"{"request":{"method":"GET","url":"https://a/x"},"response":{"status":"two hundred"}}"#,
        // No value.
        r#"{"request":,"response":{"status":200}}"#,
        // A brace or a bracket lacks, at the end and inside.
        r#"{"request":{"method":"GET","url":"https://a/x","headers":[]},"response":{"status":200}"#,
        r#"{"request":{"method":"GET","url":"https://a/x","headers":[],"response":{"status":200}}"#,
        r#"{"request":{"method":"GET","url":"https://a/x","headers":[},"response":{"status":200}}"#,
        // One too many.
        r#"{"request":{"method":"GET","url":"https://a/x","headers":[]}},"response":{"status":200}}"#,
        // A line break where a quote lacks.
        "{\"request\":{\"method\":\"GET\",\"url\":\"https://a/x\n,\"headers\":[]},\"response\":{\"status\":200}}",
        // A quote lacks, all on one line.
        r#"{"request":{"method":"GET","url":"https://a/x,"headers":[]},"response":{"status":200}}"#,
        "{\"x\":garbage}",
    ];
    for wrong in wrong {
        let (all, summary) = targets(archive(&[&a, wrong, &b, &b, &b]).as_bytes());
        assert_eq!(all.first().map(String::as_str), Some("/a"), "{wrong}");
        assert!(all.iter().filter(|target| *target == "/b").count() >= 2, "{wrong}: {all:?}");
        assert!(summary.unreadable > 0 || !wrong.starts_with('{'), "{wrong}: {summary:?}");
        assert!(!all.iter().any(|target| target == "/x"), "{wrong}");
    }
}

#[test]
fn what_is_deep_or_cut_off_is_told() {
    let (a, b) = (entry("a"), entry("b"));
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let (all, summary) = targets(archive(&[&a, &deep, &b]).as_bytes());
    assert_eq!(all, ["/a", "/b"]);
    assert_eq!(summary.problems[0].what, "the entry is nested too deeply");
    assert_eq!((summary.records, summary.problems[0].line), (3, 2));
    let whole = archive(&[&a, &b]);
    let (all, summary) = targets(&whole.as_bytes()[..whole.len() - 40]);
    assert_eq!((all.len(), summary.unreadable), (1, 1));
    let (all, summary) = targets(br#"{"log":{"creator":{"entries":[{}]}}}"#);
    assert_eq!((all.len(), summary.problems[0].what), (0, "the archive has no `log.entries`"));
}

#[test]
fn bytes_that_are_no_text_cost_a_character() {
    let mut bytes = archive(&[&entry("a"), &entry("b")]).into_bytes();
    let at = bytes.windows(4).position(|window| window == b"body").unwrap();
    bytes[at] = 0xff;
    let (all, summary) = targets(&bytes);
    assert_eq!((all.len(), summary.unreadable, summary.invalid_utf8), (2, 0, 1));
}

/// An archive made while it is read: small entries, some with a body of megabytes, some of endless small members.
struct Huge {
    part: Vec<u8>,
    at: usize,
    number: u64,
    entries: u64,
}

impl Read for Huge {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.part.len() {
            (self.at, self.number) = (0, self.number + 1);
            self.part.clear();
            match self.number {
                1 => self.part.extend_from_slice(br#"{"log":{"version":"1.2","entries":["#),
                number if number <= self.entries + 1 => {
                    let body = if number % 8 == 0 { "\u{e9}\\n\\\"{".repeat(700_000) } else { "x".to_owned() };
                    let many =
                        if number % 32 == 0 { r#","x":[],"y":{"a":"b"}"#.repeat(300_000) } else { String::new() };
                    let text = entry(&number.to_string());
                    let (front, back) = text.split_at(text.len() - 4);
                    self.part.extend_from_slice(front.as_bytes());
                    self.part.extend_from_slice(body.as_bytes());
                    self.part.extend_from_slice(&back.as_bytes()[..3]);
                    self.part.extend_from_slice(many.as_bytes());
                    self.part.extend_from_slice(b"},\n");
                }
                number if number == self.entries + 2 => self.part.extend_from_slice(br#"{}]}}"#),
                _ => return Ok(0),
            }
        }
        let count = buffer.len().min(self.part.len() - self.at);
        buffer[..count].copy_from_slice(&self.part[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[test]
fn a_huge_archive_is_read_in_bounded_memory() {
    let mut source = Huge { part: Vec::new(), at: 0, number: 0, entries: 64 };
    let mut splitter = Splitter::default();
    let (mut chunk, mut bytes, mut cuts) = (vec![0u8; 64 * 1024], 0, (0, 0));
    let mut longest = 0;
    loop {
        let count = source.read(&mut chunk).unwrap();
        if count == 0 {
            break;
        }
        bytes += count;
        splitter.take(&chunk[..count], &mut |cut| match cut {
            Cut::Entry(entry) => {
                assert!(std::str::from_utf8(entry).is_ok(), "no character is cut through");
                assert!(serde_json::from_slice::<serde_json::Value>(entry).is_ok(), "no escape is cut through");
                longest = longest.max(entry.len());
                cuts.0 += 1;
            }
            Cut::Damaged(_) => cuts.1 += 1,
        });
    }
    assert!(splitter.whole());
    assert!(bytes > 30_000_000, "{bytes}");
    // Every thirty-second entry is too long even without its body.
    assert_eq!(cuts, (63, 2));
    assert!(longest < STRING_BYTES_MAX + 1_024, "{longest}");
    assert!(splitter.held_bytes_max <= 2 * ENTRY_BYTES_MAX, "{}", splitter.held_bytes_max);
    let mut all = 0;
    let source = Huge { part: Vec::new(), at: 0, number: 0, entries: 64 };
    let summary = crate::read(source, &Options::default(), &mut |_| all += 1).unwrap();
    // The last entry is an empty object.
    assert_eq!((all, summary.records, summary.unreadable, summary.bytes), (62, 65, 3, bytes as u64));
}

/// Peak resident memory over an archive of two gigabytes: `cargo test -p ingest --release -- --ignored har_of_two --nocapture`.
#[test]
#[ignore = "a measurement of a minute"]
fn har_of_two_gigabytes() {
    let source = Huge { part: Vec::new(), at: 0, number: 0, entries: 2_800 };
    let started = std::time::Instant::now();
    let mut all = 0;
    let summary = crate::read(source, &Options::default(), &mut |_| all += 1).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("no VmHWM here").to_owned();
    let seconds = started.elapsed().as_secs_f64();
    let mega = summary.bytes / 1_000_000;
    println!("{all} exchanges in {mega} MB, {} unreadable; {seconds:.0} s; {peak}", summary.unreadable);
    assert!(summary.bytes > 2_000_000_000, "{mega}");
}

proptest::proptest! {
    /// However an archive is damaged and wherever its reads end: the same cuts, within the bounds, nothing panics.
    #[test]
    fn cuts_do_not_depend_on_the_reads(
        damage in proptest::collection::vec((0usize..700, r#"[{}\[\],:"\\a\n]"#), 0..6),
        step in 1usize..40,
    ) {
        let mut text = archive(&[&entry("a"), &entry("b"), &entry("c")]);
        for (at, what) in damage {
            let at = at.min(text.len() - 1);
            text.replace_range(at..=at, &what);
        }
        let mut whole = Vec::new();
        Splitter::default().take(text.as_bytes(), &mut |cut| whole.push(format!("{cut:?}")));
        let (mut parts, mut splitter) = (Vec::new(), Splitter::default());
        for part in text.as_bytes().chunks(step) {
            splitter.take(part, &mut |cut| parts.push(format!("{cut:?}")));
        }
        proptest::prop_assert_eq!(whole, parts);
        targets(text.as_bytes());
    }
}
