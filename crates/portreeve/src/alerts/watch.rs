//! Looking for what somebody should know: rollups of the last minutes against the hour before, the inventory against what was
//! known of it, certificates against the calendar.

use std::collections::BTreeMap;
use std::path::PathBuf;

use console::steering::CertificateState;
use model::{ApiName, EndpointState, Reason, StageId, StatusSource, Timestamp};
use serde_json::{Value, json};
use store::inventory::EndpointFilter;
use store::rollup::{Counts, Range, Scope};
use store::{Inventory, RollupReader, StoreError, StoredEndpoint};

use super::{Alert, Kind, Urgency, attackers};

/// Where what was known of the inventory is kept over restarts.
const SETTING: &str = "alerts.known";
/// The time that is compared, in seconds.
const RECENT_S: i64 = 300;
/// The time it is compared with, in seconds before it.
const BEFORE_S: i64 = 3_600;
/// The posture of endpoints is looked at this often, in seconds: it reads every endpoint's day.
const POSTURE_EVERY_S: i64 = 60;
/// Fewer requests than these say nothing about shares and percentiles.
const RECENT_MIN: u64 = 50;
const BEFORE_MIN: u64 = 200;
/// Findings of attacks in the recent time from which they are an incident.
const ATTACKS_MIN: u64 = 20;
/// Refusals with 429 of ours in the recent time that are worth telling.
const LIMITED_MIN: u64 = 100;
/// Days before its end at which a certificate is told of.
const CERTIFICATE_DAYS: [i64; 3] = [1, 7, 30];

/// Looks, and remembers what it has seen.
pub struct Watch {
    data: PathBuf,
    store_bytes_max: u64,
    /// By endpoint: what stood out. Absent before the first look.
    known: Option<BTreeMap<u64, Vec<String>>>,
    posture_at_s: i64,
}

impl Watch {
    /// A watch over a data directory whose events may take `store_bytes_max` bytes.
    pub const fn new(data: PathBuf, store_bytes_max: u64) -> Self {
        Self { data, store_bytes_max, known: None, posture_at_s: 0 }
    }

    /// What is to be known now.
    ///
    /// # Errors
    /// When the data directory cannot be read; what was seen stays seen.
    pub fn look(&mut self, now: Timestamp, certificates: &[CertificateState]) -> Result<Vec<Alert>, StoreError> {
        let mut alerts = certificate_alerts(certificates, now.secs());
        let layout = store::layout::Layout::new(&self.data);
        let Some(rollups) = RollupReader::open(&layout.rollups())? else { return Ok(alerts) };
        alerts.extend(self.traffic(&rollups, now)?);
        alerts.extend(attackers::alerts(&rollups, now)?);
        if now.secs().saturating_sub(self.posture_at_s) >= POSTURE_EVERY_S {
            self.posture_at_s = now.secs();
            alerts.extend(self.inventory(&rollups, now)?);
            alerts.extend(self.space(&layout));
        }
        Ok(alerts)
    }

    fn traffic(&self, rollups: &RollupReader, now: Timestamp) -> Result<Vec<Alert>, StoreError> {
        let recent = Range::last(RECENT_S, now);
        let before = Range { since: Range::last(BEFORE_S, recent.since).since, until: recent.since };
        let mut alerts = Vec::new();
        for (scope, counts) in rollups.per_api(recent)?.rows {
            let Scope::Api(api) = &scope else { continue };
            let earlier = rollups.total(&scope, before)?.rows;
            alerts.extend(anomalies(api, &counts, &earlier));
            alerts.extend(attacks(api, &counts, &earlier));
            if counts.status(429, StatusSource::Gateway) >= LIMITED_MIN {
                alerts.push(Alert {
                    kind: Kind::Quota,
                    key: format!("limited {api}"),
                    urgency: Urgency::Low,
                    text: format!(
                        "{api}: {} requests were limited in five minutes",
                        counts.status(429, StatusSource::Gateway)
                    ),
                });
            }
        }
        Ok(alerts)
    }

    /// New shadow endpoints, and endpoints whose posture became worse.
    fn inventory(&mut self, rollups: &RollupReader, now: Timestamp) -> Result<Vec<Alert>, StoreError> {
        let Some(inventory) = Inventory::open_reading(&self.data)? else { return Ok(Vec::new()) };
        let endpoints = inventory.endpoints(&EndpointFilter::default())?;
        let stored = inventory.setting(SETTING)?;
        drop(inventory);
        let mut counts: BTreeMap<u64, Counts> = BTreeMap::new();
        for (scope, row) in rollups.per_endpoint(Range::last(86_400, now))?.rows {
            if let Scope::Endpoint(_, id) = scope {
                counts.entry(id.0).or_default().merge(&row);
            }
        }
        let known = self.known.take().or_else(|| stored.map(known));
        let nothing = Counts::default();
        let mut seen = BTreeMap::new();
        let mut alerts = Vec::new();
        for stored in endpoints.iter().filter(|stored| reviewed(stored)) {
            let id = stored.endpoint.id.0;
            let signals = console::signals(stored, counts.get(&id).unwrap_or(&nothing), now);
            if let Some(known) = &known {
                alerts.extend(changes(stored, known.get(&id).map(Vec::as_slice), &signals));
            }
            seen.insert(id, signals.into_iter().map(str::to_owned).collect::<Vec<_>>());
        }
        if known.as_ref() != Some(&seen) {
            let value: serde_json::Map<String, Value> =
                seen.iter().map(|(id, signals)| (format!("e{id}"), json!(signals))).collect();
            Inventory::open(&self.data)?.put_setting(SETTING, &Value::Object(value))?;
        }
        self.known = Some(seen);
        Ok(alerts)
    }

    fn space(&self, layout: &store::layout::Layout) -> Option<Alert> {
        let entries = std::fs::read_dir(layout.events()).ok()?;
        let bytes: u64 = entries.flatten().filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
        let percent = bytes.saturating_mul(100).checked_div(self.store_bytes_max)?;
        (percent >= 90).then(|| Alert {
            kind: Kind::Quota,
            key: "store".to_owned(),
            urgency: Urgency::Medium,
            text: format!("events take {percent} % of `data.events_size`; the oldest are deleted at 100 %"),
        })
    }
}

/// Provisional endpoints are no news yet, and declined ones no more.
const fn reviewed(stored: &StoredEndpoint) -> bool {
    matches!(stored.endpoint.state, EndpointState::Review | EndpointState::Saved)
}

fn known(value: Value) -> BTreeMap<u64, Vec<String>> {
    let Value::Object(members) = value else { return BTreeMap::new() };
    let signals = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    members.iter().filter_map(|(id, value)| Some((id.strip_prefix('e')?.parse().ok()?, signals(value)))).collect()
}

fn changes(stored: &StoredEndpoint, before: Option<&[String]>, signals: &[&'static str]) -> Vec<Alert> {
    let (id, name) = (stored.endpoint.id, stored.name());
    let was = |signal: &str| before.is_some_and(|before| before.iter().any(|known| known == signal));
    let mut alerts = Vec::new();
    if signals.contains(&"shadow") && stored.endpoint.state == EndpointState::Review && !was("shadow") {
        alerts.push(Alert {
            kind: Kind::ShadowEndpoint,
            key: id.to_string(),
            urgency: if stored.endpoint.writes() { Urgency::Medium } else { Urgency::Low },
            text: format!("{name} is called and in no contract"),
        });
    }
    for signal in signals.iter().filter(|signal| before.is_some() && !was(signal)) {
        let (urgency, what) = match *signal {
            "missing-auth" => (Urgency::High, "answers successfully, and nobody shows a credential"),
            "mixed-auth" => (Urgency::Medium, "answers successfully with and without credentials"),
            "open-write" => (Urgency::High, "lets strangers write"),
            _ => continue,
        };
        let (kind, key) = (Kind::Posture, format!("{id} {signal}"));
        alerts.push(Alert { kind, key, urgency, text: format!("{name} {what}") });
    }
    alerts
}

/// How many standard deviations `part` of `whole` lies above the share `expected` (normal approximation of the binomial
/// distribution).
fn surprise(part: u64, whole: u64, expected: f64) -> f64 {
    let whole = whole as f64;
    let deviation = (whole * expected.max(0.001) * (1.0 - expected.min(0.999))).sqrt();
    (part as f64 - whole * expected) / deviation.max(1e-9)
}

fn anomalies(api: &ApiName, recent: &Counts, before: &Counts) -> Vec<Alert> {
    if recent.requests < RECENT_MIN || before.requests < BEFORE_MIN {
        return Vec::new();
    }
    let mut alerts = Vec::new();
    let mut add = |key: &str, urgency, text: String| {
        alerts.push(Alert {
            kind: Kind::Anomaly,
            key: format!("{key} {api}"),
            urgency,
            text: format!("{api}: {text}"),
        });
    };
    let failed = |counts: &Counts| -> u64 {
        counts.statuses.iter().filter(|(key, _)| key.status >= 500).map(|(_, count)| count).sum()
    };
    let usual = failed(before) as f64 / before.requests as f64;
    let now = failed(recent) as f64 / recent.requests as f64;
    if now >= 0.05 && now >= usual * 3.0 && surprise(failed(recent), recent.requests, usual) >= 4.0 {
        let text = format!(
            "{:.0} % of requests failed with 5xx in five minutes; {:.1} % in the hour before",
            now * 100.0,
            usual * 100.0
        );
        add("errors", Urgency::High, text);
    }
    if let (Some(slow), Some(usual)) = (recent.total.quantile_us(0.95), before.total.quantile_us(0.95))
        && slow >= usual.saturating_mul(2)
        && slow.saturating_sub(usual) >= 50_000
    {
        let text = format!("the 95th percentile is {} ms; {} ms in the hour before", slow / 1_000, usual / 1_000);
        add("latency", Urgency::Medium, text);
    }
    let mean = |counts: &Counts| counts.response_bytes / counts.requests.max(1);
    let (large, usual) = (mean(recent), mean(before));
    if large >= usual.saturating_mul(3) && large.saturating_sub(usual) >= 10_000 {
        add("size", Urgency::Medium, format!("answers have {large} bytes in the mean; {usual} in the hour before"));
    }
    alerts
}

fn attacks(api: &ApiName, recent: &Counts, before: &Counts) -> Option<Alert> {
    let of_attacks = |counts: &Counts| -> u64 {
        let attack = |code: &str| Reason::from_code(code).is_some_and(|reason| reason.stage() == StageId::Attacks);
        counts.reasons.iter().filter(|(code, _)| attack(code)).map(|(_, count)| count).sum()
    };
    let (now, earlier) = (of_attacks(recent), of_attacks(before));
    let usual = earlier.saturating_mul(u64::try_from(RECENT_S).unwrap_or(1)) / u64::try_from(BEFORE_S).unwrap_or(1);
    if now < ATTACKS_MIN || now < usual.saturating_mul(5) {
        return None;
    }
    let carried = recent.would_refuse;
    let text = format!(
        "{api}: {now} findings of attacks in five minutes; {} requests refused, {carried} more would be",
        recent.refused
    );
    let urgency = if carried > 0 { Urgency::High } else { Urgency::Medium };
    Some(Alert { kind: Kind::Attack, key: api.to_string(), urgency, text })
}

fn certificate_alerts(certificates: &[CertificateState], now_s: i64) -> Vec<Alert> {
    let alert = |certificate: &CertificateState| {
        let left_s = certificate.not_after_s.saturating_sub(now_s);
        let days = left_s.div_euclid(86_400);
        let step = CERTIFICATE_DAYS.into_iter().find(|step| days < *step)?;
        let names = certificate.names.join(", ");
        let text = if left_s < 0 {
            format!("the certificate of {names} has ended")
        } else {
            let unit = if days == 1 { "day" } else { "days" };
            format!("the certificate of {names} ends in {days} {unit}")
        };
        let urgency = if step == 30 { Urgency::Low } else { Urgency::High };
        Some(Alert { kind: Kind::Certificate, key: format!("{names} {step}"), urgency, text })
    };
    certificates.iter().filter_map(alert).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::rollup::counts::StatusKey;

    fn counts(requests: u64, failed: u64) -> Counts {
        let statuses = vec![
            (StatusKey::new(200, StatusSource::Upstream), requests - failed),
            (StatusKey::new(503, StatusSource::Upstream), failed),
        ];
        Counts { requests, statuses, ..Counts::default() }
    }

    fn keys(alerts: &[Alert]) -> Vec<&str> {
        alerts.iter().map(|alert| alert.key.as_str()).collect()
    }

    #[test]
    fn errors_are_told_when_they_are_many_and_new() {
        let api = ApiName::from("shop");
        let check = |recent, before| keys(&anomalies(&api, &recent, &before)).len();
        assert_eq!(check(counts(1_000, 100), counts(10_000, 20)), 1);
        assert_eq!(check(counts(1_000, 100), counts(10_000, 1_000)), 0, "as ever");
        assert_eq!(check(counts(40, 20), counts(10_000, 20)), 0, "too few to say");
        assert_eq!(check(counts(1_000, 2), counts(10_000, 0)), 0, "two of a thousand");
    }

    #[test]
    fn latency_and_sizes_are_told_when_they_grow() {
        let api = ApiName::from("shop");
        let with = |requests: u64, us: u32, bytes: u64| {
            let mut counts = counts(requests, 0);
            (0..requests).for_each(|_| counts.total.add(us));
            counts.response_bytes = requests * bytes;
            counts
        };
        let check = |recent, before| keys(&anomalies(&api, &recent, &before)).join(", ");
        assert_eq!(check(with(300, 20_000, 900), with(2_000, 20_000, 900)), "");
        assert_eq!(check(with(300, 200_000, 900), with(2_000, 20_000, 900)), "latency shop");
        assert_eq!(check(with(300, 2_000, 900), with(2_000, 200, 900)), "", "ten times nothing is nothing");
        assert_eq!(check(with(300, 20_000, 90_000), with(2_000, 20_000, 900)), "size shop");
        assert_eq!(check(with(300, 20_000, 9_000), with(2_000, 20_000, 90)), "", "a few kilobytes");
    }

    /// A data directory with one endpoint that is called, and requests limited by the gateway.
    fn recorded(directory: &std::path::Path, state: EndpointState, limited: usize, now: Timestamp) {
        let mut writer = store::Writer::open(directory, store::Settings::default()).expect("a writer");
        let mut event = store::testing::ordinary_event();
        event.at = now;
        event.api = Some("shop".into());
        event.endpoint = Some(model::EndpointId(7));
        (event.credential, event.session) = (false, None);
        writer.write(std::slice::from_ref(&event));
        (event.status, event.status_source) = (429, StatusSource::Gateway);
        writer.write(&vec![event; limited]);
        writer.close();
        let endpoint = store::testing::Traffic::new(1).endpoints().swap_remove(0);
        let endpoint = model::Endpoint { id: model::EndpointId(7), method: "POST".to_owned(), state, ..endpoint };
        let mut inventory = Inventory::open(directory).expect("an inventory");
        inventory.put("test", now, &[StoredEndpoint::new(endpoint)]).expect("stored");
    }

    fn told(alerts: &[Alert]) -> Vec<(Kind, &str)> {
        alerts.iter().map(|alert| (alert.kind, alert.key.as_str())).collect()
    }

    #[test]
    fn limits_and_a_full_store_are_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let now = store::testing::START;
        let later = Timestamp(now.0 + 60_000_000);
        recorded(directory.path(), EndpointState::Saved, 99, now);
        let look = |bytes_max| Watch::new(directory.path().to_owned(), bytes_max).look(later, &[]).expect("alerts");
        assert_eq!(told(&look(u64::MAX)), []);
        recorded(directory.path(), EndpointState::Saved, 1, now);
        assert_eq!(told(&look(u64::MAX)), [(Kind::Quota, "limited shop")]);
        assert_eq!(told(&look(1)), [(Kind::Quota, "limited shop"), (Kind::Quota, "store")]);
    }

    #[test]
    fn a_new_shadow_endpoint_and_a_posture_that_became_worse_are_told_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let now = store::testing::START;
        // What is there at the first look is known already.
        drop(Inventory::open(directory.path()).expect("an inventory"));
        drop(store::Writer::open(directory.path(), store::Settings::default()).expect("a writer"));
        let mut watch = Watch::new(directory.path().to_owned(), u64::MAX);
        assert_eq!(told(&watch.look(now, &[]).expect("alerts")), []);
        recorded(directory.path(), EndpointState::Review, 0, now);
        let minute = |number: i64| Timestamp(now.0 + number * 60_000_000);
        assert_eq!(told(&watch.look(minute(1), &[]).expect("alerts")), [(Kind::ShadowEndpoint, "e7")]);
        assert_eq!(told(&watch.look(minute(2), &[]).expect("alerts")), []);
        // A program that starts anew knows what was told.
        let mut watch = Watch::new(directory.path().to_owned(), u64::MAX);
        assert_eq!(told(&watch.look(minute(3), &[]).expect("alerts")), []);
        let stored = Inventory::open(directory.path()).expect("an inventory");
        let stored = stored.endpoint(model::EndpointId(7)).expect("readable").expect("the endpoint");
        let worse = changes(&stored, Some(&["shadow".to_owned()]), &["shadow", "missing-auth", "open-write"]);
        assert_eq!(told(&worse), [(Kind::Posture, "e7 missing-auth"), (Kind::Posture, "e7 open-write")]);
        assert!(worse.iter().all(|alert| alert.urgency == Urgency::High));
    }

    #[test]
    fn certificates_are_told_at_each_step() {
        let certificate =
            |days: i64| CertificateState { names: vec!["a.example".to_owned()], not_after_s: days * 86_400 };
        let key = |days| certificate_alerts(&[certificate(days)], 0).first().map(|alert| alert.key.clone());
        assert_eq!(key(40), None);
        assert_eq!(key(29).as_deref(), Some("a.example 30"));
        assert_eq!(key(6).as_deref(), Some("a.example 7"));
        assert_eq!(key(0).as_deref(), Some("a.example 1"));
        assert!(certificate_alerts(&[certificate(-1)], 0)[0].text.ends_with("has ended"));
    }

    #[test]
    fn an_incident_is_many_findings_and_more_than_usual() {
        let api = ApiName::from("shop");
        let found =
            |count| Counts { requests: 1_000, reasons: vec![("attacks.sql".into(), count)], ..Counts::default() };
        assert!(attacks(&api, &found(19), &found(0)).is_none());
        assert!(attacks(&api, &found(20), &found(0)).is_some());
        assert!(attacks(&api, &found(100), &found(1_200)).is_none(), "a scanner that is always there");
    }
}
