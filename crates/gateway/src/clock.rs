//! Deadlines without timers.
//!
//! A proxy sets several time limits per request and almost none of them ever strikes. So a limit here is one number in a
//! table of its worker, written when a wait begins; the worker looks through the table four times a second. Ten thousand
//! connections cost a scan of some tens of microseconds, and a request pays nothing for a timer wheel.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Instant;

/// How often the worker looks through its deadlines, in milliseconds: the precision of every time limit.
pub const TICK_MS: u64 = 250;

/// The limit struck before the wait was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

/// The deadlines of one worker.
#[derive(Clone)]
pub struct Deadlines {
    shared: Rc<Shared>,
}

struct Shared {
    started: Instant,
    now_ms: Cell<u64>,
    watches: RefCell<Vec<Option<Rc<Slot>>>>,
    free: RefCell<Vec<usize>>,
    phase: Cell<Phase>,
}

/// How far a worker is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It serves.
    Serving,
    /// It accepts no more; every answer says that it is its connection's last. A client that has just sent its next
    /// request is still served, so nothing is lost.
    Closing,
    /// Connections that are idle are closed.
    Draining,
}

struct Slot {
    at_ms: Cell<u64>,
    /// The task waits for work that need not come: it is woken when the worker reaches this phase.
    ends_at: Cell<Option<Phase>>,
    waker: RefCell<Option<Waker>>,
}

const NEVER: u64 = u64::MAX;

impl Default for Deadlines {
    /// An empty table whose time starts now.
    fn default() -> Self {
        let shared = Shared {
            started: Instant::now(),
            now_ms: Cell::new(0),
            watches: RefCell::default(),
            free: RefCell::default(),
            phase: Cell::new(Phase::Serving),
        };
        Self { shared: Rc::new(shared) }
    }
}

impl Deadlines {
    /// Milliseconds since the table was made, as of the last tick.
    pub fn now_ms(&self) -> u64 {
        self.shared.now_ms.get()
    }

    /// A watch for one task: a connection or a stream. It keeps one deadline at a time.
    pub fn watch(&self) -> Watch {
        let slot = Rc::new(Slot { at_ms: Cell::new(NEVER), ends_at: Cell::new(None), waker: RefCell::new(None) });
        let mut watches = self.shared.watches.borrow_mut();
        let index = match self.shared.free.borrow_mut().pop() {
            Some(index) => index,
            None => {
                watches.push(None);
                watches.len() - 1
            }
        };
        if let Some(place) = watches.get_mut(index) {
            *place = Some(Rc::clone(&slot));
        }
        Watch { shared: Rc::clone(&self.shared), slot, index }
    }

    /// Enters a phase: waits that end there end as if their time were over.
    pub fn enter(&self, phase: Phase) {
        self.shared.phase.set(phase);
        for slot in self.shared.watches.borrow().iter().flatten() {
            if slot.ends_at.get().is_some_and(|ends_at| phase >= ends_at)
                && let Some(waker) = slot.waker.borrow_mut().take()
            {
                waker.wake();
            }
        }
    }

    /// How far the worker is on its way out.
    pub fn phase(&self) -> Phase {
        self.shared.phase.get()
    }

    /// Advances the time and wakes every task whose deadline has passed.
    pub fn tick(&self) {
        let now = u64::try_from(self.shared.started.elapsed().as_millis()).unwrap_or(NEVER - 1);
        self.advance_to(now);
    }

    fn advance_to(&self, now: u64) {
        self.shared.now_ms.set(now);
        for slot in self.shared.watches.borrow().iter().flatten() {
            if slot.at_ms.get() <= now
                && let Some(waker) = slot.waker.borrow_mut().take()
            {
                waker.wake();
            }
        }
    }

    /// Ticks until dropped; runs beside the worker's connections.
    pub async fn run(self) {
        let mut interval = tokio::time::interval(std::time::Duration::from_millis(TICK_MS));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            interval.tick().await;
            self.tick();
        }
    }
}

/// The deadline of one task.
pub struct Watch {
    shared: Rc<Shared>,
    slot: Rc<Slot>,
    index: usize,
}

impl Watch {
    /// Milliseconds since the worker began, as of the last tick.
    pub fn now_ms(&self) -> u64 {
        self.shared.now_ms.get()
    }

    /// Waits for `future` for at most `limit_ms` milliseconds, plus the precision of a tick.
    pub async fn within<T>(&self, limit_ms: u64, future: impl Future<Output = T>) -> Result<T, TimedOut> {
        self.until(self.now_ms().saturating_add(limit_ms).saturating_add(TICK_MS), future).await
    }

    /// Waits for `future`, which is work that need not come: the wait also ends when the worker reaches a phase.
    pub async fn idle_within<T>(
        &self,
        limit_ms: u64,
        ends_at: Phase,
        future: impl Future<Output = T>,
    ) -> Result<T, TimedOut> {
        let at_ms = self.now_ms().saturating_add(limit_ms).saturating_add(TICK_MS);
        self.slot.ends_at.set(Some(ends_at));
        let outcome = self.until(at_ms, future).await;
        self.slot.ends_at.set(None);
        outcome
    }

    /// How far the worker is on its way out.
    pub fn phase(&self) -> Phase {
        self.shared.phase.get()
    }

    /// Waits for `future` until the time `at_ms`.
    pub async fn until<T>(&self, at_ms: u64, future: impl Future<Output = T>) -> Result<T, TimedOut> {
        let mut future = pin!(future);
        self.slot.at_ms.set(at_ms);
        let outcome = std::future::poll_fn(|cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            let over = self.slot.ends_at.get().is_some_and(|ends_at| self.shared.phase.get() >= ends_at);
            if over || self.shared.now_ms.get() >= at_ms {
                return Poll::Ready(Err(TimedOut));
            }
            let mut waker = self.slot.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
        self.slot.at_ms.set(NEVER);
        outcome
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(place) = self.shared.watches.borrow_mut().get_mut(self.index) {
            *place = None;
        }
        self.shared.free.borrow_mut().push(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::task::Context;

    #[test]
    fn a_wait_ends_at_its_deadline_and_slots_are_used_again() {
        let deadlines = Deadlines::default();
        let watch = deadlines.watch();
        {
            let mut wait = pin!(watch.until(1000, pending::<()>()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            deadlines.advance_to(999);
            assert!(wait.as_mut().poll(&mut cx).is_pending());
            deadlines.advance_to(1000);
            assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(Err(TimedOut)));
        }
        let index = watch.index;
        drop(watch);
        assert_eq!(deadlines.watch().index, index);
    }

    #[test]
    fn what_is_ready_in_time_is_returned() {
        let deadlines = Deadlines::default();
        let watch = deadlines.watch();
        let mut wait = pin!(watch.until(0, std::future::ready(7)));
        assert_eq!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(7)));
    }
}
