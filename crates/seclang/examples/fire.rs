//! Judges one GET with a query: `cargo run -p seclang --features directory --example fire -- DIR 'a=1'`.
use seclang::{Request, Settings, load_path};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(query)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: fire DIR QUERY");
        return;
    };
    let settings = Settings { paranoia: Some(4), ..Settings::default() };
    let rules = match load_path(folder.as_ref(), &settings) {
        Ok(loaded) => loaded.rules,
        Err(problems) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            return;
        }
    };
    let target = format!("/?{query}");
    let fields: &[(&[u8], &[u8])] = &[(b"Host", b"a"), (b"User-Agent", b"a"), (b"Accept", b"*/*")];
    let request = Request {
        method: b"GET",
        target: target.as_bytes(),
        protocol: "HTTP/1.1",
        fields,
        client: [127, 0, 0, 1].into(),
        unique: 1,
        body: None,
    };
    eprintln!("{:#?}", rules.judge_request(&request));
}
