//! One line of each product as its documentation shows it, and the ways a source can be broken.

use std::io::Write;

use super::*;

fn read_all(bytes: &[u8], options: &Options) -> (Vec<Observation>, Summary) {
    let mut all = Vec::new();
    let summary = read(bytes, options, &mut |observation| all.push(observation)).unwrap();
    (all, summary)
}

/// Format, method, host, target, status, client and the rest in short.
fn shown(text: &str) -> String {
    let (all, summary) = read_all(text.as_bytes(), &Options::default());
    let mut out = summary.format.as_ref().map_or("-", Format::name).to_owned();
    for observation in all {
        let Observation {
            at,
            client,
            host,
            method,
            target,
            status,
            response_type,
            response_bytes,
            agent,
            latency_us,
            ..
        } = observation;
        let client = client.map_or("-".to_owned(), |client| client.to_string());
        out.push_str(&format!(
            " | {} {method} {host} {target} {status} {client} {} {} {} {}",
            at.secs(),
            response_type.as_deref().unwrap_or("-"),
            response_bytes.map_or("-".to_owned(), |bytes| bytes.to_string()),
            agent.as_deref().unwrap_or("-"),
            latency_us.map_or("-".to_owned(), |us| us.to_string()),
        ));
    }
    out
}

#[test]
fn every_product_is_recognised_and_read() {
    let cases = [
        (
            r#"192.0.2.1 - alice [23/Nov/2026:10:00:00 +0000] "GET /users/7?q=1 HTTP/1.1" 200 512 "https://example.com/" "curl/8 (x; \"y\")""#,
            r#"combined | 1795428000 GET  /users/7?q=1 200 192.0.2.1 - 512 curl/8 (x; \"y\") -"#,
        ),
        (
            r#"192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 304 -"#,
            "combined | 1795428000 GET  / 304 192.0.2.1 - - - -",
        ),
        (
            r#"api.example.com:443 192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "ua""#,
            "vhost-combined | 1795428000 GET api.example.com /a 200 192.0.2.1 - 5 ua -",
        ),
        (
            r#"[2026-11-23T10:00:00.000Z] "POST /v1/orders HTTP/2" 201 - 20 154 43 42 "192.0.2.1,10.0.0.1" "ua" "id" "api.example.com" "10.0.0.2:80""#,
            "envoy | 1795428000 POST api.example.com /v1/orders 201 192.0.2.1 - 154 ua 43000",
        ),
        (
            r#"https 2026-11-23T10:00:00.186641Z app/lb/50dc 192.0.2.1:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://api.example.com:443/a?b=c HTTP/1.1" "curl/7" ECDHE TLSv1.2"#,
            "alb | 1795428000 GET api.example.com /a?b=c 200 192.0.2.1 - 57 curl/7 48000",
        ),
        (
            "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query x-host-header\n\
             2026-11-23\t10:00:00\tFRA\t392\t192.0.2.1\tGET\td1.cloudfront.net\t/img/1\t200\t-\tMozilla/5.0%20(X11)\ta=b\tapi.example.com",
            "w3c | 1795428000 GET api.example.com /img/1?a=b 200 192.0.2.1 - 392 Mozilla/5.0 (X11) -",
        ),
        (
            r#"{"ClientIP":"192.0.2.1","ClientRequestHost":"api.example.com","ClientRequestMethod":"GET","ClientRequestURI":"/a?b","EdgeResponseStatus":200,"EdgeStartTimestamp":1795428000000000000,"EdgeResponseBytes":9,"EdgeResponseContentType":"application/json","ClientRequestUserAgent":"ua"}"#,
            "cloudflare | 1795428000 GET api.example.com /a?b 200 192.0.2.1 application/json 9 ua -",
        ),
        (
            r#"{"level":"info","ts":1795428000.5,"logger":"http.log.access","request":{"remote_ip":"192.0.2.1","method":"GET","host":"api.example.com","uri":"/x","headers":{"User-Agent":["ua"]}},"duration":0.001,"size":12,"status":200,"resp_headers":{"Content-Type":["text/html"]}}"#,
            "caddy | 1795428000 GET api.example.com /x 200 192.0.2.1 text/html 12 ua 1000",
        ),
        (
            r#"{"ClientHost":"192.0.2.1","DownstreamContentSize":7,"DownstreamStatus":200,"Duration":1500000,"RequestHost":"api.example.com","RequestMethod":"GET","RequestPath":"/x","StartUTC":"2026-11-23T10:00:00Z"}"#,
            "traefik-json | 1795428000 GET api.example.com /x 200 192.0.2.1 - 7 - 1500",
        ),
        (
            r#"{"start_time":"2026-11-23T10:00:00Z","method":"GET","path":"/x","response_code":200,"response_flags":"-","authority":"api.example.com","bytes_sent":3,"duration":4,"x_forwarded_for":"192.0.2.1"}"#,
            "envoy-json | 1795428000 GET api.example.com /x 200 192.0.2.1 - 3 - 4000",
        ),
        (
            r#"{"requestId":"1","ip":"192.0.2.1","requestTime":"23/Nov/2026:10:00:00 +0000","httpMethod":"GET","path":"/prod/x","status":"200","responseLength":"5","domainName":"api.example.com"}"#,
            "api-gateway-json | 1795428000 GET api.example.com /prod/x 200 192.0.2.1 - 5 - -",
        ),
        (
            r#"{"log":{"version":"1.2","creator":{"name":"x"},"entries":[{"startedDateTime":"2026-11-23T10:00:00Z","time":12,"request":{"method":"GET","url":"https://api.example.com/a?b=c","headers":[{"name":"User-Agent","value":"ua"}],"bodySize":-1},"response":{"status":200,"headers":[],"content":{"size":5,"mimeType":"application/json","text":"12345"}}}]}}"#,
            "har | 1795428000 GET api.example.com /a?b=c 200 - application/json 5 ua 12000",
        ),
        (
            r#"{"timestamp":1795428000,"method":"GET","path":"/x","status":200}"#,
            "json | 1795428000 GET  /x 200 - - - - -",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(shown(line), expected, "{line}");
    }
}

#[test]
fn custom_formats_of_nginx_and_apache() {
    let cases = [
        (
            r#"$msec|$request_method|$scheme://$host$request_uri|$status|${request_time}s"#,
            "1795428000.123|GET|https://a.example/x?y|200|0.25s",
        ),
        (r#"%{%s}t %v "%r" %>s %D"#, r#"1795428000 a.example "GET /x?y HTTP/1.1" 200 250000"#),
        (
            r#"%h %l %u %t \"%r\" %>s %b \"%{Host}i\" %D"#,
            r#"192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] "GET /x?y HTTP/1.1" 200 5 "a.example" 250000"#,
        ),
    ];
    for (format, line) in cases {
        let layout = Layout::parse(format).unwrap();
        let options = Options { format: Some(Format::Layout(layout)), ..Options::default() };
        let (all, summary) = read_all(line.as_bytes(), &options);
        assert_eq!(summary.problems, [], "{format}");
        assert_eq!((&*all[0].target, all[0].status, all[0].latency_us), ("/x?y", 200, Some(250_000)), "{format}");
        assert_eq!((&*all[0].host, all[0].at.secs()), ("a.example", 1_795_428_000), "{format}");
    }
    assert!(Layout::parse("$remote_addr $status").is_err());
}

const LINE: &str = "192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"ua\"\n";

#[test]
fn broken_lines_are_told_and_the_rest_is_read() {
    let mut log = LINE.as_bytes().to_vec();
    log.extend_from_slice(b"\x00\x01\x02 garbage\n");
    log.extend_from_slice(
        b"192.0.2.1 - - [23/Nov/2026:09:00:00 +0000] \"GET /\xff\\x22 HTTP/1.1\" 200 5 \"-\" \"u\xff\"\n",
    );
    log.extend_from_slice(LINE.as_bytes());
    let (all, summary) = read_all(&log, &Options::default());
    let targets: Vec<&str> = all.iter().map(|observation| &*observation.target).collect();
    assert_eq!(targets, ["/a", "/%FF%22", "/a"]);
    assert_eq!((summary.records, summary.unreadable, summary.invalid_utf8, summary.clock_backwards), (4, 1, 1, 1));
    assert_eq!(summary.problems, [Problem { line: 2, what: "the line does not follow the format" }]);
}

#[test]
fn a_line_of_more_than_ten_megabytes_is_skipped() {
    let mut log = LINE.as_bytes().to_vec();
    log.extend(std::iter::repeat_n(b'x', LINE_BYTES_MAX + 2_000_000));
    log.push(b'\n');
    log.extend_from_slice(LINE.as_bytes());
    let (all, summary) = read_all(&log, &Options::default());
    assert_eq!((all.len(), summary.records, summary.unreadable), (2, 3, 1));
    assert_eq!(summary.problems, [Problem { line: 2, what: "the line is longer than 10 MiB" }]);
    assert_eq!(summary.bytes, log.len() as u64);
}

#[test]
fn compressed_sources_and_truncated_ones() {
    let lines = (0..5_000u64).map(|at| LINE.replace("/a", &format!("/{:x}", at.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    let text: String = lines.collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for whole in [&gzip, &zstd] {
        let (all, summary) = read_all(whole, &Options::default());
        assert_eq!((all.len(), summary.unreadable), (5_000, 0));
        let (some, summary) = read_all(&whole[..whole.len() / 2], &Options::default());
        assert!(some.len() < 5_000);
        assert!(summary.problems.iter().any(|problem| problem.what.contains("compressed stream")), "{summary:?}");
    }
}

#[test]
fn a_damaged_archive_keeps_its_first_entries() {
    let entry = r#"{"startedDateTime":"2026-11-23T10:00:00Z","time":1,"request":{"method":"GET","url":"https://a/b","headers":[]},"response":{"status":200}}"#;
    let text = format!("{{\"log\":{{\"entries\":[{entry},{entry},{{\"request\":");
    let (all, summary) = read_all(text.as_bytes(), &Options::default());
    assert_eq!((all.len(), summary.unreadable), (2, 1));
}

#[test]
fn what_is_no_log_is_refused() {
    for bytes in [&b""[..], b"hello\nworld\n", b"\x7fELF\x02\x01\x01", b"{\"a\":1}\n", b"#!/bin/sh\necho\n"] {
        let outcome = read(bytes, &Options::default(), &mut |_| {});
        assert!(matches!(outcome, Err(Error::Unrecognised)), "{bytes:?}");
    }
}

proptest::proptest! {
    /// No bytes make any reader panic, and every record is either read or counted.
    #[test]
    fn any_bytes_are_read_or_counted(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
        cut in 0usize..90,
    ) {
        let mut log = LINE.as_bytes()[..cut.min(LINE.len())].to_vec();
        log.extend_from_slice(&bytes);
        for name in Format::names() {
            let options = Options { format: Format::of_name(name), ..Options::default() };
            let summary = read(&log[..], &options, &mut |_| {});
            if let Ok(summary) = summary {
                proptest::prop_assert!(summary.observations <= summary.records);
            }
        }
    }
}

/// Not a test of correctness: says how fast the most common format is read.
#[test]
#[ignore = "a measurement; run with --release --ignored --nocapture"]
fn speed_of_combined() {
    let text = LINE
        .replace("\"ua\"", "\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36\"")
        .repeat(500_000);
    // Time of the processor, where the system tells it: the clock on the wall measures the neighbours too.
    let run = || -> Option<f64> {
        let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(statistics.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
    };
    let (started, before) = (std::time::Instant::now(), run());
    let mut count = 0u64;
    read(text.as_bytes(), &Options::default(), &mut |_| count += 1).unwrap();
    let wall = started.elapsed().as_secs_f64();
    let seconds = before.zip(run()).map_or(wall, |(before, after)| after - before);
    println!("{count} lines, {:.0} MB/s", text.len() as f64 / seconds / 1e6);
}
