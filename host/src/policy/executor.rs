//! Warm guests of one policy, and the rule by which they are called.
//!
//! A call begins on the thread that asks, where a sound policy is done within
//! microseconds. One that is still at it after a tick or two goes on on the policies'
//! own threads, under a wall clock, so that no policy holds a thread that
//! streams answers. A guest that faults is dropped and another made, off the
//! path of requests. A caller that goes away leaves its call to end by itself.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

use crate::policy::{
    Fault, Phase, Refused,
    bindings::{exports::ollama_router::policy::failover, ollama_router::policy::types},
    component::Code,
    instance::Instance,
    limits::Limits,
    loading, schema,
    steps::Steps,
};

/// Guests of one policy: more than this never run at once on two threads.
pub(super) const MAX_WARM: usize = 4;

/// How long to wait before a guest that could not be made is tried again.
const REBUILD_PAUSE: Duration = Duration::from_secs(1);

/// A policy with its settings and its catalogue, warm and ready to be asked.
pub(super) struct Executor {
    pool: Arc<Pool>,
}

/// What an executor is made of.
#[derive(Clone)]
pub(super) struct Parts {
    /// The policy.
    pub(super) code: Code,
    /// All its settings, the standard ones too.
    pub(super) settings: Map<String, Value>,
    /// The catalogue and its number.
    pub(super) models: Vec<types::Model>,
    /// See `models`.
    pub(super) epoch: u64,
    /// What it may use.
    pub(super) limits: Limits,
}

struct Pool {
    parts: Parts,
    name: Arc<str>,
    warm: Mutex<Vec<Instance>>,
    free: Semaphore,
}

impl Executor {
    /// Makes one guest, described, configured and with the catalogue loaded, and notes
    /// the phases; any of them may refuse.
    pub(super) async fn start(parts: Parts, steps: Steps) -> Result<(Self, types::Descriptor, types::View), Refused> {
        let threads = parts.code.engine.threads();
        let started = threads.spawn(async move {
            let (first, descriptor, view) = make(&parts, "policy".into(), &steps).await?;
            let name: Arc<str> = descriptor.name.as_str().into();
            let pool = Pool { parts, name, free: Semaphore::new(1), warm: Mutex::new(vec![first]) };
            Ok((Self { pool: Arc::new(pool) }, descriptor, view))
        });
        started.await.unwrap_or_else(|_| Err(shutting_down()))
    }

    /// Makes further guests, until there are as many as can run at once, or `most`.
    pub(super) async fn warm(&self, most: usize) -> Result<(), Refused> {
        let pool = Arc::clone(&self.pool);
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(most);
        let warmed = self.threads().spawn(async move {
            for _ in 1..count {
                let (guest, ..) = make(&pool.parts, Arc::clone(&pool.name), &Steps::default()).await?;
                pool.give_back(guest);
            }
            Ok(())
        });
        warmed.await.unwrap_or_else(|_| Err(shutting_down()))
    }

    /// Returns the threads on which it may take its time.
    pub(super) fn threads(&self) -> Handle {
        self.pool.parts.code.engine.threads()
    }

    /// Asks the policy for a decision.
    pub(super) async fn select(
        &self,
        request: types::Request,
        candidates: Vec<u32>,
        facts: Vec<types::Fact>,
    ) -> Result<types::Decision, Fault> {
        let mut lease = self.lease().await?;
        self.run(Box::pin(async move {
            let answer = lease.instance()?.select(&request, &candidates, &facts).await;
            lease.end(answer)
        }))
        .await
    }

    /// Asks the policy what to do after a failure; `None` if it has no say.
    pub(super) async fn after_failure(
        &self,
        request: types::Request,
        tried: Vec<failover::Attempt>,
        left: Vec<u32>,
        facts: Vec<types::Fact>,
    ) -> Option<Result<failover::Verdict, Fault>> {
        self.pool.parts.code.failover.as_ref()?;
        let mut lease = match self.lease().await {
            Ok(lease) => lease,
            Err(busy) => return Some(Err(busy)),
        };
        let call = Box::pin(async move {
            let verdict = lease.instance()?.after_failure(&request, &tried, &left, &facts).await;
            lease.end(verdict.unwrap_or(Ok(failover::Verdict::Next)))
        });
        Some(self.run(call).await)
    }

    async fn lease(&self) -> Result<Lease, Fault> {
        let permit = match self.pool.free.try_acquire() {
            Ok(permit) => permit,
            Err(_) => match timeout(self.pool.parts.limits.time, self.pool.free.acquire()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(Fault::Busy),
            },
        };
        permit.forget();
        let instance = self.pool.warm().pop();
        Ok(Lease { pool: Arc::clone(&self.pool), instance, given_back: false })
    }

    /// Runs a call: its first tick here, the rest on the policies' threads.
    async fn run<T: Send + 'static>(&self, mut call: Call<T>) -> Result<T, Fault> {
        // The waker is of no use here: who yields after a tick is moved.
        if let Poll::Ready(answer) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return answer;
        }
        let limit = self.pool.parts.limits.time;
        // The clock is that of those threads: the caller's may end before the call does.
        let rest = self.pool.parts.code.engine.threads().spawn(async move { timeout(limit, call).await });
        match rest.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Fault::Deadline { limit_ms: limit.as_millis() }),
            Err(error) => Err(Fault::Trapped(error.to_string())),
        }
    }
}

/// A call into a guest. It owns the guest, so that it can change threads.
type Call<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

impl Pool {
    fn warm(&self) -> MutexGuard<'_, Vec<Instance>> {
        // Nothing can panic while it is held; if it did, the list is whole.
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, instance: Instance) {
        self.warm().push(instance);
        self.free.add_permits(1);
    }
}

/// A guest on loan. Whoever drops it without giving it back leaves a guest that
/// was stopped in the middle: another is made in its place.
struct Lease {
    pool: Arc<Pool>,
    instance: Option<Instance>,
    given_back: bool,
}

impl Lease {
    fn instance(&mut self) -> Result<&mut Instance, Fault> {
        self.instance.as_mut().ok_or(Fault::Busy)
    }

    /// Gives the guest back if its answer shows that it is sound.
    fn end<T>(mut self, answer: Result<T, Fault>) -> Result<T, Fault> {
        let sound = matches!(answer, Ok(_) | Err(Fault::Failed(_)));
        if sound && let Some(instance) = self.instance.take() {
            self.given_back = true;
            self.pool.give_back(instance);
        }
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.given_back {
            return;
        }
        let pool = Arc::downgrade(&self.pool);
        self.pool.parts.code.engine.threads().spawn(async move {
            loop {
                let Some(pool) = pool.upgrade() else { return };
                match make(&pool.parts, Arc::clone(&pool.name), &Steps::default()).await {
                    Ok((instance, _, _)) => return pool.give_back(instance),
                    Err(refused) => {
                        tracing::warn!(policy.name = &*pool.name, error = %refused, "failed to replace an instance of the policy");
                    }
                }
                drop(pool);
                tokio::time::sleep(REBUILD_PAUSE).await;
            }
        });
    }
}

/// Makes a guest and brings it up to its catalogue.
async fn make(
    parts: &Parts,
    name: Arc<str>,
    steps: &Steps,
) -> Result<(Instance, types::Descriptor, types::View), Refused> {
    let Parts { code, settings, models, epoch, limits } = parts;
    let mut guest = steps.take(Phase::Instantiate, loading::instantiate(code, name, *limits)).await?;
    let descriptor = steps.take(Phase::Describe, loading::describe(&mut guest)).await?;
    steps.run(Phase::Settings, || schema::check(&descriptor.settings_schema, settings))?;
    steps.take(Phase::Configure, loading::configure(&mut guest, settings)).await?;
    let view = steps.take(Phase::LoadCatalog, loading::load_catalog(&mut guest, *epoch, models)).await?;
    Ok((guest, descriptor, view))
}

fn shutting_down() -> Refused {
    Refused { phase: Phase::Instantiate, reason: "the router is shutting down".to_owned() }
}
