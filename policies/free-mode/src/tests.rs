//! The contract as the host uses it: in order, out of order, and again.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::FreeMode;
use crate::bindings::exports::ollama_router::policy::{lifecycle::Guest as _, selector::Guest as _};
use crate::bindings::ollama_router::policy::types::{
    Capabilities, Decision, Model, Request, Target, ToolMode, Traits, View,
};
use crate::reason::Reason;

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

fn select() -> Result<Decision, String> {
    let request = Request {
        target: Target::Any,
        needs: Capabilities::empty(),
        wishes: Capabilities::empty(),
        tools: ToolMode::Optional,
        streaming: false,
        input_tokens: 0,
        output_tokens: 0,
        limit: 4,
        quota_left: Some(50),
        now_ms: 1,
        seed: 2,
        explain: false,
        hints: Vec::new(),
    };
    FreeMode::select(request, vec![0], vec![])
}

#[test]
fn calls_out_of_order_are_errors_that_name_the_missing_call() {
    let missing = |name| Err(format!("select without a catalogue: call `{name}` first"));
    assert_eq!(select(), missing("load-catalog"));
    assert_eq!(
        FreeMode::load_catalog(1, vec![]),
        Err("load a catalogue without settings: call `configure` first".to_owned())
    );
    FreeMode::configure("{}".to_owned()).unwrap();
    assert_eq!(select(), missing("load-catalog"));
}

#[test]
fn a_configured_and_loaded_policy_decides() {
    FreeMode::configure(r#"{"filter": ["a/"]}"#.to_owned()).unwrap();
    let view = FreeMode::load_catalog(1, vec![model("a/b"), model("b/b")]).unwrap();
    let View { visible, hidden } = view;
    assert_eq!((visible, hidden.len()), (vec![0], 1));

    let Ok(Decision::Route(route)) = select() else { panic!("no route") };

    assert_eq!(route.order.iter().map(|pick| pick.model).collect::<Vec<_>>(), [0]);
}

#[test]
fn bad_settings_change_nothing() {
    FreeMode::configure("{}".to_owned()).unwrap();
    FreeMode::load_catalog(1, vec![model("a/b")]).unwrap();
    let before = select();

    assert!(FreeMode::configure(r#"{"filter": 1}"#.to_owned()).is_err());

    assert_eq!(select(), before);
}

#[test]
fn a_catalogue_that_is_far_too_long_is_an_error() {
    FreeMode::configure("{}".to_owned()).unwrap();
    let models = vec![model("a/b"); super::MAX_MODELS + 1];
    let error = FreeMode::load_catalog(1, models).unwrap_err();
    assert_eq!(error, "load a catalogue of 50001 models: at most 50000 are read");
}

#[test]
fn the_description_names_the_policy_and_every_reason() {
    let descriptor = FreeMode::describe();
    assert_eq!(descriptor.name, "free-mode");
    let codes: Vec<u16> = descriptor.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, Reason::ALL.map(Reason::code));
    assert_eq!(descriptor.settings_schema, super::SCHEMA);
}
