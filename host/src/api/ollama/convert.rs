//! Ollama's requests, turned into the neutral chat request.
//!
//! Pure, and the only place that knows both spellings. What a client asks for
//! either has a form upstream, or is refused in Ollama's words, or has none: the
//! tables of `host/OLLAMA.md` tell which, and change with this file. Knows no
//! model and no catalogue: whether a model can do what is asked is found out
//! later. Messages are in `messages`, the ids of tool calls in `pairing`,
//! pictures in `images`.

mod images;
mod messages;
mod pairing;

use serde::{Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    api::ollama::{
        lenient::Refused,
        wire::{
            ChatRequest, GenerateRequest, Image, Message,
            options::Options,
            settings::{Format, KeepAlive, Think},
        },
    },
    catalog::Capabilities,
    chat::{Fields, Request, stops},
};

/// What a call asks for.
#[derive(Debug)]
pub enum Asked {
    /// To load the model: nothing is to be done.
    Load,
    /// To unload the model: nothing is to be done.
    Unload,
    /// An answer, which is to end at one of these texts.
    Answer(Request, Vec<String>),
}

/// Returns what a call of `/api/chat` asks for; streaming unless it says no.
pub fn chat_request(request: &ChatRequest<'_>) -> Result<Asked, Refused> {
    if request.model.is_empty() {
        return Err(Refused("model is required".to_owned()));
    }
    let settings = Settings {
        format: request.format,
        options: &request.options,
        think: request.think,
        truncate: request.truncate,
        probabilities: probabilities(request.logprobs, request.top_logprobs)?,
    };
    if request.messages.is_empty() {
        return Ok(loading(request.keep_alive));
    }
    let mut fields = Fields::default();
    fields.set("messages", &messages::outgoing(&request.messages)?);
    if let Some(tools) = request.tools.filter(|tools| tools.get() != "null")
        && has_items(tools)?
    {
        fields.set("tools", tools);
    }
    settings.answer(&request.model, request.stream, fields)
}

/// Returns what a call of `/api/generate` asks for; streaming unless it says no.
///
/// The prompt becomes a user message, `system` a system message before it. A
/// model's name may be missing here: then it is one that nobody knows.
pub fn generate_request(request: &GenerateRequest<'_>) -> Result<Asked, Refused> {
    let settings = Settings {
        format: request.format,
        options: &request.options,
        think: request.think,
        truncate: request.truncate,
        probabilities: probabilities(request.logprobs, request.top_logprobs)?,
    };
    let has_context = request.context.is_some_and(|context| !matches!(context.get(), "null" | "[]"));
    if request.raw && (!request.template.is_empty() || !request.system.is_empty() || has_context) {
        return Err(Refused("raw mode does not support template, system, or context".to_owned()));
    }
    if !request.suffix.is_empty() {
        return Err(Refused(format!("\"{}\" does not support insert", request.model)));
    }
    if !request.template.is_empty() {
        let model = &request.model;
        return Err(Refused(format!("\"{model}\" does not support template: its own is always used, send none")));
    }
    if request.prompt.is_empty() {
        return Ok(loading(request.keep_alive));
    }
    let images = request.images.iter().map(|image| Image(image.0.as_ref().into())).collect();
    let prompt = Message { role: "user".into(), content: request.prompt.as_ref().into(), images, ..Message::default() };
    let system = Message { role: "system".into(), content: request.system.as_ref().into(), ..Message::default() };
    let conversation = if request.system.is_empty() { vec![prompt] } else { vec![system, prompt] };
    let mut fields = Fields::default();
    fields.set("messages", &messages::outgoing(&conversation)?);
    settings.answer(&request.model, request.stream, fields)
}

fn loading(keep_alive: Option<KeepAlive>) -> Asked {
    match keep_alive {
        Some(KeepAlive::Unload) => Asked::Unload,
        Some(KeepAlive::Forever | KeepAlive::Seconds(_)) | None => Asked::Load,
    }
}

/// Tells whether a list of tools holds any: some clients always send `[]`.
fn has_items(tools: &RawValue) -> Result<bool, Refused> {
    let tools: Vec<IgnoredAny> = serde_json::from_str(tools.get())
        .map_err(|_no_list| Refused("json: cannot unmarshal value into field tools: expected a list".to_owned()))?;
    Ok(!tools.is_empty())
}

/// The most alternatives that Ollama, and the upstream too, shows for a token.
const MAX_TOP_LOGPROBS: i64 = 20;

/// How many alternatives are wanted beside each token; `None` for no figures.
fn probabilities(wanted: bool, top: i64) -> Result<Option<i64>, Refused> {
    if !(0..=MAX_TOP_LOGPROBS).contains(&top) {
        return Err(Refused(format!("top_logprobs must be between 0 and {MAX_TOP_LOGPROBS}")));
    }
    Ok(wanted.then_some(top))
}

/// What both kinds of request say beside the conversation.
struct Settings<'a> {
    format: Format<'a>,
    options: &'a Options,
    think: Option<Think>,
    truncate: Option<bool>,
    probabilities: Option<i64>,
}

impl Settings<'_> {
    /// Returns the request for an answer to what is in `fields` already.
    fn answer(&self, model: &str, stream: Option<bool>, mut fields: Fields) -> Result<Asked, Refused> {
        self.write(&mut fields);
        let mut request = Request::new(model.to_owned(), stream.unwrap_or(true), fields)
            .map_err(|unreadable| Refused(unreadable.to_string()))?;
        // Ollama refuses a model that cannot think where thinking is asked for;
        // here one that can stands in, as with tools.
        if matches!(self.think, Some(Think::On | Think::Level(_))) {
            request.needs.capabilities |= Capabilities::REASONING;
        }
        Ok(Asked::Answer(request, self.options.stop.clone()))
    }

    fn write(&self, fields: &mut Fields) {
        match self.format {
            Format::Free => {}
            Format::Json => fields.set("response_format", &ResponseFormat { kind: "json_object", json_schema: None }),
            Format::Schema(schema) => fields.set(
                "response_format",
                &ResponseFormat { kind: "json_schema", json_schema: Some(Schema { name: "schema", schema }) },
            ),
        }
        match self.think {
            None => {}
            Some(Think::On) => fields.set("reasoning", &Reasoning { enabled: Some(true), effort: None }),
            Some(Think::Off) => fields.set("reasoning", &Reasoning { enabled: Some(false), effort: None }),
            // Ollama's words for the levels are among OpenRouter's.
            Some(Think::Level(level)) => {
                fields.set("reasoning", &Reasoning { enabled: None, effort: Some(level) });
            }
        }
        // Said only if the client said it: left alone, a conversation that is
        // too long is tried with a larger model first.
        if let Some(enabled) = self.truncate {
            fields.set("plugins", &[Plugin { id: "context-compression", enabled }]);
        }
        if let Some(top) = self.probabilities {
            fields.set("logprobs", &true);
            if top > 0 {
                fields.set("top_logprobs", &top);
            }
        }
        write_options(self.options, fields);
    }
}

fn write_options(options: &Options, fields: &mut Fields) {
    let numbers = [
        ("temperature", options.temperature),
        ("top_p", options.top_p),
        ("min_p", options.min_p),
        ("repetition_penalty", options.repeat_penalty),
        ("presence_penalty", options.presence_penalty),
        ("frequency_penalty", options.frequency_penalty),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            fields.set(name, &value);
        }
    }
    let whole = [
        // 0 means all tokens on both sides; below it Ollama means the same.
        ("top_k", options.top_k.map(|top_k| top_k.max(0))),
        ("seed", options.seed.filter(|seed| *seed >= 0)),
        ("max_tokens", options.num_predict.filter(|limit| *limit > 0)),
    ];
    for (name, value) in whole {
        if let Some(value) = value {
            fields.set(name, &value);
        }
    }
    // Further ones are looked for here, and so are these, in case a model does not.
    let stops = options.stop.get(..stops::MAX_UPSTREAM).unwrap_or(&options.stop);
    if !stops.is_empty() {
        fields.set("stop", stops);
    }
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<Schema<'a>>,
}

#[derive(Serialize)]
struct Schema<'a> {
    name: &'static str,
    schema: &'a RawValue,
}

#[derive(Serialize)]
struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
}

#[derive(Serialize)]
struct Plugin {
    id: &'static str,
    enabled: bool,
}

#[cfg(test)]
mod tests;
