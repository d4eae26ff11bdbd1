//! What is wrong with a configuration file, shown where it is wrong. Values of secrets are masked in what is shown.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What stands in the place of a secret that is not shown.
pub const MASK: &str = "********";

/// Where something stands in a file: line and column from 1, columns and length in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Line, from 1; 0 when unknown.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Characters to underline; at least one is.
    pub len: usize,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where.
    pub spot: Spot,
    /// What is wrong, lower case, what was typed in backticks.
    pub message: String,
    /// What to do about it; empty when the message says it all.
    pub help: String,
}

/// Every mistake of one file.
#[derive(Debug)]
pub struct Report {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The lines of the file with secrets masked.
    pub lines: Vec<String>,
    /// The mistakes in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// A report over `text`; `secrets` are the places whose content must not be shown.
    pub fn new(file: &Path, text: &str, secrets: &[Spot], mut diagnostics: Vec<Diagnostic>) -> Self {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for secret in secrets {
            let Some(at) = secret.line.checked_sub(1) else { continue };
            let end = end_of(&lines, at, *secret);
            if let Some(line) = lines.get_mut(at) {
                *line = masked(line, *secret);
            }
            for line in lines.iter_mut().take(end).skip(at + 1).filter(|line| !line.trim().is_empty()) {
                *line = masked(line, Spot { column: indent(line) + 1, ..*secret });
            }
        }
        diagnostics.sort_by_key(|diagnostic| diagnostic.spot);
        diagnostics.dedup();
        Self { file: file.to_owned(), lines, diagnostics }
    }

    /// A report of one sentence about the file as a whole.
    pub fn of_file(file: &Path, message: String) -> Self {
        let diagnostic = Diagnostic { spot: Spot::default(), message, help: String::new() };
        Self { file: file.to_owned(), lines: Vec::new(), diagnostics: vec![diagnostic] }
    }
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|character| *character == ' ').count()
}

/// The column at which the key of a line stands: behind spaces and the dashes of lists.
fn key_column(line: &str) -> usize {
    let mut column = indent(line);
    while line.get(column..).is_some_and(|rest| rest.starts_with("- ")) {
        column += 2 + line.get(column + 2..).map_or(0, indent);
    }
    column
}

/// The first line after a secret that starts on line `at`: a block (`|`, `>`), a quoted or a plain text may go on over all the
/// lines below that are empty or stand further right than its key (YAML 1.2.2, section 8.1).
fn end_of(lines: &[String], at: usize, secret: Spot) -> usize {
    let Some(line) = lines.get(at) else { return at };
    let value: String = line.chars().skip(secret.column.saturating_sub(1)).collect();
    if !goes_on(&value) {
        return at + 1;
    }
    let stands_alone = line.chars().take(secret.column.saturating_sub(1)).all(|character| character == ' ');
    let above = lines.iter().take(at).rev().find(|above| !above.trim().is_empty() && indent(above) < indent(line));
    let key = if stands_alone { above.map_or(0, |above| key_column(above)) } else { key_column(line) };
    let below = lines.iter().skip(at + 1).take_while(|line| line.trim().is_empty() || indent(line) > key);
    at + 1 + below.count()
}

/// Whether a value may not end with its line.
fn goes_on(value: &str) -> bool {
    let mut characters = value.chars().peekable();
    match characters.next() {
        Some('"') => loop {
            match characters.next() {
                Some('\\') => drop(characters.next()),
                Some('"') => break false,
                Some(_) => {}
                None => break true,
            }
        },
        Some('\'') => loop {
            match characters.next() {
                Some('\'') if characters.next_if_eq(&'\'').is_none() => break false,
                Some(_) => {}
                None => break true,
            }
        },
        _ => !value.trim_end().ends_with([',', '}', ']']),
    }
}

/// The rest of the line from the secret on is hidden: a secret may be longer than the span that was reported.
fn masked(line: &str, secret: Spot) -> String {
    let keep = secret.column.saturating_sub(1);
    let mut text: String = line.chars().take(keep).collect();
    text.push_str(MASK);
    text
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "error: {}", diagnostic.message)?;
            let Spot { line, column, len } = diagnostic.spot;
            let Some(source) = line.checked_sub(1).and_then(|at| self.lines.get(at)) else {
                writeln!(f, "  --> {}", self.file.display())?;
                continue;
            };
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let width = source.chars().count();
            let underlined = len.clamp(1, width.saturating_sub(column.saturating_sub(1)).max(1));
            writeln!(f, "{gutter}--> {}:{line}:{column}", self.file.display())?;
            writeln!(f, "{gutter} |")?;
            writeln!(f, "{number} | {source}")?;
            writeln!(f, "{gutter} | {}{}", " ".repeat(column.saturating_sub(1)), "^".repeat(underlined))?;
            if !diagnostic.help.is_empty() {
                writeln!(f, "{gutter} = help: {}", diagnostic.help)?;
            }
            writeln!(f)?;
        }
        let count = self.diagnostics.len();
        let mut summary = String::new();
        write!(summary, "{count} {} in {}", if count == 1 { "mistake" } else { "mistakes" }, self.file.display())?;
        writeln!(f, "{summary}")
    }
}

impl std::error::Error for Report {}

/// The candidate nearest to what was typed, when it is near enough to be meant.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let within = (typed.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&typed, candidate), candidate))
        .filter(|&(distance, candidate)| {
            distance <= within || (typed.len() >= 4 && (candidate.contains(&typed) || typed.contains(candidate)))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance with neighbours swapped counting once (optimal string alignment), over at most 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(&y) && b.get(j - 1) == Some(&x);
            if swapped {
                cost = cost.min(at(&before_last, j - 1) + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    at(&last, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let keys = ["upstream", "upstreams", "hosts", "clients"];
        assert_eq!(nearest("upsteam", keys), Some("upstream"));
        assert_eq!(nearest("host", keys), Some("hosts"));
        assert_eq!(nearest("cleints", keys), Some("clients"));
        assert_eq!(nearest("colour", keys), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let spot = Spot { line: 1, column: 8, len: 3 };
        let diagnostic = Diagnostic { spot, message: "the key is too short".to_owned(), help: String::new() };
        let report = Report::new(Path::new("p.yaml"), "  key: hunter2 and more", &[spot], vec![diagnostic]);
        let shown = report.to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("more"), "{shown}");
        assert!(shown.contains("p.yaml:1:8"), "{shown}");
    }
}
