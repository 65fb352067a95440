//! Who is tried, in which order, for requests and histories of every kind.

use super::*;
use crate::bindings::ollama_router::policy::types::ToolMode;

/// A free model that chats and can nothing else.
pub(crate) fn model(id: &str) -> Model {
    Model {
        id: id.to_owned(),
        name: format!("Named {id}"),
        vendor: String::new(),
        capabilities: Capabilities::empty(),
        traits: Traits::CHAT | Traits::FREE,
        context_tokens: 1,
        max_output_tokens: 0,
        prompt_price: None,
        completion_price: None,
        created: 0,
        expires: None,
        labels: Vec::new(),
    }
}

fn request() -> Request {
    Request {
        target: Target::Any,
        needs: Capabilities::empty(),
        wishes: Capabilities::empty(),
        tools: ToolMode::None,
        streaming: true,
        input_tokens: 0,
        output_tokens: 0,
        limit: 10,
        quota_left: None,
        now_ms: 0,
        seed: 1,
        explain: true,
        hints: Vec::new(),
    }
}

fn fact(model: u32, first_token_ms: u32) -> Fact {
    Fact {
        model,
        standing: Standing::empty(),
        cooldown_ms: 0,
        in_flight: 0,
        successes: 1,
        failures: 0,
        failures_by_kind: Vec::new(),
        tool_failures: 0,
        failures_in_a_row: 0,
        last_failure_ms: u32::MAX,
        first_token_ms,
        tokens_per_second: 0.0,
    }
}

fn cooling(model: u32, cooldown_ms: u32) -> Fact {
    Fact { standing: Standing::COOLING, cooldown_ms, ..fact(model, 1) }
}

/// Five models: 3 costs something, 4 is a router, 1 writes by a schema.
fn ranking(settings: &Settings) -> Ranking {
    let models = [
        model("a/a"),
        Model { capabilities: Capabilities::JSON_SCHEMA, ..model("b/b") },
        model("c/c"),
        Model { traits: Traits::CHAT, ..model("d/paid") },
        Model { traits: Traits::CHAT | Traits::FREE | Traits::ROUTER, ..model("e/router") },
    ];
    Ranking::new(settings, &models)
}

fn quiet() -> Settings {
    Settings { explore: 0.0, ..Settings::default() }
}

fn order(settings: &Settings, request: &Request, facts: &[Fact]) -> Vec<(u32, Reason)> {
    let Decision::Route(route) = ranking(settings).decide(request, &[0, 1, 2, 3, 4], facts) else {
        panic!("no route");
    };
    let mut all: Vec<u32> = route.order.iter().map(|pick| pick.model).collect();
    all.extend(route.dropped.iter().map(|drop| drop.model));
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4], "each candidate is picked or dropped, once");
    assert!(route.order.iter().all(|pick| pick.score.is_finite()));
    let reason = |code| *Reason::ALL.iter().find(|reason| reason.code() == code).unwrap();
    route.order.iter().map(|pick| (pick.model, reason(pick.why))).collect()
}

use Reason::{Explored, Fastest, LastResort, Requested, Unknown, Unsteady};

#[test]
fn the_order_is_that_of_the_first_token() {
    let expected = [(2, Fastest), (0, Fastest), (1, Unknown), (4, Unknown)];
    assert_eq!(order(&quiet(), &request(), &[fact(0, 900), fact(2, 300)]), expected);
    let nothing_known = [(0, Unknown), (1, Unknown), (2, Unknown), (4, Unknown)];
    assert_eq!(order(&quiet(), &request(), &[]), nothing_known);
}

#[test]
fn the_requested_comes_first_unless_it_rests_or_is_not_preferred() {
    let asked = |model| Request { target: Target::Model(model), ..request() };
    let facts = [fact(0, 900), fact(2, 300)];
    assert_eq!(order(&quiet(), &asked(0), &facts)[..2], [(0, Requested), (2, Fastest)]);
    assert_eq!(order(&quiet(), &asked(3), &facts)[0], (3, Requested), "who names what costs, pays");
    let rests = [cooling(0, 5), fact(2, 300)];
    assert_eq!(order(&quiet(), &asked(0), &rests).last(), Some(&(0, LastResort)));
    let by_speed = Settings { prefer_requested: false, ..quiet() };
    assert_eq!(order(&by_speed, &asked(0), &facts)[..2], [(2, Fastest), (0, Fastest)]);
}

#[test]
fn who_fails_comes_late_and_who_rests_last() {
    let unsteady = Fact { failures: 4, ..fact(0, 10) };
    let forgiven = Fact { failures: 3, ..fact(1, 20) };
    let expected = [(1, Fastest), (4, Unknown), (0, Unsteady), (2, LastResort)];
    assert_eq!(order(&quiet(), &request(), &[unsteady, forgiven, cooling(2, 7)]), expected);
    let all = [cooling(0, 9), cooling(1, 3), cooling(2, 5), cooling(4, 1)];
    let models: Vec<u32> = order(&quiet(), &request(), &all).iter().map(|(model, _)| *model).collect();
    assert_eq!(models, [4, 1, 2, 0], "the shortest rest first");
}

#[test]
fn wishes_count_more_than_speed() {
    let wishes = Request { wishes: Capabilities::JSON_SCHEMA, ..request() };
    assert_eq!(order(&quiet(), &wishes, &[fact(0, 1), fact(1, 900)])[..2], [(1, Fastest), (0, Fastest)]);
}

#[test]
fn exploring_takes_about_its_share_and_reaches_everybody() {
    let settings = Settings { explore: 0.1, ..Settings::default() };
    let mut explored = [0; 5];
    for seed in 0..10_000 {
        let (model, why) = order(&settings, &Request { seed, ..request() }, &[fact(1, 300)])[0];
        if why == Explored {
            explored[model as usize] += 1;
        } else {
            assert_eq!((model, why), (1, Fastest));
        }
    }
    assert!((400..600).contains(&explored[0]) && (400..600).contains(&explored[2]), "{explored:?}");
    assert_eq!(
        (explored[1], explored[3], explored[4]),
        (0, 0, 0),
        "what is known, costs or is a router is not explored"
    );
}

#[test]
fn nobody_is_explored_before_the_requested() {
    let settings = Settings { explore: 1.0, ..Settings::default() };
    let asked = Request { target: Target::Model(1), ..request() };
    assert_eq!(order(&settings, &asked, &[])[..2], [(1, Requested), (0, Unknown)]);
    assert_eq!(order(&settings, &request(), &[])[0].1, Explored);
}

#[test]
fn the_limit_is_kept_and_drops_are_told_only_if_read() {
    let short = Request { limit: 1, explain: false, ..request() };
    let Decision::Route(route) = ranking(&quiet()).decide(&short, &[0, 1, 3], &[]) else { panic!("no route") };
    assert_eq!((route.order.len(), route.dropped.len()), (1, 0));
    assert_eq!(order(&quiet(), &Request { limit: 0, ..request() }, &[]).len(), 1, "a route is never empty");
}

#[test]
fn without_a_free_model_the_request_is_refused() {
    let decision = ranking(&quiet()).decide(&request(), &[3], &[]);
    assert!(matches!(decision, Decision::Deny(denial) if denial.status == 400 && denial.code == "no-free-model"));
    assert_eq!(ranking(&quiet()).decide(&request(), &[], &[]), Decision::Abstain);
}
