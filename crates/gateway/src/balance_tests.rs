//! Tests of the choice of a server and of the retry budget.

use proptest::prelude::*;

use super::*;
use crate::config::HashKey;

const EJECTION: Ejection = Ejection { failures_max: 3, eject_ms: 1_000 };

fn servers(weights: &[u32]) -> Vec<Server> {
    let server = |(at, &weight): (usize, &u32)| Server { host: format!("s{at}"), port: 80, weight };
    weights.iter().enumerate().map(server).collect()
}

fn balancer(balance: Balance, weights: &[u32]) -> Balancer {
    Balancer::new(&balance, &servers(weights), EJECTION)
}

fn by_hash(weights: &[u32]) -> Balancer {
    balancer(Balance::Hash(HashKey::Client), weights)
}

fn at(key: u64, now_us: i64) -> Pick {
    Pick { key, now_us, tried: 0 }
}

/// How often each server is chosen in `count` picks, keys ascending.
fn counts(balancer: &Balancer, count: u64) -> Vec<usize> {
    let mut counts = vec![0; balancer.servers.len()];
    for key in 0..count {
        counts[balancer.pick(at(key, 0)).unwrap()] += 1;
    }
    counts
}

#[test]
fn round_robin_is_smooth() {
    let order =
        |weights: &[u32]| schedule(weights).iter().map(|&index| (b'a' + index as u8) as char).collect::<String>();
    assert_eq!(order(&[5, 1, 1]), "aabacaa");
    assert_eq!(order(&[100, 100]), "ab");
    assert_eq!(order(&[0, 3]), "b");
    assert_eq!(order(&[0, 0]), "");
    assert_eq!(schedule(&[u32::MAX, 1]).len(), 1024);
    assert_eq!(counts(&balancer(Balance::RoundRobin, &[5, 1, 1, 0]), 70), [50, 10, 10, 0]);
}

#[test]
fn the_share_of_a_server_that_is_out_goes_to_all_others() {
    let balancer = balancer(Balance::RoundRobin, &[1, 1, 1]);
    balancer.set_health(1, Health::Down);
    assert_eq!(counts(&balancer, 100), [50, 0, 50]);
}

#[test]
fn least_outstanding_avoids_the_busy_one() {
    let balancer = balancer(Balance::LeastOutstanding, &[1, 1, 1]);
    let busy: Vec<_> = (0..9).map(|_| balancer.outstanding(0)).collect();
    let while_busy = counts(&balancer, 300);
    assert_eq!(while_busy[0], 0, "{while_busy:?}");
    drop(busy);
    assert!(counts(&balancer, 300).iter().all(|&count| count > 70));
    let lone = counts(&super::tests::balancer(Balance::LeastOutstanding, &[1]), 3);
    assert_eq!(lone, [3]);
}

#[test]
fn least_outstanding_follows_the_weights_under_load() {
    let balancer = balancer(Balance::LeastOutstanding, &[3, 1]);
    let _kept: Vec<_> = (0..40).map(|_| balancer.outstanding(balancer.pick(at(0, 0)).unwrap())).collect();
    let loads: Vec<u32> = balancer.facts(0).iter().map(|facts| facts.outstanding).collect();
    assert_eq!(loads, [30, 10]);
}

#[test]
fn a_hash_moves_only_the_keys_of_the_server_that_left() {
    let all = by_hash(&[1, 1, 1, 1]);
    let mut without = servers(&[1, 1, 1, 1]);
    without.remove(1);
    without.reverse();
    let fewer = Balancer::new(&Balance::Hash(HashKey::Session), &without, EJECTION);
    let names = ["s3", "s2", "s0"];
    let mut moved_to = [0; 3];
    for key in 0..4_000 {
        let before = all.pick(at(key, 0)).unwrap();
        let after = fewer.pick(at(key, 0)).unwrap();
        if before == 1 {
            moved_to[after] += 1;
        } else {
            assert_eq!(names[after], format!("s{before}"));
        }
    }
    assert!(moved_to.iter().all(|&count| (250..420).contains(&count)), "{moved_to:?}");
    let weighted = counts(&by_hash(&[3, 1]), 4_000);
    assert!((2_900..3_100).contains(&weighted[0]), "{weighted:?}");
}

#[test]
fn failures_in_a_row_eject_for_longer_each_time() {
    let balancer = by_hash(&[1, 1]);
    let key = (0..).find(|&key| balancer.pick(at(key, 0)) == Some(0)).unwrap();
    assert!(!balancer.failed(0, 0) && !balancer.failed(0, 0));
    balancer.succeeded(0);
    assert!(!balancer.failed(0, 0) && !balancer.failed(0, 0), "a success begins the count anew");
    assert!(balancer.failed(0, 0));
    assert!(!balancer.failed(0, 999_999), "what was under way does not make it longer");
    assert_eq!(balancer.pick(at(key, 999_999)), Some(1));
    assert_eq!(balancer.pick(at(key, 1_000_000)), Some(0));
    let mut now = 1_000_000;
    for factor in [2, 4, 8, 10, 10] {
        assert!(balancer.failed(0, now));
        now += factor * 1_000_000;
        assert_eq!(balancer.facts(now - 1)[0].ejected_until_us, Some(now));
        assert_eq!(balancer.facts(now)[0].ejected_until_us, None);
    }
    now += 10_000_001;
    assert!(balancer.failed(0, now), "having stayed in for long it is ejected as at first");
    assert_eq!(balancer.facts(now)[0].ejected_until_us, Some(now + 1_000_000));
}

#[test]
fn an_ejected_server_is_better_than_none_but_one_that_is_down_is_not() {
    for balance in [Balance::RoundRobin, Balance::LeastOutstanding, Balance::Hash(HashKey::Client)] {
        let balancer = balancer(balance, &[1, 1, 1]);
        balancer.set_health(2, Health::Down);
        for server in [0, 1] {
            assert_eq!((0..3).filter(|_| balancer.failed(server, 0)).count(), 1);
        }
        let chosen: Vec<_> = (0..20).map(|key| balancer.pick(at(key, 1)).unwrap()).collect();
        assert!(chosen.contains(&0) && chosen.contains(&1) && !chosen.contains(&2));
        assert_eq!(balancer.pick(Pick { key: 0, now_us: 1, tried: 1 }), Some(1));
        assert_eq!(balancer.pick(Pick { key: 0, now_us: 1, tried: 3 }), None);
        balancer.set_health(0, Health::Down);
        balancer.set_health(1, Health::Down);
        assert_eq!(balancer.pick(at(0, 1)), None);
        balancer.set_health(1, Health::Up);
        assert_eq!(balancer.pick(at(0, 1)), Some(1));
        assert_eq!(balancer.facts(1)[1].ejected_until_us, None, "coming up ends the ejection");
    }
}

#[test]
fn no_servers_no_choice() {
    for balance in [Balance::RoundRobin, Balance::LeastOutstanding, Balance::Hash(HashKey::Client)] {
        assert_eq!(balancer(balance.clone(), &[]).pick(at(0, 0)), None);
        assert_eq!(balancer(balance, &[0, 0]).pick(at(0, 0)), None);
    }
}

#[test]
fn ejection_can_be_off() {
    let off = Ejection { failures_max: 0, eject_ms: 1_000 };
    let balancer = Balancer::new(&Balance::RoundRobin, &servers(&[1]), off);
    assert!((0..100).all(|_| !balancer.failed(0, 0)));
}

#[test]
fn the_budget_keeps_retries_to_their_share() {
    let budget = RetryBudget::new(20);
    let granted = |now_ms: u64| (0..1_000).filter(|_| budget.withdraw(now_ms)).count();
    assert_eq!(granted(0), 10, "a quiet upstream has a floor");
    (0..1_000).for_each(|_| budget.deposit(500));
    assert_eq!(granted(900), 190);
    assert_eq!(granted(9_999), 0);
    assert_eq!(granted(10_000), 10, "ten seconds later both are forgotten");
    let none = RetryBudget::new(0);
    none.deposit(0);
    assert!(!none.withdraw(0));
}

#[test]
fn workers_share_what_they_know() {
    let balancer = Arc::new(balancer(Balance::RoundRobin, &[1, 1, 1, 1]));
    let budget = Arc::new(RetryBudget::new(10));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (balancer, budget) = (balancer.clone(), budget.clone());
            std::thread::spawn(move || {
                let mut counts = [0; 4];
                for _ in 0..1_000 {
                    let index = balancer.pick(at(0, 0)).unwrap();
                    let _outstanding = balancer.outstanding(index);
                    budget.deposit(0);
                    counts[index] += 1;
                }
                counts
            })
        })
        .collect();
    let mut sums = [0; 4];
    for thread in threads {
        thread.join().unwrap().iter().zip(&mut sums).for_each(|(count, sum)| *sum += count);
    }
    assert_eq!(sums, [1_000; 4]);
    assert!(balancer.facts(0).iter().all(|facts| facts.outstanding == 0));
    assert_eq!((0..1_000).filter(|_| budget.withdraw(0)).count(), 400);
}

proptest! {
    /// Whatever happens: a server is chosen exactly when one is up, weighted and untried, and it is one of those; and an
    /// ejected one only when nothing better is left.
    #[test]
    fn a_fitting_server_is_found_whenever_there_is_one(
        weights in proptest::collection::vec(0u32..4, 0..6),
        steps in proptest::collection::vec((0usize..6, 0u8..5), 0..40),
        way in 0usize..3,
        tried in 0u64..64,
    ) {
        let balance = [Balance::RoundRobin, Balance::LeastOutstanding, Balance::Hash(HashKey::Client)][way].clone();
        let balancer = balancer(balance, &weights);
        let mut now = 0;
        for (server, step) in steps {
            match step {
                0 => balancer.set_health(server, Health::Down),
                1 => balancer.set_health(server, Health::Up),
                2 => balancer.succeeded(server),
                3 => {
                    balancer.failed(server, now);
                }
                _ => now += 400_000,
            }
            let facts = balancer.facts(now);
            let usable = |index: &usize| {
                weights[*index] > 0 && facts[*index].health != Health::Down && tried >> *index & 1 == 0
            };
            let best = |index: &usize| usable(index) && facts[*index].ejected_until_us.is_none();
            let all = 0..weights.len();
            let picked = balancer.pick(Pick { key: now as u64, now_us: now, tried });
            if all.clone().any(|index| best(&index)) {
                prop_assert!(picked.is_some_and(|index| best(&index)));
            } else if all.clone().any(|index| usable(&index)) {
                prop_assert!(picked.is_some_and(|index| usable(&index)));
            } else {
                prop_assert_eq!(picked, None);
            }
        }
    }
}
