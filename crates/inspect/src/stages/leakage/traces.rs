//! Stack traces and database errors: lines that only a failing program writes.

use model::finding::Confidence::{self, Likely, Sure};
use model::reason::LeakReason::{self, SqlError, StackTrace};

use super::Found;

/// Fragments in lower case, what they show, and how sure that is.
const FRAGMENTS: &[(&str, LeakReason, Confidence, &str)] = &[
    ("traceback (most recent call last)", StackTrace, Sure, "a Python stack trace"),
    ("\tat java.", StackTrace, Sure, "a Java stack trace"),
    ("\\tat java.", StackTrace, Sure, "a Java stack trace"),
    ("\tat org.", StackTrace, Sure, "a Java stack trace"),
    ("\\tat org.", StackTrace, Sure, "a Java stack trace"),
    ("\tat com.", StackTrace, Sure, "a Java stack trace"),
    ("\\tat com.", StackTrace, Sure, "a Java stack trace"),
    ("exception in thread \"", StackTrace, Sure, "a Java stack trace"),
    (".java:", StackTrace, Likely, "a Java source line"),
    ("   at system.", StackTrace, Sure, "a .NET stack trace"),
    ("   at microsoft.", StackTrace, Sure, "a .NET stack trace"),
    ("[nullreferenceexception", StackTrace, Sure, "a .NET stack trace"),
    ("server error in '/", StackTrace, Sure, "a .NET error page"),
    ("goroutine 1 [running]", StackTrace, Sure, "a Go stack trace"),
    ("panic: runtime error", StackTrace, Sure, "a Go stack trace"),
    ("thread 'main' panicked at", StackTrace, Sure, "a Rust panic"),
    ("    at object.<anonymous> (", StackTrace, Sure, "a Node stack trace"),
    ("at module._compile (", StackTrace, Sure, "a Node stack trace"),
    ("(node:internal/", StackTrace, Sure, "a Node stack trace"),
    ("/node_modules/", StackTrace, Likely, "a path of a Node module"),
    ("fatal error</b>:", StackTrace, Sure, "a PHP error"),
    ("php fatal error:", StackTrace, Sure, "a PHP error"),
    ("php stack trace:", StackTrace, Sure, "a PHP error"),
    ("<b>warning</b>:", StackTrace, Sure, "a PHP error"),
    ("uncaught exception 'pdoexception'", StackTrace, Sure, "a PHP error"),
    ("stack trace:\n#0 ", StackTrace, Sure, "a PHP error"),
    ("stack trace:\\n#0 ", StackTrace, Sure, "a PHP error"),
    ("whoops, looks like something went wrong", StackTrace, Sure, "a PHP error page"),
    ("actioncontroller::", StackTrace, Likely, "a Ruby error"),
    ("activerecord::", StackTrace, Likely, "a Ruby error"),
    (":in `block in ", StackTrace, Sure, "a Ruby stack trace"),
    (".rb:", StackTrace, Likely, "a Ruby source line"),
    ("werkzeug debugger", StackTrace, Sure, "a debugger"),
    ("you're seeing this error because you have <code>debug = true", StackTrace, Sure, "a debug page"),
    ("whitelabel error page", StackTrace, Likely, "an error page"),
    ("you have an error in your sql syntax", SqlError, Sure, "an error of MySQL"),
    ("check the manual that corresponds to your mysql", SqlError, Sure, "an error of MySQL"),
    ("check the manual that corresponds to your mariadb", SqlError, Sure, "an error of MariaDB"),
    ("com.mysql.jdbc", SqlError, Sure, "an error of MySQL"),
    ("mysql_fetch_", SqlError, Sure, "an error of MySQL"),
    ("mysqli_sql_exception", SqlError, Sure, "an error of MySQL"),
    ("sqlstate[", SqlError, Sure, "an SQL state"),
    ("org.postgresql.util.psqlexception", SqlError, Sure, "an error of PostgreSQL"),
    ("pg_query()", SqlError, Sure, "an error of PostgreSQL"),
    ("pg_exec()", SqlError, Sure, "an error of PostgreSQL"),
    ("psycopg2.", SqlError, Sure, "an error of PostgreSQL"),
    ("error: syntax error at or near", SqlError, Sure, "an error of PostgreSQL"),
    ("unterminated quoted string at or near", SqlError, Sure, "an error of PostgreSQL"),
    ("unclosed quotation mark after the character string", SqlError, Sure, "an error of SQL Server"),
    ("system.data.sqlclient.sqlexception", SqlError, Sure, "an error of SQL Server"),
    ("microsoft ole db provider for", SqlError, Sure, "an error of SQL Server"),
    ("[microsoft][odbc", SqlError, Sure, "an error of ODBC"),
    ("incorrect syntax near '", SqlError, Sure, "an error of SQL Server"),
    ("quoted string not properly terminated", SqlError, Sure, "an error of Oracle"),
    ("oracle.jdbc", SqlError, Sure, "an error of Oracle"),
    ("java.sql.sqlexception", SqlError, Sure, "an error of JDBC"),
    ("sqlite3.operationalerror", SqlError, Sure, "an error of SQLite"),
    ("sqlite_error", SqlError, Sure, "an error of SQLite"),
    ("unrecognized token: \"", SqlError, Likely, "an error of SQLite"),
    ("db2 sql error", SqlError, Sure, "an error of DB2"),
    ("dynamic sql error", SqlError, Sure, "an error of Firebird"),
    ("sybase message:", SqlError, Sure, "an error of Sybase"),
    ("jet database engine", SqlError, Sure, "an error of Access"),
    ("mongoservererror", SqlError, Sure, "an error of MongoDB"),
    ("ora-0", SqlError, Likely, "an error of Oracle"),
];

/// What is looked for, for the automaton of the stage.
pub(super) fn fragments() -> impl Iterator<Item = &'static str> + Clone {
    FRAGMENTS.iter().map(|(fragment, ..)| *fragment)
}

/// How many fragments there are.
pub(super) const COUNT: usize = FRAGMENTS.len();

/// How often each of the fragments was seen that also stand in documentation: they count from the third on.
pub(super) struct Weak([u8; FRAGMENTS.len()]);

impl Default for Weak {
    fn default() -> Self {
        Self([0; FRAGMENTS.len()])
    }
}

/// Adds the fragment with this index, which ends at `end`.
pub(super) fn judge(text: &[u8], index: usize, end: usize, weak: &mut Weak, found: &mut Found) {
    let Some(&(fragment, reason, confidence, what)) = FRAGMENTS.get(index) else { return };
    let next = text.get(end).copied().unwrap_or(b' ');
    // A file and its line; an error and its number.
    if matches!(fragment, ".java:" | ".rb:" | "ora-0") && !next.is_ascii_digit() {
        return;
    }
    if confidence == Confidence::Likely
        && let Some(count) = weak.0.get_mut(index)
    {
        *count = count.saturating_add(1);
        if *count < 3 && fragment != "ora-0" {
            return;
        }
    }
    found.add(reason, confidence, what, end - fragment.len()..end);
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn traces_and_errors_are_found() {
        check("Traceback (most recent call last):\n  File", &[(StackTrace, Sure, "a Python stack trace")]);
        check("{\"e\":\"x\\n\\tat org.acme.A.b(A.java:12)\"}", &[(StackTrace, Sure, "a Java stack trace")]);
        check("You have an error in your SQL syntax; near", &[(SqlError, Sure, "an error of MySQL")]);
        check("ORA-00933: SQL command not properly ended", &[(SqlError, Likely, "an error of Oracle")]);
        check("see Main.java: it is short", &[]);
    }
}
