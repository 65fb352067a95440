//! A policy: which models a request is tried with, and in which order.
//!
//! The contract is `wit/policy.wit`; every function and field is explained there.
//! The pure part (`Settings::parse`, `view`, `decide`) is below, with its tests; the
//! side of the contract only keeps what the host loaded.

use std::cell::RefCell;

use serde_json::Value;

use crate::bindings::exports::ollama_router::policy::{lifecycle, selector};
use crate::bindings::ollama_router::policy::types::{
    Capabilities, Decision, Descriptor, Drop, Fact, Model, Pick, Reason, Request, Route, SettingError, Standing,
    Target, Traits, View,
};

/// The glue between the contract and Rust.
mod bindings {
    wit_bindgen::generate!({ world: "policy", path: "wit" });

    // The names of the exports are no symbols that a native linker takes.
    #[cfg(target_arch = "wasm32")]
    use super::Policy;

    #[cfg(target_arch = "wasm32")]
    export!(Policy);
}

/// The policy as the host sees it.
#[derive(Debug)]
pub struct Policy;

/// What an operator may set under `policy.settings`.
struct Settings {
    /// Models whose id contains this come first.
    prefer: String,
    free_mode: bool,
    tool_use_only: bool,
    filter: Vec<String>,
}

/// The same as JSON Schema, for people and editors.
const SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "prefer": { "type": "string", "default": "", "description": "Models whose id contains this come first." },
    "free_mode": { "type": "boolean", "default": true, "description": "Only free models are visible." },
    "tool_use_only": { "type": "boolean", "default": false, "description": "Only models that call tools are visible." },
    "filter": { "type": "array", "items": { "type": "string" }, "default": [], "description": "Only models are visible whose id or name contains one of these." }
  }
}"#;

// Why a model is hidden, picked or left out. A code, once given, keeps its meaning.
const NOT_USABLE: u16 = 1;
const FILTERED: u16 = 2;
const NOT_FREE: u16 = 3;
const REQUESTED: u16 = 10;
const PREFERRED: u16 = 11;
const NEXT: u16 = 12;
const LAST_RESORT: u16 = 13;
const BEYOND_LIMIT: u16 = 20;
const REASONS: [(u16, &str); 8] = [
    (NOT_USABLE, "neither a chat nor an embedding model"),
    (FILTERED, "not what `free_mode`, `tool_use_only` and the filter let through"),
    (NOT_FREE, "not free"),
    (REQUESTED, "requested"),
    (PREFERRED, "preferred"),
    (NEXT, "the next of the view"),
    (LAST_RESORT, "cooling down, the last resort"),
    (BEYOND_LIMIT, "enough others are tried before it"),
];

thread_local! {
    /// What the host has loaded so far. Memory is a cache: an instance may be replaced at any time.
    static LOADED: RefCell<Option<(Settings, Vec<Model>)>> = const { RefCell::new(None) };
}

impl lifecycle::Guest for Policy {
    fn describe() -> Descriptor {
        Descriptor {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "The requested model, then the preferred ones, then the others; resting ones last.".to_owned(),
            settings_schema: SCHEMA.to_owned(),
            reasons: REASONS.iter().map(|(code, text)| Reason { code: *code, text: (*text).to_owned() }).collect(),
        }
    }

    fn configure(settings_json: String) -> Result<(), Vec<SettingError>> {
        LOADED.set(Some((Settings::parse(&settings_json)?, Vec::new())));
        Ok(())
    }

    fn load_catalog(_epoch: u64, models: Vec<Model>) -> Result<View, String> {
        LOADED.with_borrow_mut(|loaded| {
            let (settings, kept) = loaded.as_mut().ok_or("call `configure` first")?;
            *kept = models;
            Ok(view(settings, kept))
        })
    }
}

impl selector::Guest for Policy {
    fn select(request: Request, candidates: Vec<u32>, facts: Vec<Fact>) -> Result<Decision, String> {
        LOADED.with_borrow(|loaded| {
            let (settings, models) = loaded.as_ref().ok_or("call `configure` first")?;
            Ok(decide(settings, models, &request, &candidates, &facts))
        })
    }
}

impl Settings {
    /// Reads the settings. An error names its setting by a JSON pointer.
    fn parse(json: &str) -> Result<Self, Vec<SettingError>> {
        let error = |pointer: String, message: &str| SettingError { pointer, message: message.to_owned() };
        let Ok(Value::Object(entries)) = serde_json::from_str(json) else {
            return Err(vec![error(String::new(), "expected an object of settings")]);
        };
        let mut settings = Self { prefer: String::new(), free_mode: true, tool_use_only: false, filter: Vec::new() };
        let mut errors = Vec::new();
        for (name, value) in entries {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            match (name.as_str(), value) {
                ("prefer", Value::String(text)) => settings.prefer = text.to_ascii_lowercase(),
                ("free_mode", Value::Bool(flag)) => settings.free_mode = flag,
                ("tool_use_only", Value::Bool(flag)) => settings.tool_use_only = flag,
                ("filter", Value::Array(lines)) => {
                    for (place, line) in lines.iter().enumerate() {
                        match line.as_str().map(pattern) {
                            Some(text) if text.is_empty() => {}
                            Some(text) => settings.filter.push(text),
                            None => errors.push(error(format!("{pointer}/{place}"), "expected a text")),
                        }
                    }
                }
                ("prefer", _) => errors.push(error(pointer, "expected a text")),
                ("free_mode" | "tool_use_only", _) => errors.push(error(pointer, "expected true or false")),
                ("filter", _) => errors.push(error(pointer, "expected a list of texts")),
                _ => errors.push(error(pointer, "unknown setting")),
            }
        }
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }
}

/// Returns the pattern of a line: without the comment in it, and without the tag that names have in lists.
fn pattern(line: &str) -> String {
    let mut before_signs = line.match_indices('#').filter_map(|(place, _)| line.get(..place));
    let begins_comment = |before: &&str| before.is_empty() || before.ends_with(char::is_whitespace);
    let text = before_signs.find(begins_comment).unwrap_or(line).trim().to_ascii_lowercase();
    text.strip_suffix(":latest").filter(|untagged| !untagged.is_empty()).unwrap_or(&text).to_owned()
}

/// The model filter: what clients may see and use, best first, and why not the others.
fn view(settings: &Settings, models: &[Model]) -> View {
    let why_hidden = |model: &Model| {
        let (id, name) = (model.id.to_ascii_lowercase(), model.name.to_ascii_lowercase());
        let passes =
            settings.filter.is_empty() || settings.filter.iter().any(|text| id.contains(text) || name.contains(text));
        if !model.traits.contains(Traits::CHAT) && !model.capabilities.contains(Capabilities::EMBEDDINGS) {
            Some(NOT_USABLE)
        } else if (settings.free_mode && !model.traits.contains(Traits::FREE))
            || (settings.tool_use_only && !model.capabilities.contains(Capabilities::TOOLS))
            || !passes
        {
            Some(FILTERED)
        } else {
            None
        }
    };
    let mut view = View { visible: Vec::new(), hidden: Vec::new() };
    for (number, model) in (0..).zip(models) {
        match why_hidden(model) {
            None => view.visible.push(number),
            Some(why) => view.hidden.push(Drop { model: number, why }),
        }
    }
    view
}

/// The decision: a pure function of what was loaded, the request and the facts.
fn decide(settings: &Settings, models: &[Model], request: &Request, candidates: &[u32], facts: &[Fact]) -> Decision {
    let rests = |number| facts.iter().any(|fact| fact.model == number && fact.standing.contains(Standing::COOLING));
    // What costs is tried only if the client asked for it by name.
    let why = |number: u32| {
        let model = models.get(number as usize)?;
        let is_requested = matches!(request.target, Target::Model(asked) if asked == number);
        let is_free = model.traits.contains(Traits::FREE);
        Some(match (is_requested, is_free) {
            (false, false) => return None,
            _ if rests(number) => LAST_RESORT,
            (true, _) => REQUESTED,
            _ if !settings.prefer.is_empty() && model.id.to_ascii_lowercase().contains(&settings.prefer) => PREFERRED,
            _ => NEXT,
        })
    };
    let mut ranked: Vec<(u16, u32)> =
        candidates.iter().filter_map(|&number| why(number).map(|why| (why, number))).collect();
    // Candidates come in the order of the view, and a stable sort keeps it.
    ranked.sort_by_key(|(why, _)| *why);
    let limit = (request.limit as usize).max(1).min(ranked.len());
    let (picked, rest) = ranked.split_at(limit);
    if picked.is_empty() {
        // No opinion: the host goes by the order of the view.
        return Decision::Abstain;
    }
    let order =
        picked.iter().map(|&(why, model)| Pick { model, why, score: if why == LAST_RESORT { 0.0 } else { 1.0 } });
    let mut dropped = Vec::new();
    if request.explain {
        let costs = candidates.iter().filter(|number| why(**number).is_none());
        dropped.extend(costs.map(|&model| Drop { model, why: NOT_FREE }));
        dropped.extend(rest.iter().map(|&(_, model)| Drop { model, why: BEYOND_LIMIT }));
    }
    Decision::Route(Route { order: order.collect(), dropped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::ollama_router::policy::types::ToolMode;

    fn model(id: &str) -> Model {
        Model {
            id: id.to_owned(),
            name: id.to_owned(),
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

    fn request(target: Target, limit: u32) -> Request {
        Request {
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
        }
    }

    #[test]
    fn the_requested_first_then_the_preferred() {
        let settings = Settings::parse(r#"{"prefer": "C/"}"#).ok().unwrap();
        let models = [model("a/a"), model("b/b"), model("c/c"), Model { traits: Traits::CHAT, ..model("d/paid") }];
        for (target, limit, expected) in [
            (Target::Any, 9, vec![(2, PREFERRED), (0, NEXT), (1, NEXT)]),
            (Target::Model(1), 9, vec![(1, REQUESTED), (2, PREFERRED), (0, NEXT)]),
            (Target::Gone, 1, vec![(2, PREFERRED)]),
        ] {
            let Decision::Route(route) = decide(&settings, &models, &request(target, limit), &[0, 1, 2, 3], &[]) else {
                panic!("no route");
            };
            let order: Vec<_> = route.order.iter().map(|pick| (pick.model, pick.why)).collect();
            assert_eq!(order, expected);
            assert_eq!(route.order.len() + route.dropped.len(), 4, "each candidate is picked or dropped");
        }
    }

    #[test]
    fn the_view_keeps_to_what_the_operator_wants() {
        let models = [model("a/a"), Model { traits: Traits::CHAT, ..model("a/paid") }, model("b/b")];
        for (json, visible) in [
            ("{}", vec![0, 2]),
            (r##"{"filter": ["# all", "", "B/:latest # one"]}"##, vec![2]),
            (r#"{"tool_use_only": true}"#, vec![]),
        ] {
            assert_eq!(view(&Settings::parse(json).ok().unwrap(), &models).visible, visible, "{json}");
        }
    }

    #[test]
    fn wrong_settings_are_named_by_their_pointers() {
        for (json, pointer) in [
            ("[]", ""),
            (r#"{"prefer": 1}"#, "/prefer"),
            (r#"{"filter": ["a", 1]}"#, "/filter/1"),
            (r#"{"a/b": 1}"#, "/a~1b"),
        ] {
            let errors = Settings::parse(json).err().expect(json);
            assert_eq!(errors[0].pointer, pointer, "{json}");
        }
    }
}
