//! Texts into vectors: by the one model that was asked for.
//!
//! Vectors of two models cannot be compared, and a collection that holds both is
//! spoilt for good. So nobody stands in for a model that fails: a passing
//! failure is tried once more, and then the client is told. Limits of the
//! account, the pace and the policy's say are those of every request. Knows no
//! protocol.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    catalog::{Capabilities, Model, ModelId, Traits, names::Found},
    clock::now_ms,
    embeddings::{Request, Vectors},
    failover::{Error, Failover, Try, attempt::Flight, blocked, is_free},
    openrouter::request,
    policy::generation::Generation,
    routing::{
        Failure, FailureKind, Then,
        needs::Needs,
        plan::{Query, Target},
    },
};

/// Calls for one request: the first, and one more after a passing failure.
const MAX_CALLS: usize = 2;

/// Vectors, and where they come from.
pub struct Embedded {
    /// The model that made them.
    pub model: ModelId,
    /// The tries before it, all of the same model.
    pub tried: Vec<Try>,
    /// What was in force.
    pub generation: Arc<Generation>,
    /// Whether the policy failed, and the fallback decided.
    pub fallback: bool,
    /// The vectors.
    pub vectors: Vectors,
}

/// Why no model makes vectors under a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NoVectors {
    /// The name, as the client wrote it.
    pub name: String,
    /// What is wrong with it.
    pub why: Why,
    /// The names of the models that make vectors.
    pub able: Vec<String>,
    /// Whether only free models are used.
    pub free_mode: bool,
    /// Whether the policy hides models that could make them.
    pub hidden: bool,
}

/// What is wrong with a name where vectors are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its model costs money, and free mode is on.
    NotFree,
    /// It means several models, and vectors of two cannot be compared.
    Several,
    /// Its model makes no vectors.
    Unable,
    /// No model has it.
    Unknown,
}

impl fmt::Display for NoVectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, why, able, free_mode, hidden } = self;
        // Ollama's words come first, because its clients look for them.
        match why {
            Why::NotFree => {
                write!(f, "model \"{name}\" not found, try pulling it first: it costs money, and free mode is on")?;
            }
            Why::Unknown => write!(f, "model \"{name}\" not found, try pulling it first")?,
            Why::Several => {
                write!(
                    f,
                    "\"{name}\" does not support embeddings, for vectors of different models cannot be compared"
                )?;
            }
            Why::Unable => write!(f, "\"{name}\" does not support embeddings")?,
        }
        match (able.is_empty(), free_mode) {
            (true, _) if *hidden => f.write_str(
                "; every embedding model is hidden by the policy: see the filter file and mode.tool_use_only",
            ),
            (true, true) => f.write_str("; OpenRouter serves no free embedding model now, and free mode is on"),
            (true, false) => f.write_str("; there is no embedding model that may be used"),
            (false, _) if *why == Why::Unknown => Ok(()),
            (false, _) => write!(f, "; use one of: {}", able.join(", ")),
        }
    }
}

impl Failover {
    /// Finds the model that a client means where it wants vectors.
    ///
    /// `auto` means the only embedding model there is, never one of several.
    pub fn find_embedder(&self, name: &str, generation: &Generation) -> Result<u32, Error> {
        let (catalog, free_mode) = (&generation.catalog, generation.settings.free_mode);
        let embeds = |number: &u32| catalog.model(*number).is_some_and(Model::embeds);
        let able: Vec<u32> = generation.visible.iter().copied().filter(embeds).collect();
        let why = match generation.names.find(name, catalog, free_mode, generation.unknown) {
            Found::Model(number) if embeds(&number) => return Ok(number),
            Found::Model(_) => Why::Unable,
            Found::Ambiguous(ids) => return Err(Error::Ambiguous { name: name.to_owned(), ids }),
            Found::Any => match able[..] {
                [only] => return Ok(only),
                _ => Why::Several,
            },
            Found::Gone | Found::Unknown if free_mode && costs_money(name, generation) => Why::NotFree,
            Found::Gone | Found::Unknown => Why::Unknown,
        };
        let mut usable = catalog.models().iter().filter(|model| !free_mode || model.traits.contains(Traits::FREE));
        let hidden = able.is_empty() && usable.any(Model::embeds);
        let able = able.iter().filter_map(|number| generation.names.shown(*number)).map(str::to_owned).collect();
        Err(Error::NoVectors(NoVectors { name: name.to_owned(), why, able, free_mode, hidden }))
    }

    /// Turns texts into vectors, under one generation from start to end.
    ///
    /// Dropping the future ends a call in progress at once.
    pub async fn embed(&self, request: Request, generation: Arc<Generation>) -> Result<Embedded, Error> {
        if generation.catalog.models().is_empty() {
            return Err(Error::NoCatalog);
        }
        let number = self.find_embedder(&request.model, &generation)?;
        let Some(model) = generation.catalog.model(number) else { return Err(Error::Unknown(request.model)) };
        let query = query(number, request.input_tokens);
        let is_free = is_free(&generation, number);
        if is_free && let Some(block) = self.ledger.account(query.now_ms) {
            self.ledger.budget().refused();
            return Err(blocked(block, query.now_ms));
        }
        // There is one model to choose from, but a policy may still refuse.
        let (_, fallback) = self.plan(&query, &request.model, &generation).await?;
        let free_mode = generation.settings.free_mode;
        let body = request::for_vectors(request.fields, model, free_mode)?;
        let deadline = Instant::now() + self.limits.deadline;
        let id = model.id.clone();
        let mut tried: Vec<Try> = Vec::new();
        let mut spent_keys: Vec<usize> = Vec::new();
        loop {
            if is_free && let Err(error) = self.admit(deadline).await {
                return Err(if tried.is_empty() { error } else { Error::Failed { tried, due_in: None } });
            }
            let Some((key, client)) = self.keys.pick(&spent_keys, now_ms()) else {
                return Err(Error::Failed { tried, due_in: None });
            };
            let flight = Flight::begin(&self.ledger, &id);
            let failure = match timeout_at(deadline, client.embed(body.clone())).await {
                Ok(Ok(vectors)) => {
                    flight.answered();
                    self.keys.accepted(key);
                    if free_mode && vectors.usage.and_then(|usage| usage.cost).is_some_and(|cost| cost > 0.0) {
                        tracing::error!(model.id = %id, "vectors in free mode were not free");
                    }
                    return Ok(Embedded { model: id, tried, generation, fallback, vectors });
                }
                Ok(Err(failure)) => failure,
                Err(_) => Failure::new(FailureKind::TimedOut, "no vectors came in time"),
            };
            let failure = flight.failed(failure);
            drop(flight);
            if is_free {
                self.ledger.budget().failed(&failure);
            }
            let again = if self.keys.failed(key, &failure, now_ms()) {
                // The model is innocent: the next key is tried, and that is no further call.
                spent_keys.push(key);
                self.keys.pick(&spent_keys, now_ms()).map(|_| Duration::ZERO)
            } else {
                self.again(&failure, tried.len() + 1 - spent_keys.len(), deadline)
            };
            tried.push(Try { model: id.to_string(), failure });
            match again {
                Some(wait) => sleep(wait).await,
                None => return Err(Error::Failed { tried, due_in: None }),
            }
        }
    }

    /// Waits until a free model may be called, and counts the call.
    async fn admit(&self, deadline: Instant) -> Result<(), Error> {
        let budget = self.ledger.budget();
        tokio::select! {
            biased;
            block = budget.blocked(now_ms) => return Err(blocked(block, now_ms())),
            turn = self.pacer.turn(deadline) => turn.map_err(|late| Error::TooLate(late.wait))?,
        }
        budget.spend(now_ms()).map_err(|block| blocked(block, now_ms()))
    }

    /// Returns how long to wait before the same model is asked once more; `None`
    /// if that would not help.
    fn again(&self, failure: &Failure, calls: usize, deadline: Instant) -> Option<Duration> {
        let wait = match failure.kind.consequence(self.limits.rests).then {
            Then::Wait => {
                let wait = failure.retry_after?;
                self.pacer.hold(wait);
                wait
            }
            Then::Next if is_passing(failure.kind) => Duration::ZERO,
            Then::Next | Then::NextLarger | Then::NextOnce | Then::Stop => return None,
        };
        (calls < MAX_CALLS && Instant::now() + wait < deadline).then_some(wait)
    }
}

fn query(number: u32, input_tokens: u32) -> Query {
    Query {
        target: Target::Model(number),
        needs: Needs { capabilities: Capabilities::EMBEDDINGS, input_tokens, ..Needs::default() },
        wishes: Capabilities::empty(),
        streaming: false,
        limit: 1,
        quota_left: None,
        now_ms: now_ms(),
        seed: fastrand::u64(..),
        explain: false,
    }
}

/// Tells whether the same call may well succeed a moment later.
fn is_passing(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::BadAnswer
            | FailureKind::Connect
            | FailureKind::Interrupted
            | FailureKind::Overloaded
            | FailureKind::ServerError
    )
}

/// Tells whether a name is that of an embedding model that is not free.
fn costs_money(name: &str, generation: &Generation) -> bool {
    let name = name.trim().to_lowercase();
    let name = name.strip_suffix(":latest").unwrap_or(&name);
    let is_named = |id: &ModelId| [id.as_str(), id.tail()].iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut models = generation.catalog.models().iter();
    models.any(|model| model.embeds() && !model.traits.contains(Traits::FREE) && is_named(&model.id))
}
