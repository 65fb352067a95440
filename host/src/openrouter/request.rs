//! What goes upstream: the client's fields, a model, and the guards.
//!
//! A request is put together once, and once more in part for each model it is
//! tried with. In free mode nothing that could cost money passes: prices are
//! capped at zero and paid extras are refused in words, never dropped in
//! silence. Chats and texts for vectors alike. Pure.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    catalog::{Capabilities, Model, Traits},
    chat::{Fields, Unreadable},
};

/// Fields that have no counterpart behind this router: it chooses the models
/// itself, and always streams.
const OURS: [&str; 5] = ["model", "models", "route", "stream", "stream_options"];

/// Fields that depend on the model and are added for each.
const PER_MODEL: [&str; 5] = ["provider", "reasoning", "reasoning_effort", "include_reasoning", "tool_choice"];

/// Plugins that are free of charge.
const FREE_PLUGINS: [&str; 3] = ["context-compression", "moderation", "response-healing"];

/// Kinds of tools that the client carries out itself; all others are carried out
/// by OpenRouter or the provider, and have a price.
const FREE_TOOLS: [&str; 2] = ["custom", "function"];

/// Tiers of service that cost no more than the usual one.
const FREE_TIERS: [&str; 4] = ["auto", "default", "flex", "standard"];

/// A request that is complete but for the model.
#[derive(Debug)]
pub struct Body {
    /// `,"messages":[…],"tools":[…]` and so on: everything that stays.
    fixed: Bytes,
    provider: Option<Value>,
    reasoning: Option<Value>,
    reasoning_effort: Option<Box<RawValue>>,
    include_reasoning: Option<Box<RawValue>>,
    tool_choice: Option<Box<RawValue>>,
}

impl Body {
    /// Puts the fields of a request together.
    ///
    /// Fails with words for the client if a field that matters cannot be read,
    /// or would cost money in free mode.
    pub fn new(mut fields: Fields, free_mode: bool) -> Result<Self, Unreadable> {
        for name in OURS {
            drop(fields.take(name));
        }
        if free_mode {
            refuse_paid(&fields)?;
        }
        let provider = provider(&fields, free_mode)?;
        let reasoning: Option<Value> = fields.read("reasoning")?;
        let [_, _, reasoning_effort, include_reasoning, tool_choice] = PER_MODEL.map(|name| fields.take(name));
        Ok(Self { fixed: join(&fields), provider, reasoning, reasoning_effort, include_reasoning, tool_choice })
    }

    /// Returns the JSON to send to a model.
    pub fn for_model(&self, model: &Model) -> Bytes {
        let mut body = BytesMut::with_capacity(self.fixed.len() + 512);
        body.put_slice(b"{\"model\":");
        put(&mut body, &json!(model.id.as_str()).to_string());
        body.put_slice(b",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
        if let Some(provider) = &self.provider {
            member(&mut body, "provider", &provider.to_string());
        }
        let always_thinks = model.traits.contains(Traits::REASONING_MANDATORY);
        let unthinking = self.reasoning.as_ref().is_some_and(switches_off)
            || self.reasoning_effort.as_ref().is_some_and(|effort| effort.get() == "\"none\"");
        if always_thinks && unthinking {
            // It refuses the switch; what is thought can still be kept back.
            member(&mut body, "reasoning", "{\"exclude\":true}");
        } else {
            if let Some(reasoning) = &self.reasoning {
                member(&mut body, "reasoning", &reasoning.to_string());
            }
            if let Some(effort) = &self.reasoning_effort {
                member(&mut body, "reasoning_effort", effort.get());
            }
        }
        if let Some(include) = &self.include_reasoning {
            member(&mut body, "include_reasoning", include.get());
        }
        // `auto` is what happens without it, and some models refuse the word.
        if let Some(choice) = &self.tool_choice
            && (choice.get() != "\"auto\"" || model.capabilities.contains(Capabilities::TOOL_CHOICE))
        {
            member(&mut body, "tool_choice", choice.get());
        }
        body.put_slice(&self.fixed);
        body.put_u8(b'}');
        body.freeze()
    }
}

/// Returns the JSON of a request for vectors, with the guards of free mode.
///
/// Fails with words for the client if a field that matters cannot be read, or would
/// cost money in free mode.
pub fn for_vectors(mut fields: Fields, model: &Model, free_mode: bool) -> Result<Bytes, Unreadable> {
    for name in OURS {
        drop(fields.take(name));
    }
    if free_mode {
        refuse_paid(&fields)?;
    }
    let provider = provider(&fields, free_mode)?;
    drop(fields.take("provider"));
    let mut body = BytesMut::with_capacity(room(&fields) + 256);
    body.put_slice(b"{\"model\":");
    put(&mut body, &json!(model.id.as_str()).to_string());
    if let Some(provider) = provider {
        member(&mut body, "provider", &provider.to_string());
    }
    for (name, value) in fields.iter() {
        member(&mut body, name, value.get());
    }
    body.put_u8(b'}');
    Ok(body.freeze())
}

/// Returns what the client says of providers, in free mode with the price
/// capped at zero.
fn provider(fields: &Fields, free_mode: bool) -> Result<Option<Value>, Unreadable> {
    let mut provider: Option<Map<String, Value>> = fields.read("provider")?;
    if free_mode {
        let guard = provider.get_or_insert_default();
        guard.insert("max_price".to_owned(), json!({"prompt": 0, "completion": 0}));
    }
    Ok(provider.map(Value::Object))
}

fn join(fields: &Fields) -> Bytes {
    let mut fixed = BytesMut::with_capacity(room(fields));
    for (name, value) in fields.iter() {
        member(&mut fixed, name, value.get());
    }
    fixed.freeze()
}

fn room(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.get().len() + 8).sum()
}

fn member(body: &mut BytesMut, name: &str, value: &str) {
    body.put_u8(b',');
    put(body, &Value::from(name).to_string());
    body.put_u8(b':');
    put(body, value);
}

fn put(body: &mut BytesMut, text: &str) {
    body.put_slice(text.as_bytes());
}

fn switches_off(reasoning: &Value) -> bool {
    reasoning.get("enabled") == Some(&Value::Bool(false))
        || reasoning.get("effort").is_some_and(|effort| effort == "none")
}

#[derive(Deserialize)]
struct Plugin {
    #[serde(default)]
    id: String,
    /// The account's own plugins can be switched off for a request.
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Deserialize)]
struct Tool {
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

impl Plugin {
    fn is_paid(&self) -> bool {
        self.enabled != Some(false) && !FREE_PLUGINS.contains(&self.id.as_str())
    }
}

/// Refuses what OpenRouter charges for even with a free model.
fn refuse_paid(fields: &Fields) -> Result<(), Unreadable> {
    let refuse = |field: &str, what: &str| {
        let reason = format!("{what} costs money, and free mode is on");
        Err(Unreadable { field: field.to_owned(), reason })
    };
    let plugins: Vec<Plugin> = fields.read("plugins")?.unwrap_or_default();
    if let Some(plugin) = plugins.iter().find(|plugin| plugin.is_paid()) {
        return refuse("plugins", &format!("the plugin `{}`", plugin.id));
    }
    let tools: Vec<Tool> = fields.read("tools")?.unwrap_or_default();
    let mut kinds = tools.iter().filter_map(|tool| tool.kind.as_deref()).filter(|kind| !kind.is_empty());
    if let Some(kind) = kinds.find(|kind| !FREE_TOOLS.contains(kind)) {
        return refuse("tools", &format!("the server tool `{kind}`"));
    }
    let tier: Option<String> = fields.read("service_tier")?;
    if let Some(tier) = tier.filter(|tier| !FREE_TIERS.contains(&tier.as_str())) {
        return refuse("service_tier", &format!("the tier `{tier}`"));
    }
    if fields.get("preset").is_some() {
        return refuse("preset", "what a preset of the account adds");
    }
    if fields.get("web_search_options").is_some() {
        return refuse("web_search_options", "web search");
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::catalog::ModelId;

    fn model(traits: Traits, capabilities: Capabilities) -> Model {
        Model {
            id: ModelId::parse("a/b:free").unwrap(),
            name: "b".to_owned(),
            capabilities,
            traits,
            context_tokens: 0,
            max_output_tokens: 0,
            prompt_price: None,
            completion_price: None,
            created: 0,
            expires: None,
        }
    }

    fn sent(fields: &Value, free_mode: bool, model: &Model) -> Value {
        let fields = serde_json::from_str(&fields.to_string()).unwrap();
        let body = Body::new(fields, free_mode).unwrap().for_model(model);
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn fields_pass_untouched_but_for_model_and_streaming() {
        let plain = model(Traits::empty(), Capabilities::TOOL_CHOICE);
        let fields = json!({
            "model": "auto", "models": ["x/y"], "stream": false, "messages": [{"role": "user", "content": "ä\n"}],
            "tool_choice": "auto", "temperature": 0.5, "new_field": {"deep": [1, null]}, "reasoning": {"enabled": false},
            "provider": {"sort": "latency"}, "seed": null,
        });
        assert_eq!(
            sent(&fields, false, &plain),
            json!({
                "model": "a/b:free", "stream": true, "stream_options": {"include_usage": true},
                "messages": [{"role": "user", "content": "ä\n"}], "tool_choice": "auto", "temperature": 0.5,
                "new_field": {"deep": [1, null]}, "reasoning": {"enabled": false}, "provider": {"sort": "latency"},
                "seed": null,
            })
        );
    }

    #[test]
    fn free_mode_caps_the_price_whatever_the_client_says() {
        let plain = model(Traits::FREE, Capabilities::empty());
        let zero = json!({"prompt": 0, "completion": 0});
        assert_eq!(sent(&json!({}), true, &plain)["provider"], json!({"max_price": zero}));
        let wide = json!({"provider": {"max_price": {"prompt": 9}, "order": ["P"]}});
        assert_eq!(sent(&wide, true, &plain)["provider"], json!({"max_price": zero, "order": ["P"]}));
    }

    #[test]
    fn free_mode_refuses_paid_extras_in_words() {
        let cases = [
            (
                json!({"plugins": [{"id": "web"}]}),
                "cannot use `plugins`: the plugin `web` costs money, and free mode is on",
            ),
            (
                json!({"tools": [{"type": "openrouter:web_search"}]}),
                "cannot use `tools`: the server tool `openrouter:web_search` costs money, and free mode is on",
            ),
            (
                json!({"plugins": [{"id": "response-healing"}, {"id": "web", "enabled": true}]}),
                "cannot use `plugins`: the plugin `web` costs money, and free mode is on",
            ),
            (json!({"plugins": [{}]}), "cannot use `plugins`: the plugin `` costs money, and free mode is on"),
            (
                json!({"tools": [{"type": "function"}, {"type": "web_search_preview"}]}),
                "cannot use `tools`: the server tool `web_search_preview` costs money, and free mode is on",
            ),
            (
                json!({"service_tier": "priority"}),
                "cannot use `service_tier`: the tier `priority` costs money, and free mode is on",
            ),
            (
                json!({"preset": "mine"}),
                "cannot use `preset`: what a preset of the account adds costs money, and free mode is on",
            ),
            (
                json!({"web_search_options": {}}),
                "cannot use `web_search_options`: web search costs money, and free mode is on",
            ),
            (
                json!({"provider": 3}),
                "cannot use `provider`: invalid type: integer `3`, expected a map at line 1 column 1",
            ),
        ];
        for (fields, expected) in cases {
            let fields = serde_json::from_str(&fields.to_string()).unwrap();
            assert_eq!(Body::new(fields, true).unwrap_err().to_string(), expected);
        }
        for harmless in [
            json!({"plugins": [{"id": "web", "enabled": false}]}),
            json!({"tools": [{"type": "function"}, {"type": "custom"}, {"function": {}}, {"type": null}, {"type": ""}]}),
            json!({"service_tier": "flex", "transforms": ["middle-out"], "preset": null, "plugins": []}),
        ] {
            let fields = serde_json::from_str(&harmless.to_string()).unwrap();
            assert!(Body::new(fields, true).is_ok(), "{harmless}");
        }
    }

    #[test]
    fn a_request_for_vectors_passes_with_the_same_guard() {
        let embedder = model(Traits::FREE, Capabilities::EMBEDDINGS);
        let sent = |fields: &Value, free_mode| -> Value {
            let fields = serde_json::from_str(&fields.to_string()).unwrap();
            serde_json::from_slice(&for_vectors(fields, &embedder, free_mode).unwrap()).unwrap()
        };
        let fields = json!({"model": "auto", "input": ["ä\n", "b"], "dimensions": 8, "new_field": [null]});
        let expected = json!({"model": "a/b:free", "input": ["ä\n", "b"], "dimensions": 8, "new_field": [null]});
        assert_eq!(sent(&fields, false), expected);
        let wide = json!({"input": "a", "provider": {"max_price": {"prompt": 9}, "only": ["P"]}});
        let guard = json!({"max_price": {"prompt": 0, "completion": 0}, "only": ["P"]});
        assert_eq!(sent(&wide, true), json!({"model": "a/b:free", "input": "a", "provider": guard}));
    }

    #[test]
    fn what_a_model_refuses_is_left_out_for_it_alone() {
        let thinker = model(Traits::REASONING_MANDATORY, Capabilities::TOOLS);
        let body = json!({"reasoning": {"effort": "none"}, "reasoning_effort": "none", "tool_choice": "auto"});
        let got = sent(&body, false, &thinker);
        let stream = json!({"include_usage": true});
        assert_eq!(
            got,
            json!({"model": "a/b:free", "stream": true, "stream_options": stream, "reasoning": {"exclude": true}})
        );
        let named = json!({"tool_choice": "required", "reasoning": {"effort": "low"}});
        let got = sent(&named, false, &thinker);
        assert_eq!((&got["tool_choice"], &got["reasoning"]), (&json!("required"), &json!({"effort": "low"})));
    }
}
