//! The search for the slowest input: texts put together from what detectors, decoders and parsers look for, made slower
//! step by step by seeded changes, in every place a request can carry them.
//!
//! Time is measured, not counted, so figures differ between runs and machines; the starting shapes and the changes tried
//! depend on the seed alone. A text counts by the best of several runs, because anything else measures the machine.

use std::time::{Duration, Instant};

use inspect::offline::OfflineRequest;
use inspect::stages::attacks::family::Family;
use model::limits::Limits;
use schema::json::{JsonLimits, Tape};

use crate::Outcome;
use crate::conformance::attacks::policy;
use crate::table::{Cell, Table, publish};

/// Arguments of this task.
#[derive(clap::Args)]
pub struct Arguments {
    /// The seed of the shapes and the changes.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Seconds spent on each place.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Bytes of one text.
    #[arg(long, value_name = "COUNT", default_value_t = 16 * 1024)]
    bytes: usize,
    /// Only places whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Nanoseconds a byte from which the search fails.
    #[arg(long, value_name = "NANOSECONDS")]
    fail_above: Option<f64>,
}

/// What texts are made of: what opens, closes, joins, encodes and is searched for in the languages read here.
const PARTS: &[&str] = &[
    "a",
    "0",
    "x",
    " ",
    "\n",
    "\t",
    "=",
    "'",
    "\"",
    "`",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "<",
    ">",
    ";",
    "|",
    "&",
    "$",
    "%",
    "#",
    "@",
    "!",
    "*",
    "?",
    "~",
    "^",
    "\\",
    "/",
    ",",
    ".",
    ":",
    "-",
    "+",
    "_",
    "--",
    "/*",
    "*/",
    "//",
    "||",
    "&&",
    "${",
    "{{",
    "}}",
    "{%",
    "%}",
    "<%",
    "%>",
    "<?",
    "?>",
    "<!--",
    "-->",
    "$(",
    "<(",
    "((",
    "))",
    "](",
    ")(",
    "../",
    "..\\",
    "%2e",
    "%2f",
    "%25",
    "%c0%af",
    "%u002e",
    "&#x41;",
    "&lt;",
    "&amp;",
    "\\u0041",
    "\\x41",
    "\\n",
    "://",
    "://1.1/",
    "http:",
    "union",
    "select",
    " or ",
    " and ",
    "1=1",
    "'='",
    "from",
    "case when",
    "like",
    "sleep(",
    "exec(",
    "/*!",
    "x'",
    "or+",
    "<a ",
    "<script",
    "onx=",
    "onload=",
    "on",
    "javascript:",
    "script:",
    "data:",
    "alert(",
    "eval",
    "url(",
    "style=",
    ";cat ",
    "|ls",
    "&id",
    "`id`",
    "/bin/",
    "/???/",
    "{a,b}",
    "c'a't",
    "$@",
    "$ifs",
    "~+",
    "cmd",
    "ls -l",
    "\ncat /x",
    "__proto__",
    "constructor",
    "o:1:\"a\":",
    "ro0ab",
    "%{",
    "#{",
    "jndi:",
    "::-",
    "@java",
    "getclass",
    "<!doctype",
    "<!entity",
    "system",
    "%a;",
    "&a;",
    "xi:include",
    "(&(",
    "(|(",
    "a=*)",
    "child::",
    "//*[",
    "text()",
    "$ne",
    "$where",
    "bcc:",
    "\r\n",
    "set-cookie:",
    "get / http/1.1",
    "etc/passwd",
    "php://",
    "=?",
    "?=",
    "\u{ff1c}",
    "\u{2100}",
    "\u{0}",
    "YWFhYWFhYWE=",
    "eyJhIjoi",
    "{\"a\":",
    "[\"a\",",
    "\",\"",
    "1.1.1.1",
    "0x7f",
    "[::",
    "@a",
    "word word word word word word ",
    "```\n",
    "# ",
    "aaaaaaaaaaaaaaaa",
    "0000000000",
    "query{a",
    "...on a",
    "fragment a on b",
    "<a>",
    "</a>",
    "<a b='c'>",
];

/// A place a text can stand at, and how a message is made of it.
struct Place {
    name: &'static str,
    make: fn(&[u8]) -> Vec<u8>,
    judge: fn(&Bench, &[u8]),
}

const PLACES: &[Place] = &[
    Place { name: "plain text", make: |text| body("text/plain", text), judge: Bench::request },
    Place {
        name: "form field",
        make: |text| body("application/x-www-form-urlencoded", &[b"a=", &*escaped(text)].concat()),
        judge: Bench::request,
    },
    Place {
        name: "form as it comes",
        make: |text| body("application/x-www-form-urlencoded", text),
        judge: Bench::request,
    },
    Place {
        name: "JSON string",
        make: |text| body("application/json", json_of(text).as_bytes()),
        judge: Bench::request,
    },
    Place { name: "JSON as it comes", make: |text| body("application/json", text), judge: Bench::request },
    Place { name: "XML text", make: |text| body("text/xml", &[b"<a>", text, b"</a>"].concat()), judge: Bench::request },
    Place {
        name: "multipart part",
        make: |text| {
            body(
                "multipart/form-data; boundary=b",
                &[b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n", text, b"\r\n--b--\r\n"].concat(),
            )
        },
        judge: Bench::request,
    },
    Place {
        name: "multipart as it comes",
        make: |text| body("multipart/form-data; boundary=a", text),
        judge: Bench::request,
    },
    Place { name: "gRPC message", make: |text| body("application/grpc", text), judge: Bench::request },
    Place { name: "GraphQL document", make: |text| body("application/graphql", text), judge: Bench::request },
    Place {
        name: "query",
        make: |text| head(&[b"GET /a?b=", &*escaped(window(text, 6000))].concat(), b""),
        judge: Bench::request,
    },
    Place {
        name: "path",
        make: |text| head(&[b"GET /", &*escaped(window(text, 6000))].concat(), b""),
        judge: Bench::request,
    },
    Place {
        name: "field",
        make: |text| head(b"GET /", &[b"X-Note: ", &*printable(window(text, 7000)), b"\r\n"].concat()),
        judge: Bench::request,
    },
    Place {
        name: "cookie",
        make: |text| head(b"GET /", &[b"Cookie: a=", &*printable(window(text, 7000)), b"\r\n"].concat()),
        judge: Bench::request,
    },
    Place {
        name: "response",
        make: <[u8]>::to_vec,
        judge: |_, text| {
            std::hint::black_box(inspect::stages::leakage::leaks(text).len());
        },
    },
    Place {
        name: "parser of JSON",
        make: <[u8]>::to_vec,
        judge: |_, text| {
            std::hint::black_box(Tape::parse(text, &JsonLimits::default()).is_ok());
        },
    },
    Place {
        name: "parser of GraphQL",
        make: <[u8]>::to_vec,
        judge: |_, text| {
            if let Ok(text) = std::str::from_utf8(text) {
                std::hint::black_box(schema::graphql::parses(text));
            }
        },
    },
    Place {
        name: "parser of XML",
        make: <[u8]>::to_vec,
        judge: |_, text| {
            std::hint::black_box(schema::xml::parse(text, &schema::xml::XmlLimits::default()).is_ok());
        },
    },
];

/// What every measurement needs.
struct Bench {
    policy: inspect::Policy,
}

impl Bench {
    fn request(&self, raw: &[u8]) {
        if let Some(Ok(request)) = OfflineRequest::read(raw, &Limits::default()) {
            std::hint::black_box(request.judge(&self.policy).len());
        }
    }

    /// Nanoseconds a byte of a message: the best of `runs`.
    fn cost(&self, place: &Place, message: &[u8], runs: usize) -> f64 {
        let best = (0..runs).map(|_| {
            let start = Instant::now();
            (place.judge)(self, message);
            start.elapsed()
        });
        best.min().unwrap_or_default().as_nanos() as f64 / message.len().max(1) as f64
    }
}

/// Parts written once in front, repeated, and written once at the end.
#[derive(Clone)]
struct Shape {
    front: Vec<String>,
    unit: Vec<String>,
    end: Vec<String>,
}

impl Shape {
    fn random(random: &mut fastrand::Rng) -> Self {
        let unit = (0..random.usize(1..5)).map(|_| part(random)).collect();
        Self { front: Vec::new(), unit, end: Vec::new() }
    }

    /// A changed copy: a part more, less, elsewhere or another, or a byte of one.
    fn changed(&self, random: &mut fastrand::Rng) -> Self {
        let mut shape = self.clone();
        let parts = match random.u8(0..10) {
            0 => &mut shape.front,
            1 => &mut shape.end,
            _ => &mut shape.unit,
        };
        let at = random.usize(0..=parts.len());
        match random.u8(0..6) {
            0 if parts.len() > 1 => {
                let last = parts.len() - 1;
                parts.remove(at.min(last));
            }
            1 | 2 if !parts.is_empty() => {
                if let Some(slot) = parts.get_mut(at.saturating_sub(1)) {
                    *slot = part(random);
                }
            }
            3 if parts.len() > 1 => {
                let last = parts.len() - 1;
                parts.swap(0, at.min(last));
            }
            4 if !parts.is_empty() && parts.len() < 12 => {
                let copy = parts.get(at.saturating_sub(1)).cloned().unwrap_or_default();
                parts.insert(at, copy);
            }
            _ if parts.len() < 12 => parts.insert(at, part(random)),
            _ => {}
        }
        if shape.unit.is_empty() {
            shape.unit.push(part(random));
        }
        shape
    }

    fn text(&self, bytes: usize) -> Vec<u8> {
        let (front, unit, end) = (self.front.concat(), self.unit.concat(), self.end.concat());
        let mut text = front.into_bytes();
        while text.len() + unit.len() + end.len() <= bytes.max(unit.len()) {
            text.extend_from_slice(unit.as_bytes());
        }
        text.extend_from_slice(end.as_bytes());
        text
    }

    fn shown(&self) -> String {
        format!("{:?} {:?} {:?}", self.front.concat(), self.unit.concat(), self.end.concat())
    }
}

fn part(random: &mut fastrand::Rng) -> String {
    let known = random.choice(Family::ALL).and_then(|family| random.choice(family.markers()));
    let part = match known {
        Some(marker) if random.u8(..) < 64 => marker.text,
        _ => random.choice(PARTS).copied().unwrap_or("a"),
    };
    if random.u8(..) < 24 { part.repeat(random.usize(2..40)) } else { part.to_owned() }
}

/// Runs this task.
pub fn run(arguments: &Arguments) -> Outcome {
    let bench = Bench { policy: policy() };
    let columns = ["place", "texts tried", "slowest, ns a byte", "repeated: in front, unit, at the end"];
    let mut table = Table::new("Slowest inputs found", &columns);
    let mut slowest = 0.0f64;
    for (at, place) in PLACES.iter().enumerate().filter(|(_, place)| place.name.contains(&arguments.only)) {
        let random = fastrand::Rng::with_seed(arguments.seed.wrapping_add(at as u64));
        let (tried, cost, shape) = search(&bench, place, arguments, random);
        slowest = slowest.max(cost);
        table.rows.push(vec![
            Cell::text(place.name),
            Cell::Count(tried),
            Cell::Text(format!("{cost:.1}")),
            Cell::Text(shape.shown()),
        ]);
    }
    publish(&[table], None)?;
    match arguments.fail_above {
        Some(limit) if slowest > limit => Err(format!("{slowest:.1} ns a byte is more than {limit}").into()),
        _ => Ok(()),
    }
}

/// Climbs from the slowest of many random shapes; starts again where nothing gets slower.
fn search(bench: &Bench, place: &Place, arguments: &Arguments, mut random: fastrand::Rng) -> (u64, f64, Shape) {
    let cost = |shape: &Shape, runs| bench.cost(place, &(place.make)(&shape.text(arguments.bytes)), runs);
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut tried = 0;
    let mut best = (0.0, Shape::random(&mut random));
    while Instant::now() < end {
        let mut here = (0.0, Shape::random(&mut random));
        for _ in 0..40 {
            let shape = Shape::random(&mut random);
            let found = cost(&shape, 2);
            tried += 1;
            if found > here.0 {
                here = (found, shape);
            }
        }
        let mut without_gain = 0;
        while without_gain < 60 && Instant::now() < end {
            let shape = here.1.changed(&mut random);
            tried += 1;
            without_gain += 1;
            // What looks slower is measured again, longer: a disturbance must not win.
            if cost(&shape, 2) > here.0 {
                let found = cost(&shape, 6);
                if found > here.0 * 1.01 {
                    here = (found, shape);
                    without_gain = 0;
                }
            }
        }
        let settled = cost(&here.1, 12);
        if settled > best.0 {
            best = (settled, here.1);
        }
    }
    (tried, best.0, best.1)
}

fn head(start: &[u8], fields: &[u8]) -> Vec<u8> {
    [start, b" HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\n", fields, b"\r\n"].concat()
}

fn body(media: &str, body: &[u8]) -> Vec<u8> {
    let fields = format!("Content-Type: {media}\r\nContent-Length: {}\r\n", body.len());
    [&*head(b"POST /", fields.as_bytes()), body].concat()
}

fn escaped(text: &[u8]) -> Vec<u8> {
    text.iter().fold(Vec::with_capacity(text.len() * 2), |mut out, &byte| {
        match byte {
            b' ' => out.push(b'+'),
            0..=32 | 127.. | b'&' | b'+' | b'#' | b'=' | b'%' | b'?' => {
                out.extend_from_slice(format!("%{byte:02x}").as_bytes())
            }
            _ => out.push(byte),
        }
        out
    })
}

fn json_of(text: &[u8]) -> String {
    serde_json::json!([String::from_utf8_lossy(text)]).to_string()
}

/// What may stand in a field's value.
fn printable(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if byte.is_ascii_graphic() { byte } else { b' ' }).collect()
}

fn window(text: &[u8], most: usize) -> &[u8] {
    text.get(..text.len().min(most)).unwrap_or_default()
}
