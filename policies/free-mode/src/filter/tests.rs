//! What the model filter promises, case by case.

use super::view;
use crate::bindings::ollama_router::policy::types::{self, Capabilities, Model, Traits, View};
use crate::reason::Reason;
use crate::settings::Settings;

const CHAT: Traits = Traits::CHAT.union(Traits::FREE);

fn model(id: &str, traits: Traits, context_tokens: u32) -> Model {
    Model {
        id: id.to_owned(),
        name: format!("Display of {id}"),
        vendor: id.split('/').next().unwrap_or_default().to_owned(),
        capabilities: Capabilities::empty(),
        traits,
        context_tokens,
        max_output_tokens: 0,
        prompt_price: None,
        completion_price: None,
        created: 0,
        expires: None,
        labels: Vec::new(),
    }
}

fn hidden(number: u32, reason: Reason) -> types::Drop {
    types::Drop { model: number, why: reason.code() }
}

#[test]
fn the_largest_context_comes_first_and_routers_come_last() {
    let models = [
        model("a/small", CHAT, 8_000),
        model("openrouter/free", CHAT | Traits::ROUTER, 2_000_000),
        model("b/unknown", CHAT, 0),
        model("c/large", CHAT, 1_000_000),
    ];

    let view = view(&Settings::default(), &models);

    assert_eq!(view, View { visible: vec![3, 0, 2, 1], hidden: vec![] });
}

#[test]
fn of_equal_contexts_the_longer_answer_and_then_the_id_decides() {
    let mut models = [
        model("b/same", CHAT, 100),
        model("c/long", CHAT, 100),
        model("a/same", CHAT, 100),
        model("a/same", CHAT, 100),
    ];
    models[1].max_output_tokens = 50;
    models[0].created = 9;

    let view = view(&Settings::default(), &models);

    assert_eq!(view.visible, [1, 2, 3, 0]);
}

#[test]
fn each_hidden_model_has_its_own_reason() {
    let mut models = [
        model("a/good", CHAT, 1),
        model("a/safety", Traits::FREE, 1),
        model("a/embedder", Traits::FREE, 1),
        model("a/paid", Traits::CHAT, 1),
        model("a/mute", CHAT, 1),
        model("b/other", CHAT, 1),
    ];
    for place in [0, 1, 3, 5] {
        models[place].capabilities |= Capabilities::TOOLS;
    }
    models[2].capabilities |= Capabilities::EMBEDDINGS;
    let settings = Settings { tool_use_only: true, patterns: vec!["a/".to_owned()], ..Settings::default() };

    let view = view(&settings, &models);

    let reasons = [
        hidden(1, Reason::NotChat),
        hidden(2, Reason::NoTools),
        hidden(3, Reason::NotFree),
        hidden(4, Reason::NoTools),
        hidden(5, Reason::Filtered),
    ];
    assert_eq!(view, View { visible: vec![0], hidden: reasons.to_vec() });
}

#[test]
fn embedding_models_are_visible_after_all_others_under_the_same_rules() {
    let mut models = [
        model("a/embedder", Traits::FREE, 500),
        model("a/paid-embedder", Traits::empty(), 600),
        model("a/chat", CHAT, 1),
        model("openrouter/free", CHAT | Traits::ROUTER, 9),
        model("b/embedder", Traits::FREE, 400),
    ];
    for place in [0, 1, 4] {
        models[place].capabilities |= Capabilities::EMBEDDINGS;
    }
    let settings = Settings { patterns: vec!["a/".to_owned(), "free".to_owned()], ..Settings::default() };

    let view = view(&settings, &models);

    let reasons = [hidden(1, Reason::NotFree), hidden(4, Reason::Filtered)];
    assert_eq!(view, View { visible: vec![2, 3, 0], hidden: reasons.to_vec() });
}

#[test]
fn without_free_mode_paid_models_are_visible_in_the_same_order() {
    let models = [model("a/free", CHAT, 1), model("a/paid", Traits::CHAT, 2)];
    let settings = Settings { free_mode: false, ..Settings::default() };

    assert_eq!(view(&settings, &models), View { visible: vec![1, 0], hidden: vec![] });
}

#[test]
fn a_pattern_is_part_of_the_id_or_the_name_in_any_case() {
    let mut shown = model("google/gemini-2.0-flash-exp:free", CHAT, 1);
    shown.name = "Google: Gemini Flash 2.0 Experimental (free)".to_owned();
    for (filter, is_visible) in [
        (r#"["gemini"]"#, true),
        (r#"["GEMINI-2.0-Flash-Exp:FREE"]"#, true),
        (r#"["GOOGLE/gem"]"#, true),
        (r#"["flash 2.0 EXP"]"#, true),
        (r#"["llama", "  gemini  "]"#, true),
        (r#"["llama"]"#, false),
        (r#"["gemini.*"]"#, false),
        (r##"["# gemini", "llama"]"##, false),
        (r##"["", "   ", "# llama", "  #llama"]"##, true),
        ("[]", true),
        // What a list shows, and what stands behind it.
        (r#"["flash-exp:free:latest"]"#, true),
        (r#"["Gemini-2.0-flash:LATEST"]"#, true),
        (r#"["llama:latest"]"#, false),
        (r#"[":latest"]"#, false),
        (r#"["gemini # the best", "llama"]"#, true),
        (r#"["gemini:latest\t#the best"]"#, true),
        (r#"["gemini#the best"]"#, false),
        (r#"["llama # gemini"]"#, false),
    ] {
        let settings = Settings::parse(&format!(r#"{{"filter": {filter}}}"#));
        let settings = settings.unwrap_or_else(|errors| panic!("{filter}: {errors:?}"));

        let view = view(&settings, std::slice::from_ref(&shown));

        assert_eq!(view.visible == [0], is_visible, "{filter}");
        assert_eq!(view.visible.len() + view.hidden.len(), 1, "{filter}");
    }
}
