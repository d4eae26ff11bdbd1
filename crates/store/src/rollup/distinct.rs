//! How many different things there were: a HyperLogLog sketch of 1,024 registers, within about 3 % (one standard error).
//!
//! P. Flajolet et al., "HyperLogLog" (2007); the estimate is that of O. Ertl, "New cardinality estimation algorithms for
//! HyperLogLog sketches" (2017), algorithm 6, which needs no correction tables and is right from zero on. Few things are kept
//! as a list of registers, so an endpoint's quiet minute costs a few bytes.

use crate::varint::{self, Input};

const BITS: u32 = 10;
const REGISTERS: usize = 1 << BITS;
/// Bits of the hash that are left for the rank.
const RANK_BITS: u32 = 64 - BITS;
/// Registers in the list beyond which it becomes an array.
const LIST_MAX: usize = 192;

/// A set of which only the size is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// Register and rank, ascending by register.
    List(Vec<(u16, u8)>),
    /// The rank of every register.
    Array(Box<[u8; REGISTERS]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// Mixes the bits of a number so that each depends on all (the finaliser of SplitMix64, G. Steele et al. 2014).
pub const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Distinct {
    /// Adds a thing by any number that is different for different things.
    pub fn add(&mut self, number: u64) {
        let hash = mix(number);
        let register = (hash >> RANK_BITS) as u16;
        let rank = ((hash << BITS).leading_zeros().min(RANK_BITS) + 1) as u8;
        self.raise(register, rank);
    }

    fn raise(&mut self, register: u16, rank: u8) {
        match self {
            Self::Array(array) => {
                if let Some(slot) = array.get_mut(usize::from(register)) {
                    *slot = rank.max(*slot);
                }
            }
            Self::List(list) => match list.binary_search_by_key(&register, |&(register, _)| register) {
                Ok(index) => {
                    if let Some((_, slot)) = list.get_mut(index) {
                        *slot = rank.max(*slot);
                    }
                }
                Err(index) if list.len() < LIST_MAX => list.insert(index, (register, rank)),
                Err(_) => {
                    let mut array = Box::new([0; REGISTERS]);
                    for &(register, rank) in list.iter() {
                        if let Some(slot) = array.get_mut(usize::from(register)) {
                            *slot = rank;
                        }
                    }
                    *self = Self::Array(array);
                    self.raise(register, rank);
                }
            },
        }
    }

    /// Adds everything another set has.
    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::List(list) => list.iter().for_each(|&(register, rank)| self.raise(register, rank)),
            Self::Array(theirs) => {
                if let Self::List(list) = self {
                    let mine = std::mem::take(list);
                    *self = Self::Array(theirs.clone());
                    mine.into_iter().for_each(|(register, rank)| self.raise(register, rank));
                } else if let Self::Array(mine) = self {
                    for (slot, rank) in mine.iter_mut().zip(theirs.iter()) {
                        *slot = (*slot).max(*rank);
                    }
                }
            }
        }
    }

    /// About how many different things there were.
    pub fn count(&self) -> u64 {
        let mut ranks = [0u32; RANK_BITS as usize + 2];
        let mut note = |rank: u8| {
            if let Some(slot) = ranks.get_mut(usize::from(rank)) {
                *slot += 1;
            }
        };
        match self {
            Self::List(list) => {
                list.iter().for_each(|&(_, rank)| note(rank));
                (list.len()..REGISTERS).for_each(|_| note(0));
            }
            Self::Array(array) => array.iter().for_each(|&rank| note(rank)),
        }
        let registers = REGISTERS as f64;
        let [zeros, middle @ .., full] = ranks;
        let mut z = registers * tau(1.0 - f64::from(full) / registers);
        for count in middle.into_iter().rev() {
            z = 0.5 * (z + f64::from(count));
        }
        z += registers * sigma(f64::from(zeros) / registers);
        (registers * registers / (2.0 * std::f64::consts::LN_2 * z)).round() as u64
    }

    /// Appends the stored form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::List(list) => {
                varint::put(out, list.len() as u64);
                let mut before = 0;
                for &(register, rank) in list {
                    varint::put(out, u64::from(register - before));
                    out.push(rank);
                    before = register;
                }
            }
            Self::Array(array) => {
                varint::put(out, REGISTERS as u64);
                out.extend_from_slice(array.as_slice());
            }
        }
    }

    /// Reads the stored form; `None` when it is none.
    pub fn decode(input: &mut Input<'_>) -> Option<Self> {
        let length = input.count(REGISTERS)?;
        if length == REGISTERS {
            let array: [u8; REGISTERS] = input.array()?;
            let valid = array.iter().all(|rank| u32::from(*rank) <= RANK_BITS + 1);
            return valid.then(|| Self::Array(Box::new(array)));
        }
        if length > LIST_MAX {
            return None;
        }
        let mut list = Vec::with_capacity(length);
        let mut register = 0u16;
        for index in 0..length {
            let step: u16 = input.narrow()?;
            let [rank] = input.array()?;
            if (index > 0 && step == 0) || rank == 0 || u32::from(rank) > RANK_BITS + 1 {
                return None;
            }
            register = register.checked_add(step).filter(|register| usize::from(*register) < REGISTERS)?;
            list.push((register, rank));
        }
        Some(Self::List(list))
    }
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let mut y = 1.0;
    let mut z = x;
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let mut y = 1.0;
    let mut z = 1.0 - x;
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_are_close_at_every_size() {
        let mut set = Distinct::default();
        assert_eq!(set.count(), 0);
        let mut next = 1u64;
        for thing in 1..=300_000u64 {
            set.add(thing);
            if thing == next {
                let error = (set.count() as f64 - thing as f64).abs() / thing as f64;
                assert!(error < 0.10, "{} for {thing}", set.count());
                next = next * 3 / 2 + 1;
            }
        }
    }

    proptest! {
        #[test]
        fn merging_is_adding(a in proptest::collection::vec(any::<u64>(), 0..400), b in proptest::collection::vec(any::<u64>(), 0..400)) {
            let set = |things: &[u64]| {
                let mut set = Distinct::default();
                things.iter().for_each(|&thing| set.add(thing));
                set
            };
            let mut merged = set(&a);
            merged.merge(&set(&b));
            prop_assert_eq!(merged.count(), set(&[a, b].concat()).count());
            let mut bytes = Vec::new();
            merged.encode(&mut bytes);
            prop_assert_eq!(Distinct::decode(&mut Input::new(&bytes)), Some(merged));
        }

        #[test]
        fn any_bytes_are_a_set_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..1100)) {
            if let Some(set) = Distinct::decode(&mut Input::new(&bytes)) {
                let _ = set.count();
            }
        }
    }
}
