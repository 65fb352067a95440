//! OpenRouter's list of models, read into the catalogue's.
//!
//! Tolerant: fields come and go without notice, so an entry that cannot be read
//! is left out and told, and nothing unknown matters. Facts are computed here;
//! which models are used is the policy's. Knows nothing of HTTP and no clock.
//! What counts as free is in `price`. The list's schema, of August 2026:
//! <https://openrouter.ai/docs/api-reference/list-available-models>.

mod price;

use jiff::{civil::Date, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::catalog::{Capabilities, Model, ModelId, Traits};

/// The longest id in bytes: three times the longest of 2026. Ids are sent in
/// headers and shown in tables.
const MAX_ID_BYTES: usize = 200;

/// From this year on a date of expiry means that there is none: OpenRouter
/// writes 2098-12-31 and 9999-01-01.
const NO_EXPIRY_YEAR: i16 = 2098;

/// Words in an id that tell of a model for something else than conversation:
/// such models look like any other in the list, and answer `safe` to a greeting.
const NOT_CHAT: [&str; 18] = [
    "embed",
    "embedding",
    "embeddings",
    "guard",
    "llamaguard",
    "lyria",
    "moderation",
    "ocr",
    "olmocr",
    "polyguard",
    "rerank",
    "reranker",
    "safeguard",
    "safety",
    "shieldgemma",
    "transcribe",
    "virtueguard",
    "wildguard",
];

/// The body is no list of models.
#[derive(Debug, thiserror::Error)]
#[error("read the model list: no JSON object with a list named `data`")]
pub struct Error(#[from] serde_json::Error);

/// What a list of models held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// The models that could be read, in OpenRouter's order.
    pub models: Vec<Model>,
    /// The entries left out.
    pub skipped: Vec<Skipped>,
}

/// An entry of the list that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Why, as a fragment.
    pub reason: String,
}

/// Reads the body of `/models` at `now`, in seconds since 1970.
///
/// Entries without an id, that are no JSON, or whose last day is over, are
/// skipped. Memory and time are in proportion to the body.
pub fn parse(body: &[u8], now: u64) -> Result<Parsed, Error> {
    let list: List<'_> = serde_json::from_slice(body)?;
    let mut parsed = Parsed::default();
    for entry in list.data {
        match model(entry, now) {
            Ok(model) => parsed.models.push(model),
            Err(skipped) => parsed.skipped.push(skipped),
        }
    }
    Ok(parsed)
}

/// Entries are kept as text at first, so that a bad one spoils no other.
#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

fn model(entry: &RawValue, now: u64) -> Result<Model, Skipped> {
    let skipped = |id: Option<&str>, reason: &str| Skipped { id: id.map(str::to_owned), reason: reason.to_owned() };
    let entry: Value = serde_json::from_str(entry.get()).map_err(|error| skipped(None, &error.to_string()))?;
    let id = entry.get("id").and_then(Value::as_str).ok_or_else(|| skipped(None, "no id"))?;
    if id.len() > MAX_ID_BYTES || id.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(skipped(None, "an id that is too long or has spaces"));
    }
    let expires = expires(&entry);
    if expires.is_some_and(|end| end <= now) {
        return Err(skipped(Some(id), "expired"));
    }
    let name = entry.get("name").and_then(Value::as_str).map_or("", str::trim);
    let context_tokens = context_tokens(&entry);
    let max_output_tokens = tokens(&entry, "/top_provider/max_completion_tokens").unwrap_or(0);
    let price = |name: &str| price::per_million(entry.pointer(&format!("/pricing/{name}")));
    Ok(Model {
        id: ModelId::parse(id).ok_or_else(|| skipped(None, "an empty id"))?,
        name: if name.is_empty() { id } else { name }.to_owned(),
        capabilities: capabilities(&entry),
        traits: traits(&entry, id),
        context_tokens,
        // An answer has to fit too; some entries state more than that.
        max_output_tokens: if context_tokens == 0 { max_output_tokens } else { max_output_tokens.min(context_tokens) },
        prompt_price: price("prompt"),
        completion_price: price("completion"),
        created: entry.get("created").and_then(Value::as_u64).unwrap_or(0),
        expires,
    })
}

/// Returns the end of the announced last day, UTC; `None` if there is none.
fn expires(entry: &Value) -> Option<u64> {
    let date: Date = entry.get("expiration_date")?.as_str()?.get(.."YYYY-MM-DD".len())?.parse().ok()?;
    if date.year() >= NO_EXPIRY_YEAR {
        return None;
    }
    let end = date.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(end.timestamp().as_second()).ok()
}

fn context_tokens(entry: &Value) -> u32 {
    let given = ["/context_length", "/top_provider/context_length"];
    given.into_iter().filter_map(|path| tokens(entry, path)).min().unwrap_or(0)
}

/// Reads a count of tokens; one that is zero, negative or senselessly large is
/// none, lest such a model be preferred for its size.
fn tokens(entry: &Value, path: &str) -> Option<u32> {
    let value = entry.pointer(path)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be within u32")]
    let whole = |number: f64| (number >= 1.0 && number <= f64::from(u32::MAX)).then_some(number as u32);
    value.as_f64().and_then(whole)
}

fn capabilities(entry: &Value) -> Capabilities {
    let mut found = Capabilities::empty();
    for parameter in strings(entry, "/supported_parameters") {
        found |= match parameter {
            "tools" => Capabilities::TOOLS,
            "tool_choice" => Capabilities::TOOLS | Capabilities::TOOL_CHOICE,
            "response_format" => Capabilities::JSON_OBJECT,
            "structured_outputs" => Capabilities::JSON_SCHEMA,
            "logprobs" => Capabilities::LOGPROBS,
            "reasoning" | "include_reasoning" => Capabilities::REASONING,
            _ => Capabilities::empty(),
        };
    }
    for modality in strings(entry, "/architecture/input_modalities") {
        found |= match modality {
            "image" => Capabilities::VISION,
            "audio" => Capabilities::AUDIO,
            "file" => Capabilities::FILES,
            _ => Capabilities::empty(),
        };
    }
    found.set(Capabilities::EMBEDDINGS, outputs(entry).contains(&"embeddings"));
    if entry.get("reasoning").is_some_and(Value::is_object) {
        found |= Capabilities::REASONING;
    }
    found
}

fn traits(entry: &Value, id: &str) -> Traits {
    let is_true = |path: &str| entry.pointer(path).and_then(Value::as_bool) == Some(true);
    let mut found = Traits::empty();
    found.set(Traits::FREE, entry.get("pricing").is_some_and(price::is_free));
    found.set(Traits::CHAT, outputs(entry) == ["text"] && !id.ends_with(":batch") && !is_special(id));
    found.set(Traits::ROUTER, is_router(entry, id));
    found.set(Traits::MODERATED, is_true("/top_provider/is_moderated"));
    found.set(Traits::REASONING_MANDATORY, is_true("/reasoning/mandatory"));
    found
}

/// Returns what comes out: as listed, else as the modality tells, else text.
fn outputs(entry: &Value) -> Vec<&str> {
    let listed: Vec<&str> = strings(entry, "/architecture/output_modalities").collect();
    if !listed.is_empty() {
        return listed;
    }
    let modality = entry.pointer("/architecture/modality").and_then(Value::as_str);
    modality.and_then(|text| text.split_once("->")).map_or(vec!["text"], |(_, outputs)| outputs.split('+').collect())
}

/// Tells whether a word of the id's tail is one of [`NOT_CHAT`]. A longer word
/// that only holds one, as in `safeguarding-assistant`, is not; digits at its
/// end do not matter, as in `ocr2`.
fn is_special(id: &str) -> bool {
    let tail = id.split_once('/').map_or(id, |(_, tail)| tail).to_ascii_lowercase();
    tail.split(|c: char| !c.is_alphanumeric())
        .any(|word| NOT_CHAT.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit())))
}

fn is_router(entry: &Value, id: &str) -> bool {
    let tokenizer = entry.pointer("/architecture/tokenizer").and_then(Value::as_str);
    let unknown_context = entry.pointer("/top_provider/context_length").is_none_or(Value::is_null);
    tokenizer == Some("Router")
        || (id.starts_with("openrouter/") && unknown_context)
        || entry.get("pricing").is_some_and(price::is_open)
}

fn strings<'a>(entry: &'a Value, path: &str) -> impl Iterator<Item = &'a str> {
    entry.pointer(path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
