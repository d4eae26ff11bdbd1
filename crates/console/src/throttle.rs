//! Limits how fast one client may ask, in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;

use model::Timestamp;

/// Most clients that are remembered.
const CLIENTS_MAX: usize = 1_024;
/// Microseconds for which one wrong token is held against a client.
const WRONG_TOKEN_US: i64 = 5_000_000;

/// A leaking bucket per client (GCRA): a request is let through when its theoretical time is not too far ahead.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// When each client's requests so far will have been paid for.
    paid_until: HashMap<IpAddr, i64>,
    interval_us: i64,
    burst_us: i64,
}

impl Throttle {
    /// So many requests per second for each client, in bursts of ten times as many.
    pub(crate) fn new(requests_per_s_max: u32) -> Self {
        let interval_us = 1_000_000 / i64::from(requests_per_s_max.max(1));
        Self { paid_until: HashMap::new(), interval_us, burst_us: 10_000_000 }
    }

    /// Counts a request; false when it is one too many.
    pub(crate) fn admits(&mut self, client: IpAddr, now: Timestamp) -> bool {
        self.charge(client, now, self.interval_us)
    }

    /// Holds a wrong token against a client: guessing is slowed to one in five seconds after a few.
    pub(crate) fn wrong_token(&mut self, client: IpAddr, now: Timestamp) {
        self.charge(client, now, WRONG_TOKEN_US);
    }

    fn charge(&mut self, client: IpAddr, now: Timestamp, cost_us: i64) -> bool {
        if self.paid_until.len() >= CLIENTS_MAX && !self.paid_until.contains_key(&client) {
            self.paid_until.retain(|_, paid_until| *paid_until > now.0);
            if self.paid_until.len() >= CLIENTS_MAX {
                return false;
            }
        }
        let paid_until = self.paid_until.entry(client).or_insert(now.0);
        // A clock that was set back must not lock anyone out.
        let furthest = now.0.saturating_add(self.burst_us);
        let from = if *paid_until > furthest { now.0 } else { (*paid_until).max(now.0) };
        let next = from.saturating_add(cost_us);
        let admitted = next <= furthest;
        if admitted {
            *paid_until = next;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn bursts_end_and_time_heals() {
        let mut throttle = Throttle::new(10);
        let admitted = (0..1_000).filter(|_| throttle.admits(CLIENT, Timestamp(0))).count();
        assert_eq!(admitted, 100);
        let admitted = (0..1_000).filter(|_| throttle.admits(CLIENT, Timestamp::from_secs(1))).count();
        assert_eq!(admitted, 10);
        assert!(throttle.admits(CLIENT, Timestamp::from_secs(-3_600)), "a clock set back");
    }

    #[test]
    fn guessing_tokens_is_slow_and_clients_are_bounded() {
        let mut throttle = Throttle::new(10);
        throttle.wrong_token(CLIENT, Timestamp(0));
        throttle.wrong_token(CLIENT, Timestamp(0));
        assert!(!throttle.admits(CLIENT, Timestamp(0)));
        for client in 0..100_000 {
            throttle.admits(IpAddr::V4(Ipv4Addr::from(client)), Timestamp(0));
        }
        assert!(throttle.paid_until.len() <= CLIENTS_MAX);
        assert!(throttle.admits(IpAddr::V4(Ipv4Addr::BROADCAST), Timestamp::from_secs(100)));
    }
}
