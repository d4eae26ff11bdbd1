//! Which server of an upstream gets a request, and which is left out.
//!
//! Everything here is atomic and shared by all workers: a server that one of them finds broken is left out by all. Time
//! comes in as an argument. Three things are told apart:
//!
//! * *Down*: active checks found it unfit. It gets nothing, even when that leaves nobody: the checks asked, it did not
//!   answer, and the client is told so at once.
//! * *Ejected*: real requests failed several times in a row. It gets nothing for a while, but that is a guess, so when no
//!   other server is left an ejected one is tried rather than none.
//! * *Tried*: this request has failed there already. It does not go there again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwapOption;
use smallvec::SmallVec;

use crate::config::{Balance, Ejection, Server};
use crate::health::CheckFacts;
use crate::router::mix;

/// The longest schedule of a round robin: weights are scaled down until it fits.
const SCHEDULE_MAX: u64 = 1024;

/// Ejections grow until a server stays out this many times as long as the first time.
const EJECTION_FACTOR_MAX: u32 = 10;

/// What active checks say of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Health {
    /// Not checked, or not yet: it gets requests.
    #[default]
    Unknown = 0,
    /// It gets requests.
    Up = 1,
    /// It gets none.
    Down = 2,
}

/// What is known of one server, shared by all workers.
#[derive(Debug, Default)]
struct ServerState {
    /// Identifies the server to the hash, whatever its place in the list.
    seed: u64,
    weight: u32,
    outstanding: AtomicU32,
    health: AtomicU8,
    /// Failures since the last success.
    failures: AtomicU32,
    /// Ejections since it last stayed in for long.
    ejections: AtomicU32,
    /// Microseconds since the Unix epoch; 0 when it was never ejected.
    ejected_until_us: AtomicI64,
    last_check: ArcSwapOption<CheckFacts>,
}

/// A server's state at one moment, for the health page and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// Requests sent to it and not yet answered.
    pub outstanding: u32,
    /// What active checks say.
    pub health: Health,
    /// Failures of real requests since the last success.
    pub failures: u32,
    /// Until when it is ejected, in microseconds since the Unix epoch; `None` when it is not.
    pub ejected_until_us: Option<i64>,
    /// What the last active check found, where there are checks.
    pub last_check: Option<Arc<CheckFacts>>,
}

/// What a choice rests on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pick {
    /// What is hashed by [`Balance::Hash`]; of no account otherwise.
    pub key: u64,
    /// Microseconds since the Unix epoch.
    pub now_us: i64,
    /// The servers this request has been sent to already, as a mask of their indices. Indices beyond 63 have no bit.
    pub tried: u64,
}

/// Chooses among the servers of one upstream.
#[derive(Debug)]
pub struct Balancer {
    way: Way,
    servers: Vec<ServerState>,
    ejection: Ejection,
    /// Advanced with every choice: the place in the schedule, and what random numbers are made of.
    turn: AtomicU64,
}

#[derive(Debug)]
enum Way {
    /// The order of service over one round, spread evenly.
    RoundRobin(Vec<u16>),
    LeastOutstanding,
    Hash,
}

/// Counts one request as outstanding until it is dropped.
#[derive(Debug)]
pub struct Outstanding<'b>(Option<&'b ServerState>);

impl Drop for Outstanding<'_> {
    fn drop(&mut self) {
        if let Some(server) = self.0 {
            server.outstanding.fetch_sub(1, Relaxed);
        }
    }
}

impl Balancer {
    /// Over these servers. Those of weight 0 get nothing: that is how a server is drained.
    pub fn new(balance: &Balance, servers: &[Server], ejection: Ejection) -> Self {
        let state =
            |server: &Server| ServerState { seed: seed(server), weight: server.weight, ..ServerState::default() };
        let weights: Vec<u32> = servers.iter().map(|server| server.weight).collect();
        let way = match balance {
            Balance::RoundRobin => Way::RoundRobin(schedule(&weights)),
            Balance::LeastOutstanding => Way::LeastOutstanding,
            Balance::Hash(_) => Way::Hash,
        };
        Self { way, servers: servers.iter().map(state).collect(), ejection, turn: AtomicU64::new(0) }
    }

    /// The server for a request, as its index; `None` when every server is down, drained or has been tried.
    pub fn pick(&self, pick: Pick) -> Option<usize> {
        self.pick_among(pick, |server| server.is_up() && !server.is_ejected(pick.now_us))
            .or_else(|| self.pick_among(pick, ServerState::is_up))
    }

    fn pick_among(&self, pick: Pick, fit: impl Fn(&ServerState) -> bool) -> Option<usize> {
        let fits = |index: usize| {
            let tried = index < 64 && pick.tried >> index & 1 == 1;
            self.servers.get(index).is_some_and(|server| !tried && server.weight > 0 && fit(server))
        };
        match &self.way {
            Way::RoundRobin(schedule) => self.next_in_turn(schedule, fits),
            Way::LeastOutstanding => self.least_outstanding(fits),
            Way::Hash => self.highest_score(pick.key, fits),
        }
    }

    /// A place that is left out draws the next turn instead of handing it to its neighbour, so that what it would have got is
    /// shared by all others.
    fn next_in_turn(&self, schedule: &[u16], fits: impl Fn(usize) -> bool) -> Option<usize> {
        for _ in 0..schedule.len() {
            let turn = self.turn.fetch_add(1, Relaxed) % schedule.len().max(1) as u64;
            let index = schedule.get(turn as usize).map(|&index| usize::from(index));
            if let Some(index) = index.filter(|&index| fits(index)) {
                return Some(index);
            }
        }
        // Others drew turns meanwhile and may have left only those that do not fit.
        (0..self.servers.len()).find(|&index| fits(index))
    }

    /// The power of two choices (Mitzenmacher, 2001): of two at random the one with less to do for its weight. Choosing the
    /// least loaded of all would send every worker's next request to the same server.
    fn least_outstanding(&self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let fitting: SmallVec<[usize; 16]> = (0..self.servers.len()).filter(|&index| fits(index)).collect();
        let count = fitting.len() as u64;
        if count < 2 {
            return fitting.first().copied();
        }
        let random = mix(self.turn.fetch_add(1, Relaxed));
        let first = (random >> 32) % count;
        let second = (first + 1 + (random & 0xffff_ffff) % (count - 1)) % count;
        let (first, second) = (*fitting.get(first as usize)?, *fitting.get(second as usize)?);
        let load =
            |index: usize| self.servers.get(index).map(|server| (server.outstanding.load(Relaxed), server.weight));
        let ((load_first, weight_first), (load_second, weight_second)) = (load(first)?, load(second)?);
        // (a + 1) / weight_a > (b + 1) / weight_b without dividing.
        let heavier = (u64::from(load_first) + 1) * u64::from(weight_second)
            > (u64::from(load_second) + 1) * u64::from(weight_first);
        Some(if heavier { second } else { first })
    }

    /// Weighted rendezvous hashing (Wang and Ravishankar, 1998): every server scores the key and the highest wins, so when
    /// a server leaves only its own keys move, to all others evenly.
    fn highest_score(&self, key: u64, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        for (index, server) in self.servers.iter().enumerate().filter(|&(index, _)| fits(index)) {
            // A uniform number in (0, 1): the upper 52 bits and one half, so that neither end is reached.
            let uniform = ((mix(key ^ server.seed) >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
            let score = -f64::from(server.weight) / uniform.ln();
            if best.is_none_or(|(than, _)| score > than) {
                best = Some((score, index));
            }
        }
        best.map(|(_, index)| index)
    }

    /// Counts a request to this server as outstanding for as long as the result lives.
    pub fn outstanding(&self, index: usize) -> Outstanding<'_> {
        let server = self.servers.get(index);
        if let Some(server) = server {
            server.outstanding.fetch_add(1, Relaxed);
        }
        Outstanding(server)
    }

    /// The server answered a request.
    pub fn succeeded(&self, index: usize) {
        if let Some(server) = self.servers.get(index)
            && server.failures.load(Relaxed) != 0
        {
            // Stored only on a change: the line stays shared between cores while all goes well.
            server.failures.store(0, Relaxed);
        }
    }

    /// The server failed a request; true when that ejected it.
    pub fn failed(&self, index: usize, now_us: i64) -> bool {
        let Some(server) = self.servers.get(index) else { return false };
        let failures = server.failures.fetch_add(1, Relaxed).saturating_add(1);
        if self.ejection.failures_max == 0 || failures < self.ejection.failures_max {
            return false;
        }
        let before = server.ejected_until_us.load(Relaxed);
        if now_us < before {
            // Requests that were under way when it was ejected do not make it longer.
            return false;
        }
        let base_us = i64::from(self.ejection.eject_ms) * 1000;
        let longest_us = base_us.saturating_mul(i64::from(EJECTION_FACTOR_MAX));
        let stayed_in = before != 0 && now_us.saturating_sub(before) > longest_us;
        let ejections = if stayed_in { 0 } else { server.ejections.load(Relaxed) };
        let factor = 1u32.checked_shl(ejections).unwrap_or(u32::MAX).min(EJECTION_FACTOR_MAX);
        let until = now_us.saturating_add(base_us.saturating_mul(i64::from(factor)));
        // Of several workers that see the last failure at once, one ejects.
        let won = server.ejected_until_us.compare_exchange(before, until, Relaxed, Relaxed).is_ok();
        if won {
            server.ejections.store(ejections.saturating_add(1).min(16), Relaxed);
        }
        won
    }

    /// Takes over what an active check found, and keeps it for the health page.
    pub fn checked(&self, index: usize, facts: CheckFacts) {
        self.set_health(index, facts.health);
        if let Some(server) = self.servers.get(index) {
            server.last_check.store(Some(Arc::new(facts)));
        }
    }

    /// Sets what active checks say. A server that comes up again starts without a past.
    pub fn set_health(&self, index: usize, health: Health) {
        let Some(server) = self.servers.get(index) else { return };
        let before = server.health.swap(health as u8, Relaxed);
        if before == Health::Down as u8 && health == Health::Up {
            server.failures.store(0, Relaxed);
            server.ejections.store(0, Relaxed);
            server.ejected_until_us.store(0, Relaxed);
        }
    }

    /// Takes over what is known of a server from the balancer before, where it stood at `before`. What active checks said
    /// counts only where they go on: nobody would bring a server back otherwise.
    pub fn take_over(&self, index: usize, other: &Self, before: usize, checked: bool) {
        let (Some(server), Some(known)) = (self.servers.get(index), other.servers.get(before)) else { return };
        server.failures.store(known.failures.load(Relaxed), Relaxed);
        server.ejections.store(known.ejections.load(Relaxed), Relaxed);
        server.ejected_until_us.store(known.ejected_until_us.load(Relaxed), Relaxed);
        if checked {
            server.health.store(known.health.load(Relaxed), Relaxed);
            server.last_check.store(known.last_check.load_full());
        }
    }

    /// The state of each server, in the order of the configuration.
    pub fn facts(&self, now_us: i64) -> Vec<ServerFacts> {
        self.servers.iter().map(|server| server.facts(now_us)).collect()
    }
}

impl ServerState {
    fn is_up(&self) -> bool {
        self.health.load(Relaxed) != Health::Down as u8
    }

    fn is_ejected(&self, now_us: i64) -> bool {
        now_us < self.ejected_until_us.load(Relaxed)
    }

    fn facts(&self, now_us: i64) -> ServerFacts {
        ServerFacts {
            outstanding: self.outstanding.load(Relaxed),
            health: match self.health.load(Relaxed) {
                1 => Health::Up,
                2 => Health::Down,
                _ => Health::Unknown,
            },
            failures: self.failures.load(Relaxed),
            ejected_until_us: self.is_ejected(now_us).then(|| self.ejected_until_us.load(Relaxed)),
            last_check: self.last_check.load_full(),
        }
    }
}

/// From host and port, so that a key keeps its server when the list is reordered or another gateway reads it.
fn seed(server: &Server) -> u64 {
    let name = format!("{}:{}", server.host, server.port);
    let hash = blake3::hash(name.as_bytes());
    hash.as_bytes().first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// One round of the smooth weighted round robin that nginx uses: servers of weight 5, 1, 1 are served a a b a c a a.
fn schedule(weights: &[u32]) -> Vec<u16> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let total: u64 = weights.iter().map(|&weight| u64::from(weight / divisor)).sum();
    let scaled: Vec<i64> = weights
        .iter()
        .map(|&weight| match u64::from(weight / divisor) {
            0 => 0,
            weight if total > SCHEDULE_MAX => (weight * SCHEDULE_MAX / total).max(1) as i64,
            weight => weight as i64,
        })
        .collect();
    let round: i64 = scaled.iter().sum();
    let mut credit = vec![0i64; scaled.len()];
    let mut order = Vec::with_capacity(round as usize);
    for _ in 0..round {
        for (credit, weight) in credit.iter_mut().zip(&scaled) {
            *credit += weight;
        }
        // Of equals the first, as they are written.
        let Some(next) = (0..credit.len()).rev().max_by_key(|&index| credit.get(index).copied()) else { break };
        if let Some(credit) = credit.get_mut(next) {
            *credit -= round;
        }
        order.push(u16::try_from(next).unwrap_or(u16::MAX));
    }
    order
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How many tries a budget looks back, in seconds.
const BUDGET_WINDOW_S: u64 = 10;

/// Retries that are always allowed in a window, so that the first failure of a quiet upstream may be tried again.
const BUDGET_FLOOR: u64 = 10;

/// Keeps retries to a share of requests, so that an upstream that fails under load is not hit harder for it.
///
/// Requests and retries are counted per second over the last ten seconds. Workers count into the same slots; when several
/// withdraw at the same instant, at most one retry each is allowed beyond the budget.
#[derive(Debug)]
pub struct RetryBudget {
    percent: u64,
    /// One slot per second of the window: 24 bits of the second, 20 of requests, 20 of retries.
    slots: [AtomicU64; BUDGET_WINDOW_S as usize],
}

const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const SECOND_MASK: u64 = (1 << 24) - 1;

#[derive(Clone, Copy)]
struct Slot {
    second: u64,
    requests: u64,
    retries: u64,
}

impl Slot {
    fn unpack(packed: u64) -> Self {
        Self {
            second: packed >> (2 * COUNT_BITS),
            requests: packed >> COUNT_BITS & COUNT_MAX,
            retries: packed & COUNT_MAX,
        }
    }

    fn pack(self) -> u64 {
        self.second << (2 * COUNT_BITS) | self.requests.min(COUNT_MAX) << COUNT_BITS | self.retries.min(COUNT_MAX)
    }
}

impl RetryBudget {
    /// Retries as a share of requests, in percent; 0 for none at all.
    pub fn new(percent: u8) -> Self {
        Self { percent: u64::from(percent), slots: Default::default() }
    }

    /// Counts a request. `now_ms` may have any beginning as long as all callers share it.
    pub fn deposit(&self, now_ms: u64) {
        self.count(now_ms, |slot| slot.requests += 1);
    }

    /// Takes one retry from the budget; false when it is used up.
    pub fn withdraw(&self, now_ms: u64) -> bool {
        let now = (now_ms / 1000) & SECOND_MASK;
        let (mut requests, mut retries) = (0, 0);
        for slot in self.slots.iter().map(|slot| Slot::unpack(slot.load(Relaxed))) {
            if (now.wrapping_sub(slot.second) & SECOND_MASK) < BUDGET_WINDOW_S {
                requests += slot.requests;
                retries += slot.retries;
            }
        }
        let allowed = if self.percent == 0 { 0 } else { (requests * self.percent / 100).max(BUDGET_FLOOR) };
        if retries < allowed {
            self.count(now_ms, |slot| slot.retries += 1);
        }
        retries < allowed
    }

    fn count(&self, now_ms: u64, change: impl Fn(&mut Slot)) {
        let second = (now_ms / 1000) & SECOND_MASK;
        let Some(slot) = self.slots.get(((now_ms / 1000) % BUDGET_WINDOW_S) as usize) else { return };
        let _ = slot.fetch_update(Relaxed, Relaxed, |packed| {
            let mut slot = Slot::unpack(packed);
            if slot.second != second {
                slot = Slot { second, requests: 0, retries: 0 };
            }
            change(&mut slot);
            Some(slot.pack())
        });
    }
}

#[cfg(test)]
#[path = "balance_tests.rs"]
mod tests;
