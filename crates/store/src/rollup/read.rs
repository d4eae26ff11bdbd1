//! Reading rollups: series over time, tables over endpoints, totals, in the coarsest steps that cover the range.

use std::collections::HashMap;
use std::path::Path;

use model::{ApiName, EndpointId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::write::scope_parts;
use super::{Counts, MIGRATIONS, Scope, Threats};
use crate::database;
use crate::error::StoreError;

/// Most points of one series.
const POINTS_MAX: i64 = 20_000;

/// The length of one rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds, from midnight UTC.
    Day,
}

impl Step {
    /// Its length in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// Its table.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its table of exchanges with findings.
    pub const fn threat_table(self) -> &'static str {
        match self {
            Self::Minute => "threat_minute",
            Self::Hour => "threat_hour",
            Self::Day => "threat_day",
        }
    }

    /// The next longer step.
    const fn longer(self) -> Option<Self> {
        match self {
            Self::Minute => Some(Self::Hour),
            Self::Hour => Some(Self::Day),
            Self::Day => None,
        }
    }

    fn floor(self, secs: i64) -> i64 {
        secs.div_euclid(self.seconds()) * self.seconds()
    }

    fn ceil(self, secs: i64) -> i64 {
        self.floor(secs.saturating_add(self.seconds() - 1))
    }

    /// The step in which a range is answered: exact to a minute up to three hours, to an hour up to two weeks, then to a day.
    pub const fn for_range(range: Range) -> Self {
        match range.until.secs().saturating_sub(range.since.secs()) {
            ..=10_800 => Self::Minute,
            10_801..=1_209_600 => Self::Hour,
            _ => Self::Day,
        }
    }
}

/// A range of time; `until` is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first moment.
    pub since: Timestamp,
    /// The first moment after.
    pub until: Timestamp,
}

impl Range {
    /// The range of `seconds` that ends now.
    pub const fn last(seconds: i64, now: Timestamp) -> Self {
        Self { since: Timestamp(now.0.saturating_sub(seconds.saturating_mul(1_000_000))), until: now }
    }

    /// The range of the same length that ends where this one starts.
    pub const fn before(self) -> Self {
        let length = self.until.0.saturating_sub(self.since.0);
        Self { since: Timestamp(self.since.0.saturating_sub(length)), until: self.since }
    }

    /// The range made wider to whole steps.
    fn widened(self, step: Step) -> Self {
        // The second that `until` lies in counts, even when it has only begun.
        let until = Timestamp(self.until.0.saturating_add(999_999)).secs();
        Self {
            since: Timestamp::from_secs(step.floor(self.since.secs())),
            until: Timestamp::from_secs(step.ceil(until)),
        }
    }
}

/// One step of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// When the step starts.
    pub at: Timestamp,
    /// Its counts.
    pub counts: Counts,
}

/// Counts per scope, and the range they really cover: the one asked for, made wider to whole steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Table<T> {
    /// The range covered.
    pub covered: Range,
    /// The counts.
    pub rows: T,
}

/// Segments that retention deleted on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiredEvents {
    /// The day they were deleted, from midnight UTC.
    pub day: Timestamp,
    /// How many segments.
    pub segments: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The latest exchange that was in them.
    pub latest_at: Timestamp,
}

/// The reading side of the rollups. Calls block for milliseconds; they never wait for the writer.
#[derive(Debug)]
pub struct RollupReader {
    connection: Connection,
    /// How many migrations the file has seen: a file without threats stays readable until its writer starts anew.
    version: u32,
}

impl RollupReader {
    /// Opens the database; `None` when nothing was written yet.
    ///
    /// # Errors
    /// When SQLite refuses, or the file is of a later version.
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
        let opened = database::open_reading(path, 1, known)?;
        Ok(opened.map(|(connection, version)| Self { connection, version }))
    }

    /// The counts of a scope per step, without the steps in which nothing happened. When the range has more than 20,000 steps,
    /// or the step is not kept that long, longer steps are used: look at the distance of the points' times.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn series(&self, scope: &Scope, range: Range, step: Step) -> Result<(Step, Vec<Point>), StoreError> {
        let mut step = step;
        while let Some(longer) = step.longer() {
            let points = range.until.secs().saturating_sub(range.since.secs()) / step.seconds();
            let kept = self.kept_from(step)?.is_none_or(|from| from <= range.since.secs());
            if points <= POINTS_MAX && kept {
                break;
            }
            step = longer;
        }
        let Some(series) = self.series_id(scope)? else { return Ok((step, Vec::new())) };
        let covered = range.widened(step);
        let points = self.points(step, series, covered)?;
        Ok((step, points))
    }

    fn points(&self, step: Step, series: i64, range: Range) -> Result<Vec<Point>, StoreError> {
        // One look-up per step: the table is ordered by time first, and between two rows of one series lie all others.
        let sql = format!(
            "WITH RECURSIVE step(at) AS (VALUES(?1) UNION ALL SELECT at + ?2 FROM step WHERE at + ?2 < ?3 LIMIT 40000)
             SELECT step.at, detail FROM step CROSS JOIN {} AS r ON r.at = step.at AND r.series = ?4",
            step.table()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let bounds = self.bounds(step, range)?;
        let Some((first, last)) = bounds else { return Ok(Vec::new()) };
        let mut rows = statement.query(params![first, step.seconds(), last + 1, series])?;
        let mut points = Vec::new();
        while let Some(row) = rows.next()? {
            let detail = row.get_ref(1)?.as_blob().unwrap_or_default();
            if let Some(counts) = Counts::decode(detail) {
                points.push(Point { at: Timestamp::from_secs(row.get(0)?), counts });
            }
        }
        Ok(points)
    }

    /// The first and last step within a range that have any row: a range of ten years asks for what is there, not for
    /// five million minutes.
    fn bounds(&self, step: Step, range: Range) -> Result<Option<(i64, i64)>, StoreError> {
        let limits = [range.since.secs(), range.until.secs()];
        let mut ends = [None, None];
        for (end, function) in ends.iter_mut().zip(["min", "max"]) {
            let sql = format!("SELECT {function}(at) FROM {} WHERE at >= ?1 AND at < ?2", step.table());
            *end = self.connection.prepare_cached(&sql)?.query_row(limits, |row| row.get::<_, Option<i64>>(0))?;
        }
        let [first, last] = ends;
        Ok(first.zip(last))
    }

    /// The first minute of a range that has any traffic, in the finest steps that are kept that long.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn first_in(&self, range: Range) -> Result<Option<Timestamp>, StoreError> {
        let hour = self.bounds(Step::Hour, range.widened(Step::Hour))?.map(|(first, _)| first);
        let minute = self.bounds(Step::Minute, range.widened(Step::Minute))?.map(|(first, _)| first);
        // Minutes are deleted before hours: where the first hour has none any more, the hour it is.
        let first = match (hour, minute) {
            (Some(hour), Some(minute)) if minute.saturating_sub(hour) < Step::Hour.seconds() => Some(minute),
            (hour, minute) => hour.or(minute),
        };
        Ok(first.map(Timestamp::from_secs))
    }

    /// The counts of one scope over a range.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn total(&self, scope: &Scope, range: Range) -> Result<Table<Counts>, StoreError> {
        let (covered, pieces) = self.pieces(range)?;
        let mut total = Counts::default();
        if let Some(series) = self.series_id(scope)? {
            for (step, piece) in pieces {
                for point in self.points(step, series, piece)? {
                    total.merge(&point.counts);
                }
            }
        }
        Ok(Table { covered, rows: total })
    }

    /// The counts of every endpoint and of what matched none, over a range.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn per_endpoint(&self, range: Range) -> Result<Table<HashMap<Scope, Counts>>, StoreError> {
        self.per_scope(range, |scope| matches!(scope, Scope::Endpoint(..) | Scope::Unmatched(_)))
    }

    /// The counts of every API over a range.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn per_api(&self, range: Range) -> Result<Table<HashMap<Scope, Counts>>, StoreError> {
        let (covered, pieces) = self.pieces(range)?;
        let mut rows = HashMap::new();
        let wanted = self.scopes("scope = 'api'")?;
        for (id, scope) in wanted {
            let mut total = Counts::default();
            for &(step, piece) in &pieces {
                for point in self.points(step, id, piece)? {
                    total.merge(&point.counts);
                }
            }
            if total.requests > 0 {
                rows.insert(scope, total);
            }
        }
        Ok(Table { covered, rows })
    }

    fn per_scope(
        &self,
        range: Range,
        wanted: impl Fn(&Scope) -> bool,
    ) -> Result<Table<HashMap<Scope, Counts>>, StoreError> {
        let (covered, pieces) = self.pieces(range)?;
        let scopes = self.scopes("TRUE")?;
        let mut by_id: HashMap<i64, Counts> = HashMap::new();
        for (step, piece) in pieces {
            let sql = format!("SELECT series, detail FROM {} WHERE at >= ?1 AND at < ?2", step.table());
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query([piece.since.secs(), piece.until.secs()])?;
            while let Some(row) = rows.next()? {
                let series: i64 = row.get(0)?;
                if !scopes.get(&series).is_some_and(&wanted) {
                    continue;
                }
                let detail = row.get_ref(1)?.as_blob().unwrap_or_default();
                if let Some(counts) = Counts::decode(detail) {
                    by_id.entry(series).or_default().merge(&counts);
                }
            }
        }
        let rows = by_id.into_iter().filter_map(|(id, counts)| Some((scopes.get(&id)?.clone(), counts))).collect();
        Ok(Table { covered, rows })
    }

    fn scopes(&self, condition: &'static str) -> Result<HashMap<i64, Scope>, StoreError> {
        let sql = format!("SELECT id, scope, api, endpoint FROM series WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let mut scopes = HashMap::new();
        while let Some(row) = rows.next()? {
            let api = ApiName::from(row.get_ref(2)?.as_str().unwrap_or_default());
            let scope = match row.get_ref(1)?.as_str().unwrap_or_default() {
                "all" => Scope::All,
                "api" => Scope::Api(api),
                "endpoint" => Scope::Endpoint(api, EndpointId(row.get::<_, i64>(3)?.cast_unsigned())),
                _ => Scope::Unmatched(api),
            };
            scopes.insert(row.get(0)?, scope);
        }
        Ok(scopes)
    }

    fn series_id(&self, scope: &Scope) -> Result<Option<i64>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT id FROM series WHERE scope = ?1 AND api = ?2 AND endpoint = ?3")?
            .query_row(scope_parts(scope), |row| row.get(0))
            .optional()?)
    }

    fn kept_from(&self, step: Step) -> Result<Option<i64>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT at FROM kept_from WHERE step = ?1")?
            .query_row([step.table()], |row| row.get(0))
            .optional()?)
    }

    /// The range made wider to whole steps, in pieces of the longest steps that fit.
    fn pieces(&self, range: Range) -> Result<(Range, Vec<(Step, Range)>), StoreError> {
        let mut unit = Step::for_range(range);
        while let Some(longer) = unit.longer() {
            if self.kept_from(unit)?.is_none_or(|from| from <= range.since.secs()) {
                break;
            }
            unit = longer;
        }
        let covered = range.widened(unit);
        Ok((covered, pieces_of(covered, unit)))
    }

    /// True when the exchanges with findings of a range were counted from its start on. In a file of an earlier version, what was
    /// recorded before it was migrated was not.
    fn counts_threats(&self, covered: Range) -> Result<bool, StoreError> {
        if self.version < 2 {
            return Ok(false);
        }
        let sql = "SELECT at FROM kept_from WHERE step = 'threats'";
        let from: Option<i64> = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
        let Some(from) = from.filter(|from| *from > covered.since.secs()) else { return Ok(true) };
        // Nothing was recorded in the part that was not counted.
        let since = Timestamp::from_secs(Step::Hour.floor(covered.since.secs()));
        let until = Timestamp::from_secs(from.min(covered.until.secs()));
        Ok(self.bounds(Step::Hour, Range { since, until })?.is_none())
    }

    /// The exchanges with findings over a range, of one category, of all when it is empty, and of one API where it is given.
    /// `None` when part of the range was recorded before such exchanges were counted.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn threats(
        &self,
        range: Range,
        category: &str,
        api: Option<&str>,
    ) -> Result<Option<Table<Threats>>, StoreError> {
        let (covered, pieces) = self.pieces(range)?;
        if !self.counts_threats(covered)? {
            return Ok(None);
        }
        let mut total = Threats::default();
        for (step, piece) in pieces {
            let sql = format!(
                "SELECT detail FROM {} WHERE at >= ?1 AND at < ?2 AND category = ?3 AND (?4 IS NULL OR api = ?4)",
                step.threat_table()
            );
            let mut statement = self.connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![piece.since.secs(), piece.until.secs(), category, api])?;
            while let Some(row) = rows.next()? {
                if let Some(threats) = Threats::decode(row.get_ref(0)?.as_blob().unwrap_or_default()) {
                    total.merge(&threats);
                }
            }
        }
        Ok(Some(Table { covered, rows: total }))
    }

    /// The exchanges with findings by step of time and category, ascending, of a range that [`threats`](Self::threats) covers: at
    /// most 20,000. An exchange with findings of two categories counts for both.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn threats_over_time(
        &self,
        range: Range,
        step_s: u32,
        category: &str,
        api: Option<&str>,
    ) -> Result<Vec<(Timestamp, String, u64)>, StoreError> {
        let step_s = i64::from(step_s.max(60));
        let whole = [Step::Day, Step::Hour].into_iter().find(|step| step_s % step.seconds() == 0);
        let step = whole.unwrap_or(Step::Minute);
        let kept = self.kept_from(step)?.is_none_or(|from| from <= range.since.secs());
        let step = if kept { step } else { step.longer().unwrap_or(step) };
        let covered = range.widened(step);
        let sql = format!(
            "SELECT at - at % ?3 AS start, category, sum(exchanges) FROM {} WHERE at >= ?1 AND at < ?2
                 AND category <> '' AND (?4 = '' OR category = ?4) AND (?5 IS NULL OR api = ?5)
             GROUP BY start, category ORDER BY start, category LIMIT {POINTS_MAX}",
            step.threat_table()
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limits = params![covered.since.secs(), covered.until.secs(), step_s, category, api];
        let rows = statement.query_map(limits, |row| {
            Ok((Timestamp::from_secs(row.get(0)?), row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What retention deleted, by day.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn expired_events(&self) -> Result<Vec<ExpiredEvents>, StoreError> {
        let sql = "SELECT day, segments, bytes, latest_at FROM expired_events ORDER BY day";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(ExpiredEvents {
                day: Timestamp::from_secs(row.get::<_, i64>(0)?.saturating_mul(86_400)),
                segments: row.get::<_, i64>(1)?.unsigned_abs(),
                bytes: row.get::<_, i64>(2)?.unsigned_abs(),
                latest_at: Timestamp(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn pieces_of(covered: Range, unit: Step) -> Vec<(Step, Range)> {
    let (from, to) = (covered.since.secs(), covered.until.secs());
    let range = |since, until| Range { since: Timestamp::from_secs(since), until: Timestamp::from_secs(until) };
    let Some(longer) = unit.longer() else { return vec![(unit, range(from, to))] };
    let (inner_from, inner_to) = (longer.ceil(from), longer.floor(to));
    if inner_from >= inner_to {
        return vec![(unit, range(from, to))];
    }
    let pieces = [(unit, from, inner_from), (longer, inner_from, inner_to), (unit, inner_to, to)];
    pieces.into_iter().filter(|(_, from, to)| from < to).map(|(step, from, to)| (step, range(from, to))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::Rollups;
    use crate::settings::Settings;
    use crate::testing::{START, Traffic};
    use expect_test::expect;

    const HOUR_US: i64 = 3_600_000_000;

    /// Twenty exchanges every ten minutes for three days.
    fn filled(path: &Path) -> (Rollups, Timestamp, u64) {
        let mut rollups = Rollups::open(path, &Settings::default()).expect("rollups");
        let mut traffic = Traffic::new(10);
        let mut exchanges = 0;
        for round in 0..72 * 6 {
            for _ in 0..20 {
                rollups.add(&traffic.event());
                exchanges += 1;
            }
            traffic.wait_us(HOUR_US / 6 - 20 * 33);
            if round % 7 == 0 {
                rollups.flush().expect("a flush");
            }
        }
        rollups.flush().expect("a flush");
        (rollups, traffic.now(), exchanges)
    }

    #[test]
    fn every_way_of_adding_up_agrees() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        assert!(RollupReader::open(&path).expect("no file").is_none());
        let (_rollups, now, exchanges) = filled(&path);
        let reader = RollupReader::open(&path).expect("readable").expect("a file");
        for seconds in [80 * 3_600, 30 * 86_400, 3_650 * 86_400] {
            let range = Range::last(seconds, now);
            assert_eq!(reader.total(&Scope::All, range).expect("a total").rows.requests, exchanges);
            let sum: u64 = reader.per_endpoint(range).expect("a table").rows.values().map(|c| c.requests).sum();
            assert_eq!(sum, exchanges);
            let sum: u64 = reader.per_api(range).expect("a table").rows.values().map(|c| c.requests).sum();
            assert_eq!(sum, exchanges);
            for step in [Step::Minute, Step::Hour, Step::Day] {
                let (_, points) = reader.series(&Scope::All, range, step).expect("a series");
                assert_eq!(points.iter().map(|point| point.counts.requests).sum::<u64>(), exchanges, "{step:?}");
            }
        }
        let range = Range { since: Timestamp(START.0 + HOUR_US), until: Timestamp(START.0 + 3 * HOUR_US) };
        let total = reader.total(&Scope::All, range).expect("a total");
        assert_eq!((total.rows.requests, total.covered), (240, range));
    }

    #[test]
    fn old_minutes_go_and_their_hours_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        let (mut rollups, now, exchanges) = filled(&path);
        let settings = Settings { minutes_age_s_max: 7_200, ..Settings::default() };
        rollups.expire(now, &settings).expect("an expiry");
        rollups.note_expired(now, 2, 300, 5).expect("a note");
        rollups.note_expired(now, 1, 100, 9).expect("a note");
        let reader = RollupReader::open(&path).expect("readable").expect("a file");
        let range = Range::last(80 * 3_600, now);
        let (step, points) = reader.series(&Scope::All, range, Step::Minute).expect("a series");
        assert_eq!(step, Step::Hour);
        assert_eq!(points.iter().map(|point| point.counts.requests).sum::<u64>(), exchanges);
        let first_hours = Range { since: START, until: Timestamp(START.0 + 2 * HOUR_US) };
        assert_eq!(reader.total(&Scope::All, first_hours).expect("a total").rows.requests, 240);
        let expired = reader.expired_events().expect("a list");
        assert_eq!(expired.iter().map(|e| (e.segments, e.bytes, e.latest_at.0)).collect::<Vec<_>>(), [(3, 400, 9)]);
    }

    #[test]
    fn ranges_are_cut_into_the_longest_steps() {
        let range =
            |since: i64, until: i64| Range { since: Timestamp::from_secs(since), until: Timestamp::from_secs(until) };
        let pieces = |range: Range| {
            let unit = Step::for_range(range);
            let pieces = pieces_of(range.widened(unit), unit);
            pieces
                .iter()
                .map(|(s, r)| format!("{} {}..{}\n", s.table(), r.since.secs(), r.until.secs()))
                .collect::<String>()
        };
        expect![[r#"
            minute 3480..3600
            hour 3600..7200
            minute 7200..7260
        "#]]
        .assert_eq(&pieces(range(3_500, 7_250)));
        expect![[r#"
            hour 82800..86400
            day 86400..259200
            hour 259200..262800
        "#]]
        .assert_eq(&pieces(range(86_000, 260_000)));
        expect![[r#"
            day 0..31536000
        "#]]
        .assert_eq(&pieces(range(5, 364 * 86_400 + 7)));
    }

    #[test]
    fn too_many_series_are_folded_and_counted() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        let settings = Settings { series_max: 5, ..Settings::default() };
        let mut rollups = Rollups::open(&path, &settings).expect("rollups");
        let mut traffic = Traffic::new(11);
        for _ in 0..1_000 {
            rollups.add(&traffic.event());
        }
        assert!(rollups.folded() > 0);
        assert!(rollups.waiting() <= 5 + 3);
        rollups.flush().expect("a flush");
        let reader = RollupReader::open(&path).expect("readable").expect("a file");
        let total = reader.total(&Scope::All, Range::last(3_600, traffic.now())).expect("a total");
        assert_eq!(total.rows.requests, 1_000);
    }

    /// What the event log says, counted by hand: by category, reason, client, endpoint.
    fn by_hand(events: &[model::Event], category: &str) -> (u64, u64, std::collections::BTreeMap<String, u64>) {
        let mut found = (0, 0, std::collections::BTreeMap::new());
        for event in events {
            let own = event.findings.iter().filter(|f| category.is_empty() || f.reason.category().name() == category);
            let mut names: Vec<String> = own.map(|finding| finding.reason.code().to_owned()).collect();
            if names.is_empty() {
                continue;
            }
            names.sort_unstable();
            names.dedup();
            names.push(crate::row::address_text(event.client));
            found.0 += 1;
            found.1 += u64::from(event.verdict.refuses());
            names.into_iter().for_each(|name| *found.2.entry(name).or_default() += 1);
        }
        found
    }

    #[test]
    fn threats_are_what_the_events_say() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        let mut rollups = Rollups::open(&path, &Settings::default()).expect("rollups");
        let mut traffic = Traffic::new(21);
        let mut events = Vec::new();
        for round in 0..300 {
            for _ in 0..20 {
                events.push(traffic.event());
                rollups.add(events.last().expect("an event"));
            }
            traffic.wait_us(HOUR_US / 6 - 20 * 33);
            if round % 7 == 0 {
                rollups.flush().expect("a flush");
            }
        }
        rollups.flush().expect("a flush");
        assert_eq!(rollups.threats_missed(), 0);
        let reader = RollupReader::open(&path).expect("readable").expect("a file");
        let mut categories: Vec<&str> = events.iter().flat_map(super::super::threats::categories).collect();
        categories.sort_unstable();
        categories.dedup();
        assert!(categories.len() > 1, "{categories:?}");
        categories.push("");
        for category in categories {
            let (exchanges, refused, names) = by_hand(&events, category);
            for seconds in [60 * 3_600, 30 * 86_400, 3_650 * 86_400] {
                let range = Range::last(seconds, traffic.now());
                let total = reader.threats(range, category, None).expect("an answer").expect("counted").rows;
                assert_eq!((total.exchanges, total.refused), (exchanges, refused), "{category} {seconds}");
                assert!(total.reasons.iter().all(|(code, tally)| names.get(&**code) == Some(&tally.count)));
                for (client, tally) in total.clients.busiest(10) {
                    assert!(tally.count <= names[client], "{client}");
                    assert!(total.clients.rest > 0 || tally.count == names[client], "{client}");
                }
                let steps = reader.threats_over_time(range, 86_400, category, None).expect("steps");
                let counted: u64 = steps.iter().map(|(_, _, count)| count).sum();
                assert!(if category.is_empty() { counted >= exchanges } else { counted == exchanges });
            }
        }
        assert_eq!(
            reader.threats(Range::last(3_600, traffic.now()), "", Some("no such api")).expect("an answer"),
            Some(Table { covered: Range::last(3_600, traffic.now()).widened(Step::Minute), rows: Threats::default() })
        );
    }

    #[test]
    fn a_file_from_before_threats_were_counted_says_so() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        let mut traffic = Traffic::new(22);
        let before = Range::last(600, traffic.now());
        {
            // What an earlier version left: the first migration and a row of every step.
            let old = database::open_writing(&path, &MIGRATIONS[..1]).expect("version 1");
            let at = traffic.now().secs();
            for step in [Step::Minute, Step::Hour, Step::Day] {
                let sql = format!("INSERT INTO {} VALUES (?1, 1, 1, 0, 0, 0, ?2)", step.table());
                old.execute(&sql, params![step.floor(at), Counts::default().encode()]).expect("a row");
            }
        }
        let reader = RollupReader::open(&path).expect("readable").expect("a file");
        assert_eq!(reader.threats(before, "", None).expect("an answer"), None, "not migrated yet");
        drop(Rollups::open(&path, &Settings::default()).expect("migrated"));
        let reader = RollupReader::open(&path).expect("readable").expect("a file");
        let around = Range { since: before.since, until: Timestamp(traffic.now().0 + HOUR_US) };
        assert_eq!(reader.threats(around, "", None).expect("an answer"), None, "partly counted");
        assert!(reader.threats(before, "", None).expect("an answer").is_some(), "nothing was recorded then");
        traffic.wait_us(2 * 60_000_000);
        let after = Range { since: traffic.now(), until: Timestamp(traffic.now().0 + HOUR_US) };
        assert!(reader.threats(after, "", None).expect("an answer").is_some());
    }

    #[test]
    fn many_minutes_at_once_wait_in_bounded_memory() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut rollups =
            Rollups::open(&directory.path().join("rollups.sqlite"), &Settings::default()).expect("rollups");
        let mut traffic = Traffic::new(23);
        for _ in 0..20_000 {
            rollups.add(&traffic.event());
            traffic.wait_us(60_000_000);
        }
        assert!(rollups.is_full() && rollups.threats_missed() > 0);
        rollups.flush().expect("a flush");
        assert!(!rollups.is_full());
    }

    #[test]
    fn a_full_disk_loses_no_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("rollups.sqlite");
        let mut rollups = Rollups::open(&path, &Settings::default()).expect("rollups");
        let mut traffic = Traffic::new(12);
        rollups.limit_pages(14);
        for _ in 0..1_000 {
            rollups.add(&traffic.event());
        }
        rollups.flush().expect_err("a full disk");
        for _ in 0..500 {
            rollups.add(&traffic.event());
        }
        rollups.flush().expect("room again");
        let reader = RollupReader::open(&path).expect("readable").expect("a file");
        let total = reader.total(&Scope::All, Range::last(3_600, traffic.now())).expect("a total");
        assert_eq!(total.rows.requests, 1_500);
    }
}
