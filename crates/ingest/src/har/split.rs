//! Cuts the entries out of an HTTP archive byte by byte, in bounded memory, whatever the bytes are.
//!
//! The document is never built: a stack of open braces and brackets tells where `log.entries` is and where each entry ends.
//! Of a string only the first [`STRING_BYTES_MAX`] bytes are kept, so a recorded body of megabytes costs nothing; an entry
//! that is still longer than [`ENTRY_BYTES_MAX`] is skipped and told.
//!
//! A damaged entry does not take those behind it along. A line break ends a string that lacks its quote; words outside of
//! strings say that a quote is missing in front of them; a bracket closes what was left open inside of it; and a brace where only
//! a name can stand begins the next entry.

/// The longest entry that is read, in bytes, after its strings were cut.
pub const ENTRY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes kept of one string.
pub const STRING_BYTES_MAX: usize = 64 * 1024;
/// Braces and brackets open at once in an entry that is read.
const DEPTH_MAX: usize = 96;
/// Braces and brackets told apart in an entry that is skipped; what is deeper is only counted.
const STACK_MAX: usize = 16 * 1024;
/// Most bytes of a name that are compared.
const NAME_BYTES_MAX: usize = 16;

/// What the splitter hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut<'e> {
    /// The bytes of one entry, balanced, strings cut.
    Entry(&'e [u8]),
    /// An entry that cannot be read, and why.
    Damaged(&'static str),
}

const UNBALANCED: &str = "the entry's braces, brackets or quotes do not match";
const TOO_LONG: &str = "the entry is longer than 4 MiB without its bodies";
const TOO_DEEP: &str = "the entry is nested too deeply";

/// What may stand next inside of a brace.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Name,
    Colon,
    Value,
    Comma,
}

#[derive(Clone, Copy)]
struct Open {
    object: bool,
    next: Next,
}

/// Where inside of a string.
#[derive(Clone, Copy, Default)]
struct Text {
    bytes: usize,
    /// Bytes of an escape that are still to come.
    escape: u8,
    escape_begins: bool,
    cut: bool,
}

/// Bytes of numbers, `true`, `false`, `null` and of what stands between values.
fn bare(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte.is_ascii_digit() || b",:+-.Etruefalsn".contains(&byte)
}

/// Finds `log.entries` and cuts it up.
#[derive(Default)]
pub struct Splitter {
    open: Vec<Open>,
    /// Braces and brackets beyond [`STACK_MAX`].
    deeper: u64,
    text: Option<Text>,
    name: Vec<u8>,
    /// Braces and brackets around an entry, once the entries were found.
    base: Option<usize>,
    in_log: bool,
    entry: Vec<u8>,
    inside: bool,
    damage: Option<&'static str>,
    /// Most bytes that were held at once.
    pub held_bytes_max: usize,
}

impl Splitter {
    /// Were entries found?
    pub fn found(&self) -> bool {
        self.base.is_some()
    }

    /// Takes more of the archive and hands over the entries that end in it.
    pub fn take(&mut self, mut bytes: &[u8], out: &mut dyn FnMut(Cut<'_>)) {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.text.is_some_and(|text| text.escape == 0 && !text.escape_begins) {
                // Strings are nearly all of an archive: their plain bytes are taken at once.
                let plain = bytes.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
                let (run, after) = bytes.split_at(plain.unwrap_or(bytes.len()));
                if !run.is_empty() {
                    self.run(run);
                    bytes = after;
                    continue;
                }
            }
            match self.text {
                Some(text) => self.in_text(text, byte, out),
                None => self.structure(byte, out),
            }
            bytes = rest;
        }
    }

    /// Has everything that was opened been closed?
    pub fn whole(&self) -> bool {
        !self.inside && self.text.is_none() && self.open.is_empty()
    }

    fn keep(&mut self, bytes: &[u8]) {
        if !self.inside || self.damage.is_some() {
            return;
        }
        if self.entry.len() + bytes.len() > ENTRY_BYTES_MAX {
            return self.spoil(TOO_LONG);
        }
        self.entry.extend_from_slice(bytes);
        self.held_bytes_max = self.held_bytes_max.max(self.entry.capacity());
    }

    fn spoil(&mut self, why: &'static str) {
        if self.inside && self.damage.is_none() {
            self.damage = Some(why);
            self.entry.clear();
        }
    }

    /// Plain bytes of a string.
    fn run(&mut self, run: &[u8]) {
        let Some(mut text) = self.text else { return };
        if self.naming() {
            let room = NAME_BYTES_MAX.saturating_sub(self.name.len());
            self.name.extend_from_slice(run.get(..room.min(run.len())).unwrap_or_default());
        }
        let mut room = STRING_BYTES_MAX.saturating_sub(text.bytes).min(run.len());
        if text.cut {
            room = 0;
        } else if room < run.len() {
            // A character is not cut through: its later bytes begin with the bits 10.
            room = (0..=room).rev().find(|&at| run.get(at).is_some_and(|byte| byte & 0xc0 != 0x80)).unwrap_or(0);
            text.cut = true;
        }
        text.bytes = text.bytes.saturating_add(run.len());
        self.text = Some(text);
        self.keep(run.get(..room).unwrap_or_default());
    }

    fn in_text(&mut self, mut text: Text, byte: u8, out: &mut dyn FnMut(Cut<'_>)) {
        if byte < 0x20 {
            self.text = None;
            self.ended();
            self.spoil(UNBALANCED);
            return self.structure(byte, out);
        }
        let escaped = text.escape > 0 || text.escape_begins;
        if !escaped && byte == b'"' {
            self.text = None;
            self.keep(b"\"");
            return self.ended();
        }
        // An escape is kept whole or not at all.
        if !escaped && text.bytes >= STRING_BYTES_MAX {
            text.cut = true;
        }
        if text.escape_begins {
            (text.escape_begins, text.escape) = (false, if byte == b'u' { 4 } else { 0 });
        } else if text.escape > 0 {
            text.escape -= 1;
        } else {
            text.escape_begins = byte == b'\\';
        }
        text.bytes = text.bytes.saturating_add(1);
        self.text = Some(text);
        if !text.cut {
            self.keep(&[byte]);
        }
    }

    /// Is the string that is being read a name?
    fn naming(&self) -> bool {
        self.open.last().is_some_and(|open| open.object && open.next == Next::Name)
    }

    /// A string or another value has ended.
    fn ended(&mut self) {
        if let Some(open) = self.open.last_mut().filter(|open| open.object) {
            open.next = if open.next == Next::Name { Next::Colon } else { Next::Comma };
        }
    }

    fn structure(&mut self, byte: u8, out: &mut dyn FnMut(Cut<'_>)) {
        match byte {
            b'{' => self.opens(true, out),
            b'[' => self.opens(false, out),
            b'}' => self.closes(true, out),
            b']' => self.closes(false, out),
            b'"' => {
                self.text = Some(Text::default());
                if self.naming() {
                    self.name.clear();
                }
                self.keep(b"\"");
            }
            _ if !bare(byte) && !self.open.is_empty() => {
                // A word outside of a string: a quote is missing, so this is inside of one.
                self.spoil(UNBALANCED);
                self.text = Some(Text::default());
            }
            _ => {
                if let Some(open) = self.open.last_mut() {
                    match (byte, open.next) {
                        (b':', Next::Colon) => open.next = Next::Value,
                        (b',', _) => open.next = Next::Name,
                        // Whatever follows a name's colon that is no string and no bracket is a value.
                        (byte, Next::Value) if !byte.is_ascii_whitespace() => open.next = Next::Comma,
                        _ => {}
                    }
                }
                self.keep(&[byte]);
            }
        }
    }

    /// A brace in an object where no value can stand is the next entry: the one in front lacks its own.
    fn misplaced(&self, object: bool) -> bool {
        object && self.found() && self.open.last().is_some_and(|open| open.object && open.next != Next::Value)
    }

    fn opens(&mut self, object: bool, out: &mut dyn FnMut(Cut<'_>)) {
        if let Some(base) = self.base.filter(|_| self.misplaced(object)) {
            if std::mem::take(&mut self.inside) {
                self.damage = None;
                out(Cut::Damaged(UNBALANCED));
            }
            self.open.truncate(base);
            while self.open.len() < base {
                self.open.push(Open { object: self.open.len() + 1 < base, next: Next::Value });
            }
        }
        match self.open.len() {
            // Behind the archive nothing counts.
            0 if self.found() => return,
            1 => self.in_log = object && self.name == b"log",
            2 if self.base.is_none() && self.in_log && !object && self.name == b"entries" => self.base = Some(3),
            _ => {}
        }
        if Some(self.open.len()) == self.base && object && !self.inside {
            (self.inside, self.damage) = (true, None);
            self.entry.clear();
        }
        self.keep(if object { b"{" } else { b"[" });
        if self.open.len() >= DEPTH_MAX {
            self.spoil(TOO_DEEP);
        }
        if self.open.len() >= STACK_MAX {
            self.deeper += 1;
            return;
        }
        if let Some(open) = self.open.last_mut() {
            open.next = Next::Comma;
        }
        self.open.push(Open { object, next: Next::Name });
    }

    fn closes(&mut self, object: bool, out: &mut dyn FnMut(Cut<'_>)) {
        if self.deeper > 0 {
            self.deeper -= 1;
            return;
        }
        let Some(at) = self.open.iter().rposition(|open| open.object == object) else { return self.spoil(UNBALANCED) };
        let base = self.base.unwrap_or(usize::MAX);
        // A brace too many does not end the list of entries, nor what is around it.
        if object && at < base && self.open.len() >= base {
            return self.spoil(UNBALANCED);
        }
        if at + 1 != self.open.len() {
            self.spoil(UNBALANCED);
        }
        self.keep(if object { b"}" } else { b"]" });
        self.open.truncate(at);
        if self.inside && self.open.len() <= base {
            self.inside = false;
            match self.damage.take() {
                Some(why) => out(Cut::Damaged(why)),
                None => out(Cut::Entry(&self.entry)),
            }
            self.entry.clear();
        }
    }
}
