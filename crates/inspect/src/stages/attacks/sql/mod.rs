//! SQL: the value is read as tokens in each place of a query it may land in, and what it does there is weighed.
//!
//! Evidence is grammar, not words: a string that is left, a condition that is always true, a second statement, a union
//! with a select list. Words alone (`select`, `drop`) weigh nothing, so that prose and tutorials pass.

mod grammar;
mod token;

use super::family::{Family, Weight};
use super::gate::{Marker, any, call, start, word};
use super::text::Text;
use token::Inside;

/// Names and functions that only a query has.
pub(super) const MARKERS: &[Marker] = &[
    word(0, "select"),
    word(0, "union"),
    word(0, "insert"),
    word(0, "update"),
    word(0, "delete"),
    word(0, "drop"),
    word(0, "having"),
    start(0, "order by"),
    start(0, "group by"),
    word(0, "exec"),
    word(0, "execute"),
    word(0, "declare"),
    word(0, "alter"),
    word(0, "create"),
    word(0, "truncate"),
    word(0, "shutdown"),
    word(0, "grant"),
    any(0, "/*!"),
    any(0, "--"),
    any(0, "/*"),
    word(0, "rlike"),
    word(0, "regexp"),
    word(0, "like"),
    word(0, "between"),
    word(0, "procedure"),
    word(0, "is null"),
    word(0, "is not null"),
    word(0, "merge"),
    word(0, "replace"),
    word(0, "case when"),
    word(0, "iif"),
    word(0, "values"),
    any(0, ") or"),
    any(0, ")or"),
    any(0, ") and"),
    any(0, ")and"),
    any(0, "or+"),
    any(0, "and+"),
    any(0, "||"),
    any(0, "&&"),
    start(7, "user_lock."),
    start(6, "dbms_session"),
    call(6, "sleep"),
    call(7, "pg_sleep"),
    call(7, "benchmark"),
    start(8, "waitfor delay"),
    start(8, "waitfor time"),
    word(8, "xp_cmdshell"),
    start(7, "xp_dirtree"),
    start(7, "xp_regread"),
    start(7, "xp_fileexist"),
    start(6, "sp_executesql"),
    start(6, "sp_oacreate"),
    start(6, "sp_password"),
    start(6, "sp_makewebtask"),
    start(6, "sp_configure"),
    word(6, "openrowset"),
    word(6, "opendatasource"),
    word(6, "openquery"),
    call(6, "load_file"),
    call(6, "extractvalue"),
    call(6, "updatexml"),
    call(5, "group_concat"),
    call(5, "concat_ws"),
    word(6, "information_schema"),
    word(6, "sysobjects"),
    word(6, "syscolumns"),
    word(6, "sysusers"),
    word(6, "sqlite_master"),
    word(6, "sqlite_schema"),
    start(6, "pg_catalog"),
    word(6, "pg_shadow"),
    word(6, "pg_user"),
    start(5, "mysql.user"),
    start(5, "mysql.db"),
    start(5, "sys.tables"),
    start(5, "sys.user"),
    start(5, "sys.objects"),
    start(5, "sys.databases"),
    start(5, "sys.columns"),
    word(6, "all_tables"),
    word(6, "user_tables"),
    word(6, "all_tab_columns"),
    word(5, "all_users"),
    word(6, "msysaccessobjects"),
    word(5, "rdb$database"),
    word(5, "sysibm"),
    start(5, "@@version"),
    start(5, "@@datadir"),
    start(5, "@@hostname"),
    start(5, "@@basedir"),
    start(6, "@@servername"),
    start(8, "into outfile"),
    start(8, "into dumpfile"),
    start(7, "load data infile"),
    start(8, "procedure analyse"),
    start(5, "utl_inaddr"),
    start(6, "utl_http"),
    start(6, "dbms_pipe"),
    start(6, "dbms_lock"),
    start(5, "dbms_"),
    start(6, "ctxsys."),
    call(6, "randomblob"),
    call(5, "make_set"),
    call(5, "json_keys"),
    call(5, "elt"),
    call(5, "lo_import"),
    call(5, "lo_export"),
    call(5, "pg_read_file"),
    call(5, "xmltype"),
    call(5, "fn_varbintohexstr"),
    call(5, "exp(~"),
    call(4, "json_extract"),
    call(4, "json_depth"),
    call(4, "gtid_subset"),
    call(4, "json_array_length"),
    call(4, "st_latfromgeohash"),
    call(5, "generate_series"),
    call(4, "bin_to_uuid"),
    call(3, "substring"),
    call(3, "substr"),
    call(3, "mid"),
    call(3, "ascii"),
    call(3, "ord"),
    call(3, "char"),
    call(3, "chr"),
    call(3, "nchar"),
    call(3, "hex"),
    call(3, "unhex"),
    call(3, "concat"),
    call(3, "cast"),
    call(3, "convert"),
    call(3, "database"),
    call(3, "version"),
    call(3, "schema"),
    call(3, "user"),
    call(3, "current_user"),
    call(3, "system_user"),
    call(3, "count"),
    call(3, "ifnull"),
    call(3, "isnull"),
    call(3, "nullif"),
    call(3, "length"),
    call(3, "conv"),
    call(3, "sqlite_version"),
    call(3, "is_srvrolemember"),
    call(3, "row_count"),
    call(4, "db_name"),
    call(3, "floor"),
    call(3, "rand"),
    call(3, "md5"),
    call(3, "aes_encrypt"),
    call(3, "case"),
    call(3, "exists"),
    call(3, "current_setting"),
    call(3, "rpad"),
    call(3, "lpad"),
    call(3, "coalesce"),
    call(3, "bit_length"),
    call(3, "varchar"),
    call(3, "serverproperty"),
];

/// The text is nothing but a call that only a query has: `sleep(5)`, `;benchmark(...)`.
fn alone(text: &Text<'_>) -> bool {
    let first = text.hits(Family::Sql).find(|hit| hit.marker.points >= 5);
    text.raw.len() <= 200
        && first.is_some_and(|hit| {
            hit.marker.points >= 6
                && text.low.iter().take(hit.at as usize).all(|byte| !byte.is_ascii_alphabetic() && *byte != b'`')
                || text.low.starts_with(b"select")
                || text.low.starts_with(b"if(")
                || text.low.starts_with(b"/if(")
        })
}

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let bare = grammar::weigh(text, Inside::Bare);
    let mut best = bare;
    for quote in [b'\'', b'"'] {
        if let Some(found) = grammar::weigh(text, Inside::Quote(quote))
            && best.as_ref().is_none_or(|best| found.points > best.points)
        {
            best = Some(found);
        }
    }
    let grammar = best.unwrap_or_default();
    let mut markers = Weight::default();
    for hit in text.hits(Family::Sql) {
        markers.add(u32::from(hit.marker.points), hit.marker.text);
    }
    // Function names are ordinary words in other languages; without any grammar around them they only hint.
    let strong = text.hits(Family::Sql).any(|hit| hit.marker.points >= 5);
    let cap = match (grammar.points, strong, text.prose) {
        (0, false, _) => 2,
        (0, true, true) => 4,
        (0, true, false) => {
            if alone(text) {
                11
            } else {
                7
            }
        }
        (1..=4, _, true) => 4,
        (1..=4, false, false) => 5,
        (_, _, true) => 6,
        (_, _, false) => 9,
    };
    let points = markers.points.min(cap);
    for name in &grammar.names {
        weight.add(0, name);
        if weight.names.len() < 6 {
            weight.names.push(name);
        }
    }
    weight.points += grammar.points + points;
    if strong && !text.prose && alone(text) {
        weight.points += 5;
    }
    if points > 0 {
        for name in markers.names {
            if weight.names.len() < 6 {
                weight.names.push(name);
            }
        }
    }
}
