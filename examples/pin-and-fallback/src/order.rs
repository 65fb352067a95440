//! The view and the order: the pinned model, then the fallbacks.
//!
//! Pure functions. The order of the view is that of the settings, and the host
//! offers candidates in it, so that little is left to decide.

use alloc::{string::String, vec::Vec};

use crate::bindings::ollama_router::policy::types::{
    Capabilities, Decision, Drop, Fact, Model, Pick, Request, Route, Standing, Target, Traits, View,
};
use crate::settings::Settings;

const NOT_NAMED: u16 = 1;
const NOT_FREE: u16 = 2;
const NO_TOOLS: u16 = 3;
const FILTERED: u16 = 4;
const REQUESTED: u16 = 10;
const PINNED: u16 = 11;
const FALLBACK: u16 = 12;
const LAST_RESORT: u16 = 13;
const BEYOND_LIMIT: u16 = 20;

/// Every reason, by its code. A code, once given, keeps its meaning.
pub(crate) const REASONS: [(u16, &str); 9] = [
    (NOT_NAMED, "neither pinned nor a fallback"),
    (NOT_FREE, "not free"),
    (NO_TOOLS, "calls no tools, and `tool_use_only` is set"),
    (FILTERED, "no pattern of the filter is part of its id or name"),
    (REQUESTED, "requested"),
    (PINNED, "pinned"),
    (FALLBACK, "stands in for the pinned one"),
    (LAST_RESORT, "cooling down, the last resort"),
    (BEYOND_LIMIT, "enough others are tried before it"),
];

/// Returns the view, and the names that are not those of exactly one model.
pub(crate) fn view<'a>(settings: &'a mut Settings, models: &[Model]) -> (View, Vec<&'a str>) {
    let mut named: Vec<u32> = Vec::new();
    let mut missing = Vec::new();
    settings.pinned = None;
    for (place, name) in settings.names.iter().enumerate() {
        match find(models, name) {
            Some(number) => {
                if place == 0 {
                    settings.pinned = Some(number);
                }
                if !named.contains(&number) {
                    named.push(number);
                }
            }
            None => missing.push(name.as_str()),
        }
    }
    let mut hidden = Vec::new();
    for (model, number) in models.iter().zip(0..) {
        let why = if named.contains(&number) { why_hidden(settings, model) } else { Some(NOT_NAMED) };
        if let Some(why) = why {
            named.retain(|name| *name != number);
            hidden.push(Drop { model: number, why });
        }
    }
    (View { visible: named, hidden }, missing)
}

/// Returns the number of the one model with this id, or this id after the vendor.
fn find(models: &[Model], name: &str) -> Option<u32> {
    let numbered = || models.iter().zip(0..);
    let by_id = numbered().find(|(model, _)| model.id.eq_ignore_ascii_case(name));
    let is_named =
        |(model, _): &(&Model, u32)| model.id.split_once('/').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(name));
    let mut by_name = numbered().filter(is_named);
    let (_, number) = by_id.or_else(|| by_name.next().filter(|_| by_name.next().is_none()))?;
    Some(number)
}

fn why_hidden(settings: &Settings, model: &Model) -> Option<u16> {
    let holds = |text: &String| {
        let is_in =
            |name: &str| name.as_bytes().windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()));
        is_in(&model.id) || is_in(&model.name)
    };
    if settings.free_mode && !model.traits.contains(Traits::FREE) {
        Some(NOT_FREE)
    } else if settings.tool_use_only && !model.capabilities.contains(Capabilities::TOOLS) {
        Some(NO_TOOLS)
    } else if !settings.filter.is_empty() && !settings.filter.iter().any(holds) {
        Some(FILTERED)
    } else {
        None
    }
}

/// Chooses: the requested model, then as in the settings, what rests last.
pub(crate) fn decide(settings: &Settings, request: &Request, candidates: &[u32], facts: &[Fact]) -> Decision {
    let rests =
        |number: u32| facts.iter().any(|fact| fact.model == number && fact.standing.contains(Standing::COOLING));
    let why = |number: u32| match request.target {
        _ if rests(number) => LAST_RESORT,
        Target::Model(asked) if asked == number => REQUESTED,
        _ if settings.pinned == Some(number) => PINNED,
        _ => FALLBACK,
    };
    let mut order = Vec::new();
    let mut dropped = Vec::new();
    // Four times over a handful is less code than sorting.
    for class in [REQUESTED, PINNED, FALLBACK, LAST_RESORT] {
        for &model in candidates.iter().filter(|number| why(**number) == class) {
            if order.is_empty() || order.len() < request.limit as usize {
                let score = if class == LAST_RESORT { 0.0 } else { 1.0 };
                order.push(Pick { model, why: class, score });
            } else if request.explain {
                dropped.push(Drop { model, why: BEYOND_LIMIT });
            }
        }
    }
    if order.is_empty() { Decision::Abstain } else { Decision::Route(Route { order, dropped }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::ollama_router::policy::types::ToolMode;

    fn model(id: &str) -> Model {
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

    fn settings(json: &str) -> Settings {
        Settings::parse(json).unwrap()
    }

    fn catalogue() -> [Model; 4] {
        [model("a/one:free"), model("b/two:free"), Model { traits: Traits::CHAT, ..model("c/two:free") }, model("d/x")]
    }

    #[test]
    fn only_what_is_named_is_visible_in_the_order_of_the_settings() {
        let cases = [
            (r#"{"pin": "d/X", "fallbacks": ["one:free"]}"#, vec![3, 0], vec![]),
            (r#"{"pin": "x", "fallbacks": ["two:free", "gone", "x"]}"#, vec![3], vec!["two:free", "gone"]),
            (r#"{"pin": "c/two:free", "fallbacks": ["x"]}"#, vec![3], vec![]),
            (r#"{"pin": "c/two:free", "fallbacks": ["x"], "free_mode": false}"#, vec![2, 3], vec![]),
            (r#"{"pin": "x", "fallbacks": ["one:free"], "filter": ["named A"]}"#, vec![0], vec![]),
            (r#"{"pin": "x", "tool_use_only": true}"#, vec![], vec![]),
        ];
        for (json, visible, missing) in cases {
            let mut settings = settings(json);
            let (view, not_found) = view(&mut settings, &catalogue());
            assert_eq!((&view.visible, not_found), (&visible, missing), "{json}");
            assert_eq!(view.hidden.len(), 4 - visible.len(), "{json}");
        }
    }

    #[test]
    fn requested_pinned_fallbacks_and_what_rests() {
        let mut settings = settings(r#"{"pin": "d/x", "fallbacks": ["a/one:free", "b/two:free"]}"#);
        view(&mut settings, &catalogue());
        let resting = Fact {
            model: 3,
            standing: Standing::COOLING,
            cooldown_ms: 5,
            in_flight: 0,
            successes: 0,
            failures: 1,
            failures_by_kind: Vec::new(),
            tool_failures: 0,
            failures_in_a_row: 1,
            last_failure_ms: 0,
            first_token_ms: 0,
            tokens_per_second: 0.0,
        };
        let cases = [
            (Target::Any, 9, vec![], vec![(3, PINNED), (0, FALLBACK), (1, FALLBACK)]),
            (Target::Gone, 1, vec![], vec![(3, PINNED)]),
            (Target::Model(1), 9, vec![], vec![(1, REQUESTED), (3, PINNED), (0, FALLBACK)]),
            (Target::Model(3), 9, vec![resting], vec![(0, FALLBACK), (1, FALLBACK), (3, LAST_RESORT)]),
            (Target::Any, 0, vec![], vec![(3, PINNED)]),
        ];
        for (target, limit, facts, expected) in cases {
            let request = Request {
                target,
                needs: Capabilities::empty(),
                wishes: Capabilities::empty(),
                tools: ToolMode::None,
                streaming: false,
                input_tokens: 0,
                output_tokens: 0,
                limit,
                quota_left: None,
                now_ms: 0,
                seed: 0,
                explain: true,
                hints: Vec::new(),
            };
            let Decision::Route(route) = decide(&settings, &request, &[3, 0, 1], &facts) else { panic!("no route") };
            let order: Vec<_> = route.order.iter().map(|pick| (pick.model, pick.why)).collect();
            assert_eq!(order, expected);
            assert_eq!(route.order.len() + route.dropped.len(), 3);
            assert_eq!(decide(&settings, &request, &[], &facts), Decision::Abstain);
        }
    }
}
