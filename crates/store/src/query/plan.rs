//! Turning filters, groups and measures into DataFusion's expressions.
//!
//! What Parquet's statistics can decide (time, endpoint, status, API) stays a plain comparison, so that whole pages are skipped;
//! networks and lists are small functions of ours.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::expr_fn::{
    approx_distinct, approx_percentile_cont, approx_percentile_cont_with_weight, max, min, sum,
};
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility, cast, col, create_udf, lit, when};
use ipnet::IpNet;
use model::{Reason, Severity, Timestamp};

use super::field::{Field, Kind, SEVERITIES};
use super::filter::{Filter, Operator, Test, Value};
use super::{Group, Measure};
use crate::columns::UTC;

/// What endpoints are called: `GET api.example.com/users/{id}`, by id.
#[derive(Clone, Debug, Default)]
pub struct EndpointNames {
    names: HashMap<u64, String>,
}

impl EndpointNames {
    /// From pairs of id and name.
    pub fn new(names: impl IntoIterator<Item = (u64, String)>) -> Self {
        Self { names: names.into_iter().collect() }
    }

    /// The name of an endpoint.
    pub fn name(&self, id: u64) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    fn matching(&self, test: impl Fn(&str) -> bool) -> Vec<Expr> {
        self.names.iter().filter(|(_, name)| test(name)).map(|(id, _)| lit(*id)).collect()
    }
}

/// The expression that is true for the exchanges of a range.
pub fn in_range(since: Timestamp, until: Timestamp) -> Expr {
    let moment = |at: Timestamp| lit(ScalarValue::TimestampMicrosecond(Some(at.0), Some(UTC.into())));
    col("at").gt_eq(moment(since)).and(col("at").lt(moment(until)))
}

/// The expression that is true for the exchanges a filter means.
pub fn filter_expr(filter: &Filter, names: &EndpointNames) -> Expr {
    match filter {
        Filter::All(filters) => joined(filters, names, true, Expr::and),
        Filter::Any(filters) => joined(filters, names, false, Expr::or),
        Filter::Not(filter) => !filter_expr(filter, names),
        Filter::Test(test) => test_expr(test, names),
    }
}

/// Filters joined as a balanced tree: a chain of hundreds would be as deep as it is long, and expressions are walked by recursion.
fn joined(filters: &[Filter], names: &EndpointNames, of_none: bool, with: fn(Expr, Expr) -> Expr) -> Expr {
    match filters {
        [] => lit(of_none),
        [filter] => filter_expr(filter, names),
        _ => {
            let (left, right) = filters.split_at(filters.len() / 2);
            with(joined(left, names, of_none, with), joined(right, names, of_none, with))
        }
    }
}

fn test_expr(test: &Test, names: &EndpointNames) -> Expr {
    let positive = match test.operator {
        Operator::IsNot => Operator::Is,
        Operator::HoldsNot => Operator::Holds,
        other => other,
    };
    let expr = positive_expr(test.field, positive, &test.value, names);
    if positive == test.operator { expr } else { !expr }
}

/// A test with `=`, `~` or an order. Never unknown: what is absent is not equal to anything.
fn positive_expr(field: Field, operator: Operator, value: &Value, names: &EndpointNames) -> Expr {
    let column = col(field.column());
    match (field.kind(), value) {
        (Kind::Category | Kind::Severity, Value::Text(text)) => {
            let codes = codes_of(field, operator, text);
            list_any("reasons", move |reason| codes.contains(&reason))
        }
        (Kind::Endpoint, Value::Text(text)) => endpoint_expr(operator, text, names),
        (Kind::Endpoint | Kind::Hash, Value::Absent) | (Kind::Number(_), Value::Absent) => column.is_null(),
        (Kind::Hash, Value::Hash(number)) => column.clone().is_not_null().and(column.eq(lit(*number))),
        (Kind::List, Value::Absent) => list_is_empty(field.column()),
        (_, Value::Absent) => column.eq(lit("")),
        (Kind::List, Value::Text(text)) => {
            let matcher = text_matcher(operator, text);
            list_any(field.column(), matcher)
        }
        (_, Value::Text(text)) => text_expr(column, operator, text),
        (_, Value::Statuses(first, last)) => column.clone().gt_eq(lit(*first)).and(column.lt_eq(lit(*last))),
        (_, Value::Number(number)) => number_expr(field, operator, *number),
        (_, Value::Network(network)) => network_expr(field.column(), *network),
        (_, Value::Flag(true)) => column,
        (_, Value::Flag(false)) => !column,
        // The parser gives hashes to fields of hashes only.
        (_, Value::Hash(_)) => lit(false),
    }
}

fn number_expr(field: Field, operator: Operator, number: u64) -> Expr {
    let column = col(field.column());
    let value = lit(i64::try_from(number).unwrap_or(i64::MAX));
    let compared = match operator {
        Operator::Less => column.clone().lt(value),
        Operator::AtMost => column.clone().lt_eq(value),
        Operator::More => column.clone().gt(value),
        Operator::AtLeast => column.clone().gt_eq(value),
        _ => column.clone().eq(value),
    };
    if field == Field::Server { column.is_not_null().and(compared) } else { compared }
}

fn text_expr(column: Expr, operator: Operator, text: &str) -> Expr {
    match operator {
        Operator::Holds => column.ilike(lit(format!("%{}%", like_escaped(text)))),
        _ if text.contains('*') => column.like(lit(like_escaped(text).replace('*', "%"))),
        _ => column.eq(lit(text)),
    }
}

fn like_escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// A test of one text in Rust, with the same meaning as [`text_expr`].
fn text_matcher(operator: Operator, text: &str) -> Box<dyn Fn(&str) -> bool + Send + Sync> {
    let text = text.to_owned();
    match operator {
        Operator::Holds => {
            let text = text.to_lowercase();
            Box::new(move |value| value.to_lowercase().contains(&text))
        }
        _ if text.contains('*') => Box::new(move |value| glob(&text, value)),
        _ => Box::new(move |value| value == text),
    }
}

/// True when `text` is `pattern`, where `*` stands for any text. Each part between stars is searched once, so the time is linear in
/// both.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.find(middle) {
                Some(at) => rest = rest.get(at + middle.len()..).unwrap_or_default(),
                None => return false,
            }
        }
    }
    match last {
        Some(end) => rest.ends_with(end),
        None => rest.is_empty(),
    }
}

fn endpoint_expr(operator: Operator, text: &str, names: &EndpointNames) -> Expr {
    let column = col(Field::Endpoint.column());
    let digits = text.strip_prefix('e').unwrap_or(text);
    if operator == Operator::Is
        && let Ok(id) = digits.parse::<u64>()
    {
        return column.clone().is_not_null().and(column.eq(lit(id)));
    }
    let matcher = text_matcher(operator, text);
    let ids = names.matching(|name| {
        // `GET api.example.com/users/{id}` is also found by its path, with or without the method.
        let path = name.find('/').and_then(|at| name.get(at..)).unwrap_or(name);
        let short = name.split_once(' ').map(|(method, _)| format!("{method} {path}")).unwrap_or_default();
        matcher(name) || matcher(path) || matcher(&short)
    });
    if ids.is_empty() { lit(false) } else { column.clone().is_not_null().and(column.in_list(ids, false)) }
}

fn network_expr(column: &'static str, network: IpNet) -> Expr {
    if network.prefix_len() == network.max_prefix_len() {
        return col(column).eq(lit(network.addr().to_string()));
    }
    let test = move |texts: &StringViewArray| -> BooleanArray {
        let inside = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| network.contains(&address));
        texts.iter().map(|text| Some(text.is_some_and(inside))).collect()
    };
    let function = create_udf(
        "in_network",
        vec![DataType::Utf8View],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(move |arguments: &[ColumnarValue]| {
            let texts = first_array(arguments)?;
            let texts = texts.as_string_view_opt().ok_or_else(|| internal("in_network takes text"))?;
            Ok(ColumnarValue::Array(Arc::new(test(texts))))
        }),
    );
    function.call(vec![col(column)])
}

fn internal(message: &str) -> DataFusionError {
    DataFusionError::Internal(message.to_owned())
}

fn first_array(arguments: &[ColumnarValue]) -> Result<ArrayRef> {
    let arrays = ColumnarValue::values_to_arrays(arguments)?;
    arrays.into_iter().next().ok_or_else(|| internal("an argument is missing"))
}

fn list_type(column: &str) -> DataType {
    crate::columns::query_schema().field_with_name(column).map_or(DataType::Null, |field| field.data_type().clone())
}

/// True when any text of a list passes.
fn list_any(column: &'static str, test: impl Fn(&str) -> bool + Send + Sync + 'static) -> Expr {
    list_expr("any_of", column, move |texts| texts.iter().flatten().any(&test))
}

fn list_is_empty(column: &'static str) -> Expr {
    list_expr("is_empty", column, |texts| texts.is_empty())
}

fn list_expr(
    name: &str,
    column: &'static str,
    test: impl Fn(&arrow::array::StringArray) -> bool + Send + Sync + 'static,
) -> Expr {
    let function = create_udf(
        name,
        vec![list_type(column)],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(move |arguments: &[ColumnarValue]| {
            let lists = first_array(arguments)?;
            let lists = lists.as_list_opt::<i32>().ok_or_else(|| internal("a list is expected"))?;
            let empty = arrow::array::StringArray::new_null(0);
            let passes: BooleanArray = lists
                .iter()
                .map(|list| {
                    let texts = list.as_ref().and_then(|list| list.as_string_opt::<i32>()).unwrap_or(&empty);
                    Some(test(texts))
                })
                .collect();
            Ok(ColumnarValue::Array(Arc::new(passes)))
        }),
    );
    function.call(vec![col(column)])
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// The codes of the reasons with this category or severity.
fn codes_of(field: Field, operator: Operator, text: &str) -> Vec<&'static str> {
    let rank = |name: &str| SEVERITIES.iter().position(|severity| *severity == name);
    let matcher = text_matcher(operator, text);
    let wanted = |reason: &Reason| {
        if field == Field::Category {
            return matcher(reason.category().name());
        }
        let name = severity_name(reason.severity());
        match operator {
            Operator::Less => rank(name) < rank(text),
            Operator::AtMost => rank(name) <= rank(text),
            Operator::More => rank(name) > rank(text),
            Operator::AtLeast => rank(name) >= rank(text),
            _ => matcher(name),
        }
    };
    Reason::all().filter(wanted).map(Reason::code).collect()
}

/// The list column a group opens up into one row per value, if it does.
pub fn opened_list(group: &Group) -> Option<&'static str> {
    match group {
        Group::Field(field) if field.kind() == Kind::List => Some(field.column()),
        Group::Field(Field::Category | Field::Severity) => Some("reasons"),
        _ => None,
    }
}

/// What a group's rows have in common.
pub fn group_expr(group: &Group) -> Expr {
    match group {
        Group::Field(Field::Category) => named_reason("category", |reason| reason.category().name()),
        Group::Field(Field::Severity) => named_reason("severity", |reason| severity_name(reason.severity())),
        Group::Field(field) => col(field.column()),
        Group::Time { step_s } => {
            let step_us = lit(i64::from(*step_s) * 1_000_000);
            cast(col("at"), DataType::Int64) / step_us.clone() * step_us
        }
    }
}

/// A property of the reason in the opened column `reasons`.
fn named_reason(name: &str, property: fn(Reason) -> &'static str) -> Expr {
    let function = create_udf(
        name,
        vec![DataType::Utf8],
        DataType::Utf8View,
        Volatility::Immutable,
        Arc::new(move |arguments: &[ColumnarValue]| {
            let codes = first_array(arguments)?;
            let codes = codes.as_string_opt::<i32>().ok_or_else(|| internal("a reason is a text"))?;
            let names: StringViewArray =
                codes.iter().map(|code| Some(code.and_then(Reason::from_code).map_or("unknown", property))).collect();
            Ok(ColumnarValue::Array(Arc::new(names)))
        }),
    );
    function.call(vec![col("reasons")])
}

/// Whether exchanges may stand for more than themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Every exchange stands for itself.
    Equal,
    /// Ordinary exchanges were sampled.
    Sampled,
}

/// What a measure works out.
///
/// # Errors
/// When DataFusion refuses the expression, which would be our mistake.
pub fn measure_expr(measure: &Measure, weights: Weights) -> Result<Expr> {
    let weight = cast(col("weight"), DataType::Float64);
    let count_if = |condition: Expr| -> Result<Expr> { Ok(sum(when(condition, weight.clone()).otherwise(lit(0.0))?)) };
    let number = |field: &Field| cast(col(field.column()), DataType::Float64);
    Ok(match measure {
        Measure::Count if weights == Weights::Equal => datafusion::functions_aggregate::expr_fn::count(lit(1i64)),
        Measure::Count => sum(weight),
        Measure::Errors => count_if(col("status").gt_eq(lit(400u16)))?,
        Measure::Refused => count_if(col("verdict").eq(lit("refuse")))?,
        Measure::Distinct(field) => approx_distinct(col(field.column())),
        Measure::Sum(field) => sum(number(field) * weight),
        Measure::Mean(field) => sum(number(field) * weight.clone()) / sum(weight),
        Measure::Max(field) => max(col(field.column())),
        Measure::Percentile(field, percent) => {
            let order = number(field).sort(true, true);
            let percent = lit(f64::from(*percent) / 100.0);
            match weights {
                Weights::Equal => approx_percentile_cont(order, percent, None),
                Weights::Sampled => approx_percentile_cont_with_weight(order, weight, percent, None),
            }
        }
        Measure::First => min(col("at")),
        Measure::Last => max(col("at")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, expected) in [
            ("attacks.*", "attacks.sql", true),
            ("*", "", true),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "ac", false),
            ("*.sql", "attacks.sql", true),
            ("a*a", "a", false),
            ("ab", "abc", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn severities_and_categories_become_reasons() {
        let critical = codes_of(Field::Severity, Operator::AtLeast, "critical");
        assert!(critical.contains(&"attacks.sql") && !critical.contains(&"attacks.script"));
        let all = codes_of(Field::Severity, Operator::AtLeast, "info");
        assert_eq!(all.len(), Reason::all().count());
        assert!(codes_of(Field::Category, Operator::Is, "injection").contains(&"attacks.sql"));
    }

    proptest! {
        #[test]
        fn globs_agree_with_a_regular_walk(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) => slow(rest, text) || text.split_first().is_some_and(|(_, t)| slow(pattern, t)),
                    (Some((p, rest)), Some((t, tail))) => p == t && slow(rest, tail),
                    _ => false,
                }
            }
            prop_assert_eq!(glob(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
