//! Typed queries over recorded exchanges: what can be asked. How it is answered is in [`crate::reader`].

pub mod field;
pub mod filter;
mod parse;
pub mod plan;

use model::{Category, Reason, Timestamp};

pub use field::{Field, Kind, Unit};
pub use filter::{Filter, FilterError, Operator, Test, Value};

/// Most rows a query answers with.
pub const ROWS_MAX: usize = 100_000;

/// A question about recorded exchanges: grouped and measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The first moment.
    pub since: Timestamp,
    /// The first moment after.
    pub until: Timestamp,
    /// Which exchanges.
    pub filter: Filter,
    /// One row of the answer per combination of these; one row in all when there is none.
    pub group_by: Vec<Group>,
    /// What is worked out for each row.
    pub measures: Vec<Measure>,
    /// The order of the rows.
    pub order: Order,
    /// How many rows, at most [`ROWS_MAX`].
    pub limit: usize,
}

/// What rows are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The values of a field. An exchange with several reasons counts for each of them.
    Field(Field),
    /// Steps of time of this many seconds.
    Time {
        /// The length of a step.
        step_s: u32,
    },
}

/// What is worked out for a group. Counts and sums are weighted, so they stay right when ordinary exchanges are sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Exchanges.
    Count,
    /// Exchanges answered with 4xx or 5xx.
    Errors,
    /// Exchanges refused.
    Refused,
    /// Different values of a field, about.
    Distinct(Field),
    /// The sum of a number.
    Sum(Field),
    /// The mean of a number.
    Mean(Field),
    /// The greatest of a number.
    Max(Field),
    /// The value that this percentage of a number's values does not exceed, about.
    Percentile(Field, u8),
    /// The time of the first exchange.
    First,
    /// The time of the last exchange.
    Last,
}

/// The order of an answer's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The column, counted over groups and then measures.
    pub column: usize,
    /// Which end comes first.
    pub direction: Direction,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Small, early and `a` first.
    Ascending,
    /// Great, late and `z` first.
    Descending,
}

/// One value of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A moment.
    Time(Timestamp),
    /// True or false.
    Flag(bool),
    /// Nothing.
    Absent,
}

/// What was read for an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Segments that may hold exchanges of the range.
    pub segments: usize,
    /// Exchanges that were in no segment yet.
    pub journal_rows: u64,
    /// Segments left out because they are damaged.
    pub damaged: Vec<std::path::PathBuf>,
    /// Segments left out because they are of a later format.
    pub newer: usize,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Names of the columns: groups, then measures.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// True when there were more rows than the limit.
    pub truncated: bool,
    /// What was read.
    pub scan: Scan,
}

impl Query {
    /// How many exchanges a filter means in a range: one row, one column.
    pub fn count(since: Timestamp, until: Timestamp, filter: Filter) -> Self {
        Self {
            since,
            until,
            filter,
            group_by: Vec::new(),
            measures: vec![Measure::Count],
            order: Order { column: 0, direction: Direction::Descending },
            limit: 1,
        }
    }

    /// The values of a field with the most exchanges.
    pub fn top(since: Timestamp, until: Timestamp, filter: Filter, field: Field, limit: usize) -> Self {
        Self {
            group_by: vec![Group::Field(field)],
            order: Order { column: 1, direction: Direction::Descending },
            limit,
            ..Self::count(since, until, filter)
        }
    }

    /// The names of the answer's columns.
    pub fn columns(&self) -> Vec<String> {
        self.group_by
            .iter()
            .map(|group| group.name())
            .chain(self.measures.iter().map(|measure| measure.name()))
            .collect()
    }
}

impl Group {
    /// How it is written: a field's name, or `time(60s)`.
    pub fn name(&self) -> String {
        match self {
            Self::Field(field) => field.name().to_owned(),
            Self::Time { step_s } => format!("time({step_s}s)"),
        }
    }

    /// Reads a group: a field's name, `minute`, `hour`, `day`, or `time(5m)`.
    ///
    /// # Errors
    /// One sentence, when it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let seconds = match text {
            "minute" => Some(60),
            "hour" => Some(3_600),
            "day" => Some(86_400),
            _ => match text.strip_prefix("time(").and_then(|rest| rest.strip_suffix(')')) {
                Some(step) => Some(step_seconds(step).ok_or_else(|| {
                    format!("`{step}` is no step of time; write it as `30s`, `5m`, `2h` or `1d`, at most 366 days")
                })?),
                None => None,
            },
        };
        match seconds {
            Some(step_s) => Ok(Self::Time { step_s }),
            None => field(text).map(Self::Field),
        }
    }
}

fn step_seconds(text: &str) -> Option<u32> {
    let unit = text.chars().next_back()?;
    let factor: u32 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(factor).filter(|seconds| (1..=366 * 86_400).contains(seconds))
}

fn field(text: &str) -> Result<Field, String> {
    Field::from_name(text).ok_or_else(|| match Field::nearest(text) {
        Some(nearest) => format!("unknown field `{text}`; did you mean `{nearest}`?"),
        None => format!(
            "unknown field `{text}`; known are {}",
            Field::all().map(Field::name).collect::<Vec<_>>().join(", ")
        ),
    })
}

impl Measure {
    /// How it is written.
    pub fn name(&self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Errors => "errors".to_owned(),
            Self::Refused => "refused".to_owned(),
            Self::Distinct(field) => format!("distinct({})", field.name()),
            Self::Sum(field) => format!("sum({})", field.name()),
            Self::Mean(field) => format!("mean({})", field.name()),
            Self::Max(field) => format!("max({})", field.name()),
            Self::Percentile(field, percent) => format!("p{percent}({})", field.name()),
            Self::First => "first".to_owned(),
            Self::Last => "last".to_owned(),
        }
    }

    /// Reads a measure: `count`, `errors`, `refused`, `first`, `last`, or `distinct`, `sum`, `mean`, `max`, `p1` to `p99` of a field, as
    /// in `p95(latency)`.
    ///
    /// # Errors
    /// One sentence, when it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "count" => return Ok(Self::Count),
            "errors" => return Ok(Self::Errors),
            "refused" => return Ok(Self::Refused),
            "first" => return Ok(Self::First),
            "last" => return Ok(Self::Last),
            _ => {}
        }
        let unknown = || {
            format!(
                "unknown measure `{text}`; known are count, errors, refused, first, last, and distinct, sum, mean, max \
                 or p1 to p99 of a field, as in `p95(latency)`"
            )
        };
        let (function, rest) = text.split_once('(').ok_or_else(unknown)?;
        let field = field(rest.strip_suffix(')').ok_or_else(unknown)?)?;
        let number = matches!(field.kind(), Kind::Number(_));
        let percent = function.strip_prefix('p').and_then(|percent| percent.parse::<u8>().ok());
        let measure = match (function, percent) {
            ("distinct", _) if !field.column().is_empty() && field.kind() != Kind::List => {
                return Ok(Self::Distinct(field));
            }
            ("sum", _) => Self::Sum(field),
            ("mean", _) => Self::Mean(field),
            ("max", _) => Self::Max(field),
            (_, Some(percent @ 1..=99)) => Self::Percentile(field, percent),
            _ => return Err(unknown()),
        };
        if number { Ok(measure) } else { Err(format!("`{}` is no number, so it has no {function}", field.name())) }
    }
}

/// The names of all kinds of threat.
pub fn categories() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<_> = Reason::all().map(|reason| reason.category().name()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter()
}

/// The kind of threat of a reason, by the reason's code; `None` for one that this version does not know.
pub fn category_of(code: &str) -> Option<Category> {
    Reason::from_code(code).map(Reason::category)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_measures_read_back() {
        for text in ["status", "endpoint", "time(300s)"] {
            assert_eq!(Group::parse(text).expect(text).name(), text);
        }
        assert_eq!(Group::parse("minute"), Ok(Group::Time { step_s: 60 }));
        assert_eq!(Group::parse("time(5m)"), Ok(Group::Time { step_s: 300 }));
        for text in
            ["count", "errors", "first", "p95(latency)", "distinct(session)", "sum(response_bytes)", "mean(upstream)"]
        {
            assert_eq!(Measure::parse(text).expect(text).name(), text);
        }
    }

    #[test]
    fn mistakes_get_advice() {
        assert!(Group::parse("statu").expect_err("a mistake").ends_with("did you mean `status`?"));
        assert!(Group::parse("time(0s)").is_err());
        assert!(Group::parse("time(9999999d)").is_err());
        assert!(Group::parse("time(5é)").is_err());
        assert!(Measure::parse("p100(latency)").is_err());
        assert_eq!(Measure::parse("sum(path)"), Err("`path` is no number, so it has no sum".to_owned()));
        assert!(Measure::parse("distinct(reason)").is_err());
    }
}
