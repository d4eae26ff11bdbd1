//! Lines of a rule file to directives: continuation lines joined, comments taken out, arguments unquoted.
//!
//! The form is Apache's: a directive's name, then arguments separated by white space; an argument with white space stands
//! in double or single quotes, in which a backslash before the quote is taken away and every other backslash stays. A
//! backslash at the end of a line continues it. Every argument keeps where each of its characters stood.

use std::sync::Arc;

use crate::error::{Position, Problem};

/// The longest directive, its continuation lines joined, in bytes.
const DIRECTIVE_BYTES_MAX: usize = 256 * 1024;

/// The text of one rule file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name in messages.
    pub name: Arc<str>,
    /// Its lines.
    lines: Arc<[Box<str>]>,
}

impl File {
    /// A file of this name and text.
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), lines: text.lines().map(Box::from).collect() }
    }

    /// A problem at a line and byte of it, both counted from zero.
    fn problem(&self, (line, byte): (usize, usize), message: String, help: &str) -> Problem {
        let text = self.lines.get(line).map_or("", |line| line);
        let before = text.get(..byte.min(text.len())).map_or(byte, |before| before.chars().count());
        let position = Position { file: Arc::clone(&self.name), line: line as u32 + 1, column: before as u32 + 1 };
        Problem::new(position, text, message, help)
    }
}

/// Where the joined text of a directive came from: offset in the joined text, line, byte in that line.
type Origin = (usize, usize, usize);

/// An argument or a name, with the place of each of its bytes.
#[derive(Clone, Debug)]
pub struct Word {
    /// The text without its quotes.
    pub text: String,
    file: File,
    origins: Arc<[Origin]>,
    start: usize,
    /// Offsets in `text` before which a backslash was taken away, ascending.
    cuts: Vec<usize>,
}

impl Word {
    /// A problem at byte `at` of the text.
    pub fn problem(&self, at: usize, message: String, help: &str) -> Problem {
        let cut = self.cuts.iter().filter(|&&cut| cut <= at).count();
        let offset = self.start + at + cut;
        let (from, line, byte) =
            self.origins.iter().rev().find(|(from, ..)| *from <= offset).copied().unwrap_or_default();
        self.file.problem((line, byte + (offset - from)), message, help)
    }

    /// Where the word begins.
    pub fn position(&self) -> Position {
        self.problem(0, String::new(), "").position
    }
}

/// One directive.
#[derive(Clone, Debug)]
pub struct Directive {
    /// Its name as written.
    pub name: Word,
    /// Its arguments.
    pub arguments: Vec<Word>,
}

/// The directives of a file, and what was wrong with its form.
pub fn directives(file: &File) -> (Vec<Directive>, Vec<Problem>) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    let mut joined = String::new();
    let mut origins: Vec<Origin> = Vec::new();
    for (number, line) in file.lines.iter().enumerate() {
        let continued = !joined.is_empty();
        if !continued && (line.trim_start().starts_with('#') || line.trim().is_empty()) {
            continue;
        }
        origins.push((joined.len(), number, 0));
        let text = line.trim_end();
        let more = text.strip_suffix('\\');
        // Nothing is lost when the cap is reached: the directive is refused.
        joined.push_str(more.unwrap_or(text));
        if joined.len() > DIRECTIVE_BYTES_MAX {
            problems.push(file.problem((number, 0), "the directive is longer than 256 KiB".to_owned(), ""));
            joined.clear();
            origins.clear();
            continue;
        }
        if more.is_some() && number + 1 < file.lines.len() {
            continue;
        }
        let origins: Arc<[Origin]> = std::mem::take(&mut origins).into();
        match words(file, &std::mem::take(&mut joined), &origins) {
            Ok(mut words) if !words.is_empty() => {
                let name = words.remove(0);
                found.push(Directive { name, arguments: words });
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (found, problems)
}

fn words(file: &File, text: &str, origins: &Arc<[Origin]>) -> Result<Vec<Word>, Problem> {
    let word = |start: usize| Word {
        text: String::new(),
        file: file.clone(),
        origins: Arc::clone(origins),
        start,
        cuts: Vec::new(),
    };
    let mut words = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some(&(at, letter)) = letters.peek() {
        if letter.is_ascii_whitespace() {
            letters.next();
            continue;
        }
        if !matches!(letter, '"' | '\'') {
            let mut plain = word(at);
            while let Some((_, letter)) = letters.next_if(|(_, letter)| !letter.is_ascii_whitespace()) {
                plain.text.push(letter);
            }
            words.push(plain);
            continue;
        }
        letters.next();
        let mut quoted = word(at + 1);
        loop {
            match letters.next() {
                None => {
                    let help =
                        format!("write {letter} at its end; a line is continued by a backslash as its last sign");
                    return Err(word(at).problem(0, format!("the quote {letter} is never closed"), &help));
                }
                Some((_, '\\')) if letters.peek().is_some_and(|(_, next)| *next == letter) => {
                    quoted.cuts.push(quoted.text.len());
                    quoted.text.extend(letters.next().map(|(_, letter)| letter));
                }
                Some((_, next)) if next == letter => break,
                Some((_, next)) => quoted.text.push(next),
            }
        }
        words.push(quoted);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        let (found, problems) = directives(&File::new("a.conf", text));
        assert!(problems.is_empty(), "{problems:?}");
        let texts = |directive: Directive| {
            std::iter::once(directive.name.text).chain(directive.arguments.into_iter().map(|word| word.text)).collect()
        };
        found.into_iter().map(texts).collect()
    }

    #[test]
    fn lines_are_joined_and_quotes_taken_off() {
        let text = "# no\n\nSecRule ARGS \"@rx a\\\"b\\x5c\" \\\n    \"id:1,\\\n    pass\"\nSecMarker END\n  # no";
        assert_eq!(read(text), [vec!["SecRule", "ARGS", "@rx a\"b\\x5c", "id:1,    pass"], vec!["SecMarker", "END"]]);
        assert_eq!(read("SecMarker 'a b' c\\d"), [["SecMarker", "a b", "c\\d"]]);
    }

    #[test]
    fn a_problem_points_through_quotes_and_continuations() {
        let file = File::new("a.conf", "SecRule ARGS \\\n  \"@rx a\\\"b?\" \\\n  \"id:1\"");
        let (found, _) = directives(&file);
        let operator = &found[0].arguments[1];
        let at = operator.text.find('?').unwrap();
        let problem = operator.problem(at, "no".to_owned(), "yes");
        assert_eq!((problem.position.line, problem.position.column), (2, 12));
        assert_eq!(
            problem.to_string(),
            "no\n  --> a.conf:2:12\n  |\n2 |   \"@rx a\\\"b?\" \\\n  |            ^\n  = help: yes"
        );
    }

    #[test]
    fn an_open_quote_is_a_problem() {
        let (found, problems) = directives(&File::new("a.conf", "SecRule ARGS \"x\nSecMarker A"));
        assert_eq!((found.len(), problems.len()), (1, 1));
        assert!(problems[0].message.contains("never closed"));
    }
}
