//! Grouping: a storm is one message, and what was told is not told again for some time.

use std::collections::{BTreeMap, HashMap};

use super::{Alert, Kind, Urgency};

/// Lines of one message; the rest is a number.
pub const LINES_MAX: usize = 20;
/// Keys remembered as told; beyond, the oldest are forgotten.
const TOLD_MAX: usize = 50_000;

/// What is told at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The kind of all its alerts.
    pub kind: Kind,
    /// The greatest urgency among them.
    pub urgency: Urgency,
    /// How many alerts.
    pub count: u64,
    /// The first alerts' lines, at most [`LINES_MAX`].
    pub lines: Vec<String>,
    /// When the first was noticed, in seconds since the epoch.
    pub first_s: i64,
    /// When the message was made, in seconds since the epoch.
    pub at_s: i64,
    /// Tells deliveries of one message apart from another message.
    pub id: u64,
}

/// Alerts on their way to becoming messages.
#[derive(Debug)]
pub struct Groups {
    group_s: i64,
    repeat_s: i64,
    open: BTreeMap<Kind, Message>,
    told: HashMap<(Kind, String), i64>,
}

impl Groups {
    /// Groups of `group_s` seconds; a key is told again after `repeat_s` seconds.
    pub fn new(group_s: u64, repeat_s: u64) -> Self {
        let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
        Self { group_s: seconds(group_s), repeat_s: seconds(repeat_s), open: BTreeMap::new(), told: HashMap::new() }
    }

    /// Goes on with other times; what waits and what was told stays.
    pub fn change(&mut self, group_s: u64, repeat_s: u64) {
        let Self { group_s, repeat_s, .. } = Self::new(group_s, repeat_s);
        (self.group_s, self.repeat_s) = (group_s, repeat_s);
    }

    /// Takes what was noticed now.
    pub fn take(&mut self, alerts: Vec<Alert>, now_s: i64) {
        self.told.retain(|_, told_s| now_s.saturating_sub(*told_s) < self.repeat_s);
        for alert in alerts {
            let key = (alert.kind, alert.key);
            if self.told.contains_key(&key) {
                continue;
            }
            if self.told.len() >= TOLD_MAX {
                let oldest = self.told.iter().min_by_key(|(_, told_s)| **told_s).map(|(key, _)| key.clone());
                oldest.map(|key| self.told.remove(&key));
            }
            self.told.insert(key, now_s);
            let open = self.open.entry(alert.kind).or_insert_with(|| Message {
                kind: alert.kind,
                urgency: alert.urgency,
                count: 0,
                lines: Vec::new(),
                first_s: now_s,
                at_s: now_s,
                id: fastrand::u64(..),
            });
            open.urgency = open.urgency.max(alert.urgency);
            open.count += 1;
            if open.lines.len() < LINES_MAX {
                open.lines.push(alert.text);
            }
        }
    }

    /// The messages whose time has come.
    pub fn due(&mut self, now_s: i64) -> Vec<Message> {
        let due = |message: &Message| now_s.saturating_sub(message.first_s) >= self.group_s;
        let kinds: Vec<Kind> = self.open.iter().filter(|(_, message)| due(message)).map(|(kind, _)| *kind).collect();
        kinds
            .iter()
            .filter_map(|kind| self.open.remove(kind))
            .map(|message| Message { at_s: now_s, ..message })
            .collect()
    }

    /// What has not become a message yet.
    pub fn rest(&mut self, now_s: i64) -> Vec<Message> {
        std::mem::take(&mut self.open).into_values().map(|message| Message { at_s: now_s, ..message }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(kind: Kind, key: &str) -> Alert {
        Alert { kind, key: key.to_owned(), urgency: Urgency::Medium, text: format!("about {key}") }
    }

    #[test]
    fn other_times_forget_nothing() {
        let mut groups = Groups::new(60, 3_600);
        groups.take(vec![alert(Kind::Quota, "a")], 0);
        groups.change(5, 3_600);
        assert_eq!(groups.due(5).len(), 1);
        groups.take(vec![alert(Kind::Quota, "a")], 6);
        assert!(groups.due(60).is_empty(), "told already");
    }

    #[test]
    fn a_storm_is_one_message() {
        let mut groups = Groups::new(60, 3_600);
        for second in 0..50 {
            let storm = (0..100).map(|n| alert(Kind::ShadowEndpoint, &format!("{second}-{n}"))).collect();
            groups.take(storm, second);
            assert!(groups.due(second).is_empty());
        }
        let messages = groups.due(60);
        assert_eq!(messages.len(), 1);
        assert_eq!((messages[0].count, messages[0].lines.len(), messages[0].first_s), (5_000, LINES_MAX, 0));
        assert!(groups.due(61).is_empty());
    }

    #[test]
    fn the_same_is_told_again_only_later() {
        let mut groups = Groups::new(10, 100);
        let told = |groups: &mut Groups, now| {
            groups.take(vec![alert(Kind::Attack, "shop")], now);
            groups.rest(now).len()
        };
        assert_eq!([0, 50, 99, 100, 150].map(|now| told(&mut groups, now)), [1, 0, 0, 1, 0]);
    }

    #[test]
    fn kinds_do_not_wait_for_each_other() {
        let mut groups = Groups::new(10, 100);
        groups.take(vec![alert(Kind::Attack, "a")], 0);
        groups.take(vec![alert(Kind::Quota, "b")], 5);
        assert_eq!(groups.due(10).iter().map(|message| message.kind).collect::<Vec<_>>(), [Kind::Attack]);
        assert_eq!(groups.due(15).iter().map(|message| message.kind).collect::<Vec<_>>(), [Kind::Quota]);
    }
}
