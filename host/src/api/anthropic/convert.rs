//! Anthropic's requests, turned into the neutral chat request.
//!
//! Pure, and the only place that knows both spellings. What a client asks for
//! either has a form upstream, or is refused in words, or has none: the tables of
//! `host/ANTHROPIC.md` tell which, and change with this file. A field that is not
//! known here passes as it came. Messages are in `messages` and `parts`, tools in
//! `tools`.

mod messages;
mod parts;
mod tools;

use serde::Serialize;
use serde_json::{json, value::RawValue};

use crate::{
    api::anthropic::wire::{Content, Format, Message, Metadata, OutputConfig, Refused, Thinking},
    catalog::Capabilities,
    chat::{Fields, Request, stops},
};

/// What a call asks for.
#[derive(Debug)]
pub struct Asked {
    /// The request for an answer.
    pub request: Request,
    /// Texts at which it is to end.
    pub stops: Vec<String>,
    /// The ids of the calls before it.
    pub calls: Vec<String>,
}

/// Fields about Anthropic's own service: its versions, tiers, places, accounts, and
/// what its servers do with a conversation that grows long.
const WITHOUT_EFFECT: [&str; 14] = [
    "anthropic_beta",
    "anthropic_version",
    "betas",
    "billing_policy",
    "compaction",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "service_tier",
    "speed",
    "user_profile_id",
    "workspace_id",
];

/// Reads the fields of a request, and takes the model's name out.
pub fn read(body: &[u8]) -> Result<(String, Fields), Refused> {
    if body.trim_ascii().is_empty() {
        return Err(Refused("the request has no body".to_owned()));
    }
    let mut fields: Fields = serde_json::from_slice(body).map_err(|error| Refused(error.to_string()))?;
    let model: String = fields.read("model")?.unwrap_or_default();
    if model.trim().is_empty() {
        return Err(Refused("model: Field required".to_owned()));
    }
    drop(fields.take("model"));
    Ok((model, fields))
}

/// Returns what a call of `/v1/messages` asks for.
///
/// Thinking that its vendor sealed is sent back to the model that thought it;
/// `first` is the one that is tried first, if that is known.
pub fn message(model: String, fields: Fields, first: Option<&str>) -> Result<Asked, Refused> {
    let limit: Option<f64> = fields.read("max_tokens")?;
    if limit.is_none_or(|limit| limit < 1.0) {
        return Err(Refused("max_tokens is required and must be positive".to_owned()));
    }
    asked(model, fields, first)
}

/// Returns what a call of `/v1/messages/count_tokens` is about: the same, but for
/// the limit, which it has not.
pub fn counted(model: String, fields: Fields) -> Result<Request, Refused> {
    asked(model, fields, None).map(|asked| asked.request)
}

fn asked(model: String, mut fields: Fields, first: Option<&str>) -> Result<Asked, Refused> {
    for name in WITHOUT_EFFECT {
        drop(fields.take(name));
    }
    refuse(&mut fields)?;
    let streaming: bool = fields.read("stream")?.unwrap_or_default();
    let metadata: Metadata<'_> = fields.read("metadata")?.unwrap_or_default();
    let user = metadata.user_id.into_owned();
    drop(fields.take("metadata"));
    if !user.is_empty() {
        fields.set("user", &user);
    }
    let stops: Vec<String> = fields.read("stop_sequences")?.unwrap_or_default();
    let stops: Vec<String> = stops.into_iter().filter(|stop| !stop.is_empty()).collect();
    drop(fields.take("stop_sequences"));
    if !stops.is_empty() {
        // Further ones are looked for here, and so are these, in case a model does not.
        fields.set("stop", stops.get(..stops::MAX_UPSTREAM).unwrap_or(&stops));
    }
    let thinks = think(&mut fields)?;
    let calls = conversation(&mut fields, first)?;
    tools::write(&mut fields)?;
    let mut request = Request::new(model, streaming, fields)?;
    if thinks {
        // Not a need: agents always ask for it, whatever the model.
        request.wishes |= Capabilities::REASONING;
    }
    Ok(Asked { request, stops, calls })
}

/// Refuses what only Anthropic's servers could do, where an answer without it would
/// be one to another question.
fn refuse(fields: &mut Fields) -> Result<(), Refused> {
    let servers: Vec<serde::de::IgnoredAny> = fields.read("mcp_servers")?.unwrap_or_default();
    if !servers.is_empty() {
        return Err(Refused("mcp_servers: no servers are called from here; let the client call them".to_owned()));
    }
    drop(fields.take("mcp_servers"));
    if fields.take("container").is_some() {
        return Err(Refused("container: there are no containers here".to_owned()));
    }
    if fields.take("thread").is_some() {
        return Err(Refused("thread: no conversations are kept here; send the messages".to_owned()));
    }
    Ok(())
}

/// Writes how the model thinks and in which form it answers; tells whether it is
/// asked to think.
fn think(fields: &mut Fields) -> Result<bool, Refused> {
    let thinking = fields.take("thinking");
    let thinking: Option<Thinking<'_>> = read_raw("thinking", thinking.as_deref())?;
    let output = fields.take("output_config");
    let output: OutputConfig<'_> = read_raw("output_config", output.as_deref())?.unwrap_or_default();
    let older = fields.take("output_format");
    if let Some(format) = output.format.or(older.as_deref()) {
        write_format(fields, format)?;
    }
    let effort = (!output.effort.is_empty()).then_some(&*output.effort);
    let Some(thinking) = thinking else {
        // Here nobody is shown thinking who did not ask for it: clients read the
        // first block as the answer. How much the model thinks is its own business.
        let reasoning = match effort {
            Some(effort) => json!({"effort": effort, "exclude": true}),
            None => json!({"exclude": true}),
        };
        if fields.get("reasoning").is_none() {
            fields.set("reasoning", &reasoning);
        }
        return Ok(false);
    };
    let (mut reasoning, thinks) = match (&*thinking.kind, thinking.budget_tokens, effort) {
        ("disabled", ..) => (json!({"enabled": false}), false),
        ("enabled", Some(budget), _) => (json!({"max_tokens": budget}), true),
        ("enabled" | "adaptive" | "between_tools", _, Some(effort)) => (json!({"effort": effort}), true),
        ("enabled" | "adaptive" | "between_tools", _, None) => (json!({"enabled": true}), true),
        (other, ..) => {
            return Err(Refused(format!("thinking.type: must be `enabled`, `adaptive` or `disabled`, not `{other}`")));
        }
    };
    if thinks && thinking.display == "omitted" {
        reasoning["exclude"] = json!(true);
    }
    fields.set("reasoning", &reasoning);
    Ok(thinks)
}

fn write_format(fields: &mut Fields, format: &RawValue) -> Result<(), Refused> {
    #[derive(Serialize)]
    struct ResponseFormat<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        json_schema: Named<'a>,
    }
    #[derive(Serialize)]
    struct Named<'a> {
        name: &'static str,
        strict: bool,
        schema: &'a RawValue,
    }
    let format: Format<'_> = read_raw("output_config.format", Some(format))?.unwrap_or_default();
    match (&*format.kind, format.schema) {
        ("json_schema", Some(schema)) => {
            let json_schema = Named { name: "schema", strict: true, schema };
            fields.set("response_format", &ResponseFormat { kind: "json_schema", json_schema });
            Ok(())
        }
        ("json_schema", None) => Err(Refused("output_config.format.schema: Field required".to_owned())),
        (other, _) => Err(Refused(format!("output_config.format.type: must be `json_schema`, not `{other}`"))),
    }
}

/// Writes the system prompt and the messages, and returns the ids of the calls in
/// them.
fn conversation(fields: &mut Fields, first: Option<&str>) -> Result<Vec<String>, Refused> {
    let system = fields.take("system");
    let given = fields.take("messages");
    let raw: Vec<&RawValue> = read_raw("messages", given.as_deref())?.unwrap_or_default();
    if raw.is_empty() {
        return Err(Refused("messages is required".to_owned()));
    }
    let mut outgoing = Vec::with_capacity(raw.len() + 1);
    let system: Content<'_> = read_raw("system", system.as_deref())?.unwrap_or_default();
    outgoing.extend(messages::system(system)?);
    let before = outgoing.len();
    for (at, raw) in raw.into_iter().enumerate() {
        let message: Message<'_> =
            serde_json::from_str(raw.get()).map_err(|error| Refused(format!("messages.{at}: {error}")))?;
        messages::append(at, message, first, &mut outgoing)?;
    }
    if outgoing.len() == before {
        return Err(Refused("messages: none of them says anything".to_owned()));
    }
    fields.set("messages", &outgoing);
    Ok(outgoing.iter().flat_map(messages::Outgoing::calls).map(str::to_owned).collect())
}

fn read_raw<'a, T: serde::Deserialize<'a>>(name: &str, raw: Option<&'a RawValue>) -> Result<Option<T>, Refused> {
    raw.map(|raw| serde_json::from_str(raw.get())).transpose().map_err(|error| Refused(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests;
