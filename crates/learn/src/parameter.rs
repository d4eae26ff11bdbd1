//! What kind of thing a path parameter holds, told from its values.

use serde::{Deserialize, Serialize};

use crate::judge::Values;
use crate::lexical::Form;

/// The type of a path parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    /// Whole numbers.
    Int,
    /// Numbers with fractions, coordinates.
    Number,
    /// UUIDs.
    Uuid,
    /// ULIDs, KSUIDs and other sortable identifiers of fixed length.
    Ulid,
    /// Hexadecimal identifiers.
    Hex,
    /// Dates, with or without a time.
    Date,
    /// E-mail addresses.
    Email,
    /// Phone numbers.
    Phone,
    /// Countries, languages, locales.
    Locale,
    /// Versions.
    Version,
    /// File names.
    FileName,
    /// Base 64.
    Base64,
    /// Random tokens such as nanoids.
    Token,
    /// Words joined by marks.
    Slug,
    /// One of a few fixed values.
    Enum(Vec<String>),
    /// Two or more parts around a mark.
    Composite(char),
    /// Anything.
    Free,
}

impl ParameterType {
    /// The type's name in evidence and exports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Number => "number",
            Self::Uuid => "uuid",
            Self::Ulid => "ulid",
            Self::Hex => "hex",
            Self::Date => "date",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Locale => "locale",
            Self::Version => "version",
            Self::FileName => "file-name",
            Self::Base64 => "base64",
            Self::Token => "token",
            Self::Slug => "slug",
            Self::Enum(_) => "enum",
            Self::Composite(_) => "composite",
            Self::Free => "free",
        }
    }

    /// The type of some values, and how sure that is: the share of values it covers, less when there are few.
    pub fn of(values: &Values) -> (Self, f32) {
        let known: u32 = values.forms.iter().map(|(_, count)| count).sum();
        let sure = |covered: f32| covered * known as f32 / (known as f32 + 1.0);
        let share = |test: &dyn Fn(&str) -> bool| {
            let hits = values.heaviest.iter().filter(|(text, _)| test(text)).count();
            hits as f32 / values.heaviest.len().max(1) as f32
        };
        if let Some(fixed) = enumeration(values) {
            return (Self::Enum(fixed), sure(1.0));
        }
        let special: [(Self, f32); 5] = [
            (Self::Email, share(&|text| Form::of(&text.replace("%40", "@")) == Form::Email)),
            (Self::Phone, share(&is_phone)),
            (Self::Locale, share(&is_locale)),
            (Self::FileName, if values.swallowed { 1.0 } else { 0.0 }),
            (Self::Base64, share(&|text| text.ends_with('=') || text.ends_with("%3D"))),
        ];
        let best = special.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((kind, covered)) = best.filter(|(_, covered)| *covered >= 0.8) {
            return (kind, sure(covered));
        }
        let Some(&(form, count)) = values.forms.first() else { return (Self::Free, 0.0) };
        let covered = count as f32 / known.max(1) as f32;
        if covered < 0.8 {
            return (Self::Free, sure(1.0 - covered));
        }
        let kind = match form {
            Form::Int => Self::Int,
            Form::Number => Self::Number,
            Form::Uuid => Self::Uuid,
            Form::Ulid => Self::Ulid,
            Form::Hex => Self::Hex,
            Form::Date => Self::Date,
            Form::Email => Self::Email,
            Form::Version => Self::Version,
            Form::Token | Form::Code => Self::Token,
            Form::Slug | Form::Word => Self::Slug,
            Form::Odd => [',', ':', '@', '+', '~']
                .into_iter()
                .find(|&mark| share(&|text| text.contains(mark)) >= 0.9)
                .map_or(Self::Free, Self::Composite),
            Form::Camel => Self::Free,
        };
        (kind, sure(covered))
    }

    /// JSON Schema's `type` and `format` for it, for the export.
    pub const fn json_type(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Int => ("integer", None),
            Self::Number => ("number", None),
            Self::Uuid => ("string", Some("uuid")),
            Self::Date => ("string", Some("date")),
            Self::Email => ("string", Some("email")),
            _ => ("string", None),
        }
    }
}

/// The most values a set of fixed ones may have.
const ENUM_MAX: usize = 16;

fn enumeration(values: &Values) -> Option<Vec<String>> {
    let few = values.distinct as usize <= ENUM_MAX && values.distinct as usize == values.heaviest.len();
    let repeated = values.requests >= values.distinct.saturating_mul(8) && values.once == 0 && values.requests >= 30;
    let wordy = values.heaviest.iter().all(|(text, _)| {
        text.len() <= 32
            && matches!(Form::of(text), Form::Word | Form::Code | Form::Camel | Form::Slug)
            && text.bytes().filter(u8::is_ascii_digit).count() < 3
    });
    (few && repeated && wordy && !values.heaviest.is_empty()).then(|| {
        let mut fixed: Vec<String> = values.heaviest.iter().map(|(text, _)| text.to_string()).collect();
        fixed.sort();
        fixed
    })
}

fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').or_else(|| text.strip_prefix("%2B"));
    digits.is_some_and(|digits| (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_locale(text: &str) -> bool {
    let letters = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    match text.split_once(['-', '_']) {
        Some((language, country)) => letters(language) && (letters(country) || country.len() == 4),
        None => letters(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(texts: &[&str], each: u32) -> Values {
        let mut forms = std::collections::BTreeMap::new();
        texts.iter().for_each(|text| *forms.entry(Form::of(text)).or_insert(0u32) += 1);
        let mut forms: Vec<_> = forms.into_iter().collect();
        forms.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        Values {
            distinct: texts.len() as u32,
            once: if each == 1 { texts.len() as u32 } else { 0 },
            requests: texts.len() as u32 * each,
            forms,
            heaviest: texts.iter().map(|&text| (text.into(), each)).collect(),
            ..Values::default()
        }
    }

    #[test]
    fn types_are_told_from_values() {
        let check = |texts: &[&str], each, name| {
            assert_eq!(ParameterType::of(&values(texts, each)).0.name(), name, "{texts:?}")
        };
        check(&["1", "22", "333"], 1, "int");
        check(&["anna@x.org", "ben%40y.de"], 1, "email");
        check(&["+4915112345678", "+12025550123"], 1, "phone");
        check(&["de", "en", "pt-BR"], 1, "locale");
        check(&["open", "closed", "held"], 40, "enum");
        check(&["red-fox", "blue-bird", "green-frog"], 1, "slug");
        check(&["52.1,13.2", "48.0,2.1"], 1, "number");
        check(&["x:1", "doc:abc"], 1, "composite");
        check(&["1", "anna", "2024-01-01"], 1, "free");
    }

    #[test]
    fn few_values_make_no_one_sure() {
        assert!(ParameterType::of(&values(&["1"], 1)).1 < 0.6);
        assert!(ParameterType::of(&values(&["1", "2", "3", "4", "5", "6", "7", "8", "9"], 1)).1 > 0.85);
    }
}
