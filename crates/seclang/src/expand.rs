//! Texts with variables in them: `%{TX.score}`, `%{MATCHED_VAR}`, `%{REQUEST_HEADERS.Host}`.

use crate::variable::Variable;

/// A text in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The pieces in order.
    pub pieces: Vec<Piece>,
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As written.
    Plain(Vec<u8>),
    /// The first value of a variable; the key in small letters, empty for the variable as a whole.
    Value(Variable, Vec<u8>),
}

impl Text {
    /// Reads a text.
    ///
    /// # Errors
    /// The byte and the name of a variable that is not known.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("%{") {
            let Some((inside, behind)) = after.split_once('}') else { break };
            if !before.is_empty() {
                pieces.push(Piece::Plain(before.as_bytes().to_vec()));
            }
            let (name, key) = inside.split_once(['.', ':']).unwrap_or((inside, ""));
            let at = text.len() - after.len();
            let variable = Variable::from_name(name).ok_or_else(|| (at, name.to_owned()))?;
            pieces.push(Piece::Value(variable, key.to_ascii_lowercase().into_bytes()));
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Plain(rest.as_bytes().to_vec()));
        }
        Ok(Self { pieces })
    }

    /// The text itself when no variable is in it.
    pub fn plain(&self) -> Option<&[u8]> {
        match &self.pieces[..] {
            [] => Some(&[]),
            [Piece::Plain(text)] => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart() {
        let text = Text::parse("a %{tx.Score}b%{MATCHED_VAR}%{open").unwrap();
        assert_eq!(
            text.pieces,
            [
                Piece::Plain(b"a ".to_vec()),
                Piece::Value(Variable::Tx, b"score".to_vec()),
                Piece::Plain(b"b".to_vec()),
                Piece::Value(Variable::MatchedVar, Vec::new()),
                Piece::Plain(b"%{open".to_vec()),
            ]
        );
        assert_eq!(Text::parse("plain").unwrap().plain(), Some(&b"plain"[..]));
        assert_eq!(Text::parse("x%{nope.a}").unwrap_err(), (3, "nope".to_owned()));
    }
}
