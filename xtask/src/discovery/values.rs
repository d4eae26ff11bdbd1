//! Values of path parameters in many styles: what real APIs put into their paths, and what fuzzers try there.

use fastrand::Rng;

use super::documents::Parameter;

/// A style of identifier. One parameter of one site keeps its style, sometimes with a second one mixed in.
#[derive(Clone, Debug)]
pub enum Style {
    /// Small numbers from one upwards.
    Sequential(u64),
    /// Numbers of a fixed width.
    Wide(u32),
    /// Snowflakes: 17 to 19 digits.
    Snowflake,
    /// UUIDs of version 4; `true` without dashes.
    Uuid(bool),
    /// Hexadecimal of this many digits.
    Hex(usize),
    /// Letters and digits of both cases of this length, perhaps with `-` and `_`.
    Nano(usize, bool),
    /// Crockford base 32, time first.
    Ulid,
    /// A prefix and a random part, such as `cus_8Zk2...`.
    Prefixed(String, usize),
    /// Lower-case words joined, with this chance of a number at the end.
    Slug(usize, f64),
    /// A number and a slug.
    NumberedSlug,
    /// A single word.
    Word,
    /// Words in capital letters.
    Capitals,
    /// Two words in camel case.
    Camel(bool),
    /// User names made of names and numbers.
    UserName,
    /// A full name, percent-encoded.
    FullName,
    /// E-mail addresses; `true` percent-encoded.
    Email(bool),
    /// Calendar dates.
    Date(u8),
    /// A code of capital letters and digits.
    Code(usize),
    /// Three letters, a dash, digits.
    DashedCode,
    /// Groups of three joined by dashes.
    Groups,
    /// File names with an extension.
    FileName,
    /// Versions.
    Version,
    /// Language, country or currency codes.
    Locale(u8),
    /// Cloud regions and zones.
    Region,
    /// Domain names.
    Domain,
    /// Addresses.
    Address,
    /// Two halves joined by an encoded slash.
    Encoded,
    /// Coordinates.
    Coordinates,
    /// A colon between a type and an id.
    Typed,
    /// A few fixed values.
    Enumeration(Vec<String>),
    /// Environment and word, such as `prod-orders`.
    Environment,
    /// Phone numbers.
    Phone,
    /// Base 64 with padding or without.
    Base64(usize),
    /// Time stamps in seconds or milliseconds.
    Epoch(bool),
}

const FIRST: &str = "anna ben carla david elena felix greta hugo irene jonas karin leo marta nils olga paul quentin rosa \
sven tara umar vera willem xenia yusuf zoe lucas maria peter ines omar priya chen yuki fatima diego noah emma liam ava";
const LAST: &str = "meyer rossi kowalski nguyen smith garcia tanaka silva dubois jansen novak berg costa haddad okafor \
larsen popescu weber moreau ito khan lopez fischer walsh keller ruiz brandt conti doyle evans";
const DOMAINS: &str = "com net org io de co.uk fr app dev";
const EXTENSIONS: &str = "pdf png jpg csv txt docx zip json xml mp4 html svg xlsx yaml";
const REGIONS: &str =
    "us-east-1 us-west-2 eu-west-1 eu-central-1 ap-south-1 fra1 nyc3 sfo2 ams3 lon1 sgp1 us-east eu-north-1";
const LANGUAGES: &str = "en de fr es it pt nl sv da fi pl cs ru ja zh ko ar tr he hi ro el hu uk";
const COUNTRIES: &str = "US DE FR ES IT PT NL SE DK FI PL CZ GB JP CN KR BR TR IL IN RO GR HU UA CA MX";
const CURRENCIES: &str = "USD EUR GBP JPY CHF SEK NOK DKK PLN CZK BRL INR CNY CAD AUD";
const TYPES: &str = "user order item urn doc gene HP MONDO sku acct pkg";
/// What fuzzers and broken clients put into identifiers.
const JUNK: &str = "undefined null NaN none true -1 0 999999999 %7Bid%7D :id [object%20Object] ' 1%20OR%201=1 \
..%2F..%2Fetc%2Fpasswd %3Cscript%3E @@version %00 {{7*7}} 1;sleep%205 $%7Bjndi:ldap:%2F%2Fx%7D test admin";

fn pick<'a>(rng: &mut Rng, list: &'a str) -> &'a str {
    let words: Vec<&str> = list.split_whitespace().collect();
    words.get(rng.usize(..words.len().max(1))).copied().unwrap_or("x")
}

fn from_alphabet(rng: &mut Rng, alphabet: &[u8], length: usize) -> String {
    (0..length).filter_map(|_| alphabet.get(rng.usize(..alphabet.len()))).map(|&byte| char::from(byte)).collect()
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CAPITALS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";

/// A word list to draw from.
#[derive(Clone, Debug)]
pub struct Words(pub Vec<String>);

impl Words {
    /// One word.
    pub fn one(&self, rng: &mut Rng) -> &str {
        self.0.get(rng.usize(..self.0.len().max(1))).map_or("thing", |word| word)
    }

    /// Several words joined.
    pub fn slug(&self, rng: &mut Rng, count: usize, joint: &str) -> String {
        (0..count.max(1)).map(|_| self.one(rng)).collect::<Vec<_>>().join(joint)
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

impl Style {
    /// A style for a parameter, led by its declaration and its name, but not always.
    pub fn choose(rng: &mut Rng, parameter: &Parameter, words: &Words) -> Self {
        if !parameter.values.is_empty() {
            return Self::Enumeration(parameter.values.clone());
        }
        let name = parameter.name.to_ascii_lowercase();
        let declared = match (parameter.kind.as_str(), parameter.format.as_str()) {
            (_, "uuid") => Some(Self::Uuid(false)),
            (_, "date" | "date-time") => Some(Self::Date(rng.u8(..4))),
            (_, "email") => Some(Self::Email(rng.bool())),
            ("integer" | "number", _) => Some(Self::number(rng)),
            _ => None,
        };
        if let Some(style) = declared
            && rng.f64() < 0.85
        {
            return style;
        }
        let named = match () {
            () if name.contains("date") => Some(Self::Date(rng.u8(..4))),
            () if name.contains("email") => Some(Self::Email(rng.bool())),
            () if name.contains("user") && !name.contains("id") => Some(Self::UserName),
            () if name.contains("lang") || name.contains("locale") => Some(Self::Locale(rng.u8(..3))),
            () if name.contains("country") => Some(Self::Locale(3)),
            () if name.contains("currency") => Some(Self::Locale(4)),
            () if name.contains("region") || name.contains("zone") => Some(Self::Region),
            () if name.contains("file") => Some(Self::FileName),
            () if name.contains("domain") || name.contains("host") => Some(Self::Domain),
            () if name.contains("version") => Some(Self::Version),
            () if name.contains("phone") || name.contains("number") => Some(Self::Phone),
            () if name == "ip" || name.contains("address") => Some(Self::Address),
            () if name.contains("slug") => Some(Self::Slug(3, 0.1)),
            () if name.contains("format") || name == "ext" => {
                let list = ["json", "xml", "csv", "pdf", "yaml", "html", "png"];
                let count = rng.usize(2..=list.len());
                Some(Self::Enumeration(list.iter().take(count).map(|&text| text.to_owned()).collect()))
            }
            () if name.contains("type")
                || name.contains("status")
                || name.contains("kind")
                || name.contains("category") =>
            {
                let count = rng.usize(2..12);
                Some(Self::Enumeration((0..count).map(|_| words.one(rng).to_owned()).collect()))
            }
            () if name.contains("name") || name.contains("key") || name.contains("tag") => Some(Self::wordy(rng)),
            () => None,
        };
        match named {
            Some(style) if rng.f64() < 0.75 => style,
            _ => Self::any(rng, words),
        }
    }

    fn number(rng: &mut Rng) -> Self {
        match rng.u8(..10) {
            0..=4 => Self::Sequential([30, 300, 3_000, 100_000].get(rng.usize(..4)).copied().unwrap_or(300)),
            5..=7 => Self::Wide(rng.u32(4..=10)),
            8 => Self::Snowflake,
            _ => Self::Epoch(rng.bool()),
        }
    }

    fn wordy(rng: &mut Rng) -> Self {
        match rng.u8(..12) {
            0..=2 => Self::Word,
            3..=5 => Self::Slug(rng.usize(2..=4), rng.f64() * 0.6),
            6 => Self::Camel(rng.bool()),
            7 => Self::Environment,
            8 => Self::Capitals,
            9 => Self::NumberedSlug,
            10 => Self::UserName,
            _ => Self::FullName,
        }
    }

    fn any(rng: &mut Rng, words: &Words) -> Self {
        match rng.u8(..40) {
            0..=5 => Self::number(rng),
            6..=8 => Self::Uuid(rng.f64() < 0.2),
            9..=10 => Self::Hex([7, 8, 16, 24, 32, 40].get(rng.usize(..6)).copied().unwrap_or(24)),
            11..=13 => Self::Nano(rng.usize(6..=27), rng.f64() < 0.4),
            14 => Self::Ulid,
            15..=16 => {
                let letters = rng.usize(1..=4);
                let prefix: String = words.one(rng).chars().take(letters).collect();
                let joint = ["_", "-", "", "."].get(rng.usize(..4)).copied().unwrap_or("_");
                Self::Prefixed(format!("{prefix}{joint}"), rng.usize(6..=24))
            }
            17..=27 => Self::wordy(rng),
            28..=29 => Self::Code(rng.usize(3..=10)),
            30 => Self::DashedCode,
            31 => Self::Groups,
            32 => Self::Domain,
            33 => Self::FileName,
            34 => Self::Email(rng.bool()),
            35 => Self::Encoded,
            36 => Self::Typed,
            37 => match rng.u8(..5) {
                0 => Self::Coordinates,
                1 => Self::Address,
                2 => Self::Phone,
                3 => Self::Version,
                _ => Self::Region,
            },
            38 => Self::Base64(rng.usize(8..=40)),
            _ => {
                let count = rng.usize(2..15);
                Self::Enumeration((0..count).map(|_| words.one(rng).to_owned()).collect())
            }
        }
    }

    /// How many values there are at most; `None` for plenty.
    pub fn bound(&self) -> Option<usize> {
        match self {
            Self::Enumeration(values) => Some(values.len()),
            Self::Locale(_) => Some(20),
            Self::Region => Some(12),
            Self::Sequential(most) => Some(*most as usize),
            _ => None,
        }
    }

    /// The value with this number; the same number gives the same value only through the caller's pool.
    pub fn value(&self, rng: &mut Rng, number: usize, words: &Words) -> String {
        match self {
            Self::Sequential(_) => (number + 1).to_string(),
            Self::Wide(digits) => rng.u64(10u64.pow(digits - 1)..10u64.pow(*digits)).to_string(),
            Self::Snowflake => rng.u64(10u64.pow(16)..9 * 10u64.pow(18)).to_string(),
            Self::Uuid(plain) => {
                let hex = from_alphabet(rng, HEX, 32);
                let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
                if *plain {
                    hex
                } else {
                    format!("{}-{}-4{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
                }
            }
            Self::Hex(length) => from_alphabet(rng, HEX, *length),
            Self::Nano(length, marks) => from_alphabet(rng, if *marks { BASE64 } else { BASE62 }, *length),
            Self::Ulid => format!("01{}", from_alphabet(rng, CROCKFORD, 24)),
            Self::Prefixed(prefix, length) => format!("{prefix}{}", from_alphabet(rng, BASE62, *length)),
            Self::Slug(count, numbered) => {
                let joint = if number.is_multiple_of(17) { "_" } else { "-" };
                let count = rng.usize(1..=*count);
                let slug = words.slug(rng, count, joint);
                if rng.f64() < *numbered { format!("{slug}-{}", rng.u32(1..100)) } else { slug }
            }
            Self::NumberedSlug => format!("{}-{}", rng.u32(1..100_000), words.slug(rng, 3, "-")),
            Self::Word => words.one(rng).to_owned(),
            Self::Capitals => words.one(rng).to_ascii_uppercase(),
            Self::Camel(lower) => {
                let first = words.one(rng).to_owned();
                let first = if *lower { first } else { capitalised(&first) };
                first + &capitalised(words.one(rng))
            }
            Self::UserName => user_name(rng),
            Self::FullName => {
                format!("{}%20{}", capitalised(pick(rng, FIRST)), capitalised(pick(rng, LAST)))
            }
            Self::Email(encoded) => {
                let at = if *encoded { "%40" } else { "@" };
                format!("{}{at}{}.{}", user_name(rng), words.one(rng), pick(rng, DOMAINS))
            }
            Self::Date(kind) => date(rng, *kind),
            Self::Code(length) => from_alphabet(rng, CAPITALS, *length),
            Self::DashedCode => format!("{}-{}", from_alphabet(rng, LETTERS, 3), from_alphabet(rng, DIGITS, 5)),
            Self::Groups => {
                let group = |rng: &mut Rng| from_alphabet(rng, CAPITALS, 3).to_ascii_lowercase();
                format!("{}-{}-{}", group(rng), group(rng), group(rng))
            }
            Self::FileName => {
                let count = rng.usize(1..=3);
                format!("{}.{}", words.slug(rng, count, "_"), pick(rng, EXTENSIONS))
            }
            Self::Version => format!("{}.{}.{}", rng.u8(0..5), rng.u8(0..20), rng.u8(0..30)),
            Self::Locale(0) => pick(rng, LANGUAGES).to_owned(),
            Self::Locale(1) => format!("{}-{}", pick(rng, LANGUAGES), pick(rng, COUNTRIES)),
            Self::Locale(2) => format!("{}_{}", pick(rng, LANGUAGES), pick(rng, COUNTRIES)),
            Self::Locale(3) => pick(rng, COUNTRIES).to_owned(),
            Self::Locale(_) => pick(rng, CURRENCIES).to_owned(),
            Self::Region => pick(rng, REGIONS).to_owned(),
            Self::Domain => format!("{}{}.{}", words.one(rng), words.one(rng), pick(rng, DOMAINS)),
            Self::Address => format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(..)),
            Self::Encoded => format!("{}%2F{}{}", words.one(rng), words.one(rng), rng.u8(1..40)),
            Self::Coordinates => format!("{:.4},{:.4}", rng.f64() * 90.0, rng.f64() * 180.0),
            Self::Typed => format!("{}:{}", pick(rng, TYPES), from_alphabet(rng, DIGITS, 6)),
            Self::Enumeration(values) => values.get(number % values.len().max(1)).cloned().unwrap_or_default(),
            Self::Environment => {
                let environment = ["prod", "dev", "test", "staging", "qa", "stg"];
                let environment = environment.get(rng.usize(..6)).copied().unwrap_or("prod");
                format!("{environment}-{}", words.one(rng))
            }
            Self::Phone => format!("+{}{}", rng.u8(1..99), from_alphabet(rng, DIGITS, 9)),
            Self::Base64(length) => {
                let text = from_alphabet(rng, BASE64, *length);
                if rng.bool() { format!("{text}==") } else { text }
            }
            Self::Epoch(millis) => {
                (1_700_000_000 + rng.u64(..9_000_000)).to_string() + if *millis { "123" } else { "" }
            }
        }
    }
}

fn user_name(rng: &mut Rng) -> String {
    let (first, last) = (pick(rng, FIRST), pick(rng, LAST));
    match rng.u8(..6) {
        0 => first.to_owned(),
        1 => format!("{first}{last}"),
        2 => format!("{first}.{last}"),
        3 => format!("{first}{}", rng.u16(1..999)),
        4 => format!("{}{last}", first.get(..1).unwrap_or_default()),
        _ => format!("{first}_{last}{}", rng.u8(1..99)),
    }
}

fn date(rng: &mut Rng, kind: u8) -> String {
    let (year, month, day) = (rng.u16(2012..2027), rng.u8(1..=12), rng.u8(1..=28));
    match kind {
        0 | 1 => format!("{year}-{month:02}-{day:02}"),
        2 => format!("{year}{month:02}{day:02}"),
        _ => format!("{year}-{month:02}-{day:02}T{:02}:00:00Z", rng.u8(..24)),
    }
}

/// One of the values that fuzzers and broken clients use.
pub fn junk(rng: &mut Rng) -> String {
    pick(rng, JUNK).to_owned()
}
