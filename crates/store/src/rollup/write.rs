//! Collecting counts in memory and adding them to the database every few seconds.
//!
//! What is in memory is always a difference to what is stored, so nothing has to be loaded at the start, late exchanges find
//! their minute, and a flush that fails is simply tried again with more in it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use model::{ApiName, Event, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{Counts, MIGRATIONS, Scope, Step, Threats, threats};
use crate::database;
use crate::error::StoreError;
use crate::settings::Settings;

/// How many intervals' worth of series may wait in memory while the database cannot be written.
const WAITING_FACTOR: usize = 4;
/// Most sums of threats in memory; each takes some 10 kB under attack. When there are so many, they have to go to the database.
const THREATS_WAITING_MAX: usize = 512;

/// Minute, API and category of exchanges with findings.
type ThreatKey = (i64, String, &'static str);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct WaitingKey {
    minute: i64,
    api: Option<ApiName>,
    endpoint: Option<model::EndpointId>,
}

/// The writing side of the rollups.
#[derive(Debug)]
pub struct Rollups {
    path: PathBuf,
    connection: Option<Connection>,
    waiting: HashMap<WaitingKey, Counts>,
    threats: BTreeMap<ThreatKey, Threats>,
    series_max: usize,
    ids: HashMap<Scope, i64>,
    /// Exchanges counted under `unmatched` because there were too many series.
    folded: u64,
    threats_missed: u64,
    set_aside: Option<PathBuf>,
}

impl Rollups {
    /// Opens or makes the database. One that is damaged is set aside as `*.damaged-N`, so that recording goes on.
    ///
    /// # Errors
    /// When SQLite refuses, or the file is of a later version.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, StoreError> {
        let mut set_aside = None;
        let connection = match database::open_writing(path, &MIGRATIONS) {
            Err(StoreError::Database(error)) if database::is_damage(&error) => {
                set_aside = Some(database::set_aside(path)?);
                database::open_writing(path, &MIGRATIONS)?
            }
            other => other?,
        };
        Ok(Self {
            path: path.to_owned(),
            connection: Some(connection),
            waiting: HashMap::new(),
            threats: BTreeMap::new(),
            series_max: (settings.series_max as usize).max(1),
            ids: HashMap::new(),
            folded: 0,
            threats_missed: 0,
            set_aside,
        })
    }

    /// Counts one exchange.
    pub fn add(&mut self, event: &Event) {
        self.add_threats(event);
        let mut key = WaitingKey { minute: event.at.minute(), api: event.api.clone(), endpoint: event.endpoint };
        if let Some(counts) = self.waiting.get_mut(&key) {
            counts.add(event);
            return;
        }
        let room = self.waiting.len() < self.series_max.saturating_mul(WAITING_FACTOR);
        if key.endpoint.is_some() && !(room && self.series_of(key.minute) < self.series_max) {
            self.folded += 1;
            key.endpoint = None;
        }
        self.waiting.entry(key).or_default().add(event);
    }

    fn add_threats(&mut self, event: &Event) {
        if event.findings.is_empty() {
            return;
        }
        let api = event.api.as_ref().map_or("", |api| &*api.0);
        let full = self.is_full();
        for category in std::iter::once("").chain(threats::categories(event)) {
            let key = (event.at.minute(), api.to_owned(), category);
            match self.threats.get_mut(&key) {
                Some(threats) => threats.add(event, category),
                None if full => self.threats_missed += u64::from(category.is_empty()),
                None => self.threats.entry(key).or_default().add(event, category),
            }
        }
    }

    /// True when what waits should be flushed before more is added, whether or not it is time.
    pub fn is_full(&self) -> bool {
        self.threats.len() >= THREATS_WAITING_MAX
    }

    /// Exchanges with findings that are in no sum of threats, because the database could not be written for too long.
    pub const fn threats_missed(&self) -> u64 {
        self.threats_missed
    }

    /// How many series the minute already has; counted only when it may matter.
    fn series_of(&self, minute: i64) -> usize {
        if self.waiting.len() < self.series_max {
            return 0;
        }
        self.waiting.keys().filter(|key| key.minute == minute).count()
    }

    /// Exchanges counted under `unmatched` because there were too many series at once.
    pub const fn folded(&self) -> u64 {
        self.folded
    }

    /// Where the database was put that was found damaged when opening.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// Series waiting for the database.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Adds everything that waits to the database, in one transaction.
    ///
    /// # Errors
    /// When SQLite refuses; everything keeps waiting.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => database::open_writing(&self.path, &MIGRATIONS)?,
        };
        let minutes = minutes_with_totals(&self.waiting);
        let outcome = flush_into(&mut connection, &minutes, &self.threats, &mut self.ids);
        match outcome {
            Ok(()) => {
                self.waiting.clear();
                self.threats.clear();
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => {
                // Ids of series made in the transaction that failed are not there.
                self.ids.clear();
                Err(error)
            }
        }
    }

    /// Deletes what is older than the settings allow and remembers from when on each step is whole.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn expire(&mut self, now: Timestamp, settings: &Settings) -> Result<(), StoreError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let transaction = connection.transaction()?;
        for (step, age_s) in [
            (Step::Minute, settings.minutes_age_s_max),
            (Step::Hour, settings.hours_age_s_max),
            (Step::Day, settings.days_age_s_max),
        ] {
            // Whole days go, so that the border is one for every step.
            let border = now.secs().saturating_sub(i64::try_from(age_s).unwrap_or(i64::MAX));
            let border = border.div_euclid(86_400) * 86_400;
            let table = step.table();
            let deleted = transaction.execute(&format!("DELETE FROM {table} WHERE at < ?1"), [border])?;
            transaction.execute(&format!("DELETE FROM {} WHERE at < ?1", step.threat_table()), [border])?;
            if deleted > 0 {
                transaction.execute(
                    "INSERT INTO kept_from (step, at) VALUES (?1, ?2)
                     ON CONFLICT (step) DO UPDATE SET at = max(at, excluded.at)",
                    params![table, border],
                )?;
            }
        }
        transaction.commit()?;
        connection.execute_batch("PRAGMA incremental_vacuum(2000)")?;
        Ok(())
    }

    /// Writes down that segments were deleted, per day, so that nothing disappears without a word.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn note_expired(
        &mut self,
        now: Timestamp,
        segments: u64,
        bytes: u64,
        latest_at: i64,
    ) -> Result<(), StoreError> {
        let Some(connection) = &self.connection else { return Ok(()) };
        connection.execute(
            "INSERT INTO expired_events (day, segments, bytes, latest_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (day) DO UPDATE SET segments = segments + excluded.segments,
                 bytes = bytes + excluded.bytes, latest_at = max(latest_at, excluded.latest_at)",
            params![now.secs().div_euclid(86_400), to_sql(segments), to_sql(bytes), latest_at],
        )?;
        Ok(())
    }

    /// Stops SQLite from waiting for the medium, for tests.
    #[cfg(any(test, feature = "testing"))]
    pub fn stop_waiting(&self) {
        if let Some(connection) = &self.connection {
            let _ = connection.pragma_update(None, "synchronous", "OFF");
        }
    }

    /// Stops SQLite from growing its file: a full disk, for tests.
    #[cfg(any(test, feature = "testing"))]
    pub fn limit_pages(&self, pages: u32) {
        if let Some(connection) = &self.connection {
            let _ = connection.pragma_update(None, "max_page_count", pages);
        }
    }
}

fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

type Buckets = BTreeMap<(i64, Scope), Counts>;

/// What waits, by second and scope, with the totals of each API and of everything.
fn minutes_with_totals(waiting: &HashMap<WaitingKey, Counts>) -> Buckets {
    let mut buckets = Buckets::new();
    for (key, counts) in waiting {
        let at = key.minute.saturating_mul(60);
        let api = key.api.clone().unwrap_or_else(|| ApiName::from(""));
        let own = match key.endpoint {
            Some(endpoint) => Scope::Endpoint(api.clone(), endpoint),
            None => Scope::Unmatched(api.clone()),
        };
        for scope in [own, Scope::Api(api), Scope::All] {
            buckets.entry((at, scope)).or_default().merge(counts);
        }
    }
    buckets
}

/// The same in longer steps.
fn coarser(buckets: &Buckets, step: Step) -> Buckets {
    let mut coarse = Buckets::new();
    for ((at, scope), counts) in buckets {
        let at = at.div_euclid(step.seconds()) * step.seconds();
        coarse.entry((at, scope.clone())).or_default().merge(counts);
    }
    coarse
}

fn flush_into(
    connection: &mut Connection,
    minutes: &Buckets,
    threats: &BTreeMap<ThreatKey, Threats>,
    ids: &mut HashMap<Scope, i64>,
) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let hours = coarser(minutes, Step::Hour);
    let days = coarser(&hours, Step::Day);
    for (step, buckets) in [(Step::Minute, minutes), (Step::Hour, &hours), (Step::Day, &days)] {
        // By id within a time, so that neighbouring rows are written together.
        let mut rows = Vec::with_capacity(buckets.len());
        for ((at, scope), counts) in buckets {
            rows.push((*at, series_id(&transaction, scope, ids)?, counts));
        }
        rows.sort_unstable_by_key(|&(at, series, _)| (at, series));
        add_rows(&transaction, step, &rows)?;
        add_threats(&transaction, step, threats)?;
    }
    transaction.commit()?;
    Ok(())
}

fn add_rows(transaction: &Transaction<'_>, step: Step, rows: &[(i64, i64, &Counts)]) -> Result<(), StoreError> {
    let table = step.table();
    let mut select =
        transaction.prepare_cached(&format!("SELECT detail FROM {table} WHERE at = ?1 AND series = ?2"))?;
    let mut upsert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO {table} (at, series, requests, client_errors, server_errors, refused, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    ))?;
    for &(at, series, counts) in rows {
        let stored: Option<Vec<u8>> = select.query_row([at, series], |row| row.get(0)).optional()?;
        // A row that does not decode (a damaged file) is replaced by what is known to be right.
        let merged = stored.and_then(|bytes| Counts::decode(&bytes)).map(|mut stored| {
            stored.merge(counts);
            stored
        });
        let counts = merged.as_ref().unwrap_or(counts);
        upsert.execute(params![
            at,
            series,
            to_sql(counts.requests),
            to_sql(counts.status_class(4)),
            to_sql(counts.status_class(5)),
            to_sql(counts.refused),
            counts.encode()
        ])?;
    }
    Ok(())
}

fn add_threats(
    transaction: &Transaction<'_>,
    step: Step,
    minutes: &BTreeMap<ThreatKey, Threats>,
) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(i64, &str, &str), Threats> = BTreeMap::new();
    for ((minute, api, category), threats) in minutes {
        let at = minute.saturating_mul(60).div_euclid(step.seconds()) * step.seconds();
        sums.entry((at, api, category)).or_default().merge(threats);
    }
    let table = step.threat_table();
    let mut select = transaction
        .prepare_cached(&format!("SELECT detail FROM {table} WHERE at = ?1 AND api = ?2 AND category = ?3"))?;
    let mut upsert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO {table} (at, api, category, exchanges, detail) VALUES (?1, ?2, ?3, ?4, ?5)"
    ))?;
    for ((at, api, category), mut threats) in sums {
        let stored: Option<Vec<u8>> = select.query_row(params![at, api, category], |row| row.get(0)).optional()?;
        // As with the counts: a row that does not decode is replaced.
        if let Some(stored) = stored.and_then(|bytes| Threats::decode(&bytes)) {
            threats.merge(&stored);
        }
        upsert.execute(params![at, api, category, to_sql(threats.exchanges), threats.encode()])?;
    }
    Ok(())
}

/// The parts of a scope as stored. Endpoint ids are stored as the same bits with a sign.
pub(super) fn scope_parts(scope: &Scope) -> (&'static str, &str, i64) {
    match scope {
        Scope::All => ("all", "", 0),
        Scope::Api(api) => ("api", &api.0, 0),
        Scope::Endpoint(api, endpoint) => ("endpoint", &api.0, endpoint.0.cast_signed()),
        Scope::Unmatched(api) => ("unmatched", &api.0, 0),
    }
}

fn series_id(transaction: &Transaction<'_>, scope: &Scope, ids: &mut HashMap<Scope, i64>) -> Result<i64, StoreError> {
    if let Some(&id) = ids.get(scope) {
        return Ok(id);
    }
    let parts = scope_parts(scope);
    transaction
        .prepare_cached("INSERT INTO series (scope, api, endpoint) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(parts)?;
    let id = transaction
        .prepare_cached("SELECT id FROM series WHERE scope = ?1 AND api = ?2 AND endpoint = ?3")?
        .query_row(parts, |row| row.get(0))?;
    ids.insert(scope.clone(), id);
    Ok(id)
}
