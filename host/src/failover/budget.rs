//! What the account may still send: its limits of the day.
//!
//! A limit that was hit is a latch: until it ends no free model is called, and
//! who waits for its turn is told at once. The same when OpenRouter says on
//! request that nothing is left, or when the calls since leave nothing. While
//! nothing is known at all, one call goes first. Survives restarts through the
//! store; the arithmetic is in `routing::quota`.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::{
    routing::{
        Failure, FailureKind,
        quota::{DailyRequests, Left, Quota, next_midnight},
    },
    store::{AccountBlock, Store},
};

/// What OpenRouter says of the day may be this old: a latch that fell since is
/// not lifted by it.
const STALE_MS: u64 = 60_000;

/// How long the others wait for the call that goes first: the head of an answer
/// comes sooner, and a refusal sooner still.
const SCOUT_WAIT: Duration = Duration::from_secs(2);

/// A limit of the account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// When it ends, in milliseconds since 1970.
    pub until_ms: u64,
    /// Which limit it is.
    pub kind: FailureKind,
}

/// The account's limits, and what is left of its day.
pub(super) struct Budget {
    store: Store,
    state: Mutex<State>,
    /// Counts the falls of the latch.
    falls: watch::Sender<u64>,
    /// Told when there is something to ask OpenRouter about.
    asked: Notify,
    /// Held by the call that goes first.
    scout: tokio::sync::Mutex<()>,
}

/// The call that goes first while nothing shows that the account is open; the
/// others follow when it is dropped.
pub(super) type Scout<'a> = tokio::sync::MutexGuard<'a, ()>;

#[derive(Default)]
struct State {
    latch: Option<Latch>,
    quota: Quota,
    /// Whether OpenRouter has answered anything since the start that shows the
    /// account to be open.
    proven: bool,
}

#[derive(Clone, Copy)]
struct Latch {
    block: Block,
    /// When it fell; 0 before the start.
    fell_ms: u64,
}

impl Budget {
    /// Begins with the limit that was in force before the start, if one was.
    pub(super) fn new(store: Store, block: Option<AccountBlock>) -> Self {
        let latch =
            block.map(|block| Latch { block: Block { until_ms: block.until_ms, kind: block.kind }, fell_ms: 0 });
        let state = Mutex::new(State { latch, ..State::default() });
        Self { store, state, falls: watch::Sender::new(0), asked: Notify::new(), scout: tokio::sync::Mutex::default() }
    }

    /// Returns the limit that is in force.
    pub(super) fn block(&self, now: u64) -> Option<Block> {
        self.state().block(now)
    }

    /// Returns what is left of the day, if OpenRouter told it.
    pub(super) fn left(&self, now: u64) -> Option<Left> {
        self.state().quota.left(now)
    }

    /// Counts a call of a free model that is about to be made, unless a limit
    /// is in force.
    pub(super) fn spend(&self, now: u64) -> Result<(), Block> {
        self.asked.notify_one();
        let mut state = self.state();
        if let Some(block) = state.block(now) {
            return Err(block);
        }
        state.quota.count(now);
        Ok(())
    }

    /// Notes a request that was refused because of a limit, so that OpenRouter
    /// is asked whether it still holds.
    pub(super) fn refused(&self) {
        self.asked.notify_one();
    }

    /// Waits until a call may be made although nothing shows that the account is
    /// open: one goes first, and the others wait for the head of its answer.
    pub(super) async fn scout(&self, now_ms: impl Fn() -> u64) -> Option<Scout<'_>> {
        if self.is_proven(now_ms()) {
            return None;
        }
        let scout = timeout(SCOUT_WAIT, self.scout.lock()).await.ok()?;
        Some(scout).filter(|_| !self.is_proven(now_ms()))
    }

    /// Notes the account's limit of the day, if that is what a failure says.
    pub(super) fn limited(&self, failure: &Failure, now: u64) {
        if failure.kind == FailureKind::RateLimitedDay {
            let wait = failure.retry_after.unwrap_or(DAILY_WAIT);
            let until_ms = now.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            self.fall(Block { until_ms, kind: failure.kind }, now);
        }
    }

    /// Notes what else a failed call of a free model says of the account.
    pub(super) fn failed(&self, failure: &Failure) {
        match failure.kind {
            FailureKind::RateLimitedDay => {}
            // Nobody was there, or nobody knew whose call it was.
            FailureKind::Connect | FailureKind::KeyRejected => self.state().quota.uncount(),
            _ if failure.status != 0 => self.prove(),
            _ => {}
        }
    }

    /// Notes that OpenRouter took a call.
    pub(super) fn prove(&self) {
        self.state().proven = true;
    }

    /// Forgets limits and what is left, so that both are found out anew.
    pub(super) fn reopen(&self) {
        let mut state = self.state();
        state.latch = None;
        state.quota = Quota::default();
        drop(state);
        self.store.record_account(None);
        self.asked.notify_one();
    }

    /// Tells whether anything shows that the account is open.
    fn is_proven(&self, now: u64) -> bool {
        let state = self.state();
        state.proven || state.quota.left(now).is_some()
    }

    /// Takes in what OpenRouter said of the day; `asked_ms` is when it was asked.
    pub(super) fn told(&self, said: DailyRequests, asked_ms: u64, now: u64) {
        let mut state = self.state();
        state.quota.told(said, now);
        let in_force = state.latch.filter(|latch| latch.block.until_ms > now);
        match in_force {
            None if said.remaining == 0 => {
                drop(state);
                self.fall(Block { until_ms: next_midnight(now), kind: FailureKind::RateLimitedDay }, now);
            }
            Some(latch) if said.remaining > 0 && asked_ms.saturating_sub(latch.fell_ms) >= STALE_MS => {
                state.latch = None;
                drop(state);
                self.store.record_account(None);
                tracing::info!(remaining = said.remaining, "the account has free requests again");
            }
            Some(latch) => state.quota.exhausted(latch.block.until_ms),
            None => {}
        }
    }

    /// Resolves when a limit is in force.
    pub(super) async fn blocked(&self, now_ms: impl Fn() -> u64) -> Block {
        let mut falls = self.falls.subscribe();
        loop {
            if let Some(block) = self.block(now_ms()) {
                return block;
            }
            // The sender is ours, so this is never an error.
            drop(falls.changed().await);
        }
    }

    /// Resolves when something has happened since the last time.
    pub(super) async fn used(&self) {
        self.asked.notified().await;
    }

    fn fall(&self, block: Block, now: u64) {
        let mut state = self.state();
        let is_new = state.latch.is_none_or(|latch| latch.block.until_ms <= now);
        state.latch = Some(Latch { block, fell_ms: now });
        state.quota.exhausted(block.until_ms);
        state.proven = false;
        drop(state);
        self.store.record_account(Some(AccountBlock { until_ms: block.until_ms, kind: block.kind }));
        self.falls.send_modify(|falls| *falls += 1);
        if is_new {
            let wait_s = block.until_ms.saturating_sub(now) / 1000;
            tracing::warn!(
                wait_s,
                "the account's free requests of the day are used up; none is sent until they come back"
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The arithmetic does not panic; if it did, each value is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the account waits when the daily limit names no end.
const DAILY_WAIT: Duration = Duration::from_hours(1);

impl State {
    fn block(&self, now: u64) -> Option<Block> {
        let latched = self.latch.map(|latch| latch.block).filter(|block| block.until_ms > now);
        let spent = self.quota.left(now).filter(|left| left.remaining == 0);
        latched.or_else(|| spent.map(|left| Block { until_ms: left.resets_ms, kind: FailureKind::RateLimitedDay }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn budget() -> Budget {
        Budget::new(Store::memory(), None)
    }

    fn said(remaining: u32) -> DailyRequests {
        DailyRequests { limit: 50, remaining }
    }

    fn day_limit() -> Failure {
        let retry_after = Some(Duration::from_hours(3));
        Failure { status: 429, retry_after, ..Failure::new(FailureKind::RateLimitedDay, "used up") }
    }

    #[test]
    fn what_is_left_goes_down_with_each_call_and_nothing_more_is_spent_then() {
        let budget = budget();
        budget.told(said(2), NOW, NOW);
        let spent: Vec<bool> = (0..4).map(|_| budget.spend(NOW).is_ok()).collect();
        assert_eq!(spent, [true, true, false, false]);
        let expected = Block { until_ms: next_midnight(NOW), kind: FailureKind::RateLimitedDay };
        assert_eq!(budget.block(NOW), Some(expected));
    }

    #[test]
    fn a_call_that_reached_nobody_does_not_count() {
        let budget = budget();
        budget.told(said(2), NOW, NOW);
        assert_eq!(budget.spend(NOW), Ok(()));
        budget.failed(&Failure::new(FailureKind::Connect, "nobody there"));
        assert_eq!(budget.left(NOW).map(|left| left.remaining), Some(2));
    }

    #[test]
    fn the_latch_is_lifted_only_by_what_was_said_long_enough_after() {
        let budget = budget();
        budget.limited(&day_limit(), NOW);
        let until = NOW + 3 * 3_600_000;
        for (later, remaining, blocked) in [(0, 48, true), (59_999, 48, true), (60_000, 0, true), (60_000, 48, false)] {
            budget.told(said(remaining), NOW + later, NOW + later);
            let block = budget.block(NOW + later).map(|block| block.until_ms);
            assert_eq!(block, blocked.then_some(until), "{later} {remaining}");
        }
        assert_eq!(budget.left(NOW + 60_000).map(|left| left.remaining), Some(48));
    }

    #[test]
    fn the_latch_of_before_the_start_is_lifted_at_once() {
        let block = AccountBlock { until_ms: NOW + 9, kind: FailureKind::RateLimitedDay };
        let budget = Budget::new(Store::memory(), Some(block));
        assert_eq!(budget.block(NOW).map(|block| block.until_ms), Some(NOW + 9));
        budget.told(said(7), NOW, NOW);
        assert_eq!((budget.block(NOW), budget.spend(NOW)), (None, Ok(())));
    }
}
