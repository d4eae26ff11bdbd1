//! How much is kept, for how long, and how often it reaches the disk.

/// Settings of a [`Writer`](crate::Writer). Ages in seconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How often events reach the disk: what kill -9 may lose at most.
    pub flush_every_ms: u32,
    /// How often rollups reach the disk.
    pub rollup_every_ms: u32,
    /// Exchanges in one segment at most. Held in memory until the segment is cut, at about 350 bytes each.
    pub segment_rows_max: u32,
    /// Age of a segment's first exchange at which it is cut although it is not full.
    pub segment_age_s_max: u32,
    /// Age at which events are deleted.
    pub events_age_s_max: u64,
    /// Size of all segments beyond which the oldest are deleted.
    pub events_bytes_max: u64,
    /// Share of ordinary exchanges that are kept as events, 0 to 1. Exchanges with findings or mitigations are always
    /// kept, and rollups count every exchange.
    pub ordinary_share: f32,
    /// Age at which minute rollups are deleted; the hours they belong to stay.
    pub minutes_age_s_max: u64,
    /// Age at which hour rollups are deleted; the days they belong to stay.
    pub hours_age_s_max: u64,
    /// Age at which day rollups are deleted.
    pub days_age_s_max: u64,
    /// Endpoints that have a rollup of their own in one interval of `rollup_every_ms`; what is beyond goes to the API's `unmatched`.
    pub series_max: u32,
    /// What happens in the writer's thread when a segment is cut.
    pub cut: Cut,
}

/// Where sorting and compressing a full segment happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// In a short-lived thread, so that the writer goes on receiving.
    Aside,
    /// In the writer's thread: for ingestion, where nothing waits, and for deterministic tests.
    Inline,
}

impl Default for Settings {
    fn default() -> Self {
        const DAY_S: u64 = 86_400;
        Self {
            flush_every_ms: 1_000,
            rollup_every_ms: 5_000,
            segment_rows_max: 131_072,
            segment_age_s_max: 3_600,
            events_age_s_max: 30 * DAY_S,
            events_bytes_max: 20_000_000_000,
            ordinary_share: 1.0,
            minutes_age_s_max: 2 * DAY_S,
            hours_age_s_max: 90 * DAY_S,
            days_age_s_max: 5 * 366 * DAY_S,
            series_max: 20_000,
            cut: Cut::Aside,
        }
    }
}

impl Settings {
    /// The relations that must hold; each broken one as a sentence for the configuration's diagnostics.
    pub fn contradictions(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut require = |holds: bool, text: &str| {
            if !holds {
                broken.push(text.to_owned());
            }
        };
        require((0.0..=1.0).contains(&self.ordinary_share), "`ordinary_share` must lie between 0 and 1");
        require(self.segment_rows_max >= 1_000, "`segment_rows_max` must be at least 1000");
        require(self.segment_rows_max <= 4_000_000, "`segment_rows_max` must not exceed 4000000");
        require(self.flush_every_ms >= 10, "`flush_every_ms` must be at least 10");
        require(self.flush_every_ms <= 60_000, "`flush_every_ms` must not exceed 60000");
        require(self.rollup_every_ms <= 60_000, "`rollup_every_ms` must not exceed 60000");
        require(self.minutes_age_s_max >= 7_200, "`minutes_age_s_max` must be at least 7200");
        require(
            self.hours_age_s_max >= self.minutes_age_s_max,
            "`hours_age_s_max` must not be less than `minutes_age_s_max`",
        );
        require(
            self.days_age_s_max >= self.hours_age_s_max,
            "`days_age_s_max` must not be less than `hours_age_s_max`",
        );
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_agree_with_each_other() {
        assert_eq!(Settings::default().contradictions(), Vec::<String>::new());
    }

    #[test]
    fn each_contradiction_is_named() {
        let settings = Settings { ordinary_share: 1.5, hours_age_s_max: 60, ..Settings::default() };
        assert_eq!(
            settings.contradictions(),
            [
                "`ordinary_share` must lie between 0 and 1",
                "`hours_age_s_max` must not be less than `minutes_age_s_max`"
            ]
        );
    }
}
