//! The exchange as rules see it: what was given, taken apart into variables.

mod body;
mod multipart;
mod request;
mod xml;

use std::borrow::Cow;
use std::net::IpAddr;

use schema::json::Tape;
use smallvec::SmallVec;

use crate::rule::BodyProcessor;
use crate::run::gate::{Gate, Hits};
use crate::variable::Variable;

/// Most values of one collection; what comes behind is not looked at, and the report says so.
pub const VALUES_MAX: usize = 2000;

/// A field line: name and value.
pub type Field<'m> = (&'m [u8], &'m [u8]);

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'m> {
    /// The method as sent.
    pub method: &'m [u8],
    /// The request target as sent.
    pub target: &'m [u8],
    /// Such as `HTTP/1.1`.
    pub protocol: &'m str,
    /// The field lines in order, names as sent.
    pub fields: &'m [Field<'m>],
    /// The client.
    pub client: IpAddr,
    /// Differs from exchange to exchange: what sampling draws from.
    pub unique: u64,
    /// The body, where there is one that was held.
    pub body: Option<Body<'m>>,
}

/// The held part of a body, its content coding removed.
#[derive(Clone, Copy)]
pub struct Body<'m> {
    /// The bytes.
    pub bytes: &'m [u8],
    /// They are the whole body.
    pub whole: bool,
    /// The bytes as JSON, where they were read as such already.
    pub json: Option<&'m Tape<'m>>,
}

impl std::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("bytes", &self.bytes.len()).field("whole", &self.whole).finish_non_exhaustive()
    }
}

/// A response.
#[derive(Clone, Copy, Debug)]
pub struct Response<'m> {
    /// The status.
    pub status: u16,
    /// Such as `HTTP/1.1`.
    pub protocol: &'m str,
    /// The field lines in order.
    pub fields: &'m [Field<'m>],
    /// The body, where one was held.
    pub body: Option<Body<'m>>,
}

/// One value of a variable.
#[derive(Clone, Debug)]
pub(crate) struct Item<'m> {
    pub name: Cow<'m, [u8]>,
    pub value: Cow<'m, [u8]>,
    /// What chains of transformations made of it, where they changed it.
    pub texts: SmallVec<[(u8, Box<[u8]>); 1]>,
    /// Conditions whose literals stand in one of those texts.
    pub hits: Hits,
}

/// All variables of the message.
pub(crate) struct Values<'m, 'r> {
    lists: Vec<Vec<Item<'m>>>,
    gate: &'r Gate,
    /// Conditions that some value may answer.
    pub any: Vec<u64>,
    /// A collection was longer than is looked at.
    pub truncated: bool,
    /// What reads the body.
    pub processor: Option<BodyProcessor>,
    /// Sum of the lengths of names and values of arguments.
    combined_size: usize,
    /// Bytes taken in: what the budget of judging is measured by.
    pub bytes: usize,
}

impl<'m, 'r> Values<'m, 'r> {
    pub fn new(gate: &'r Gate) -> Self {
        Self {
            lists: (0..Variable::ALL.len()).map(|_| Vec::new()).collect(),
            gate,
            any: gate.no_hits(),
            truncated: false,
            processor: None,
            combined_size: 0,
            bytes: 0,
        }
    }

    /// The values of a variable of the message.
    pub fn of(&self, variable: Variable) -> &[Item<'m>] {
        self.lists.get(variable as usize).map_or(&[], Vec::as_slice)
    }

    /// Adds a value to a collection; what no rule looks at is left out.
    pub fn add(&mut self, variable: Variable, name: Cow<'m, [u8]>, value: Cow<'m, [u8]>) {
        if !self.gate.is_used(variable) {
            return;
        }
        let Some(list) = self.lists.get_mut(variable as usize) else { return };
        if list.len() >= VALUES_MAX {
            self.truncated = true;
            return;
        }
        self.bytes += name.len() + value.len();
        let mut item = Item { name, value, texts: SmallVec::new(), hits: Hits::new() };
        self.gate.scan(variable, &mut item, &mut self.any);
        list.push(item);
    }

    /// Sets a variable that has one value.
    pub fn set(&mut self, variable: Variable, value: impl Into<Cow<'m, [u8]>>) {
        if let Some(list) = self.lists.get_mut(variable as usize) {
            list.clear();
        }
        self.add(variable, Cow::Borrowed(b""), value.into());
    }

    fn set_number(&mut self, variable: Variable, value: usize) {
        if self.gate.is_used(variable) {
            self.set(variable, value.to_string().into_bytes());
        }
    }

    /// Adds an argument and its name.
    fn argument(&mut self, variable: Variable, names: Variable, name: Cow<'m, [u8]>, value: Cow<'m, [u8]>) {
        self.combined_size += name.len() + value.len();
        self.add(names, name.clone(), name.clone());
        self.add(variable, name, value);
    }
}
