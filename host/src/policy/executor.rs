//! Warm guests of one policy, and the rule by which they are called.
//!
//! A call begins on the thread that asks, where a sound policy is done within
//! microseconds. One that is still at it after a tick or two goes on on the policies'
//! own threads, under a wall clock, so that no policy holds a thread that
//! streams answers. A guest that faults is dropped and another made, off the
//! path of requests. A caller that goes away leaves its call to end by itself.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

use crate::policy::{
    Fault, Phase, Refused,
    bindings::{exports::ollama_router::policy::failover, ollama_router::policy::types},
    component::Code,
    instance::{Instance, presentable},
    limits::Limits,
};

/// Guests of one policy: more than this never run at once on two threads.
pub(super) const MAX_WARM: usize = 4;

/// How long to wait before a guest that could not be made is tried again.
const REBUILD_PAUSE: Duration = Duration::from_secs(1);

/// The longest name or version of a policy.
const MAX_NAME_BYTES: usize = 64;

/// Settings that are named when they are refused; further ones say little.
const MAX_SETTING_ERRORS: usize = 20;

/// A policy with its settings and its catalogue, warm and ready to be asked.
pub(super) struct Executor {
    pool: Arc<Pool>,
}

/// What an executor is made of.
#[derive(Clone)]
pub(super) struct Parts {
    /// The policy.
    pub(super) code: Code,
    /// Its settings, as JSON text.
    pub(super) settings: String,
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
    /// Makes at most `most` guests, one after the other, each described, configured and
    /// with the catalogue loaded; any step may refuse.
    pub(super) async fn start(parts: Parts, most: usize) -> Result<(Self, types::Descriptor, types::View), Refused> {
        let threads = parts.code.engine.threads();
        let started = threads.spawn(async move {
            let (first, descriptor, view) = make(&parts, "policy".into()).await?;
            let name: Arc<str> = descriptor.name.as_str().into();
            let count = std::thread::available_parallelism().map_or(1, usize::from).min(most);
            let mut warm = vec![first];
            while warm.len() < count {
                warm.push(make(&parts, Arc::clone(&name)).await?.0);
            }
            let pool = Pool { parts, name, free: Semaphore::new(warm.len()), warm: Mutex::new(warm) };
            Ok((Self { pool: Arc::new(pool) }, descriptor, view))
        });
        started.await.unwrap_or_else(|_| {
            Err(Refused { phase: Phase::Instantiate, reason: "the router is shutting down".to_owned() })
        })
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
        let rest = self.pool.parts.code.engine.threads().spawn(timeout(limit, call));
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
                match make(&pool.parts, Arc::clone(&pool.name)).await {
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
async fn make(parts: &Parts, name: Arc<str>) -> Result<(Instance, types::Descriptor, types::View), Refused> {
    let time = parts.limits.loading_time();
    let mut instance = step(Phase::Instantiate, time, pin!(Instance::new(&parts.code, name, parts.limits))).await??;
    let descriptor = faultless(Phase::Describe, step(Phase::Describe, time, pin!(instance.describe())).await?)?;
    check_names(&descriptor)?;
    let configured = step(Phase::Configure, time, pin!(instance.configure(&parts.settings))).await?;
    faultless(Phase::Configure, configured)?.map_err(|errors| Refused {
        phase: Phase::Configure,
        reason: errors
            .iter()
            .take(MAX_SETTING_ERRORS)
            .map(|error| format!("policy.settings{}: {}", presentable(&error.pointer), presentable(&error.message)))
            .collect::<Vec<_>>()
            .join("; "),
    })?;
    let loaded = step(Phase::LoadCatalog, time, pin!(instance.load_catalog(parts.epoch, &parts.models))).await?;
    let view = faultless(Phase::LoadCatalog, loaded)?;
    Ok((instance, descriptor, view))
}

/// Name and version stand in headers and in the log, so they must be plain.
fn check_names(descriptor: &types::Descriptor) -> Result<(), Refused> {
    let is_plain = |text: &str| {
        (1..=MAX_NAME_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte))
    };
    if is_plain(&descriptor.name) && is_plain(&descriptor.version) {
        return Ok(());
    }
    let reason = format!(
        "its name or version is not like `free-mode` and `0.1.0`: letters, digits and -._+, {MAX_NAME_BYTES} at most"
    );
    Err(Refused { phase: Phase::Describe, reason })
}

/// Bounds a step of loading by the wall clock, for guests that sleep.
async fn step<T>(phase: Phase, time: Duration, work: Pin<&mut (dyn Future<Output = T> + Send)>) -> Result<T, Refused> {
    timeout(time, work)
        .await
        .map_err(|_elapsed| Refused { phase, reason: format!("it took longer than {} ms", time.as_millis()) })
}

fn faultless<T>(phase: Phase, answer: Result<T, Fault>) -> Result<T, Refused> {
    answer.map_err(|fault| Refused { phase, reason: fault.to_string() })
}
