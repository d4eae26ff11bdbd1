//! Fields that were judged before and gave nothing: agents, languages, tokens and cookies that a client sends with every
//! request are compared instead of searched again.
//!
//! INVARIANT: a verdict never depends on what is remembered. An entry holds the field itself, name and value, and only a
//! field equal to the byte is passed over; what is forgotten is judged again. The memory is bounded and one per thread.

use std::cell::RefCell;
use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use model::head::Field;

use super::{AttackPolicy, Introspection, ScoreUse, Sensitivity};

/// Fields remembered by one thread.
const FIELDS_MAX: usize = 512;
/// Longer fields are judged each time: with [`FIELDS_MAX`] this bounds the memory to 512 KiB a thread.
const FIELD_BYTES_MAX: usize = 1024;
/// Shorter values cost less to judge than to look up.
const VALUE_BYTES_MIN: usize = 6;

thread_local! {
    static CLEAN: RefCell<Clean> = RefCell::new(Clean::default());
}

/// The fields that gave nothing, each in the place its hash names; a newer one takes the place of an older.
#[derive(Default)]
struct Clean {
    /// Keyed at random, so that nobody can aim at a place.
    hasher: DefaultHashBuilder,
    places: Vec<Entry>,
}

#[derive(Clone, Default)]
struct Entry {
    settings: u8,
    name_bytes: u16,
    field: Vec<u8>,
}

impl Entry {
    fn is(&self, settings: u8, field: &Field<'_>) -> bool {
        let (name, value) = self.field.split_at_checked(usize::from(self.name_bytes)).unwrap_or_default();
        self.settings == settings && value == field.value && name == field.name
    }
}

/// What of the settings can change whether something is found, as one number; never 0.
fn settings(policy: &AttackPolicy) -> u8 {
    let AttackPolicy { sensitivity, introspection, score } = policy;
    let sensitivity = match sensitivity {
        Sensitivity::Low => 1,
        Sensitivity::Normal => 2,
        Sensitivity::High => 3,
    };
    sensitivity | u8::from(*introspection == Introspection::Allow) << 2 | u8::from(*score == ScoreUse::Off) << 3
}

/// Calls `judge` unless the field is remembered as clean; `judge` says whether it found nothing at all.
pub(super) fn unless_clean(policy: &AttackPolicy, field: &Field<'_>, judge: impl FnOnce() -> bool) {
    let length = field.name.len() + field.value.len();
    if field.value.len() < VALUE_BYTES_MIN || length > FIELD_BYTES_MAX {
        judge();
        return;
    }
    let settings = settings(policy);
    let (place, known) = CLEAN.with_borrow(|clean| {
        let place = clean.hasher.hash_one(field.value) as usize % FIELDS_MAX;
        (place, clean.places.get(place).is_some_and(|entry| entry.is(settings, field)))
    });
    if known || !judge() {
        return;
    }
    CLEAN.with_borrow_mut(|clean| {
        clean.places.resize(FIELDS_MAX, Entry::default());
        if let Some(entry) = clean.places.get_mut(place) {
            entry.settings = settings;
            entry.name_bytes = field.name.len() as u16;
            entry.field.clear();
            entry.field.extend_from_slice(field.name);
            entry.field.extend_from_slice(field.value);
        }
    });
}

#[cfg(test)]
mod tests {
    use model::head::Known;

    use super::*;

    /// Whether the field is judged when it comes.
    fn is_judged(policy: &AttackPolicy, name: &str, value: &str, clean: bool) -> bool {
        let mut judged = false;
        let field = Field { known: Known::Other, name: name.as_bytes(), value: value.as_bytes() };
        unless_clean(policy, &field, || {
            judged = true;
            clean
        });
        judged
    }

    #[test]
    fn only_an_equal_field_that_was_clean_is_passed_over() {
        let policy = AttackPolicy::default();
        assert!(is_judged(&policy, "a", "0123456789", true));
        assert!(!is_judged(&policy, "a", "0123456789", true));
        assert!(is_judged(&policy, "a0", "123456789", true));
        assert!(is_judged(&policy, "b", "0123456789", false));
        assert!(is_judged(&policy, "b", "0123456789", false));
        let strict = AttackPolicy { sensitivity: Sensitivity::High, ..AttackPolicy::default() };
        assert!(is_judged(&strict, "a", "0123456789", true));
    }

    #[test]
    fn memory_is_bounded() {
        let policy = AttackPolicy::default();
        for at in 0..4 * FIELDS_MAX {
            is_judged(&policy, "agent", &format!("an agent with the number {at}"), true);
        }
        assert!(is_judged(&policy, "long", &"x".repeat(FIELD_BYTES_MAX), true));
        assert!(is_judged(&policy, "long", &"x".repeat(FIELD_BYTES_MAX), true));
        CLEAN.with_borrow(|clean| assert_eq!(clean.places.len(), FIELDS_MAX));
    }
}
