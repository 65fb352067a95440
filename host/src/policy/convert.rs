//! Domain to contract and back, as free functions named for the result.
//!
//! A guest's answer stays untrusted here: picks and numbers come out as they
//! went in, and are checked in `policy::generation`.

use std::time::Duration;

use crate::{
    catalog::{Capabilities, Model, Traits},
    policy::bindings::{
        exports::ollama_router::policy::failover as contract_failover, ollama_router::policy::types as contract,
    },
    routing::{
        FailureKind,
        health::Standing,
        needs::ToolMode,
        plan::{Dropped, Fact, Pick, Query, Target, Tried, Verdict},
    },
};

/// A model as the guest sees it.
pub(super) fn model(model: &Model) -> contract::Model {
    contract::Model {
        id: model.id.to_string(),
        name: model.name.clone(),
        vendor: model.id.vendor().to_owned(),
        capabilities: capabilities(model.capabilities),
        traits: traits(model.traits),
        context_tokens: model.context_tokens,
        max_output_tokens: model.max_output_tokens,
        prompt_price: model.prompt_price,
        completion_price: model.completion_price,
        created: model.created,
        expires: model.expires,
        labels: Vec::new(),
    }
}

/// A request as the guest sees it.
pub(super) fn request(query: &Query) -> contract::Request {
    contract::Request {
        target: match query.target {
            Target::Any => contract::Target::Any,
            Target::Model(number) => contract::Target::Model(number),
            Target::Gone => contract::Target::Gone,
        },
        needs: capabilities(query.needs.capabilities),
        wishes: capabilities(query.wishes),
        tools: match query.needs.tools {
            ToolMode::None => contract::ToolMode::None,
            ToolMode::Optional => contract::ToolMode::Optional,
            ToolMode::Required => contract::ToolMode::Required,
        },
        streaming: query.streaming,
        input_tokens: query.needs.input_tokens,
        output_tokens: query.needs.output_tokens,
        limit: query.limit,
        quota_left: query.quota_left,
        now_ms: query.now_ms,
        seed: query.seed,
        explain: query.explain,
        hints: Vec::new(),
    }
}

/// What is remembered of a model, as the guest sees it.
pub(super) fn fact(fact: &Fact) -> contract::Fact {
    let (standing, cooldown_ms) = match fact.standing {
        Standing::Ready => (contract::Standing::empty(), 0),
        Standing::Cooling(ms) => (contract::Standing::COOLING, short(ms)),
        Standing::OnTrial => (contract::Standing::ON_TRIAL, 0),
    };
    contract::Fact {
        model: fact.model,
        standing,
        cooldown_ms,
        in_flight: fact.in_flight,
        successes: fact.successes,
        failures: fact.failures,
        failures_by_kind: failures(&fact.by_kind),
        tool_failures: fact.bad_calls,
        failures_in_a_row: fact.failures_in_a_row,
        last_failure_ms: fact.last_failure_ms.map_or(u32::MAX, short),
        first_token_ms: short(Duration::from_secs_f32(fact.first_token_ms.max(0.0) / 1000.0).as_millis()),
        tokens_per_second: fact.tokens_per_second,
    }
}

/// A failed try, as the guest sees it.
pub(super) fn attempt(tried: &Tried) -> contract_failover::Attempt {
    contract_failover::Attempt {
        model: tried.model,
        failure: failure(tried.kind),
        status: tried.status,
        elapsed_ms: tried.elapsed_ms,
    }
}

/// The guest's picks.
pub(super) fn picks(picks: &[contract::Pick]) -> Vec<Pick> {
    picks.iter().map(|pick| Pick { model: pick.model, why: pick.why, score: pick.score }).collect()
}

/// The models that a guest left out.
pub(super) fn dropped(dropped: &[contract::Drop]) -> Vec<Dropped> {
    dropped.iter().map(|drop| Dropped { model: drop.model, why: drop.why }).collect()
}

/// What the guest wants after a failure.
pub(super) fn verdict(verdict: &contract_failover::Verdict) -> Verdict {
    match verdict {
        contract_failover::Verdict::Next => Verdict::Next,
        contract_failover::Verdict::RetryAfterMs(ms) => Verdict::RetryAfterMs(*ms),
        contract_failover::Verdict::Replace(order) => Verdict::Replace(picks(order)),
        contract_failover::Verdict::GiveUp => Verdict::GiveUp,
    }
}

fn capabilities(of: Capabilities) -> contract::Capabilities {
    const PAIRS: [(Capabilities, contract::Capabilities); 10] = [
        (Capabilities::TOOLS, contract::Capabilities::TOOLS),
        (Capabilities::TOOL_CHOICE, contract::Capabilities::TOOL_CHOICE),
        (Capabilities::JSON_OBJECT, contract::Capabilities::JSON_OBJECT),
        (Capabilities::JSON_SCHEMA, contract::Capabilities::JSON_SCHEMA),
        (Capabilities::VISION, contract::Capabilities::VISION),
        (Capabilities::AUDIO, contract::Capabilities::AUDIO),
        (Capabilities::FILES, contract::Capabilities::FILES),
        (Capabilities::REASONING, contract::Capabilities::REASONING),
        (Capabilities::LOGPROBS, contract::Capabilities::LOGPROBS),
        (Capabilities::EMBEDDINGS, contract::Capabilities::EMBEDDINGS),
    ];
    PAIRS
        .into_iter()
        .filter(|(ours, _)| of.contains(*ours))
        .fold(contract::Capabilities::empty(), |all, (_, theirs)| all | theirs)
}

fn traits(of: Traits) -> contract::Traits {
    const PAIRS: [(Traits, contract::Traits); 5] = [
        (Traits::FREE, contract::Traits::FREE),
        (Traits::CHAT, contract::Traits::CHAT),
        (Traits::ROUTER, contract::Traits::ROUTER),
        (Traits::MODERATED, contract::Traits::MODERATED),
        (Traits::REASONING_MANDATORY, contract::Traits::REASONING_MANDATORY),
    ];
    PAIRS
        .into_iter()
        .filter(|(ours, _)| of.contains(*ours))
        .fold(contract::Traits::empty(), |all, (_, theirs)| all | theirs)
}

/// Failures by the contract's kinds, of which each covers several of ours.
fn failures(by_kind: &[(FailureKind, u32)]) -> Vec<(contract::Failure, u32)> {
    let mut all: Vec<(contract::Failure, u32)> = Vec::new();
    for (kind, count) in by_kind {
        let kind = failure(*kind);
        match all.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, sum)) => *sum += count,
            None => all.push((kind, *count)),
        }
    }
    all
}

fn failure(kind: FailureKind) -> contract::Failure {
    use contract::Failure;
    match kind {
        FailureKind::Connect | FailureKind::Interrupted => Failure::Connection,
        FailureKind::Stalled | FailureKind::TimedOut => Failure::Timeout,
        FailureKind::AccountBusy
        | FailureKind::RateLimitedDay
        | FailureKind::RateLimitedMinute
        | FailureKind::RateLimitedModel
        | FailureKind::RateLimitedUnknown => Failure::RateLimited,
        FailureKind::Overloaded | FailureKind::ServerError => Failure::ServerError,
        FailureKind::Attestation
        | FailureKind::DataPolicy
        | FailureKind::Gated
        | FailureKind::Gone
        | FailureKind::KeyExhausted
        | FailureKind::KeyRejected
        | FailureKind::Unroutable => Failure::Unavailable,
        FailureKind::Unsupported => Failure::Unsupported,
        FailureKind::ContextOverflow => Failure::ContextOverflow,
        FailureKind::BadAnswer | FailureKind::Empty => Failure::BadAnswer,
        FailureKind::BadRequest | FailureKind::Moderated | FailureKind::Refused => Failure::Refused,
    }
}

/// Cuts a number to what the contract holds.
fn short(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_the_kinds_of_the_contract() {
        let ours = [
            (FailureKind::RateLimitedModel, 2),
            (FailureKind::Empty, 1),
            (FailureKind::RateLimitedUnknown, 1),
            (FailureKind::BadAnswer, 3),
        ];
        let theirs = [(contract::Failure::RateLimited, 3), (contract::Failure::BadAnswer, 4)];
        assert_eq!(failures(&ours), theirs);
        assert_eq!(failures(&[]), []);
    }
}
