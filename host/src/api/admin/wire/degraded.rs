//! What keeps a router from serving well: each reason, in words, with its remedy.
//!
//! A pure function of what the state says. `status` ends with 2 because of it, so
//! a reason is something that an operator would want to be woken for, or that keeps
//! requests from being answered; a model that rests while others answer is none.

use serde::{Deserialize, Serialize};

use crate::api::admin::wire::Status;

/// A reason why a router does not serve well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degraded {
    /// Its name, for programs: `no-models`, `models-resting`, `account-limit`, `keys-refused`,
    /// `policy-failing`, `policy-refused`, `policy-rolled-back` or `upstream-unreachable`.
    pub reason: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// Returns all that is wrong, the worst first.
pub fn reasons(status: &Status) -> Vec<Degraded> {
    let all = [models(status), account(status), keys(status), failing(status), refused(status), upstream(status)];
    all.into_iter().flatten().collect()
}

fn degraded(reason: &str, what: impl Into<String>, remedy: &str) -> Degraded {
    Degraded { reason: reason.to_owned(), what: what.into(), remedy: remedy.to_owned() }
}

fn models(status: &Status) -> Option<Degraded> {
    if status.catalog.models == 0 {
        let remedy = "check the network, and run `ollama-router cache refresh`";
        return Some(degraded("no-models", "there is no list of models", remedy));
    }
    if status.models.is_empty() {
        let what = format!("the policy shows none of {} models", status.catalog.models);
        let remedy = "see why with `ollama-router list-models --all`: the file models-filter/filter, \
                      mode.tool_use_only or the policy's settings hide them";
        return Some(degraded("no-models", what, remedy));
    }
    let mut chats = status.models.iter().filter(|row| !row.embeds).peekable();
    let all_rest = chats.peek().is_some() && chats.all(|row| row.state.cooldown_ms > 0);
    all_rest.then(|| {
        let remedy = "wait, or let them try again with `ollama-router status --clear`";
        degraded("models-resting", "every model that chats rests after failures", remedy)
    })
}

fn account(status: &Status) -> Option<Degraded> {
    let remedy =
        "wait for the next day (UTC), or buy credits for $10 once, which raises 50 free requests a day to 1,000";
    match (&status.account.limit, status.account.remaining) {
        (Some(limit), _) => Some(degraded("account-limit", format!("the account's limit is reached: {limit}"), remedy)),
        (None, Some(0)) if status.free_mode => {
            Some(degraded("account-limit", "the free requests of today are used up", remedy))
        }
        (None, _) => None,
    }
}

fn keys(status: &Status) -> Option<Degraded> {
    let none = status.account.keys > 0 && status.account.keys_usable == 0;
    none.then(|| {
        let remedy = "make a new one at https://openrouter.ai/keys, set openrouter.api_key, and start the router again";
        degraded("keys-refused", "OpenRouter refuses the API key", remedy)
    })
}

fn failing(status: &Status) -> Option<Degraded> {
    let failing = status.policies.iter().find(|policy| policy.state.starts_with("left alone"))?;
    let what = format!("the policy {} failed too often and is left alone for a while", failing.name);
    Some(degraded("policy-failing", what, "see the log, and `ollama-router policy history`; mend it or roll it back"))
}

fn refused(status: &Status) -> Option<Degraded> {
    if let Some(refusal) = &status.policy.refused {
        let what = format!("a change was refused at {}: {}", refusal.phase, refusal.reason);
        return Some(degraded("policy-refused", what, "mend it; `ollama-router policy reload` tells how far it comes"));
    }
    let rolled_back = status.policies.iter().find(|policy| policy.state.ends_with("(rolled back)"))?;
    let what = format!("a change was rolled back, and {} is in force again", rolled_back.name);
    let remedy = "see why with `ollama-router policy history`, and mend what the configuration names";
    Some(degraded("policy-rolled-back", what, remedy))
}

fn upstream(status: &Status) -> Option<Degraded> {
    let failed = status.catalog.failed.as_ref()?;
    let what = format!("the list of models could not be fetched: {}", failed.why);
    Some(degraded("upstream-unreachable", what, "run `ollama-router doctor` on the router's machine"))
}
