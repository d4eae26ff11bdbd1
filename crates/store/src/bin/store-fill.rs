//! Fills a data directory with synthetic traffic that ends now, for measuring what reads it.
//!
//! `cargo run --release -p store --features testing --bin store-fill -- DIRECTORY [EXCHANGES [DAYS]]`

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use model::{Event, Timestamp};
use store::testing::{START, Traffic};
use store::{Inventory, Settings, StoredEndpoint, Writer};

/// Endpoints of each of the 42 templates of the traffic: 2,016 in all.
const SPREAD: u64 = 48;
/// How often rollups are written, in the traffic's own time: the traffic runs thousands of times faster than life.
const ROLLUP_EVERY_MS: u32 = 1_800_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().map(PathBuf::from).ok_or("usage: store-fill DIRECTORY [EXCHANGES [DAYS]]")?;
    let exchanges: i64 = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    let days: i64 = arguments.next().map_or(Ok(7), |text| text.parse())?;
    if directory.join("rollups.sqlite").exists() {
        return Err(format!("`{}` holds traffic already; name a new directory", directory.display()).into());
    }
    let began = Instant::now();
    let length_us = days.saturating_mul(86_400_000_000);
    let now_us = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?;
    let settings = Settings {
        cut: store::Cut::Inline,
        rollup_every_ms: ROLLUP_EVERY_MS,
        segment_age_s_max: 86_400,
        ..Settings::default()
    };
    let mut writer = Writer::open(&directory, settings)?;
    let mut traffic = Traffic::new(42);
    traffic.spread = SPREAD;
    traffic.gap_us = (length_us / exchanges.max(1)).max(1);
    traffic.wait_us(now_us.saturating_sub(length_us).saturating_sub(START.0));
    let mut left = exchanges;
    while left > 0 {
        let batch: Vec<Event> = (0..left.min(2_000)).map(|_| traffic.event()).collect();
        left = left.saturating_sub(2_000);
        writer.write(&batch);
        writer.tick(batch.last().map_or(Timestamp(0), |event| event.at));
    }
    writer.cut();
    let health = writer.close();
    let endpoints: Vec<StoredEndpoint> = traffic.endpoints().into_iter().map(StoredEndpoint::new).collect();
    Inventory::open(&directory)?.put("store-fill", traffic.now(), &endpoints)?;
    eprintln!(
        "{} exchanges, {} endpoints, {} segments, {} MiB of events in {:.0} s",
        health.exchanges,
        endpoints.len(),
        health.segments,
        health.bytes_on_disk / (1024 * 1024),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
