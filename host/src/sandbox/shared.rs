//! The running state that the routes and the handle share.
//!
//! Catalogue, scripted replies, the demo's dice, the log. It decides nothing
//! about an answer's form; read `sandbox/server.rs` for who asks it what.
//! One lock, never held across an await.

use std::collections::{HashMap, VecDeque};
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use serde_json::Value;
use tokio::sync::watch;

use crate::sandbox::mishap::Deck;
use crate::sandbox::record::Log;
use crate::sandbox::reply::Reply;
use crate::sandbox::scenario::{Manner, Scenario};

/// The script that applies to every model.
const ANY_MODEL: &str = "*";

/// The length of the random tail of `gen-<unix>-<tail>`.
const ID_TAIL: usize = 20;

/// What the routes and the handle share.
#[derive(Debug)]
pub(super) struct Shared {
    manner: Manner,
    per_day: u64,
    per_minute: Option<u64>,
    embeddings: Arc<Value>,
    log: Arc<Log>,
    stop: watch::Receiver<bool>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    catalog: Arc<Value>,
    scripts: HashMap<String, Script>,
    deck: Deck,
    chance: Rng,
    chat_calls: u64,
    /// Whether a scripted reply said that the day's calls are used up.
    day_is_over: bool,
    /// The present minute since 1970, and the calls in it.
    minute: (u64, u64),
}

#[derive(Debug, Default)]
struct Script {
    next: VecDeque<Reply>,
    always: Option<Reply>,
}

impl Shared {
    pub(super) fn new(scenario: Scenario, stop: watch::Receiver<bool>) -> Self {
        let shared = Self {
            manner: scenario.manner,
            per_day: scenario.per_day,
            per_minute: scenario.per_minute,
            embeddings: Arc::new(scenario.embeddings),
            log: Arc::new(Log::new(scenario.remembered_max)),
            stop,
            state: Mutex::new(State {
                catalog: Arc::new(scenario.catalog),
                scripts: HashMap::new(),
                deck: Deck::new(scenario.seed),
                chance: Rng::with_seed(scenario.seed),
                chat_calls: 0,
                day_is_over: false,
                minute: (0, 0),
            }),
        };
        for (target, reply) in scenario.always {
            shared.always(&target, reply);
        }
        shared
    }

    pub(super) fn manner(&self) -> Manner {
        self.manner
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Returns the signal that turns true when the sandbox stops.
    pub(super) fn stop(&self) -> watch::Receiver<bool> {
        self.stop.clone()
    }

    pub(super) fn catalog(&self) -> Arc<Value> {
        Arc::clone(&self.state().catalog)
    }

    pub(super) fn embeddings(&self) -> Arc<Value> {
        Arc::clone(&self.embeddings)
    }

    pub(super) fn set_catalog(&self, catalog: Value) {
        self.state().catalog = Arc::new(catalog);
    }

    pub(super) fn script(&self, target: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut state = self.state();
        let script = state.scripts.entry(target.to_owned()).or_default();
        script.next.extend(replies);
    }

    pub(super) fn always(&self, target: &str, reply: Reply) {
        let mut state = self.state();
        let script = state.scripts.entry(target.to_owned()).or_default();
        script.always = Some(reply);
    }

    pub(super) fn clear(&self, target: &str) {
        self.state().scripts.remove(target);
    }

    /// Takes the reply scripted for `model`, or for every model.
    pub(super) fn scripted_model(&self, model: &str) -> Option<Reply> {
        self.scripted(&[model, ANY_MODEL])
    }

    /// Takes the reply scripted for `path`.
    pub(super) fn scripted_path(&self, path: &str) -> Option<Reply> {
        self.scripted(&[path])
    }

    /// Takes the next mishap of the demo, when this call is to have one.
    pub(super) fn mishap(&self) -> Option<Reply> {
        match self.manner {
            Manner::Quiet => None,
            Manner::Demo => self.state().deck.deal(),
        }
    }

    /// Counts a chat call, rejected or not, for both use up the quota; returns the
    /// refusal, if a limit of the account's is reached. `now` is in epoch seconds.
    pub(super) fn count_chat_call(&self, now: u64) -> Option<Reply> {
        const MINUTE: u64 = 60;
        const DAY: u64 = 24 * 60 * MINUTE;
        let mut state = self.state();
        state.chat_calls += 1;
        if state.chat_calls > self.per_day {
            return Some(Reply::daily_limit(self.per_day, (now / DAY + 1) * DAY * 1000));
        }
        let minute = now / MINUTE;
        let calls = if state.minute.0 == minute { state.minute.1 + 1 } else { 1 };
        state.minute = (minute, calls);
        let full = self.per_minute.is_some_and(|limit| calls > limit);
        full.then(|| Reply::minute_limit((minute + 1) * MINUTE * 1000))
    }

    /// Returns the free calls of a day, and how many of them were made.
    pub(super) fn day(&self) -> (u64, u64) {
        let state = self.state();
        let used = if state.day_is_over { self.per_day } else { state.chat_calls.min(self.per_day) };
        (self.per_day, used)
    }

    /// Notes that the day's free calls are used up, so that the key says so too.
    pub(super) fn end_day(&self) {
        self.state().day_is_over = true;
    }

    /// Returns `prefix` and a random tail, as in `gen-1780944350-3cJGIyxGwfPvZk9xCSAc`.
    pub(super) fn id(&self, prefix: &str) -> String {
        let mut state = self.state();
        let tail: String = iter::repeat_with(|| state.chance.alphanumeric()).take(ID_TAIL).collect();
        format!("{prefix}{tail}")
    }

    /// Returns a number of `0..bound` from the seeded chance.
    pub(super) fn chance(&self, bound: u64) -> u64 {
        self.state().chance.u64(0..bound)
    }

    fn scripted(&self, targets: &[&str]) -> Option<Reply> {
        let mut state = self.state();
        for target in targets {
            let script = state.scripts.get_mut(*target);
            if let Some(reply) = script.and_then(|script| script.next.pop_front()) {
                return Some(reply);
            }
        }
        let mut scripts = targets.iter().filter_map(|target| state.scripts.get(*target));
        scripts.find_map(|script| script.always.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
