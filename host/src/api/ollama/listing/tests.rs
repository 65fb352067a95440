//! Tests of the listings: golden answers, over a catalogue of awkward models.
//!
//! What single clients insist on is in `tests/e2e/contracts`.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;
use crate::catalog::{Catalog, ModelId, Traits, names::Names};

const SEES_AND_CALLS: Capabilities = Capabilities::VISION.union(Capabilities::TOOLS);

fn model(id: &str, name: &str, context_tokens: u32, capabilities: Capabilities) -> Model {
    Model {
        id: ModelId::parse(id).unwrap(),
        name: name.to_owned(),
        capabilities,
        traits: Traits::FREE | Traits::CHAT,
        context_tokens,
        max_output_tokens: 0,
        prompt_price: Some(0.0),
        completion_price: Some(0.0),
        created: 1_785_542_400,
        expires: None,
    }
}

fn awkward() -> Catalog {
    let thinks = Capabilities::REASONING;
    let mut models = vec![
        model("qwen/qwen3-coder:free", "Qwen: Qwen3 Coder 480B A35B (free)", 262_144, Capabilities::TOOLS),
        model("google/gemma-4-31b-it:free", "Google: Gemma 4 31B (free)", 131_072, SEES_AND_CALLS | thinks),
        model("a/no-context", "a/no-context", 0, Capabilities::empty()),
        model("a/twin:free", "Twin", 4_096, Capabilities::TOOLS),
        model("b/twin:free", "twin", 8_192, Capabilities::TOOLS),
        model("x/y-1.5-pro.2", "Y 1.5", 1, Capabilities::empty()),
        model("v/only-eyes-8x7b:free", "Only Eyes", 32_000, Capabilities::VISION),
        model("n/bert-chat", "Bert Chat", 512, Capabilities::empty()),
        model("e/text-embed-3", "Text Embed 3", 8_192, Capabilities::EMBEDDINGS),
        model("~strange/-", "", u32::MAX, Capabilities::all().difference(Capabilities::EMBEDDINGS)),
        model("plain", "Auto", 16_384, Capabilities::AUDIO),
        model("h/huge", &"Huge ".repeat(500), 10_000_000, thinks),
    ];
    for (age, model) in (0_u64..).zip(&mut models) {
        model.created -= age;
    }
    models[5].created = u64::MAX;
    Catalog::new(models, std::collections::BTreeSet::new(), 0)
}

/// Gives the awkward models, all of them visible, to a test.
fn with_listed(test: impl FnOnce(&[Listed<'_>])) {
    let catalog = awkward();
    let visible: Vec<u32> = (0..).take(catalog.models().len()).collect();
    let names = Names::new(&catalog, &visible);
    let listed: Vec<Listed<'_>> = visible
        .iter()
        .map(|&number| Listed { model: catalog.model(number).unwrap(), name: names.shown(number).unwrap() })
        .collect();
    test(&listed);
}

fn read<T: DeserializeOwned>(answer: &impl Serialize) -> T {
    serde_json::from_str(&serde_json::to_string(answer).unwrap()).unwrap()
}

#[test]
fn an_entry_of_tags_is_the_golden_one() {
    with_listed(|models| {
        let tag = tag(models[0]);
        assert_eq!(
            read::<Value>(&tag),
            json!({"name": "qwen3-coder:free", "model": "qwen3-coder:free", "modified_at": "2026-08-01T00:00:00.000Z",
                "size": 1, "digest": tag.digest, "details": {"parent_model": "", "format": "gguf", "family": "qwen3",
                "families": ["qwen3"], "parameter_size": "480B", "quantization_level": "unknown"},
                "capabilities": ["completion", "tools"], "remote_model": "qwen/qwen3-coder:free",
                "remote_host": "https://openrouter.ai"})
        );
    });
}

#[test]
fn an_answer_of_show_is_the_golden_one() {
    with_listed(|models| {
        assert_eq!(
            read::<Value>(&show(models[0], models)),
            json!({"license": "", "modelfile": "FROM qwen/qwen3-coder:free", "parameters": "num_ctx 262144",
                "template": "{{ if .System }}{{ .System }}{{ end }}{{ if .Tools }}{{ .Tools }}{{ end }}{{ .Prompt }}",
                "details": {"parent_model": "", "format": "gguf", "family": "qwen3", "families": ["qwen3"],
                    "parameter_size": "480B", "quantization_level": "unknown"},
                "model_info": {"general.architecture": "qwen3", "general.basename": "Qwen3 Coder 480B A35B (free)",
                    "general.parameter_count": 480_000_000_000_u64, "qwen3.context_length": 262_144,
                    "qwen3.embedding_length": 0},
                "capabilities": ["completion", "tools"], "modified_at": "2026-08-01T00:00:00.000Z",
                "remote_model": "qwen/qwen3-coder:free", "remote_host": "https://openrouter.ai"})
        );
    });
}

#[test]
fn a_running_model_is_wholly_loaded_until_it_expires() {
    with_listed(|models| {
        assert_eq!(
            read::<Value>(&process(models[1], "2026-08-01T00:05:00Z".parse().unwrap())),
            json!({"name": "gemma-4-31b-it:free", "model": "gemma-4-31b-it:free", "size": 1, "size_vram": 1,
                "digest": tag(models[1]).digest, "details": {"parent_model": "", "format": "gguf", "family": "gemma",
                "families": ["gemma", "clip"], "parameter_size": "31B", "quantization_level": "unknown"},
                "expires_at": "2026-08-01T00:05:00.000Z", "context_length": 131_072})
        );
    });
}

#[test]
fn auto_comes_first_and_then_the_newest() {
    with_listed(|models| {
        let names: Vec<String> = tags(models).models.into_iter().map(|tag| tag.name).collect();
        assert_eq!(names[..4], ["auto:latest", "y-1.5-pro.2:latest", "qwen3-coder:free", "gemma-4-31b-it:free"]);
        assert_eq!(names.last().map(String::as_str), Some("huge:latest"));
    });
    let names: Vec<String> = tags(&[]).models.into_iter().map(|tag| tag.name).collect();
    assert_eq!(names, ["auto:latest"]);
}

#[test]
fn auto_promises_what_one_model_can_do_alone() {
    let catalog = Catalog::new(
        vec![
            model("a/long", "Long", 1_000_000, Capabilities::REASONING),
            model("a/calls", "Calls", 200_000, Capabilities::TOOLS),
            model("a/both-small", "Both", 8_000, SEES_AND_CALLS),
            model("a/both", "Both", 64_000, SEES_AND_CALLS),
            model("a/vectors", "Vectors", 2_000_000, Capabilities::EMBEDDINGS | SEES_AND_CALLS),
        ],
        std::collections::BTreeSet::new(),
        0,
    );
    let listed: Vec<Listed<'_>> =
        catalog.models().iter().map(|model| Listed { model, name: model.id.as_str() }).collect();
    let auto: Value = read(&show_auto(&listed));
    assert_eq!(auto["capabilities"], json!(["completion", "tools", "vision"]));
    assert_eq!(auto["model_info"]["auto.context_length"], 64_000);
    let nothing: Value = read(&show_auto(&[]));
    assert_eq!(nothing["capabilities"], json!(["completion"]));
    assert_eq!(
        nothing["model_info"],
        json!({"general.architecture": "auto", "general.basename": "Auto", "auto.embedding_length": 0})
    );
}

#[test]
fn a_digest_is_64_hex_digits_of_its_own_and_changes_with_the_facts() {
    with_listed(|models| {
        let digests: HashSet<String> = tags(models).models.into_iter().map(|tag| tag.digest).collect();
        assert_eq!(digests.len(), models.len() + 1);
        assert!(digests.iter().all(|digest| digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())));
        let mut changed = models[0].model.clone();
        assert_eq!(digest(&changed), digest(models[0].model));
        changed.capabilities |= Capabilities::VISION;
        assert_ne!(digest(&changed), digest(models[0].model));
    });
}
