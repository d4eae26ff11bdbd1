//! Mistakes in rule files: each with file, line, column and the line itself with a caret under the place.

use std::fmt;
use std::sync::Arc;

/// The longest part of a line that is shown, in characters.
const EXCERPT_CHARS: usize = 100;

/// A place in a rule file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The line, counted from one.
    pub line: u32,
    /// The column in characters, counted from one.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One mistake, or one thing worth knowing about the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub position: Position,
    /// The part of the line around it, and the caret's distance from its beginning in characters.
    pub excerpt: (String, usize),
    /// What: lower case, what was written in backticks.
    pub message: String,
    /// What to do next; may be empty.
    pub help: String,
}

impl Problem {
    /// A problem at a place in `line`, the text of the physical line.
    pub fn new(position: Position, line: &str, message: String, help: impl Into<String>) -> Self {
        let at = position.column.saturating_sub(1) as usize;
        let from = if at > EXCERPT_CHARS * 2 / 3 { at - EXCERPT_CHARS / 3 } else { 0 };
        let shown: String = line.chars().skip(from).take(EXCERPT_CHARS).map(plain).collect();
        Self { position, excerpt: (shown, at - from), message, help: help.into() }
    }

    /// A problem with a file as a whole.
    pub fn of_file(file: &str, message: String, help: impl Into<String>) -> Self {
        let position = Position { file: file.into(), line: 0, column: 0 };
        Self { position, excerpt: (String::new(), 0), message, help: help.into() }
    }
}

/// Control characters would disturb the terminal and the caret.
fn plain(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, excerpt: (line, caret), message, help } = self;
        write!(f, "{message}")?;
        if position.line == 0 {
            write!(f, "\n  --> {}", position.file)?;
        } else {
            let number = position.line.to_string();
            let pad = " ".repeat(number.len());
            write!(f, "\n{pad} --> {position}\n{pad} |\n{number} | {line}\n{pad} | {}^", " ".repeat(*caret))?;
        }
        if !help.is_empty() {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}
