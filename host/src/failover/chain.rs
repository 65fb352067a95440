//! One request on its way through the models, until one commits.
//!
//! The loop has one call in it and one way out of each end; what a failure leads
//! to is looked up in `routing`, and the policy is asked where it has a say.
//! Sends nothing to a client. What makes a chain is `crate::failover`.

use std::{collections::VecDeque, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    catalog::{Model, ModelId, Traits},
    clock::now_ms,
    failover::{
        Error, Failover, Try,
        attempt::{Attempt, Hold, Reply},
        blocked,
        budget::{Block, Scout},
        is_free,
    },
    openrouter::{failure::lesson::lesson, request::Body},
    policy::generation::Generation,
    routing::{
        Failure, FailureKind, Then,
        health::Standing,
        plan::{Query, Tried, Verdict},
    },
};

/// Who waited longer for its turn looks again whether its model rests by now.
const LONG_TURN: Duration = Duration::from_secs(1);

/// A wait that the upstream asks for is granted up to this: a minute's window.
const LONGEST_WAIT: Duration = Duration::from_secs(65);

/// One request on its way through the models.
pub(super) struct Chain<'a> {
    pub(super) engine: &'a Failover,
    pub(super) generation: &'a Generation,
    pub(super) query: Query,
    pub(super) body: Body,
    pub(super) hold: Hold,
    pub(super) deadline: Instant,
    pub(super) order: VecDeque<u32>,
    pub(super) calls: u32,
    /// What the policy is told of the tries.
    pub(super) told: Vec<Tried>,
    /// What the client is told of them.
    pub(super) tried: Vec<Try>,
    /// Keys that were refused on the way, by their places.
    pub(super) spent_keys: Vec<usize>,
    /// Whether it had its turn, and made no call for it yet.
    pub(super) has_turn: bool,
    pub(super) waited: bool,
}

/// Whether a model may be called now.
enum Admission<'a> {
    /// It may, perhaps ahead of others.
    Go(Option<Scout<'a>>),
    /// It came to rest meanwhile.
    Skip,
    /// No free model may.
    Halt(Halt),
}

/// Why no free model may be called.
enum Halt {
    /// The turn would come too late.
    TooLate(Duration),
    /// The account may send nothing.
    Blocked(Block),
}

impl From<Halt> for Error {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::TooLate(wait) => Self::TooLate(wait),
            Halt::Blocked(block) => blocked(block, now_ms()),
        }
    }
}

/// Where a chain goes after a failure.
enum Step {
    /// To the next model.
    Next,
    /// To the same model, after a wait.
    Again(Duration),
    /// To the client.
    Stop,
}

impl<'a> Chain<'a> {
    /// Tries until a model commits. One call in here, one way out of each end.
    pub(super) async fn run(mut self) -> Result<(ModelId, Vec<Try>, Reply), Error> {
        while let Some(number) = self.order.pop_front()
            && self.calls < self.query.limit
            && Instant::now() < self.deadline
        {
            let Some(model) = self.generation.catalog.model(number) else { continue };
            let scout = match self.admission(number).await {
                Admission::Go(scout) => scout,
                Admission::Skip => continue,
                Admission::Halt(_) if self.without_free() => continue,
                Admission::Halt(halt) if self.calls == 0 => return Err(halt.into()),
                Admission::Halt(_) => break,
            };
            let Some((key, client)) = self.engine.keys.pick(&self.spent_keys, now_ms()) else { break };
            self.calls += 1;
            self.has_turn = false;
            let started = Instant::now();
            let full = started + self.engine.limits.first_token;
            let body = self.body.for_model(&self.engine.ledger.taught(model, now_ms()));
            let attempt = Attempt {
                client,
                ledger: &self.engine.ledger,
                id: &model.id,
                body: body.clone(),
                first_by: full.min(self.deadline),
                hurried: self.deadline < full,
                free_mode: self.generation.settings.free_mode,
                max_repeats: self.engine.limits.max_repeats,
                hold: self.hold,
                scout,
            };
            let step = match attempt.run().await {
                Ok(reply) => {
                    self.accepted(key, number);
                    return Ok((model.id.clone(), self.tried, reply));
                }
                Err(failure) => self.failed(number, key, &body, failure, started.elapsed()).await,
            };
            match step {
                Step::Next => {}
                Step::Again(wait) => {
                    self.order.push_front(number);
                    sleep(wait).await;
                }
                Step::Stop => break,
            }
        }
        let due_in = self.due_in();
        Err(Error::Failed { tried: self.tried, due_in })
    }

    /// Waits until a model may be called: the pace and the limits are those of the
    /// account's free requests.
    async fn admission(&mut self, number: u32) -> Admission<'a> {
        let engine = self.engine;
        let budget = engine.ledger.budget();
        if !is_free(self.generation, number) {
            return Admission::Go(None);
        }
        let waited_from = Instant::now();
        if !self.has_turn {
            let turn = tokio::select! {
                biased;
                block = budget.blocked(now_ms) => return Admission::Halt(Halt::Blocked(block)),
                turn = engine.pacer.turn(self.deadline) => turn,
            };
            if let Err(late) = turn {
                return Admission::Halt(Halt::TooLate(late.wait));
            }
            self.has_turn = true;
        }
        let scout = budget.scout(now_ms).await;
        // It may have come to rest while this request waited.
        if !self.order.is_empty() && waited_from.elapsed() > LONG_TURN && self.rests(number) {
            return Admission::Skip;
        }
        match budget.spend(now_ms()) {
            Ok(()) => Admission::Go(scout),
            Err(block) => Admission::Halt(Halt::Blocked(block)),
        }
    }

    /// Takes the free models out of the order, and tells whether any are left.
    fn without_free(&mut self) -> bool {
        self.order.retain(|number| !is_free(self.generation, *number));
        !self.order.is_empty()
    }

    fn accepted(&self, key: usize, number: u32) {
        self.engine.keys.accepted(key);
        if is_free(self.generation, number) {
            self.engine.ledger.budget().prove();
        }
    }

    /// Notes a failure, and says where to go from it.
    async fn failed(&mut self, number: u32, key: usize, sent: &[u8], mut failure: Failure, elapsed: Duration) -> Step {
        let Some(model) = self.generation.catalog.model(number) else { return Step::Next };
        if is_free(self.generation, number) {
            self.engine.ledger.budget().failed(&failure);
        }
        let is_keys = self.engine.keys.failed(key, &failure, now_ms());
        if is_keys && let Some(name) = self.engine.keys.name(key) {
            failure.message = format!("{name}: {}", failure.message);
        }
        let (kind, status) = (failure.kind, failure.status);
        self.tried.push(Try { model: model.id.to_string(), failure: failure.clone() });
        if is_keys {
            // The model is innocent: it is asked again with the next key, and that
            // is no further try.
            self.calls -= 1;
            self.spent_keys.push(key);
            let is_left = self.engine.keys.pick(&self.spent_keys, now_ms()).is_some();
            return if is_left { Step::Again(Duration::ZERO) } else { Step::Stop };
        }
        if let Some(lesson) = lesson(&failure) {
            let now = now_ms();
            self.engine.ledger.learn(model, lesson, &self.query.needs, now);
            // What was learned may be heeded by leaving something out: a switch that
            // the model does not know, or a choice that is the usual one.
            if self.body.for_model(&self.engine.ledger.taught(model, now)) != sent {
                return Step::Again(Duration::ZERO);
            }
        }
        let elapsed_ms = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX);
        self.told.push(Tried { model: number, kind, status, elapsed_ms });
        self.step(model, &failure).await
    }

    async fn step(&mut self, model: &Model, failure: &Failure) -> Step {
        match failure.kind.consequence(self.engine.limits.rests).then {
            Then::Next => self.ask_policy().await,
            Then::NextLarger => {
                self.larger_than(model);
                Step::Next
            }
            Then::NextOnce => {
                let refusals = self.tried.iter().filter(|tried| tried.failure.kind == failure.kind).count();
                if refusals > 1 { Step::Stop } else { Step::Next }
            }
            Then::Stop if failure.kind == FailureKind::RateLimitedDay => {
                if self.without_free() {
                    Step::Next
                } else {
                    Step::Stop
                }
            }
            Then::Stop => Step::Stop,
            Then::Wait => {
                let wait = failure.retry_after.unwrap_or(LONGEST_WAIT);
                if model.traits.contains(Traits::FREE) {
                    self.engine.pacer.hold(wait);
                }
                let in_time = wait <= LONGEST_WAIT && Instant::now() + wait < self.deadline;
                if in_time && !std::mem::replace(&mut self.waited, true) { Step::Again(wait) } else { Step::Stop }
            }
        }
    }

    /// Lets the policy say what is next, if it has a say.
    async fn ask_policy(&mut self) -> Step {
        let now = now_ms();
        let facts = self.engine.ledger.facts(&self.generation.catalog, &self.query.needs, now);
        let left: Vec<u32> = self.order.iter().copied().collect();
        match self.generation.after_failure(&self.query, &self.told, &left, &facts).await {
            Verdict::Next => Step::Next,
            Verdict::RetryAfterMs(ms) => {
                let wait = Duration::from_millis(ms.into()).min(LONGEST_WAIT);
                if Instant::now() + wait < self.deadline { Step::Again(wait) } else { Step::Stop }
            }
            Verdict::Replace(order) => {
                self.order = order.into_iter().map(|pick| pick.model).collect();
                Step::Next
            }
            Verdict::GiveUp => Step::Stop,
        }
    }

    /// Keeps only models with more room than one that was too small, and adds
    /// those that the policy's order had no place for.
    fn larger_than(&mut self, small: &Model) {
        let catalog = &self.generation.catalog;
        let larger = |number: &u32| catalog.model(*number).is_some_and(|m| m.context_tokens > small.context_tokens);
        self.order.retain(larger);
        if !self.generation.settings.free_mode {
            // Nobody's bill changes by surprise: the policy's order is all there is.
            return;
        }
        let facts = self.engine.ledger.facts(catalog, &self.query.needs, now_ms());
        for number in self.generation.fit(&self.query, &facts).into_iter().filter(larger) {
            let known = self.order.contains(&number) || self.told.iter().any(|tried| tried.model == number);
            if !known && !self.rests(number) {
                self.order.push_back(number);
            }
        }
    }

    fn rests(&self, number: u32) -> bool {
        self.generation
            .catalog
            .model(number)
            .is_some_and(|model| matches!(self.engine.ledger.standing(&model.id, now_ms()).0, Standing::Cooling(_)))
    }

    /// Returns when the first of the models tried is due again.
    fn due_in(&self) -> Option<Duration> {
        let now = now_ms();
        let waits = self.told.iter().filter_map(|tried| {
            let id = &self.generation.catalog.model(tried.model)?.id;
            match self.engine.ledger.standing(id, now).0 {
                Standing::Cooling(ms) => Some(Duration::from_millis(ms)),
                Standing::Ready | Standing::OnTrial => None,
            }
        });
        waits.min()
    }
}
