//! Which trace an exchange belongs to (W3C Trace Context, <https://www.w3.org/TR/trace-context/>).
//!
//! Only where tracing is configured: otherwise `traceparent` and `tracestate` are fields like any other. A trace that comes
//! with a request goes on to the upstream; where none comes, or a broken one, a new one begins. An exchange that is recorded
//! is the upstream's parent; one that is not leaves the parent that came.
//!
//! A client names its trace. Whether it is recorded is the word of callers that are believed, and ours for all others.

use model::Span;
use model::head::{Field, Fields, Known};

use crate::config::Tracing;

/// The length of a `traceparent` of version 00.
pub const TRACEPARENT_BYTES: usize = 55;

/// The flag that the caller may have recorded the trace (3.3.2).
const SAMPLED: u8 = 1;
/// The flag that the trace id is random (level 2, 3.3.3).
const RANDOM: u8 = 2;

/// Names a trace; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// Names a span of a trace; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Display for SpanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Whether the caller may have recorded the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampled {
    /// It may have.
    Yes,
    /// It has not.
    No,
}

/// What `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The span of whoever sent it.
    pub span: SpanId,
    flags: u8,
}

/// The trace of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What came with the request; `None` when the trace begins here.
    pub received: Option<TraceParent>,
    /// What the upstream is told.
    pub sent: TraceParent,
}

impl Trace {
    /// The trace of a request: the one it came with, or a new one. `believed` says whether the caller's word on recording
    /// counts; `random` gives 64 random bits at a call.
    pub fn of(fields: &Fields, tracing: &Tracing, believed: bool, mut random: impl FnMut() -> u64) -> Self {
        let mut lines = fields.all(Known::Traceparent);
        // More than one line: nobody knows which is true, so the trace begins anew (3.2).
        let received = lines.next().filter(|_| lines.next().is_none()).and_then(TraceParent::parse);
        let sampled = match received {
            Some(received) if believed => received.sampled() == Sampled::Yes,
            // Not by the trace's id: whoever chooses it would choose one that is always recorded.
            _ => random() % 1_000_000 < u64::from(tracing.sample_per_million),
        };
        let flag = if sampled { SAMPLED } else { 0 };
        let sent = match received {
            // A span that is exported nowhere would tear the client's and the upstream's apart.
            Some(received) if !sampled => TraceParent { flags: received.flags & RANDOM, ..received },
            Some(received) => {
                TraceParent { span: SpanId(not_zero(random())), flags: received.flags & RANDOM | flag, ..received }
            }
            None => TraceParent {
                trace: TraceId(u128::from(random()) << 64 | u128::from(not_zero(random()))),
                span: SpanId(not_zero(random())),
                flags: RANDOM | flag,
            },
        };
        Self { received, sent }
    }

    /// The span to export, where this exchange is recorded.
    pub fn span(&self) -> Option<Span> {
        (self.sent.sampled() == Sampled::Yes).then(|| Span {
            trace: self.sent.trace.0,
            id: self.sent.span.0,
            parent: self.received.map(|received| received.span.0),
        })
    }

    /// True when a field of the client's head must not reach the upstream: `traceparent`, which is written anew, and
    /// `tracestate` when it belongs to no trace that could be read (3.3).
    pub fn drops(&self, field: &Field<'_>) -> bool {
        field.known == Known::Traceparent || (self.received.is_none() && field.name.eq_ignore_ascii_case(b"tracestate"))
    }
}

impl TraceParent {
    /// Reads a value of version 00, or what a later version has in common with it (3.2.2).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (head, tail) = value.split_first_chunk::<TRACEPARENT_BYTES>()?;
        let version = hex(head.get(0..2)?)?;
        let dashes = [2, 35, 52].iter().all(|&at| head.get(at) == Some(&b'-'));
        let ends_well = if version == 0 { tail.is_empty() } else { tail.first().is_none_or(|&byte| byte == b'-') };
        if !dashes || !ends_well || version == 0xff {
            return None;
        }
        let trace = hex(head.get(3..35)?).filter(|&id| id != 0)?;
        let span = hex(head.get(36..52)?).filter(|&id| id != 0)?;
        let flags = hex(head.get(53..55)?)?;
        // What is not known here is not passed on as if it were (3.2.2.3). The digits were counted, so nothing is cut.
        Some(Self { trace: TraceId(trace), span: SpanId(span as u64), flags: flags as u8 & (SAMPLED | RANDOM) })
    }

    /// Whether the sender may have recorded the trace.
    pub fn sampled(&self) -> Sampled {
        if self.flags & SAMPLED == 0 { Sampled::No } else { Sampled::Yes }
    }

    /// The value of `traceparent`, version 00.
    pub fn value(&self) -> [u8; TRACEPARENT_BYTES] {
        let mut out = [b'-'; TRACEPARENT_BYTES];
        let parts: [(usize, usize, u128); 4] =
            [(0, 2, 0), (3, 32, self.trace.0), (36, 16, u128::from(self.span.0)), (53, 2, u128::from(self.flags))];
        for (at, digits, number) in parts {
            for (place, slot) in out.iter_mut().skip(at).take(digits).enumerate() {
                let nibble = (number >> (4 * (digits - 1 - place)) & 15) as u8;
                *slot = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            }
        }
        out
    }
}

/// Lower-case hexadecimal digits, at most 32; capitals are not allowed (3.2.2.2).
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0u128, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// Identifiers of zero are invalid; one chance in 2^64 is not left to it.
fn not_zero(random: u64) -> u64 {
    random.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Believe;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn value(parent: TraceParent) -> String {
        String::from_utf8(parent.value().to_vec()).unwrap()
    }

    #[test]
    fn parents_are_read() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(TraceParent::parse(text.as_bytes()).map(value).as_deref(), expected, "{text}");
        };
        check(PARENT, Some(PARENT));
        let later = PARENT.replacen("00", "cc", 1);
        check(&later, Some(PARENT));
        check(&format!("{later}-more"), Some(PARENT));
        check(&format!("{later}more"), None);
        check(&format!("{PARENT}-more"), None);
        check(&PARENT.replacen("00", "ff", 1), None);
        check(&PARENT.to_uppercase(), None);
        check(&PARENT.replace("-01", "-fd"), Some(PARENT));
        check(&PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), None);
        check(&PARENT.replace("00f067aa0ba902b7", &"0".repeat(16)), None);
        check(&PARENT.replace("-01", "_01"), None);
        check(&PARENT[..54], None);
        check("", None);
    }

    fn trace(pairs: &[(&str, &str)], per_million: u32, believed: bool) -> (Trace, Vec<String>) {
        let fields = Fields::from_pairs(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        let mut number = 0xa0;
        let tracing = Tracing { sample_per_million: per_million, believe: Believe::Nobody };
        let trace = Trace::of(&fields, &tracing, believed, || {
            number += 1;
            number
        });
        let kept = fields.iter().filter(|field| !trace.drops(field));
        (trace, kept.map(|field| String::from_utf8(field.name.to_vec()).unwrap()).collect())
    }

    #[test]
    fn a_trace_goes_on_or_begins() {
        let came = [("Traceparent", PARENT), ("TraceState", "a=b"), ("x", "y")];
        let (passed, kept) = trace(&came, 0, false);
        // Not recorded: the parent stays, and nobody behind us is told to record.
        assert_eq!((value(passed.sent), passed.span()), (PARENT.replace("-01", "-00"), None));
        assert_eq!(kept, ["TraceState", "x"]);
        let (child, _) = trace(&came, 1_000_000, false);
        assert_eq!(value(child.sent), "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000a2-01");
        let parent = Some(0x00f0_67aa_0ba9_02b7);
        assert_eq!(child.span(), Some(Span { trace: child.sent.trace.0, id: 0xa2, parent }));
        let (believed, _) = trace(&came, 0, true);
        assert_eq!(value(believed.sent), "00-4bf92f3577b34da6a3ce929d0e0e4736-00000000000000a1-01");
        let unsampled = PARENT.replace("-01", "-02");
        let (believed, _) = trace(&[("traceparent", &unsampled)], 1_000_000, true);
        assert_eq!((value(believed.sent), believed.span()), (unsampled, None));
        let begun = "00-00000000000000a200000000000000a3-00000000000000a4-02";
        for broken in [&came[1..], &[("traceparent", "00-1"), came[1]], &[came[0], came[0], came[1]]] {
            let (new, kept) = trace(broken, 0, true);
            assert_eq!((value(new.sent).as_str(), new.received), (begun, None));
            assert!(!kept.contains(&"TraceState".to_owned()));
        }
        let tracing = Tracing { sample_per_million: 1, believe: Believe::Nobody };
        let zero = Trace::of(&Fields::default(), &tracing, false, || 0);
        assert!(TraceParent::parse(&zero.sent.value()).is_some());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(trace in 1u128.., span in 1u64.., flags in 0u8..4) {
            let parent = TraceParent { trace: TraceId(trace), span: SpanId(span), flags };
            prop_assert_eq!(value(parent), format!("00-{}-{}-{flags:02x}", parent.trace, parent.span));
            prop_assert_eq!(TraceParent::parse(&parent.value()), Some(parent));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(prop_oneof![Just(b'-'), Just(b'0'), Just(b'a'), any::<u8>()], 0..70)) {
            if let Some(parent) = TraceParent::parse(&bytes) {
                prop_assert_eq!(TraceParent::parse(&parent.value()), Some(parent));
            }
        }
    }
}
