//! The families of attacks, each with its detector, and the weight of the evidence for them.

use model::finding::Confidence;
use model::reason::AttackReason;
use smallvec::SmallVec;

use super::gate::{Classes, Marker};
use super::text::Text;
use super::{
    code, command, deserialization, expression, graphql, header_injection, ldap, mail, nosql, prototype, scanner,
    script, sql, ssrf, template, traversal, xpath, xxe,
};

macro_rules! families {
    ($($variant:ident = $module:ident, $reason:ident, $classes:expr;)*) => {
        /// A family of attacks with one detector.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each family is the reason it reports")]
        pub enum Family { $($variant),* }

        impl Family {
            /// Every family.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What is reported.
            pub const fn reason(self) -> AttackReason {
                match self { $(Self::$variant => AttackReason::$reason),* }
            }

            /// Fragments that speak for this family.
            pub const fn markers(self) -> &'static [Marker] {
                match self { $(Self::$variant => $module::MARKERS),* }
            }

            /// Byte classes that call the detector even where no marker was found: all bits of any entry.
            pub const fn triggers(self) -> &'static [u32] {
                match self { $(Self::$variant => $classes),* }
            }

            /// Looks at a text; adds to the weight.
            pub fn detect(self, text: &Text<'_>, weight: &mut Weight) {
                match self { $(Self::$variant => $module::detect(text, weight)),* }
            }
        }
    };
}

const QUOTE_OR_TERM: &[u32] = &[
    Classes::QUOTE,
    Classes::OPERATOR | Classes::DIGIT,
    Classes::OPERATOR | Classes::SPACE,
    Classes::SEPARATOR | Classes::DIGIT,
];

families! {
    Sql = sql, Sql, QUOTE_OR_TERM;
    NoSql = nosql, NoSql, &[];
    Script = script, Script, &[Classes::ANGLE];
    Command = command, Command, &[Classes::SEPARATOR, Classes::BACKTICK, Classes::SIGIL | Classes::PAREN, Classes::SLASH | Classes::OPERATOR, Classes::BRACE | Classes::COMMA, Classes::TILDE];
    Traversal = traversal, Traversal, &[];
    Ssrf = ssrf, Ssrf, &[];
    Template = template, Template, &[Classes::BRACE | Classes::OPERATOR, Classes::BRACE | Classes::SIGIL];
    Expression = expression, Expression, &[];
    Xxe = xxe, Xxe, &[Classes::ANGLE | Classes::AMPERSAND];
    Ldap = ldap, Ldap, &[Classes::PAREN | Classes::OPERATOR, Classes::PAREN | Classes::CONTROL];
    Xpath = xpath, Xpath, &[];
    Header = header_injection, HeaderInjection, &[Classes::LINE, Classes::WIDE | Classes::COLON];
    Mail = mail, MailInjection, &[];
    Prototype = prototype, Prototype, &[];
    Deserialization = deserialization, Deserialization, &[Classes::CONTROL];
    Code = code, CodeInjection, &[Classes::SIGIL | Classes::BRACE | Classes::QUOTE];
    GraphQl = graphql, Introspection, &[];
    Scanner = scanner, Scanner, &[];
}

impl Family {
    /// The family's bit in a set.
    pub const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// The evidence for one family in one text.
///
/// Every piece of evidence has points: 10 is an attack by itself, 6 one together with something else, 3 a hint.
#[derive(Clone, Debug, Default)]
pub struct Weight {
    /// The sum.
    pub points: u32,
    /// What was seen, the first few.
    pub names: SmallVec<[&'static str; 6]>,
}

impl Weight {
    /// Points from which a finding is sure.
    pub const SURE: u32 = 10;
    /// Points from which a finding is likely.
    pub const LIKELY: u32 = 6;
    /// Points from which a finding is reported at all.
    pub const HINT: u32 = 3;

    /// Adds evidence; the same evidence counts once.
    pub fn add(&mut self, points: u32, name: &'static str) {
        if points == 0 || self.names.contains(&name) {
            return;
        }
        self.points += points;
        if self.names.len() < 6 {
            self.names.push(name);
        }
    }

    /// How sure the points make us.
    pub const fn confidence(&self) -> Option<Confidence> {
        match self.points {
            Self::SURE.. => Some(Confidence::Sure),
            Self::LIKELY.. => Some(Confidence::Likely),
            Self::HINT.. => Some(Confidence::Hint),
            _ => None,
        }
    }
}
