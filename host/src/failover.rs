//! The attempt engine: one loop for every face, streaming or not.
//!
//! Asks the policy for an order, tries one model after the other until one
//! commits, and tells what failed before. It sends nothing to a client and
//! knows no protocol; what a failure means is decided in `openrouter::failure`,
//! what follows from it in `routing`. Read [`attempt`] for one try, [`ledger`]
//! for what is remembered.

pub mod attempt;
pub mod ledger;
mod pacer;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    catalog::{Model, ModelId, Traits, names::Found},
    chat::{Request, Unreadable},
    failover::{
        attempt::{Attempt, Hold, Reply},
        ledger::{Block, Ledger, now_ms},
        pacer::Pacer,
    },
    openrouter::{Client, request::Body},
    policy::generation::{Decision, Generation, Undecided},
    routing::{
        Failure, FailureKind, Rests, Then,
        health::Standing,
        plan::{Pick, Plan, Query, Target, Tried, Verdict},
    },
};

/// A wait that the upstream asks for is granted up to this: a minute's window.
const LONGEST_WAIT: Duration = Duration::from_secs(65);

/// The operator's bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Calls for one request at most.
    pub max_attempts: u32,
    /// The time for all of them together, until one commits.
    pub deadline: Duration,
    /// The time for one of them, until it commits.
    pub first_token: Duration,
    /// Calls a minute; 0 does not pace.
    pub requests_per_minute: u32,
    /// Rests of models that failed.
    pub rests: Rests,
}

/// Answers chat requests with whatever model can.
pub struct Failover {
    client: Client,
    ledger: Arc<Ledger>,
    pacer: Pacer,
    limits: Limits,
}

/// An answer that has begun.
pub struct Answered {
    /// The model that gives it.
    pub model: ModelId,
    /// The tries before it.
    pub tried: Vec<Try>,
    /// What was in force.
    pub generation: Arc<Generation>,
    /// Whether the policy failed, and the fallback decided.
    pub fallback: bool,
    /// The answer itself.
    pub reply: Reply,
}

/// A try that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// The model; its name, if it is not served.
    pub model: String,
    /// What went wrong.
    pub failure: Failure,
}

/// No answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account may send nothing for a while.
    #[error("{} until the limit is reset", .0.kind)]
    Account(Block, Duration),
    /// The name fits several models.
    #[error("model '{name}' is ambiguous: {}", .ids.join(", "))]
    Ambiguous {
        /// What the client wrote.
        name: String,
        /// The models that it fits.
        ids: Vec<String>,
    },
    /// The policy refuses the request.
    #[error("{message}")]
    Denied {
        /// HTTP status, 400 to 599.
        status: u16,
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
    /// Every try failed, or one in a way that no other model helps.
    #[error("no model answered")]
    Failed {
        /// The tries, the last one last.
        tried: Vec<Try>,
        /// When a model is due again, if all of them rest.
        due_in: Option<Duration>,
    },
    /// There is no catalogue yet.
    #[error("there is no list of models yet")]
    NoCatalog,
    /// No model can do what the request needs.
    #[error("no model that may be used can answer this request")]
    NoCandidates {
        /// The model asked for by name, if one was.
        asked: Option<String>,
        /// What it needs.
        needs: crate::catalog::Capabilities,
    },
    /// The policy failed, and so do requests.
    #[error("the policy failed")]
    Policy(#[source] Undecided),
    /// A turn would come too late.
    #[error("too many requests at once")]
    TooLate(Duration),
    /// No model has this name.
    #[error("model '{0}' not found")]
    Unknown(String),
    /// A field of the request cannot be used.
    #[error(transparent)]
    Unusable(#[from] Unreadable),
}

impl Failover {
    /// Makes an engine.
    pub fn new(client: Client, ledger: Arc<Ledger>, limits: Limits) -> Self {
        Self { client, ledger, pacer: Pacer::new(limits.requests_per_minute), limits }
    }

    /// Returns what is remembered.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Returns the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Finds the model that a client means.
    pub fn find(&self, name: &str, generation: &Generation) -> Result<Target, Error> {
        let free_mode = generation.settings.free_mode;
        match generation.names.find(name, &generation.catalog, free_mode, generation.unknown) {
            Found::Any => Ok(Target::Any),
            Found::Model(number) => Ok(Target::Model(number)),
            Found::Gone => Ok(Target::Gone),
            Found::Ambiguous(ids) => Err(Error::Ambiguous { name: name.to_owned(), ids }),
            Found::Unknown => Err(Error::Unknown(name.to_owned())),
        }
    }

    /// Answers a request, under one generation from its start to its end.
    ///
    /// Nothing has been sent to the client when this returns. Dropping the
    /// future ends a call in progress at once.
    pub async fn chat(&self, request: Request, generation: Arc<Generation>) -> Result<Answered, Error> {
        if generation.catalog.models().is_empty() {
            return Err(Error::NoCatalog);
        }
        let target = self.find(&request.model, &generation)?;
        let query = self.query(&request, target);
        let block = self.ledger.account(query.now_ms);
        if generation.settings.free_mode
            && let Some(block) = block
        {
            return Err(blocked(block, query.now_ms));
        }
        let (mut order, fallback) = self.order(&query, &request.model, &generation).await?;
        if let Some(block) = block {
            // The limit is on free models; those that are paid for go on.
            order.retain(|number| !is_free(&generation, *number));
            if order.is_empty() {
                return Err(blocked(block, query.now_ms));
            }
        }
        let hold = if request.streaming { Hold::FirstSubstance } else { Hold::Everything };
        let mut tried = Vec::new();
        if target == Target::Gone {
            let failure = Failure::new(FailureKind::Gone, "not served now");
            tried.push(Try { model: request.model.clone(), failure });
        }
        let chain = Chain {
            engine: self,
            generation: &generation,
            query,
            body: Body::new(request.fields, generation.settings.free_mode)?,
            hold,
            deadline: Instant::now() + self.limits.deadline,
            order,
            calls: 0,
            told: Vec::new(),
            tried,
            waited: false,
        };
        let (model, tried, reply) = chain.run().await?;
        Ok(Answered { model, tried, generation, fallback, reply })
    }

    fn query(&self, request: &Request, target: Target) -> Query {
        Query {
            target,
            needs: request.needs,
            wishes: request.wishes,
            streaming: request.streaming,
            limit: self.limits.max_attempts,
            quota_left: None,
            now_ms: now_ms(),
            seed: fastrand::u64(..),
            explain: false,
        }
    }

    /// Asks the policy, and takes out what must rest. Tells too whether the
    /// policy failed and the fallback decided.
    async fn order(&self, query: &Query, name: &str, generation: &Generation) -> Result<(VecDeque<u32>, bool), Error> {
        let facts = self.ledger.facts(&generation.catalog, query.now_ms);
        let (plan, fallback) = match generation.decide(query, &facts).await {
            Ok(Decision::Plan(plan)) => (plan, false),
            Ok(Decision::Fallback(plan)) => (plan, true),
            Ok(Decision::Deny { status, code, message }) => return Err(Error::Denied { status, code, message }),
            Err(Undecided::NoCandidates) => {
                let asked = matches!(query.target, Target::Model(_)).then(|| name.to_owned());
                return Err(Error::NoCandidates { asked, needs: query.needs.capabilities });
            }
            Err(failed @ Undecided::PolicyFailed(_)) => return Err(Error::Policy(failed)),
        };
        Ok((self.rested(&plan, generation, query.now_ms), fallback))
    }

    /// Leaves out models that rest, and those on trial that are being tried
    /// just now. If that leaves none, the one due first is tried after all.
    fn rested(&self, plan: &Plan, generation: &Generation, now: u64) -> VecDeque<u32> {
        let mut ready = VecDeque::new();
        let mut due_first: Option<(u64, u32)> = None;
        for &Pick { model, .. } in plan.order() {
            let Some(id) = generation.catalog.model(model).map(|model| &model.id) else { continue };
            let wait = match self.ledger.standing(id, now) {
                (Standing::Ready, _) | (Standing::OnTrial, 0) => {
                    ready.push_back(model);
                    continue;
                }
                (Standing::OnTrial, _) => 0,
                (Standing::Cooling(ms), _) => ms,
            };
            if due_first.is_none_or(|(earlier, _)| wait < earlier) {
                due_first = Some((wait, model));
            }
        }
        if ready.is_empty() {
            ready.extend(due_first.map(|(_, model)| model));
        }
        ready
    }
}

fn blocked(block: Block, now_ms: u64) -> Error {
    let wait = Duration::from_millis(block.until_ms.saturating_sub(now_ms));
    Error::Account(block, wait)
}

fn is_free(generation: &Generation, number: u32) -> bool {
    generation.catalog.model(number).is_some_and(|model| model.traits.contains(Traits::FREE))
}

/// One request on its way through the models.
struct Chain<'a> {
    engine: &'a Failover,
    generation: &'a Generation,
    query: Query,
    body: Body,
    hold: Hold,
    deadline: Instant,
    order: VecDeque<u32>,
    calls: u32,
    /// What the policy is told of the tries.
    told: Vec<Tried>,
    /// What the client is told of them.
    tried: Vec<Try>,
    waited: bool,
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

impl Chain<'_> {
    /// Tries until a model commits. One call in here, one way out of each end.
    async fn run(mut self) -> Result<(ModelId, Vec<Try>, Reply), Error> {
        while let Some(number) = self.order.pop_front()
            && self.calls < self.engine.limits.max_attempts
            && Instant::now() < self.deadline
        {
            let Some(model) = self.generation.catalog.model(number) else { continue };
            if let Err(late) = self.engine.pacer.turn(self.deadline).await {
                if self.calls > 0 {
                    break;
                }
                return Err(Error::TooLate(late.wait));
            }
            self.calls += 1;
            let started = Instant::now();
            let attempt = Attempt {
                client: &self.engine.client,
                ledger: &self.engine.ledger,
                id: &model.id,
                body: self.body.for_model(model),
                first_by: (started + self.engine.limits.first_token).min(self.deadline),
                hold: self.hold,
            };
            let failure = match attempt.run().await {
                Ok(reply) => return Ok((model.id.clone(), self.tried, reply)),
                Err(failure) => failure,
            };
            let elapsed_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
            self.told.push(Tried { model: number, kind: failure.kind, status: failure.status, elapsed_ms });
            self.tried.push(Try { model: model.id.to_string(), failure: failure.clone() });
            match self.step(model, &failure).await {
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
                self.order.retain(|number| !is_free(self.generation, *number));
                if self.order.is_empty() { Step::Stop } else { Step::Next }
            }
            Then::Stop => Step::Stop,
            Then::Wait => {
                let wait = failure.retry_after.unwrap_or(LONGEST_WAIT);
                self.engine.pacer.hold(wait);
                let in_time = wait <= LONGEST_WAIT && Instant::now() + wait < self.deadline;
                if in_time && !std::mem::replace(&mut self.waited, true) { Step::Again(wait) } else { Step::Stop }
            }
        }
    }

    /// Lets the policy say what is next, if it has a say.
    async fn ask_policy(&mut self) -> Step {
        let now = now_ms();
        let facts = self.engine.ledger.facts(&self.generation.catalog, now);
        let left: Vec<u32> = self.order.iter().copied().collect();
        match self.generation.after_failure(&self.query, &self.told, &left, &facts).await {
            Verdict::Next => Step::Next,
            Verdict::RetryAfterMs(ms) => Step::Again(Duration::from_millis(ms.into()).min(LONGEST_WAIT)),
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
        for number in self.generation.candidates(&self.query.needs).into_iter().filter(larger) {
            let known = self.order.contains(&number) || self.told.iter().any(|tried| tried.model == number);
            if !known {
                self.order.push_back(number);
            }
        }
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
