//! Rollups: counts per minute, hour and day of every endpoint, of every API, and of everything. What the dashboard reads; cheap
//! for years.

pub mod counts;
pub mod distinct;
pub mod latency;
pub mod read;
pub mod threats;
pub mod write;

use model::{ApiName, EndpointId};

pub use counts::{Counts, StatusKey};
pub use distinct::Distinct;
pub use latency::Latency;
pub use read::{Point, Range, RollupReader, Step};
pub use threats::Threats;
pub use write::Rollups;

/// What a rollup counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Every exchange.
    All,
    /// The exchanges of one API.
    Api(ApiName),
    /// The exchanges of one endpoint. The API is empty for endpoints outside any.
    Endpoint(ApiName, EndpointId),
    /// The exchanges of one API that matched no endpoint; the name is empty for those that matched no API either.
    Unmatched(ApiName),
}

/// The statements that lead from each version of `rollups.sqlite` to the next.
pub const MIGRATIONS: [&str; 2] = [FIRST, THREATS];

/// Counts of exchanges by series.
const FIRST: &str = "
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL CHECK (scope IN ('all', 'api', 'endpoint', 'unmatched')),
    api TEXT NOT NULL,
    endpoint INTEGER NOT NULL,
    UNIQUE (scope, api, endpoint)
);
CREATE TABLE minute (
    at INTEGER NOT NULL, series INTEGER NOT NULL, requests INTEGER NOT NULL, client_errors INTEGER NOT NULL,
    server_errors INTEGER NOT NULL, refused INTEGER NOT NULL, detail BLOB NOT NULL,
    PRIMARY KEY (at, series)
) WITHOUT ROWID;
CREATE TABLE hour (
    at INTEGER NOT NULL, series INTEGER NOT NULL, requests INTEGER NOT NULL, client_errors INTEGER NOT NULL,
    server_errors INTEGER NOT NULL, refused INTEGER NOT NULL, detail BLOB NOT NULL,
    PRIMARY KEY (at, series)
) WITHOUT ROWID;
CREATE TABLE day (
    at INTEGER NOT NULL, series INTEGER NOT NULL, requests INTEGER NOT NULL, client_errors INTEGER NOT NULL,
    server_errors INTEGER NOT NULL, refused INTEGER NOT NULL, detail BLOB NOT NULL,
    PRIMARY KEY (at, series)
) WITHOUT ROWID;
CREATE TABLE kept_from (step TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE expired_events (
    day INTEGER PRIMARY KEY, segments INTEGER NOT NULL, bytes INTEGER NOT NULL, latest_at INTEGER NOT NULL
);
";

/// Exchanges with findings. The empty category stands for all of them. What was recorded before is not counted, so the moment
/// from which on these tables are whole is noted, unless nothing was recorded before.
const THREATS: &str = "
CREATE TABLE threat_minute (
    at INTEGER NOT NULL, api TEXT NOT NULL, category TEXT NOT NULL, exchanges INTEGER NOT NULL, detail BLOB NOT NULL,
    PRIMARY KEY (at, api, category)
) WITHOUT ROWID;
CREATE TABLE threat_hour (
    at INTEGER NOT NULL, api TEXT NOT NULL, category TEXT NOT NULL, exchanges INTEGER NOT NULL, detail BLOB NOT NULL,
    PRIMARY KEY (at, api, category)
) WITHOUT ROWID;
CREATE TABLE threat_day (
    at INTEGER NOT NULL, api TEXT NOT NULL, category TEXT NOT NULL, exchanges INTEGER NOT NULL, detail BLOB NOT NULL,
    PRIMARY KEY (at, api, category)
) WITHOUT ROWID;
INSERT INTO kept_from (step, at) SELECT 'threats', at FROM (SELECT coalesce(
    (SELECT max(at) + 60 FROM minute), (SELECT max(at) + 3600 FROM hour), (SELECT max(at) + 86400 FROM day)
) AS at) WHERE at IS NOT NULL;
";
