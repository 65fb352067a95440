//! The value types of the settings: secrets, addresses, and words of a fixed choice.
//!
//! Each is parsed once, from text, and cannot be wrong afterwards. It must not read files or
//! the environment and must never put a secret into an error. Amounts with a unit are in
//! `value/quantity.rs`, the list of permitted peers in `value/allow.rs`, the form in which
//! all of them arrive in `value/scalar.rs`.

use std::fmt;
use std::net::IpAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use self::scalar::{Items, Scalar};

pub mod allow;
pub mod quantity;
pub mod scalar;

/// What a secret looks like wherever it is not exposed on purpose.
const REDACTED: &str = "[redacted]";

/// The start of every `OpenRouter` key, which tells nothing and may be shown.
const KEY_START: &str = "sk-or-";

/// The shortest key of which the last four letters may be shown: they are then a small
/// part of it.
const SHOWN_FROM_LEN: usize = 24;

/// The longest host name, in letters (RFC 1035, 2.3.4).
const HOST_NAME_LEN: usize = 253;

/// Holds a key; shown as `[redacted]` everywhere but through `expose`.
///
/// Comparing two takes longer the more they agree: fine for settings, not for a
/// client's key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Scalar")]
pub struct Secret(String);

/// Holds the address or the host name to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Scalar")]
pub enum Host {
    /// An address, `0.0.0.0` and `::` for all.
    Address(IpAddr),
    /// A name that the system resolves, such as `localhost`.
    Name(String),
}

/// Holds the address of an upstream: `http` or `https`, no slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", into = "String")]
pub struct BaseUrl(String);

/// Says what an unknown model name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", rename_all = "lowercase")]
pub enum UnknownModel {
    /// A free model no longer served counts as failed; other names are a 404.
    Gone,
    /// Every unknown name lets the policy choose.
    Auto,
    /// Every unknown name is a 404.
    Reject,
}

/// Says what happens to requests while the policy in force fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", rename_all = "lowercase")]
pub enum OnError {
    /// The last good policy decides, else the embedded one.
    Fallback,
    /// They are refused with a 503.
    Deny,
}

/// Names the least important log line that is still written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", rename_all = "lowercase")]
pub enum Level {
    /// Only what a person must act on.
    Error,
    /// Also what the router coped with.
    Warn,
    /// Also one line a request, and changes of state.
    Info,
    /// Also each attempt.
    Debug,
    /// Everything.
    Trace,
}

/// Names the form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Scalar", rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Secret {
    /// Reads a key: printable ASCII without spaces, since it travels in a header.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the key is empty".to_owned());
        }
        if text == REDACTED {
            return Err("this is the mask that stands for a key, not the key".to_owned());
        }
        if !text.chars().all(|letter| letter.is_ascii_graphic()) {
            let wrong = "the key holds a space or a letter outside ASCII: copy it again, whole";
            return Err(wrong.to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the key itself, to be sent or compared and never to be shown.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns a form that a person recognises and nobody can use.
    pub fn masked(&self) -> String {
        if self.0.starts_with(KEY_START) && self.0.len() >= SHOWN_FROM_LEN {
            return format!("{KEY_START}…{}", &self.0[self.0.len() - 4..]);
        }
        REDACTED.to_owned()
    }
}

impl Host {
    /// Reads an address, in brackets or not, or a host name; no port, no `http://`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self::Address(address));
        }
        let label = |label: &str| {
            let letters = label.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_".contains(sign));
            !label.is_empty() && letters
        };
        // All digits and dots is an address with a slip in it; no resolver knows it.
        let is_number = text.chars().all(|sign| sign.is_ascii_digit() || sign == '.');
        if text.len() > HOST_NAME_LEN || is_number || !text.split('.').all(label) {
            let form = "use an address or a host name alone; the port is `server.port`";
            return Err(format!("`{text}` is not a host: {form}"));
        }
        Ok(Self::Name(text.to_owned()))
    }
}

impl BaseUrl {
    /// Returns the address of `OpenRouter` itself.
    pub fn official() -> Self {
        Self("https://openrouter.ai/api/v1".to_owned())
    }

    /// Reads the URL up to and with the version, such as `https://openrouter.ai/api/v1`.
    ///
    /// A user or password in it is refused, for URLs are shown and logged.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let authority = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
        if text.contains('@') {
            return Err("a URL with a user or password in it: use `openrouter.api_key`".to_owned());
        }
        let is_clean = text.chars().all(|sign| sign.is_ascii_graphic() && !"?#\\".contains(sign));
        if authority.is_empty() || !is_clean {
            let form = "use one such as `https://openrouter.ai/api/v1`, with no `?` or `#`";
            return Err(format!("`{text}` is not a base URL: {form}"));
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// Returns the URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a list of keys, or one text with commas between them.
pub fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Secret>, D::Error> {
    let items = Items::deserialize(deserializer)?.0;
    items.into_iter().map(Secret::try_from).collect::<Result<_, _>>().map_err(D::Error::custom)
}

/// Reads a list of texts, or one text with commas between them.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Items::deserialize(deserializer)?.0.into_iter().map(|item| item.text).collect())
}

/// Reads a free-form object, or the JSON text of one (the environment has no objects).
pub fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let value = match Value::deserialize(deserializer)? {
        Value::String(text) => {
            serde_json::from_str(&text).map_err(|error| D::Error::custom(format!("the text is not JSON: {error}")))?
        }
        value => value,
    };
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(D::Error::custom("not an object of names and values")),
    }
}

impl TryFrom<Scalar> for Secret {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        if !scalar.is_text {
            return Err("a key must be text: put it in quotes".to_owned());
        }
        Self::parse(&scalar.text)
    }
}

impl TryFrom<Scalar> for Host {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        Self::parse(&scalar.text)
    }
}

impl TryFrom<Scalar> for BaseUrl {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        Self::parse(&scalar.text)
    }
}

impl TryFrom<Scalar> for UnknownModel {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar.text.to_ascii_lowercase().as_str() {
            "gone" => Ok(Self::Gone),
            "auto" => Ok(Self::Auto),
            "reject" => Ok(Self::Reject),
            _ => Err(format!("`{}` is not one of `gone`, `auto`, `reject`", scalar.text)),
        }
    }
}

impl TryFrom<Scalar> for OnError {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar.text.to_ascii_lowercase().as_str() {
            "fallback" => Ok(Self::Fallback),
            "deny" => Ok(Self::Deny),
            _ => Err(format!("`{}` is not one of `fallback`, `deny`", scalar.text)),
        }
    }
}

impl TryFrom<Scalar> for Level {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar.text.to_ascii_lowercase().as_str() {
            "error" => Ok(Self::Error),
            // `LOG_LEVEL` is shared with other programs, and many spell it so.
            "warn" | "warning" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => {
                let words = "`error`, `warn`, `info`, `debug`, `trace`";
                Err(format!("`{}` is not one of {words}", scalar.text))
            }
        }
    }
}

impl TryFrom<Scalar> for LogFormat {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        match scalar.text.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{}` is not one of `text`, `json`", scalar.text)),
        }
    }
}

impl From<BaseUrl> for String {
    fn from(url: BaseUrl) -> Self {
        url.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

impl Host {
    /// Tells whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(address) => address.to_canonical().is_loopback(),
            Self::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
