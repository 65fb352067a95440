//! Chats: all fields that OpenAI and OpenRouter define, and well-formed streams.

use ollama_router::sandbox::{
    reply::{
        Reply,
        parts::{Tail, ToolForm},
        step::Step,
    },
    scenario::Scenario,
};
use serde_json::{Map, Value, json};

use crate::{
    openai::{MODEL, pieces, refused},
    support::{
        Host, Setup,
        models::{catalog, entry},
    },
};

const PATH: &str = "/v1/chat/completions";

fn ask(fields: Value) -> Value {
    let mut body = json!({"model": "auto", "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
    let Value::Object(fields) = fields else { panic!("{fields} is no object") };
    body.as_object_mut().unwrap().extend(fields);
    body
}

async fn start() -> Host {
    Setup::new().models(&[MODEL]).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_field_reaches_the_model() {
    let mut model = entry(MODEL, 200_000);
    model["supported_parameters"] = json!(["tools", "tool_choice", "reasoning", "structured_outputs", "logprobs"]);
    model["reasoning"] = json!({"mandatory": false});
    let scenario = Scenario::quiet().catalog(catalog([model]));
    let host = Setup::new().scenario(scenario).start().await;
    let openais = json!({
        "frequency_penalty": -0.5, "logit_bias": {"50256": -100}, "logprobs": true, "top_logprobs": 3,
        "max_completion_tokens": 90, "max_tokens": 100, "metadata": {"a": "b"}, "modalities": ["text"], "n": 1,
        "parallel_tool_calls": false, "prediction": {"type": "content", "content": "x"}, "presence_penalty": 0.5,
        "prompt_cache_key": "k", "prompt_cache_retention": "24h", "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}},
        "safety_identifier": "me", "seed": 1_234_567_890_123_i64, "service_tier": "auto", "stop": ["x", "y"], "store": false,
        "temperature": 0.1, "tool_choice": "required", "top_p": 1, "user": "me", "verbosity": "low",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}}],
        "audio": {"voice": "alloy", "format": "wav"}, "moderation": null,
    });
    let openrouters = json!({
        "cache_control": {"type": "ephemeral"}, "debug": {"echo_upstream_body": false}, "image_config": {"size": "1K"},
        "include_reasoning": true, "min_p": 0.05, "plugins": [{"id": "response-healing"}, {"id": "web", "enabled": false}],
        "reasoning": {"effort": "low", "exclude": false}, "repetition_penalty": 1.1, "session_id": "s",
        "structured_outputs": true, "top_a": 0.5, "top_k": 7, "trace": {"trace_id": "t"}, "transforms": ["middle-out"],
        "usage": {"include": true},
    });
    let others = json!({
        "chat_template_kwargs": {"enable_thinking": false}, "a_field_of_tomorrow": [1.50, {"e": 1e-7}, null],
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "boss"},
            {"role": "user", "content": [{"type": "text", "text": "\u{e4}\n\u{1f600}", "cache_control": {"type": "ephemeral"}}]},
            {"role": "assistant", "content": null, "reasoning": "Hm", "reasoning_content": "Hm", "reasoning_details":
                [{"type": "reasoning.encrypted", "data": "x", "index": 0}], "tool_calls":
                [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "rain"},
        ],
    });
    let mut fields = Map::new();
    for part in [openais, openrouters, others] {
        fields.extend(part.as_object().unwrap().clone());
    }
    let ours = json!({
        "provider": {"sort": "latency", "data_collection": "deny", "max_price": {"prompt": 9}},
        "models": ["x/y"], "route": "fallback", "stream_options": {"include_usage": false, "include_obfuscation": true},
        "functions": [], "function_call": null,
    });
    let mut body = ask(Value::Object(fields.clone()));
    body.as_object_mut().unwrap().extend(ours.as_object().unwrap().clone());
    let answer = host.post(PATH, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut expected = fields;
    expected.insert("model".to_owned(), json!(MODEL));
    expected.insert("stream".to_owned(), json!(true));
    expected.insert("stream_options".to_owned(), json!({"include_usage": true}));
    let provider = json!({"sort": "latency", "data_collection": "deny", "max_price": {"prompt": 0, "completion": 0}});
    expected.insert("provider".to_owned(), provider);
    assert_eq!(host.last_sent(), Value::Object(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_was_before_tools_is_refused_by_the_name_of_what_there_is() {
    let host = start().await;
    for fields in [json!({"functions": [{"name": "f"}]}), json!({"function_call": "auto"})] {
        let answer = host.post(PATH, &ask(fields.clone())).await;
        let told = refused(&answer);
        assert!(answer.status == 400 && told.contains("send `tools` and `tool_choice`"), "{fields}: {told}");
    }
    let answer = host.post(PATH, &ask(json!({"n": 2}))).await;
    assert!(answer.status == 400 && refused(&answer).starts_with("cannot use `n`: "), "{}", answer.text);
    assert_eq!(host.called(), Vec::<String>::new());
}

/// Checks what holds for every stream, and returns its deltas joined as OpenAI's
/// library for Python joins them: by adding up all texts.
fn joined(pieces: &[Value], with_usage: bool) -> Value {
    let head = |piece: &Value| ["id", "object", "created", "model"].map(|name| piece[name].clone());
    let mut whole = json!({});
    let mut reasons = Vec::new();
    let (choices, counts): (Vec<&Value>, Vec<&Value>) = pieces.iter().partition(|piece| piece["choices"] != json!([]));
    assert_eq!(counts.len(), usize::from(with_usage), "{pieces:?}");
    assert!(counts.iter().all(|piece| piece["usage"]["total_tokens"].is_u64() && *piece == pieces.last().unwrap()));
    for (place, piece) in choices.iter().enumerate() {
        assert_eq!(head(piece), head(&pieces[0]));
        assert!(piece["id"].as_str().is_some_and(|id| !id.is_empty()) && piece["created"].is_u64(), "{piece}");
        assert_eq!(piece["object"], "chat.completion.chunk");
        assert!(piece["usage"].is_null(), "{piece}");
        let choice = &piece["choices"][0];
        assert!(choice["index"] == 0 && choice["delta"].is_object(), "{piece}");
        assert!(place > 0 || choice["delta"]["role"] == "assistant", "{piece}");
        if let Some(reason) = choice["finish_reason"].as_str() {
            assert_eq!(place + 1, choices.len(), "{piece} ends the answer");
            reasons.push(reason.to_owned());
        }
        add(&mut whole, &choice["delta"]);
    }
    assert_eq!(reasons.len(), 1, "{pieces:?}");
    whole["finish_reason"] = json!(reasons[0]);
    whole["role"] = json!("assistant");
    whole
}

fn add(whole: &mut Value, delta: &Value) {
    for (name, new) in delta.as_object().unwrap() {
        match (&mut whole[name.as_str()], new) {
            (_, Value::Null) => {}
            (Value::String(old), Value::String(new)) => old.push_str(new),
            (Value::Array(old), Value::Array(new)) => {
                for item in new {
                    match old.iter_mut().find(|known| known["index"] == item["index"]) {
                        Some(known) => {
                            let mut item = item.clone();
                            drop(item.as_object_mut().unwrap().remove("index"));
                            add(known, &item);
                        }
                        None => old.push(item.clone()),
                    }
                }
            }
            (old @ Value::Object(_), new @ Value::Object(_)) => add(old, new),
            (old, new) => *old = new.clone(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_wellformed_however_the_upstream_spells_it() {
    let host = start().await;
    let tails = [Tail::FinishTwice, Tail::UsageAlone, Tail::UsageUnfinished, Tail::FinishOnLast];
    for tail in tails {
        for with_usage in [true, false] {
            host.sandbox.script(MODEL, [Reply::text("One two").reasoning("Hm. So.").tail(tail).usage(11, 3)]);
            let fields = json!({"stream_options": {"include_usage": with_usage}});
            let told = joined(&pieces(&host.post(PATH, &ask(fields)).await), with_usage);
            let texts = [&told["content"], &told["reasoning"], &told["reasoning_content"], &told["finish_reason"]];
            assert_eq!(texts, ["One two", "Hm. So.", "Hm. So.", "stop"], "{tail:?}");
        }
    }
    host.sandbox.script(MODEL, [Reply::text("One two").then_late_error(400, "Token limit reached")]);
    assert_eq!(joined(&pieces(&host.post(PATH, &ask(json!({}))).await), false)["content"], "One two");
    let changing =
        |id: &str, text: &str| Step::Data(json!({"id": id, "model": id, "choices": [{"delta": {"content": text}}]}));
    host.sandbox.script(MODEL, [Reply::stream([changing("a", "One "), changing("b", "two"), Step::Done])]);
    assert_eq!(joined(&pieces(&host.post(PATH, &ask(json!({}))).await), false)["content"], "One two");
    // OpenRouter's own way to ask for the usage.
    host.sandbox.script(MODEL, [Reply::text("One").usage(1, 1)]);
    joined(&pieces(&host.post(PATH, &ask(json!({"usage": {"include": true}}))).await), true);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_the_same_whole_and_joined_in_every_spelling() {
    let host = start().await;
    let arguments = json!({"city": "Ulm", "days": [1, 2]});
    let forms = [ToolForm::Fragments, ToolForm::Repeating, ToolForm::Whole, ToolForm::NoId, ToolForm::NoArguments];
    for form in forms {
        let reply = || {
            let calls = Reply::chunks([]).tool_call_as(form, "weather", &arguments);
            calls.tool_call_as(ToolForm::NoArguments, "time", &json!({})).finish("stop")
        };
        host.sandbox.script(MODEL, [reply(), reply()]);
        let streamed = joined(&pieces(&host.post(PATH, &ask(json!({}))).await), false);
        let whole = host.post(PATH, &ask(json!({"stream": false}))).await.json();
        assert_eq!(
            (&streamed["finish_reason"], &whole["choices"][0]["finish_reason"]),
            (&json!("tool_calls"), &json!("tool_calls"))
        );
        for calls in [&streamed["tool_calls"], &whole["choices"][0]["message"]["tool_calls"]] {
            let calls = calls.as_array().unwrap();
            let told: Vec<Value> = calls
                .iter()
                .map(|call| {
                    let arguments: Value =
                        serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
                    json!([call["type"], call["function"]["name"], arguments])
                })
                .collect();
            let first = if form == ToolForm::NoArguments { json!({}) } else { arguments.clone() };
            assert_eq!(told, [json!(["function", "weather", first]), json!(["function", "time", {}])], "{form:?}");
            let ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
            assert!(!ids[0].is_empty() && !ids[1].is_empty() && ids[0] != ids[1], "{form:?}: {ids:?}");
            assert!(ids.iter().all(|id| id.matches("call_").count() == 1), "{form:?}: {ids:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_has_all_that_libraries_insist_on() {
    let host = start().await;
    let bare = Step::Data(json!({"id": "", "model": "", "choices": [{"delta": {"reasoning": "Hm", "content": "Hi"}}]}));
    host.sandbox.script(MODEL, [Reply::stream([bare, Step::Done])]);
    let mut whole = host.post(PATH, &ask(json!({"stream": false}))).await.json();
    assert!(whole["id"].as_str().is_some_and(|id| !id.is_empty()), "{whole}");
    assert!(whole["created"].as_u64().is_some_and(|created| created > 0), "{whole}");
    for name in ["id", "created", "provider"] {
        drop(whole.as_object_mut().unwrap().remove(name));
    }
    let message = json!({"role": "assistant", "content": "Hi", "reasoning": "Hm", "reasoning_content": "Hm"});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop", "logprobs": null});
    assert_eq!(whole, json!({"object": "chat.completion", "model": MODEL, "choices": [choice]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_has_no_end() {
    let host = start().await;
    for reply in [Reply::text("One two").then_error(502, "lost"), Reply::text("One two").then_cut()] {
        host.sandbox.script(MODEL, [reply]);
        let answer = host.post(PATH, &ask(json!({}))).await;
        assert!(!answer.complete && !answer.text.contains("[DONE]"), "{answer:?}");
        let events = answer.events();
        assert!(events.iter().all(|event| event["choices"][0]["finish_reason"].is_null()), "{}", answer.text);
        assert_eq!(events.last().unwrap()["error"]["type"], "api_error", "{}", answer.text);
        host.sandbox.clear(MODEL);
    }
}
