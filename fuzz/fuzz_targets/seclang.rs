//! Any text is rules or problems; rules judge any message; the gate of literals never changes the outcome.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seclang::lex::File;
use seclang::load::{Reader, load};
use seclang::{Body, GateUse, Request, Settings};

struct Nothing;

impl Reader for Nothing {
    fn include(&self, _: &str, _: &str) -> Result<Vec<File>, String> {
        Ok(Vec::new())
    }

    fn data(&self, _: &str, _: &str) -> Result<Vec<u8>, String> {
        Ok(b"evil\n".to_vec())
    }
}

fuzz_target!(|data: &[u8]| {
    for (_, transform) in seclang::transform::NAMES {
        assert!(transform.apply(data).len() <= data.len() * 4 + 40);
    }
    let split = data.iter().position(|&byte| byte == 0).unwrap_or(data.len());
    let (text, message) = data.split_at(split);
    let Ok(text) = std::str::from_utf8(text) else { return };
    let judge = |gate| {
        let settings = Settings { gate, ..Settings::default() };
        let loaded = load(&[File::new("a.conf", text)], &Nothing, &settings).ok()?;
        let body = Body { bytes: message, whole: true, json: None };
        let fields: &[(&[u8], &[u8])] = &[(b"Content-Type", b"application/x-www-form-urlencoded"), (b"Cookie", message)];
        Some(loaded.rules.judge_request(&Request {
            method: b"POST",
            target: b"/a?b=c",
            protocol: "HTTP/1.1",
            fields,
            client: [192, 0, 2, 7].into(),
            unique: 1,
            body: Some(body),
        }))
    };
    let (gated, open) = (judge(GateUse::On), judge(GateUse::Off));
    // The budget of work may end earlier without the gate.
    if gated.as_ref().is_some_and(|report| !report.incomplete) && open.as_ref().is_some_and(|report| !report.incomplete) {
        assert_eq!(gated, open);
    }
});
