//! Which models are tried for a request, in which order, and who is left out.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::Ranking;
use crate::bindings::ollama_router::policy::types::{
    Capabilities, Decision, Fact, Model, Request, Standing, Target, ToolMode, Traits,
};
use crate::filter;
use crate::reason::Reason::{
    self, BeyondLimit, Fallback, LargestContext, LastResort, NotFree, NotNamed, Requested, Router,
};
use crate::settings::Settings;

/// The catalogue of all cases, in the order of the view: 0 is the router, then
/// 1 to 4 free, 5 to 7 not.
const IDS: [(&str, Traits, u32); 8] = [
    ("openrouter/free", Traits::FREE.union(Traits::ROUTER), 9_000),
    ("a/first:free", Traits::FREE, 800),
    ("b/second:free", Traits::FREE, 700),
    ("c/third:free", Traits::FREE, 600),
    ("d/fourth:free", Traits::FREE, 500),
    ("a/paid", Traits::empty(), 400),
    ("b/twin", Traits::empty(), 300),
    ("c/twin", Traits::empty(), 200),
];
const FREE: [u32; 5] = [0, 1, 2, 3, 4];
const ALL: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

fn ranking(settings: &str) -> Ranking {
    let settings = Settings::parse(settings).unwrap();
    let model = |&(id, traits, context_tokens): &(&str, Traits, u32)| Model {
        id: id.to_owned(),
        name: id.to_owned(),
        vendor: String::new(),
        capabilities: if id == "c/third:free" { Capabilities::JSON_SCHEMA } else { Capabilities::empty() },
        traits: traits | Traits::CHAT,
        context_tokens,
        max_output_tokens: 0,
        prompt_price: None,
        completion_price: None,
        created: 0,
        expires: None,
        labels: Vec::new(),
    };
    let models: Vec<Model> = IDS.iter().map(model).collect();
    let view = filter::view(&settings, &models);
    Ranking::new(&settings, &models, &view.visible)
}

fn request(target: Target) -> Request {
    Request {
        target,
        needs: Capabilities::empty(),
        wishes: Capabilities::empty(),
        tools: ToolMode::None,
        streaming: true,
        input_tokens: 10,
        output_tokens: 0,
        limit: 8,
        quota_left: None,
        now_ms: 0,
        seed: 0,
        explain: false,
        hints: Vec::new(),
    }
}

fn fact(model: u32, standing: Standing, cooldown_ms: u32) -> Fact {
    Fact {
        model,
        standing,
        cooldown_ms,
        in_flight: 0,
        successes: 0,
        failures: 1,
        failures_by_kind: Vec::new(),
        tool_failures: 0,
        failures_in_a_row: 1,
        last_failure_ms: 1,
        first_token_ms: 0,
        tokens_per_second: 0.0,
    }
}

/// Returns the models in order with their reasons, or the code of a refusal.
fn order(ranking: &Ranking, request: &Request, candidates: &[u32], facts: &[Fact]) -> Result<Vec<(u32, u16)>, String> {
    match ranking.decide(request, candidates, facts)? {
        Decision::Route(route) => Ok(route.order.iter().map(|pick| (pick.model, pick.why)).collect()),
        Decision::Deny(denial) => Err(format!("{} {}", denial.status, denial.code)),
        Decision::Abstain => Err("abstained".to_owned()),
    }
}

fn check(ranking: &Ranking, target: Target, facts: &[Fact], expected: &[(u32, Reason)]) {
    let candidates: &[u32] = if ranking.free_mode { &FREE } else { &ALL };
    let expected = expected.iter().map(|(model, reason)| (*model, reason.code())).collect();
    assert_eq!(order(ranking, &request(target), candidates, facts), Ok(expected), "{target:?}");
}

const COOLING: Standing = Standing::COOLING;

#[test]
fn the_requested_model_comes_first_then_the_largest_contexts_then_routers() {
    let ranking = ranking("{}");
    let rest = [(1, LargestContext), (2, LargestContext), (4, LargestContext), (0, Router)];
    check(&ranking, Target::Model(3), &[], &[&[(3, Requested)], &rest[..]].concat());
    check(
        &ranking,
        Target::Model(0),
        &[],
        &[(0, Requested), (1, LargestContext), (2, LargestContext), (3, LargestContext), (4, LargestContext)],
    );
}

#[test]
fn without_a_served_name_the_view_decides() {
    let ranking = ranking("{}");
    for target in [Target::Any, Target::Gone, Target::Model(5), Target::Model(99)] {
        check(
            &ranking,
            target,
            &[],
            &[(1, LargestContext), (2, LargestContext), (3, LargestContext), (4, LargestContext), (0, Router)],
        );
    }
}

#[test]
fn models_that_grant_every_wish_come_before_the_others() {
    let wishful = Request { wishes: Capabilities::JSON_SCHEMA, ..request(Target::Any) };
    let order = order(&ranking("{}"), &wishful, &FREE, &[]).unwrap();
    // The third is the only one that writes by a schema.
    let models: Vec<u32> = order.into_iter().map(|(model, _)| model).collect();
    assert_eq!(models, [3, 1, 2, 4, 0]);
}

#[test]
fn cooling_models_come_last_the_one_due_first_before_the_others() {
    let facts = [fact(3, COOLING, 900), fact(1, COOLING, 20), fact(0, COOLING, 100), fact(7, COOLING, 1)];
    check(
        &ranking("{}"),
        Target::Model(3),
        &facts,
        &[(2, LargestContext), (4, LargestContext), (1, LastResort), (0, LastResort), (3, LastResort)],
    );
}

#[test]
fn when_everything_rests_the_one_due_first_is_tried() {
    let facts: Vec<Fact> = FREE.iter().map(|&model| fact(model, COOLING, 100 - model)).collect();
    let request = Request { limit: 1, ..request(Target::Model(1)) };
    assert_eq!(order(&ranking("{}"), &request, &FREE, &facts), Ok(vec![(4, LastResort.code())]));
}

#[test]
fn of_equal_rests_the_better_model_is_tried_and_a_fact_given_twice_counts_once() {
    let facts = [2, 1, 3, 1].map(|model| fact(model, COOLING, 50));
    check(
        &ranking("{}"),
        Target::Any,
        &facts,
        &[(4, LargestContext), (0, Router), (1, LastResort), (2, LastResort), (3, LastResort)],
    );
}

#[test]
fn a_model_on_trial_keeps_its_place() {
    let facts = [fact(1, Standing::ON_TRIAL, 0), fact(3, Standing::ON_TRIAL, 0), fact(2, Standing::empty(), 0)];
    check(
        &ranking("{}"),
        Target::Model(3),
        &facts,
        &[(3, Requested), (1, LargestContext), (2, LargestContext), (4, LargestContext), (0, Router)],
    );
}

#[test]
fn fallbacks_come_right_after_the_requested_model_in_their_order() {
    let ranking =
        ranking(r#"{"fallbacks": ["FOURTH:free", "gone/model", "c/third:free:latest", "fourth:free", "paid"]}"#);
    check(
        &ranking,
        Target::Model(3),
        &[],
        &[(3, Requested), (4, Fallback), (1, LargestContext), (2, LargestContext), (0, Router)],
    );
    check(
        &ranking,
        Target::Any,
        &[fact(4, COOLING, 1)],
        &[(3, Fallback), (1, LargestContext), (2, LargestContext), (0, Router), (4, LastResort)],
    );
}

#[test]
fn without_free_mode_the_requested_model_is_tried_alone_even_if_it_rests() {
    let ranking = ranking(r#"{"free_mode": false}"#);
    check(&ranking, Target::Model(5), &[], &[(5, Requested)]);
    check(&ranking, Target::Model(5), &[fact(5, COOLING, 9)], &[(5, LastResort)]);
}

#[test]
fn without_free_mode_only_fallbacks_follow_the_requested_model() {
    let ranking = ranking(r#"{"free_mode": false, "fallbacks": ["c/twin", "first:free"]}"#);
    check(&ranking, Target::Model(5), &[], &[(5, Requested), (7, Fallback), (1, Fallback)]);
    let facts = [fact(5, COOLING, 9), fact(7, COOLING, 3), fact(2, COOLING, 1)];
    check(&ranking, Target::Model(5), &facts, &[(1, Fallback), (7, LastResort), (5, LastResort)]);
    check(&ranking, Target::Gone, &[], &[(7, Fallback), (1, Fallback)]);
}

#[test]
fn a_fallback_that_several_vendors_have_is_not_guessed() {
    let ranking = ranking(r#"{"free_mode": false, "fallbacks": ["twin", "c/twin"]}"#);
    check(&ranking, Target::Model(5), &[], &[(5, Requested), (7, Fallback)]);
}

#[test]
fn without_free_mode_and_a_name_only_free_models_are_tried() {
    let ranking = ranking(r#"{"free_mode": false}"#);
    for target in [Target::Any, Target::Gone] {
        check(
            &ranking,
            target,
            &[fact(1, COOLING, 5), fact(5, COOLING, 5)],
            &[(2, LargestContext), (3, LargestContext), (4, LargestContext), (0, Router), (1, LastResort)],
        );
    }
    let unoffered = self::ranking(r#"{"free_mode": false, "fallbacks": ["c/twin"]}"#);
    let order = order(&unoffered, &request(Target::Any), &[5, 4], &[]);
    assert_eq!(order, Ok(vec![(4, LargestContext.code())]), "fallbacks that cannot answer stand in nobody's way");
}

#[test]
fn without_free_mode_a_request_that_would_cost_unasked_is_refused() {
    let ranking = ranking(r#"{"free_mode": false}"#);
    for facts in [&[][..], &[fact(5, COOLING, 5)]] {
        let decide = |target| order(&ranking, &request(target), &[5, 6], facts);
        assert_eq!(decide(Target::Any), Err("400 no-free-model".to_owned()));
        assert_eq!(decide(Target::Gone), Err("400 no-free-model".to_owned()));
        assert_eq!(decide(Target::Model(7)), Err("400 model-cannot-answer".to_owned()));
    }
}

#[test]
fn no_more_than_the_limit_is_picked_but_always_one() {
    let ranking = ranking("{}");
    for (limit, expected) in [(0, &[2][..]), (1, &[2]), (3, &[2, 1, 3]), (u32::MAX, &[2, 1, 3, 4, 0])] {
        let request = Request { limit, ..request(Target::Model(2)) };
        let order = order(&ranking, &request, &FREE, &[]).unwrap();
        let models: Vec<u32> = order.into_iter().map(|(model, _)| model).collect();
        assert_eq!(models, expected, "limit {limit}");
    }
}

#[test]
fn the_order_of_the_candidates_and_doubles_among_them_change_nothing() {
    let ranking = ranking("{}");
    let request = request(Target::Model(3));
    assert_eq!(order(&ranking, &request, &[4, 0, 3, 1, 4, 2], &[]), order(&ranking, &request, &FREE, &[]));
}

#[test]
fn everybody_left_out_is_named_with_a_reason_if_that_is_read() {
    let dropped = |settings: &str, target, facts: &[Fact]| {
        let request = Request { limit: 2, explain: true, ..request(target) };
        let ranking = ranking(settings);
        let candidates: &[u32] = if ranking.free_mode { &FREE } else { &ALL };
        let Decision::Route(route) = ranking.decide(&request, candidates, facts).unwrap() else {
            panic!("no route for {settings}");
        };
        assert_eq!(route.order.len() + route.dropped.len(), candidates.len(), "{settings}");
        route.dropped.iter().map(|drop| (drop.model, drop.why)).collect::<Vec<_>>()
    };
    let codes =
        |expected: &[(u32, Reason)]| expected.iter().map(|(model, why)| (*model, why.code())).collect::<Vec<_>>();

    assert_eq!(
        dropped("{}", Target::Any, &[fact(3, COOLING, 1)]),
        codes(&[(4, BeyondLimit), (0, BeyondLimit), (3, BeyondLimit)])
    );
    assert_eq!(
        dropped(r#"{"free_mode": false, "fallbacks": ["a/paid"]}"#, Target::Model(6), &[fact(1, COOLING, 1)]),
        codes(&[(2, NotNamed), (3, NotNamed), (4, NotNamed), (7, NotNamed), (0, NotNamed), (1, NotNamed)])
    );
    assert_eq!(
        dropped(r#"{"free_mode": false}"#, Target::Any, &[]),
        codes(&[(3, BeyondLimit), (4, BeyondLimit), (5, NotFree), (6, NotFree), (7, NotFree), (0, BeyondLimit)])
    );
}

#[test]
fn scores_fall_with_the_place_and_nothing_is_dropped_unasked() {
    let Ok(Decision::Route(route)) = ranking("{}").decide(&request(Target::Any), &FREE, &[]) else {
        panic!("no route");
    };
    let scores: Vec<f32> = route.order.iter().map(|pick| pick.score).collect();
    assert_eq!(scores, [1.0, 0.5, 1.0 / 3.0, 0.25, 0.2]);
    assert_eq!(route.dropped, []);
}

#[test]
fn no_candidates_are_no_opinion_and_foreign_ones_are_an_error() {
    let ranking = ranking("{}");
    assert_eq!(ranking.decide(&request(Target::Any), &[], &[]), Ok(Decision::Abstain));
    for foreign in [5, 99, u32::MAX] {
        let error = ranking.decide(&request(Target::Any), &[1, foreign], &[]).unwrap_err();
        assert!(error.starts_with(&format!("choose among candidates: model {foreign} is not visible")), "{error}");
    }
}
