//! What happened so far: the health of every model, and what the account may do.
//!
//! The host's memory, which survives reloads of policies and, through the
//! store, restarts. One lock, held for a few steps of arithmetic and never over
//! a wait; a request takes it a few times, a chunk never. The arithmetic is in
//! `routing::health`, the account's side in `budget`.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    catalog::{Catalog, Model, ModelId},
    clock::now_ms,
    failover::budget::{Block, Budget},
    routing::{
        Failure, FailureKind, Rests,
        health::{Health, Standing},
        lessons::Lesson,
        needs::Needs,
        plan::Fact,
        quota::Left,
        suspects::Suspects,
    },
    store::{AccountBlock, Store},
};

/// Healths of all models that have a history, and the account's limits.
pub struct Ledger {
    rests: Rests,
    store: Store,
    budget: Budget,
    healths: Mutex<HashMap<ModelId, Health>>,
    suspects: Mutex<Suspects>,
}

impl Ledger {
    /// Makes a ledger of what the store remembers.
    pub fn new(rests: Rests, store: Store, healths: HashMap<ModelId, Health>, account: Option<AccountBlock>) -> Self {
        let budget = Budget::new(store.clone(), account);
        Self { rests, budget, store, healths: Mutex::new(healths), suspects: Mutex::default() }
    }

    /// Returns what is known for a request with these needs: of models of this
    /// catalogue that have a history.
    pub fn facts(&self, catalog: &Catalog, needs: &Needs, now: u64) -> Vec<Fact> {
        let healths = self.locked();
        let known = healths.iter().filter_map(|(id, health)| {
            let number = catalog.number(id)?;
            let unfit = catalog.model(number).is_some_and(|model| health.lessons.forbid(model, needs, now));
            Some(Fact { unfit, ..fact(number, health, now) })
        });
        known.collect()
    }

    /// Returns a model as it has shown itself.
    pub(super) fn taught<'a>(&self, model: &'a Model, now: u64) -> Cow<'a, Model> {
        let healths = self.locked();
        let taught = healths.get(&model.id).and_then(|health| health.lessons.taught(model, now));
        taught.map_or(Cow::Borrowed(model), Cow::Owned)
    }

    /// Remembers what a model's refusal of a request with these needs has taught.
    pub(super) fn learn(&self, model: &Model, lesson: Lesson, needs: &Needs, now: u64) {
        let mut healths = self.locked();
        let health = healths.entry(model.id.clone()).or_default();
        health.lessons.learn(lesson, needs, model, now);
        self.store.record_success(&model.id, health);
        drop(healths);
        tracing::info!(model.id = %model.id, %lesson, "learned of a model what its entry in the catalogue does not say");
    }

    /// Returns how a model stands, and how many requests it is answering.
    pub fn standing(&self, id: &ModelId, now: u64) -> (Standing, u32) {
        let healths = self.locked();
        healths.get(id).map_or((Standing::Ready, 0), |health| (health.standing(now), health.in_flight))
    }

    /// Returns the health of every model that has a history.
    pub fn healths(&self) -> Vec<(ModelId, Health)> {
        self.locked().iter().map(|(id, health)| (id.clone(), health.clone())).collect()
    }

    /// Returns the account's limit, if one is in force.
    pub fn account(&self, now: u64) -> Option<Block> {
        self.budget.block(now)
    }

    /// Returns what is left of the account's day, if OpenRouter told it.
    pub fn left(&self, now: u64) -> Option<Left> {
        self.budget.left(now)
    }

    /// Returns what the account may still send.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Notes that a try begins.
    pub(super) fn begin(&self, id: &ModelId) {
        self.locked().entry(id.clone()).or_default().in_flight += 1;
    }

    /// Notes that a try is over, however it ended.
    pub(super) fn end(&self, id: &ModelId) {
        if let Some(health) = self.locked().get_mut(id) {
            health.in_flight = health.in_flight.saturating_sub(1);
        }
    }

    /// Notes a failure of a try that began at `began`; what follows from it for
    /// the model is in force from now on. Returns the failure, of another kind if
    /// it is now known better.
    pub(super) fn failed(&self, id: &ModelId, mut failure: Failure, began: u64) -> Failure {
        let now = now_ms();
        if failure.kind == FailureKind::RateLimitedUnknown
            && let Some(blamed) = self.suspects().limited(id, now)
        {
            failure.kind = FailureKind::RateLimitedMinute;
            self.pardon(&blamed);
        }
        let mut healths = self.locked();
        let health = healths.entry(id.clone()).or_default();
        let rest = health.failed(&failure, self.rests, began, now, fastrand::f32());
        self.store.record_failure(id, &failure, now, health);
        drop(healths);
        self.budget.limited(&failure, now);
        tracing::warn!(
            model.id = %id,
            failure.kind = %failure.kind,
            failure.status = failure.status,
            rest_s = rest.map(|rest| rest.as_secs()),
            "try failed: {}",
            failure.message
        );
        failure
    }

    /// Lets models work again that were blamed for a limit of the account's.
    fn pardon(&self, blamed: &[ModelId]) {
        let mut healths = self.locked();
        for id in blamed {
            if let Some(health) = healths.get_mut(id) {
                health.pardoned();
                self.store.record_success(id, health);
            }
        }
    }

    /// Notes a tool call that nobody can read, beside the failure that it is.
    pub(super) fn bad_call(&self, id: &ModelId) {
        self.locked().entry(id.clone()).or_default().called_badly(now_ms());
    }

    /// Notes an answer, its first token's time and its pace.
    pub(super) fn answered(&self, id: &ModelId, first_token: Duration, tokens: u32, pace: Duration) {
        self.suspects().answered();
        let mut healths = self.locked();
        let health = healths.entry(id.clone()).or_default();
        health.answered(now_ms());
        health.first_token_after(first_token);
        health.paced(tokens, pace);
        self.store.record_success(id, health);
    }

    /// Forgets the failures and cooldowns of a model, or of all models and with
    /// them the limit of the account, on disk too. Returns the models that had any.
    pub(super) fn forget_failures(&self, model: Option<&ModelId>) -> Vec<ModelId> {
        let mut healths = self.locked();
        self.store.forget(model);
        let mut forgotten = Vec::new();
        for (id, health) in healths.iter_mut() {
            if model.is_none_or(|model| model == id) {
                if health.forget_failures() {
                    forgotten.push(id.clone());
                }
                self.store.record_success(id, health);
            }
        }
        drop(healths);
        if model.is_none() {
            self.budget.reopen();
        }
        forgotten.sort();
        forgotten
    }

    /// Forgets the models that are not in a catalogue, but for those at work.
    pub fn keep_only(&self, catalog: &Catalog) {
        self.locked().retain(|id, health| {
            let kept = health.in_flight > 0 || catalog.number(id).is_some();
            if !kept {
                self.store.forget(Some(id));
            }
            kept
        });
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<ModelId, Health>> {
        // The arithmetic does not panic; if it did, each health is whole.
        self.healths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn suspects(&self) -> MutexGuard<'_, Suspects> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fact(model: u32, health: &Health, now: u64) -> Fact {
    let (successes, failures) = health.recent(now);
    Fact {
        model,
        standing: health.standing(now),
        unfit: false,
        in_flight: health.in_flight,
        successes,
        failures,
        by_kind: health.recent_failures(now),
        bad_calls: health.recent_bad_calls(now),
        failures_in_a_row: health.in_a_row,
        last_failure_ms: health.last_failure.as_ref().map(|last| now.saturating_sub(last.at)),
        first_token_ms: health.first_token_ms,
        tokens_per_second: health.tokens_per_second,
    }
}
