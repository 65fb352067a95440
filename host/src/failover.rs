//! The attempt engine: one loop for every face, streaming or not.
//!
//! Asks the policy for an order, tries one model after the other until one
//! commits, and tells what failed before. It sends nothing to a client and
//! knows no protocol; what a failure means is decided in `openrouter::failure`,
//! what follows from it in `routing`. Read `chain` for the loop, [`attempt`] for
//! one try, [`embed`] for vectors, [`explain`] for reasons, [`ledger`] for what is remembered, `budget`,
//! `pacer` and `keys` for what the account allows.

pub mod attempt;
pub mod budget;
mod chain;
pub mod embed;
pub mod explain;
mod inquiry;
pub mod keys;
pub mod ledger;
mod pacer;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    catalog::{Capabilities, Model, ModelId, Traits, names::Found},
    chat::{Request, Unreadable},
    clock::now_ms,
    failover::{
        attempt::{Hold, Reply},
        budget::Block,
        chain::Chain,
        embed::NoVectors,
        keys::{KeyCount, Keys},
        ledger::Ledger,
        pacer::Pacer,
    },
    openrouter::{Client, request::Body},
    policy::generation::{Decision, Generation, Undecided},
    routing::{
        Failure, FailureKind, Rests,
        health::Standing,
        needs::Needs,
        plan::{Pick, Plan, Query, Target},
    },
};

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
    /// Pieces of an answer that may repeat those before them in a row; 0 for any number.
    pub max_repeats: u32,
    /// Rests of models that failed.
    pub rests: Rests,
}

/// Answers chat requests with whatever model can.
pub struct Failover {
    client: Client,
    keys: Arc<Keys>,
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
        /// What that model, or else every model, lacks for it; empty if what
        /// stands in the way is something else.
        lacking: Capabilities,
    },
    /// The model turns texts into vectors, and does not chat.
    #[error("\"{0}\" does not support chat")]
    NotChat(String),
    /// No model turns texts into vectors under the name.
    #[error(transparent)]
    NoVectors(NoVectors),
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
        let keys = Arc::new(Keys::new(&client));
        Self { client, keys, ledger, pacer: Pacer::new(limits.requests_per_minute), limits }
    }

    /// Asks OpenRouter what the account has left, at once and while it is used,
    /// until the future is dropped.
    pub fn inquiry(&self) -> impl Future<Output = ()> + Send + use<> {
        inquiry::run(Arc::clone(&self.keys), Arc::clone(&self.ledger))
    }

    /// Returns how many keys there are, and how many can be used.
    pub fn keys(&self, now: u64) -> KeyCount {
        self.keys.count(now)
    }

    /// Returns what is remembered.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Returns the client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns how many requests wait for their turn within the minute.
    pub fn queued(&self) -> usize {
        self.pacer.queued()
    }

    /// Forgets the failures and cooldowns of a model, or of all models and with
    /// them the limits of the account and its keys. Returns the models that had any.
    pub fn forget_failures(&self, model: Option<&ModelId>) -> Vec<ModelId> {
        if model.is_none() {
            self.keys.forget();
        }
        self.ledger.forget_failures(model)
    }

    /// Finds the model that a client means.
    pub fn find(&self, name: &str, generation: &Generation) -> Result<Target, Error> {
        find(name, generation)
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
        if let Target::Model(number) = target
            && generation.catalog.model(number).is_some_and(Model::embeds)
        {
            return Err(Error::NotChat(request.model));
        }
        let (needs, wishes) = (request.needs, request.wishes);
        let query = self.query(target, (needs, wishes, request.streaming), generation.settings.free_mode);
        let block = self.ledger.account(query.now_ms);
        if generation.settings.free_mode
            && let Some(block) = block
        {
            self.ledger.budget().refused();
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
        let hold = match (request.streaming, request.whole_calls) {
            (false, _) => Hold::Everything,
            (true, true) => Hold::Calls,
            (true, false) => Hold::FirstSubstance,
        };
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
            spent_keys: Vec::new(),
            has_turn: false,
            waited: false,
        };
        let (model, tried, reply) = chain.run().await?;
        Ok(Answered { model, tried, generation, fallback, reply })
    }

    fn query(&self, target: Target, (needs, wishes, streaming): (Needs, Capabilities, bool), free_mode: bool) -> Query {
        let now_ms = now_ms();
        let quota_left = self.ledger.left(now_ms).map(|left| left.remaining);
        // Every try counts, so none is planned that the account has not left.
        let most = quota_left.filter(|_| free_mode).unwrap_or(u32::MAX).max(1);
        Query {
            target,
            needs,
            wishes,
            streaming,
            limit: self.limits.max_attempts.min(most),
            quota_left,
            now_ms,
            seed: fastrand::u64(..),
            explain: false,
        }
    }

    /// Asks the policy, and takes out what must rest. Tells too whether the
    /// policy failed and the fallback decided.
    async fn order(&self, query: &Query, name: &str, generation: &Generation) -> Result<(VecDeque<u32>, bool), Error> {
        let (plan, fallback) = self.plan(query, name, generation).await?;
        Ok((self.rested(&plan, generation, query.now_ms), fallback))
    }

    /// Asks the policy. Tells too whether it failed and the fallback decided.
    async fn plan(&self, query: &Query, name: &str, generation: &Generation) -> Result<(Plan, bool), Error> {
        let facts = self.ledger.facts(&generation.catalog, &query.needs, query.now_ms);
        match generation.decide(query, facts).await {
            Ok(Decision::Plan(plan)) => Ok((plan, false)),
            Ok(Decision::Fallback(plan)) => Ok((plan, true)),
            Ok(Decision::Deny { status, code, message }) => Err(Error::Denied { status, code, message }),
            Err(Undecided::NoCandidates) => {
                let asked = matches!(query.target, Target::Model(_)).then(|| name.to_owned());
                Err(Error::NoCandidates { asked, lacking: lacking(query, generation) })
            }
            Err(failed @ Undecided::PolicyFailed(_)) => Err(Error::Policy(failed)),
        }
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

/// Finds the model that a name means.
fn find(name: &str, generation: &Generation) -> Result<Target, Error> {
    let free_mode = generation.settings.free_mode;
    match generation.names.find(name, &generation.catalog, free_mode, generation.unknown) {
        Found::Any => Ok(Target::Any),
        Found::Model(number) => Ok(Target::Model(number)),
        Found::Gone => Ok(Target::Gone),
        Found::Ambiguous(ids) => Err(Error::Ambiguous { name: name.to_owned(), ids }),
        Found::Unknown => Err(Error::Unknown(name.to_owned())),
    }
}

fn blocked(block: Block, now_ms: u64) -> Error {
    let wait = Duration::from_millis(block.until_ms.saturating_sub(now_ms));
    Error::Account(block, wait)
}

/// Returns what stands between a request and its models: what the one asked for
/// lacks, else what all of them lack, else what none has together.
fn lacking(query: &Query, generation: &Generation) -> Capabilities {
    let needs = query.needs.capabilities;
    let asked = match query.target {
        Target::Model(number) => generation.catalog.model(number),
        Target::Any | Target::Gone => None,
    };
    if let Some(model) = asked {
        return needs.difference(model.capabilities);
    }
    let mut models = generation.visible.iter().filter_map(|number| generation.catalog.model(*number)).peekable();
    if models.peek().is_none() {
        return Capabilities::empty();
    }
    let nobody = models.fold(needs, |lacking, model| lacking.difference(model.capabilities));
    if nobody.is_empty() { needs } else { nobody }
}

fn is_free(generation: &Generation, number: u32) -> bool {
    generation.catalog.model(number).is_some_and(|model| model.traits.contains(Traits::FREE))
}
