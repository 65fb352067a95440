//! What is told of the models: `/api/tags`, `/api/show` and `/api/ps`.
//!
//! Each answer holds every field that some client insists on, and no more than
//! is known: what OpenRouter does not tell is `unknown`, empty or left out. All
//! from memory, for clients ask for every model at once. Knows no names but
//! those it is given; what is guessed from an id is in `guess`, the entry for
//! no model in particular in `auto`.
//!
//! Outside facts: `api/types.go` of github.com/ollama/ollama, August 2026.

mod auto;
mod guess;
pub mod recommend;

use std::cmp::Reverse;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    api::ollama::{
        listing::guess::{Size, family, size},
        stream::REMOTE_HOST,
    },
    catalog::{Capabilities, Model},
};

/// What stands where OpenRouter does not tell and clients want a text.
const UNKNOWN: &str = "unknown";

/// The bytes that a model takes here, truly none; several clients want a
/// figure above zero, and `ollama list` shows `-` for remote models.
const SIZE_BYTES: u64 = 1;

/// A model that clients may see, and the name under which it is listed.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its name, unlike all others and with a tag.
    pub name: &'a str,
}

/// The answer of `/api/tags`.
#[derive(Debug, PartialEq, Serialize)]
pub struct Tags {
    /// The models.
    pub models: Vec<Tag>,
}

/// A model in `/api/tags`.
#[derive(Debug, PartialEq, Serialize)]
pub struct Tag {
    name: String,
    model: String,
    modified_at: String,
    size: u64,
    digest: String,
    details: Details,
    capabilities: Vec<&'static str>,
    remote_model: String,
    remote_host: &'static str,
}

/// The details of a model, the same in all answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Details {
    parent_model: &'static str,
    format: &'static str,
    family: String,
    families: Vec<String>,
    parameter_size: String,
    quantization_level: &'static str,
}

/// The answer of `/api/show`.
#[derive(Debug, PartialEq, Serialize)]
pub struct Show {
    license: &'static str,
    modelfile: String,
    parameters: String,
    template: &'static str,
    details: Details,
    model_info: Map<String, Value>,
    capabilities: Vec<&'static str>,
    modified_at: String,
    remote_model: String,
    remote_host: &'static str,
}

/// The answer of `/api/ps`.
#[derive(Debug, PartialEq, Serialize)]
pub struct Running {
    /// The models that are held to be loaded.
    pub models: Vec<Process>,
}

/// A model in `/api/ps`.
#[derive(Debug, PartialEq, Serialize)]
pub struct Process {
    name: String,
    model: String,
    size: u64,
    digest: String,
    details: Details,
    expires_at: String,
    size_vram: u64,
    context_length: u32,
}

/// Returns the answer of `/api/tags`: `auto` first, then the newest first.
pub fn tags(models: &[Listed<'_>]) -> Tags {
    let mut newest = models.to_vec();
    newest.sort_by_key(|listed| (Reverse(listed.model.created), listed.name));
    let mut tags = Vec::with_capacity(models.len() + 1);
    tags.push(tag(Listed { model: &auto::model(models), name: auto::NAME }));
    tags.extend(newest.into_iter().map(tag));
    Tags { models: tags }
}

/// Returns a model's entry in `/api/tags`.
pub fn tag(listed: Listed<'_>) -> Tag {
    let Listed { model, name } = listed;
    Tag {
        name: name.to_owned(),
        model: name.to_owned(),
        modified_at: modified_at(model),
        size: SIZE_BYTES,
        digest: digest(model),
        details: details(model),
        capabilities: capabilities(model),
        remote_model: model.id.to_string(),
        remote_host: REMOTE_HOST,
    }
}

/// Returns the answer of `/api/show` for one of these models.
pub fn show(listed: Listed<'_>, models: &[Listed<'_>]) -> Show {
    shown(listed, &basename(listed, models))
}

/// Returns the answer of `/api/show` for `auto`.
pub fn show_auto(models: &[Listed<'_>]) -> Show {
    shown(Listed { model: &auto::model(models), name: auto::NAME }, auto::BASENAME)
}

/// Returns a model's entry in `/api/ps`, for as long as it is held loaded.
///
/// It counts as wholly on a GPU, which it is, if on another's.
pub fn process(listed: Listed<'_>, expires_at: Timestamp) -> Process {
    let Listed { model, name } = listed;
    Process {
        name: name.to_owned(),
        model: name.to_owned(),
        size: SIZE_BYTES,
        digest: digest(model),
        details: details(model),
        expires_at: date(expires_at),
        size_vram: SIZE_BYTES,
        context_length: model.context_tokens,
    }
}

fn shown(listed: Listed<'_>, basename: &str) -> Show {
    let model = listed.model;
    let context = model.context_tokens;
    Show {
        license: "",
        modelfile: format!("FROM {}", model.id),
        parameters: if context == 0 { String::new() } else { format!("num_ctx {context}") },
        template: template(model),
        details: details(model),
        model_info: model_info(model, basename),
        capabilities: capabilities(model),
        modified_at: modified_at(model),
        remote_model: model.id.to_string(),
        remote_host: REMOTE_HOST,
    }
}

/// Returns a template whose only use is to be looked at: some clients search
/// it for `.Tools`, and `.Suffix` would make others ask to fill gaps.
fn template(model: &Model) -> &'static str {
    if model.capabilities.contains(Capabilities::TOOLS) {
        "{{ if .System }}{{ .System }}{{ end }}{{ if .Tools }}{{ .Tools }}{{ end }}{{ .Prompt }}"
    } else {
        "{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}"
    }
}

/// Returns the figures, under keys of which just one ends in `context_length`:
/// several clients take the first that does.
fn model_info(model: &Model, basename: &str) -> Map<String, Value> {
    let family = family(model);
    let mut figures = Map::new();
    figures.insert("general.architecture".to_owned(), family.as_str().into());
    figures.insert("general.basename".to_owned(), basename.into());
    if let Some(Size { parameters: Some(parameters), .. }) = size(model) {
        figures.insert("general.parameter_count".to_owned(), parameters.into());
    }
    // A zero would be taken for the truth; without it clients have a default.
    if model.context_tokens > 0 {
        figures.insert(format!("{family}.context_length"), model.context_tokens.into());
    }
    figures.insert(format!("{family}.embedding_length"), 0.into());
    figures
}

fn details(model: &Model) -> Details {
    let family = family(model);
    let mut families = vec![family.clone()];
    // Enchanted shows pictures to models of this family only.
    if model.capabilities.contains(Capabilities::VISION) {
        families.push("clip".to_owned());
    }
    // Page Assist takes models of this family, and no others, for embedding models.
    if model.embeds() && family != "bert" {
        families.push("bert".to_owned());
    }
    Details {
        parent_model: "",
        format: "gguf",
        family,
        families,
        parameter_size: size(model).map_or_else(|| UNKNOWN.to_owned(), |size| size.text),
        quantization_level: UNKNOWN,
    }
}

/// Returns what a model can do, in Ollama's words.
fn capabilities(model: &Model) -> Vec<&'static str> {
    if model.embeds() {
        return vec!["embedding"];
    }
    let mut words = vec!["completion"];
    for (capability, word) in [
        (Capabilities::TOOLS, "tools"),
        (Capabilities::VISION, "vision"),
        (Capabilities::AUDIO, "audio"),
        (Capabilities::REASONING, "thinking"),
    ] {
        if model.capabilities.contains(capability) {
            words.push(word);
        }
    }
    words
}

/// Returns 64 hex digits that no other model has, and that change when what
/// the model can do does: clients cache by them.
fn digest(model: &Model) -> String {
    let facts = format!("{}\n{}\n{}", model.id, model.context_tokens, capabilities(model).join(","));
    format!("{:x}", Sha256::digest(facts))
}

/// Returns when the model was listed first; a time that is none counts as 1970.
fn modified_at(model: &Model) -> String {
    let seconds = i64::try_from(model.created).ok();
    date(seconds.and_then(|seconds| Timestamp::from_second(seconds).ok()).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Writes a date as Ollama's are: with a fraction of a second, for the formats
/// of Swift clients want one and without it their whole list is empty.
fn date(date: Timestamp) -> String {
    format!("{date:.3}")
}

/// Returns the name that people read, unlike any other model's: VS Code shows
/// nothing else in its list.
fn basename(listed: Listed<'_>, models: &[Listed<'_>]) -> String {
    let name = readable(listed.model);
    let taken = models
        .iter()
        .filter(|other| other.model.id != listed.model.id)
        .any(|other| readable(other.model).eq_ignore_ascii_case(name));
    if name.is_empty() {
        listed.name.to_owned()
    } else if taken || name.eq_ignore_ascii_case(auto::BASENAME) {
        format!("{name} [{}]", listed.name)
    } else {
        name.to_owned()
    }
}

/// Returns a model's name without the vendor's that stands before a colon.
fn readable(model: &Model) -> &str {
    model.name.split_once(": ").map_or(model.name.as_str(), |(_, name)| name).trim()
}

#[cfg(test)]
mod tests;
