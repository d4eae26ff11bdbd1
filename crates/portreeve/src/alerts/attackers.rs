//! Clients that attack: those with many findings of attacks within an hour, also when each minute has few of them.

use std::collections::{BTreeMap, BTreeSet};

use model::{Reason, StageId, Timestamp};
use store::rollup::Range;
use store::{RollupReader, StoreError};

use super::{Alert, Kind, Urgency};

/// The time that is looked at, in seconds.
const RECENT_S: i64 = 3_600;
/// Exchanges with findings of one kind of attack from which a client is told of.
const EXCHANGES_MIN: u64 = 20;
/// Clients told of at one look; the next look finds the others.
const CLIENTS_MAX: usize = 20;

/// The kinds of threat that the stage `attacks` reports.
fn kinds() -> BTreeSet<&'static str> {
    let attacks = Reason::all().filter(|reason| reason.stage() == StageId::Attacks);
    attacks.map(|reason| reason.category().name()).collect()
}

/// The busiest attackers. An attack of several kinds counts once for each; the kind with the most exchanges decides.
pub(super) fn alerts(rollups: &RollupReader, now: Timestamp) -> Result<Vec<Alert>, StoreError> {
    let mut clients: BTreeMap<String, (u64, u64, &'static str)> = BTreeMap::new();
    for kind in kinds() {
        let Some(threats) = rollups.threats(Range::last(RECENT_S, now), kind, None)? else { continue };
        for (client, tally) in threats.rows.clients.busiest(CLIENTS_MAX) {
            let most = clients.entry(client.to_owned()).or_default();
            *most = (*most).max((tally.count, tally.refused, kind));
        }
    }
    let mut many: Vec<_> = clients.into_iter().filter(|(_, (count, ..))| *count >= EXCHANGES_MIN).collect();
    many.sort_by(|(a, (a_count, ..)), (b, (b_count, ..))| b_count.cmp(a_count).then(a.cmp(b)));
    let alert = |(client, (count, refused, kind)): (String, (u64, u64, &'static str))| Alert {
        kind: Kind::Attack,
        key: format!("client {client}"),
        urgency: if count > refused { Urgency::High } else { Urgency::Medium },
        text: format!("{client}: {count} requests with findings of {kind} in an hour, {refused} refused"),
    };
    Ok(many.into_iter().take(CLIENTS_MAX).map(alert).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Action, Confidence, Event, Finding, Place};
    use store::rollup::Rollups;
    use store::testing::{START, ordinary_event};

    fn found(reason: Reason, client: u8, minute: i64, refused: bool) -> Event {
        let mut event = ordinary_event();
        event.at = Timestamp(START.0 + minute * 60_000_000);
        event.client = std::net::IpAddr::from([198, 51, 100, client]);
        let finding = Finding { reason, confidence: Confidence::Sure, place: Place::Path, evidence: "x".into() };
        event.findings = [finding].into_iter().collect();
        if refused {
            event.verdict.action = Action::Refuse { reason, status: 403 };
        }
        event
    }

    #[test]
    fn a_slow_attacker_is_told_of_and_a_broken_client_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        let mut rollups = Rollups::open(&path, &store::Settings::default()).expect("rollups");
        let attack = Reason::from_code("attacks.sql").expect("a reason");
        let broken = Reason::all().find(|reason| reason.stage() == StageId::Contract).expect("a reason");
        for minute in 0..25 {
            rollups.add(&found(attack, 7, minute * 2, minute > 0));
            rollups.add(&found(attack, 8, minute * 2, true));
            (0..4).for_each(|_| rollups.add(&found(broken, 9, minute, false)));
            if minute < 19 {
                rollups.add(&found(attack, 10, minute, false));
            }
        }
        rollups.flush().expect("a flush");
        let reader = RollupReader::open(&path).expect("readable").expect("a file");
        let told = alerts(&reader, Timestamp(START.0 + 3_590_000_000)).expect("alerts");
        let lines: Vec<(&str, Urgency)> = told.iter().map(|alert| (alert.key.as_str(), alert.urgency)).collect();
        assert_eq!(lines, [("client 198.51.100.7", Urgency::High), ("client 198.51.100.8", Urgency::Medium)]);
        assert!(told[0].text.contains("25 requests with findings of") && told[0].text.ends_with("24 refused"));
        assert!(alerts(&reader, Timestamp(START.0 + 3 * 3_600_000_000)).expect("alerts").is_empty(), "long ago");
    }
}
