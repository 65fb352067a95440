//! Entries as OpenRouter writes them, and as it might one day.

use serde_json::{Value, json};

use super::{Parsed, Skipped, parse, price};
use crate::catalog::{Capabilities, Model, ModelId, Traits};

/// 2026-08-16, noon.
const NOW: u64 = 1_786_881_600;

const DAY: u64 = 24 * 3600;

fn entry() -> Value {
    json!({
        "id": "acme/fox-2:free", "name": "Acme: Fox 2 (free)", "created": 1_780_000_000, "context_length": 262_144,
        "architecture": {
            "modality": "text+image->text", "input_modalities": ["text", "image"], "output_modalities": ["text"],
            "tokenizer": "Other"
        },
        "pricing": {"prompt": "0", "completion": "0"},
        "top_provider": {"context_length": 131_072, "max_completion_tokens": 32_768, "is_moderated": false},
        "supported_parameters": ["max_tokens", "temperature", "tools"],
        "expiration_date": null
    })
}

/// The usual entry, with one value set.
fn with(path: &str, value: Value) -> Value {
    let mut entry = entry();
    let (parent, name) = path.rsplit_once('/').unwrap();
    entry.pointer_mut(parent).unwrap()[name] = value;
    entry
}

fn read(entries: &[Value]) -> Parsed {
    parse(json!({"data": entries}).to_string().as_bytes(), NOW).unwrap()
}

fn only(entry: Value) -> Model {
    let parsed = read(&[entry]);
    assert_eq!(parsed.skipped, []);
    parsed.models.into_iter().next().unwrap()
}

#[test]
fn an_entry_becomes_a_model() {
    let expected = Model {
        id: ModelId::parse("acme/fox-2:free").unwrap(),
        name: "Acme: Fox 2 (free)".to_owned(),
        capabilities: Capabilities::TOOLS | Capabilities::VISION,
        traits: Traits::FREE | Traits::CHAT,
        context_tokens: 131_072,
        max_output_tokens: 32_768,
        prompt_price: Some(0.0),
        completion_price: Some(0.0),
        created: 1_780_000_000,
        expires: None,
    };
    assert_eq!(only(entry()), expected);
}

#[test]
fn an_id_alone_is_enough() {
    let expected = Model {
        id: ModelId::parse("acme/fox").unwrap(),
        name: "acme/fox".to_owned(),
        capabilities: Capabilities::empty(),
        traits: Traits::CHAT,
        context_tokens: 0,
        max_output_tokens: 0,
        prompt_price: None,
        completion_price: None,
        created: 0,
        expires: None,
    };
    assert_eq!(only(json!({"id": "acme/fox"})), expected);
}

#[test]
fn an_entry_that_cannot_be_read_spoils_no_other() {
    let body = br#"{"data": [
        {"id": "acme/a"}, 7, {"name": "no id"}, {"id": ""}, {"id": "acme/b\nc"}, {"id": "acme/d", "created": 1e999},
        {"id": "acme/old", "expiration_date": "2026-08-15"}, {"id": "acme/z", "pricing": 3, "top_provider": []}
    ], "total_count": 8}"#;
    let parsed = parse(body, NOW).unwrap();
    let ids: Vec<&str> = parsed.models.iter().map(|model| model.id.as_str()).collect();
    let skipped: Vec<(Option<&str>, &str)> =
        parsed.skipped.iter().map(|Skipped { id, reason }| (id.as_deref(), reason.as_str())).collect();
    let expected = [
        (None, "no id"),
        (None, "no id"),
        (None, "an empty id"),
        (None, "an id that is too long or has spaces"),
        (None, "number out of range at line 1 column 33"),
        (Some("acme/old"), "expired"),
    ];
    assert_eq!((ids, skipped), (vec!["acme/a", "acme/z"], expected.to_vec()));
}

#[test]
fn a_body_without_a_list_is_an_error() {
    for body in ["", "<html>", "[]", "{}", r#"{"data": null}"#, r#"{"data": {}}"#, r#"{"error": {"code": 500}}"#] {
        let error = parse(body.as_bytes(), NOW).unwrap_err();
        assert_eq!(error.to_string(), "read the model list: no JSON object with a list named `data`", "{body}");
    }
    assert_eq!(parse(br#"{"data": []}"#, NOW).unwrap(), Parsed::default());
}

#[test]
fn free_is_what_has_no_price_but_zero() {
    let free = [
        json!({"prompt": "0", "completion": "0"}),
        json!({"prompt": "0.00000000", "completion": 0, "request": "0.0", "image": null, "discount": 0.5}),
        json!({"prompt": "0", "completion": "0", "overrides": [{"min_prompt_tokens": 1000, "prompt": "0"}]}),
        json!({"prompt": "0", "completion": "0", "overrides": [{"utc_start": "0100", "utc_end": "0300"}]}),
    ];
    let not_free = [
        json!(null),
        json!({}),
        json!({"prompt": "0"}),
        json!({"prompt": null, "completion": "0"}),
        json!({"prompt": "-1", "completion": "-1"}),
        json!({"prompt": "0", "completion": "0.0000001"}),
        json!({"prompt": "0", "completion": "free"}),
        json!({"prompt": "0", "completion": "NaN"}),
        json!({"prompt": "0", "completion": "0", "request": "0.01"}),
        json!({"prompt": "0", "completion": "0", "image": "-1"}),
        json!({"prompt": "0", "completion": "0", "tiers": [{"prompt": "0.1"}]}),
        json!({"prompt": "0", "completion": "0", "overrides": [{"min_prompt_tokens": 1000, "prompt": "0.000001"}]}),
        json!({"prompt": "0", "completion": "0", "overrides": ["0.1"]}),
    ];
    for pricing in free {
        assert!(price::is_free(&pricing), "{pricing}");
    }
    for pricing in not_free {
        assert!(!price::is_free(&pricing), "{pricing}");
    }
}

#[test]
fn prices_are_those_of_a_million_tokens() {
    let cases = [
        (json!("0.00000015"), Some(0.15)),
        (json!("0.000003"), Some(3.0)),
        (json!(0.000_002_5), Some(2.5)),
        (json!("0"), Some(0.0)),
        (json!("-1"), None),
        (json!(""), None),
        (json!(null), None),
    ];
    for (price, expected) in cases {
        assert_eq!(price::per_million(Some(&price)), expected, "{price}");
    }
}

#[test]
fn the_context_is_the_smaller_figure_and_a_senseless_one_is_none() {
    let cases = [
        (json!(262_144), json!(1_048_576), 262_144),
        (json!(1_048_576), json!(262_144), 262_144),
        (json!(null), json!(8192), 8192),
        (json!(8192), json!(null), 8192),
        (json!(0), json!(-5), 0),
        (json!(1e300), json!(4096.0), 4096),
        (json!("big"), json!({}), 0),
    ];
    for (model, provider, expected) in cases {
        let mut entry = with("/context_length", model);
        entry["top_provider"]["context_length"] = provider;
        assert_eq!(only(entry).context_tokens, expected);
    }
}

#[test]
fn an_answer_is_never_longer_than_the_context() {
    let model = only(with("/top_provider/max_completion_tokens", json!(1_000_000)));
    assert_eq!(model.max_output_tokens, 131_072);
}

#[test]
fn capabilities_follow_parameters_and_modalities() {
    let cases = [
        ("/supported_parameters", json!([]), Capabilities::VISION),
        ("/supported_parameters", json!(null), Capabilities::VISION),
        (
            "/supported_parameters",
            json!(["tool_choice", "response_format", "logprobs"]),
            Capabilities::VISION
                | Capabilities::TOOLS
                | Capabilities::TOOL_CHOICE
                | Capabilities::JSON_OBJECT
                | Capabilities::LOGPROBS,
        ),
        (
            "/supported_parameters",
            json!(["structured_outputs", "include_reasoning"]),
            Capabilities::VISION | Capabilities::JSON_SCHEMA | Capabilities::REASONING,
        ),
        ("/reasoning", json!({}), Capabilities::VISION | Capabilities::TOOLS | Capabilities::REASONING),
        ("/reasoning", json!(null), Capabilities::VISION | Capabilities::TOOLS),
        (
            "/architecture/input_modalities",
            json!(["text", "audio", "file", "video"]),
            Capabilities::TOOLS | Capabilities::AUDIO | Capabilities::FILES,
        ),
        (
            "/architecture/output_modalities",
            json!(["embeddings"]),
            Capabilities::TOOLS | Capabilities::VISION | Capabilities::EMBEDDINGS,
        ),
    ];
    for (path, value, expected) in cases {
        assert_eq!(only(with(path, value.clone())).capabilities, expected, "{path} {value}");
    }
}

#[test]
fn traits_follow_prices_outputs_and_providers() {
    let usual = Traits::FREE | Traits::CHAT;
    let cases = [
        ("/pricing/prompt", json!("0.000001"), Traits::CHAT),
        ("/pricing/prompt", json!("-1"), Traits::CHAT | Traits::ROUTER),
        ("/architecture/tokenizer", json!("Router"), usual | Traits::ROUTER),
        ("/top_provider/is_moderated", json!(true), usual | Traits::MODERATED),
        ("/top_provider/context_length", json!(null), usual),
        ("/reasoning", json!({"mandatory": true}), usual | Traits::REASONING_MANDATORY),
        ("/architecture/output_modalities", json!(["text", "audio"]), Traits::FREE),
        ("/architecture/output_modalities", json!(["embeddings"]), Traits::FREE),
        ("/architecture", json!({"modality": "text->text"}), usual),
        ("/architecture", json!({"modality": "text->text+image"}), Traits::FREE),
        ("/architecture", json!(null), usual),
        ("/id", json!("acme/fox:batch"), Traits::FREE),
        ("/id", json!("openrouter/fox-alpha"), usual),
    ];
    for (path, value, expected) in cases {
        assert_eq!(only(with(path, value.clone())).traits, expected, "{path} {value}");
    }
    let mut router = with("/top_provider", json!({}));
    router["id"] = json!("openrouter/free");
    assert_eq!(only(router).traits, usual | Traits::ROUTER);
}

#[test]
fn models_made_for_something_else_are_not_for_conversation() {
    let special = [
        "meta-llama/llama-guard-4-12b",
        "openai/gpt-oss-safeguard-20b",
        "nvidia/nemotron-3.5-content-safety:free",
        "meta-llama/LlamaGuard-2-8b",
        "deepseek/deepseek-ocr2",
        "allenai/olmocr-2-7b",
        "google/lyria-3-pro-preview",
        "nvidia/nemo-embed-1b:free",
        "cohere/rerank-4",
    ];
    let chat = [
        "acme/safeguarding-assistant",
        "acme/vanguard-7b",
        "acme/democracy-1",
        "safety-lab/fox-7b:free",
        "acme/embedded-coder",
        "no-slash",
    ];
    for id in special {
        assert_eq!(only(with("/id", json!(id))).traits, Traits::FREE, "{id}");
    }
    for id in chat {
        assert_eq!(only(with("/id", json!(id))).traits, Traits::FREE | Traits::CHAT, "{id}");
    }
}

#[test]
fn a_model_is_served_to_the_end_of_its_last_day() {
    let midnight = NOW / DAY * DAY;
    let cases = [
        (json!("2026-08-16"), Some(midnight + DAY)),
        (json!("2026-08-17T00:00:00Z"), Some(midnight + 2 * DAY)),
        (json!("2098-12-31"), None),
        (json!("9999-01-01"), None),
        (json!("soon"), None),
        (json!("2026-13-01"), None),
        (json!(20_260_815), None),
        (json!(null), None),
    ];
    for (date, expected) in cases {
        assert_eq!(only(with("/expiration_date", date.clone())).expires, expected, "{date}");
    }
    let past = Skipped { id: Some("acme/fox-2:free".to_owned()), reason: "expired".to_owned() };
    assert_eq!(read(&[with("/expiration_date", json!("2026-08-15"))]).skipped, [past]);
}
