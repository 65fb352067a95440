//! One policy of several: a path, or a path and what goes with it.
//!
//! Plain data. `free-mode` is the policy in the program. Read `config.rs` for the
//! policy that is alone, and `config/load.rs` for how paths are resolved.

use std::path::PathBuf;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IntoDeserializer as _},
};
use serde_json::{Map, Value};

use super::{
    Limits,
    value::{
        self,
        scalar::{Scalar, pieces},
    },
};

/// The name of the policy in the program.
pub const EMBEDDED: &str = "free-mode";

/// A policy and the operator's settings for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its file; none for the policy in the program.
    pub file: Option<PathBuf>,
    /// Its own settings, which it checks itself.
    pub settings: Map<String, Value>,
    /// A JSON or YAML file of more settings, under those of `settings`.
    pub settings_file: Option<PathBuf>,
    /// The SHA-256 that it must have, in hex.
    pub sha256: Option<String>,
    /// What one call of it may use; none for `policy.limits`.
    pub limits: Option<Limits>,
}

/// A policy that is asked along and never heeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// The policy.
    pub module: Module,
    /// On which share of the requests it is asked.
    pub sample: Share,
}

/// A share of a whole, 0 to 1, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Scalar")]
pub struct Share(u32);

/// Millionths of a whole.
const WHOLE: f64 = 1e6;

impl Share {
    /// A tenth.
    pub const TENTH: Self = Self(100_000);

    /// Returns the share as a number from 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / WHOLE
    }
}

impl TryFrom<Scalar> for Share {
    type Error = String;

    fn try_from(scalar: Scalar) -> Result<Self, String> {
        let share = scalar.text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
        let share = share.ok_or_else(|| format!("`{}` is not a share: use a number from 0 to 1", scalar.text))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
        Ok(Self((share * WHOLE).round() as u32))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.fraction())
    }
}

/// A module as it is written in full.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    module: String,
    #[serde(default, deserialize_with = "value::object", skip_serializing_if = "Map::is_empty")]
    settings: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sample: Option<Share>,
}

impl Written {
    /// Reads a text, which is a path, or an object; also an object written as JSON.
    fn parse(value: Value) -> Result<Self, String> {
        let value = match value {
            Value::String(text) if text.trim_start().starts_with('{') => {
                serde_json::from_str(&text).map_err(|error| error.to_string())?
            }
            Value::String(text) => Value::Object(Map::from_iter([("module".to_owned(), text.into())])),
            other => other,
        };
        let written: Self = Self::deserialize(value.into_deserializer()).map_err(|error| match error.to_string() {
            text if text.contains("expected struct") => {
                format!("{text}: use the path of a module, `{EMBEDDED}`, or an object with `module`")
            }
            text => text,
        })?;
        if written.module.trim().is_empty() {
            return Err(format!("`module` is empty: use the path of a module, or `{EMBEDDED}`"));
        }
        Ok(written)
    }

    fn module(self) -> Module {
        let Self { module, settings, settings_file, sha256, limits, sample: _ } = self;
        let file = (module != EMBEDDED).then(|| PathBuf::from(module));
        Module { file, settings, settings_file, sha256, limits }
    }

    fn of(module: &Module, sample: Option<Share>) -> Self {
        let Module { file, settings, settings_file, sha256, limits } = module.clone();
        let module = file.map_or_else(|| EMBEDDED.to_owned(), |file| file.display().to_string());
        Self { module, settings, settings_file, sha256, limits, sample }
    }
}

impl<'de> Deserialize<'de> for Module {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::parse(Value::deserialize(deserializer)?).map_err(D::Error::custom)?;
        if written.sample.is_some() {
            return Err(D::Error::custom("`sample` is for `policy.shadow`: a policy of the chain is always asked"));
        }
        Ok(written.module())
    }
}

impl Serialize for Module {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::of(self, None).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shadow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::parse(Value::deserialize(deserializer)?).map_err(D::Error::custom)?;
        let sample = written.sample.unwrap_or(Share::TENTH);
        Ok(Self { module: written.module(), sample })
    }
}

impl Serialize for Shadow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written::of(&self.module, Some(self.sample)).serialize(serializer)
    }
}

/// Reads a list of modules; also one text with commas, or a list written as JSON.
pub(super) fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Module>, D::Error> {
    let items = match Value::deserialize(deserializer)? {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        Value::String(text) if text.trim_start().starts_with('[') => {
            serde_json::from_str(&text).map_err(D::Error::custom)?
        }
        Value::String(text) => pieces(&text).map(Value::from).collect(),
        other => return Err(D::Error::custom(format!("`{other}` is no list of modules"))),
    };
    let read = |(place, item)| {
        Module::deserialize(item).map_err(|error: serde_json::Error| D::Error::custom(format!("[{place}]: {error}")))
    };
    items.into_iter().enumerate().map(read).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Chain(#[serde(deserialize_with = "list")] Vec<Module>);

    fn plain(file: Option<&str>) -> Module {
        let file = file.map(PathBuf::from);
        Module { file, settings: Map::new(), settings_file: None, sha256: None, limits: None }
    }

    #[test]
    fn a_module_is_a_path_or_more() {
        let cases = [
            (json!(["a.wasm", "free-mode"]), vec![plain(Some("a.wasm")), plain(None)]),
            (json!("a.wasm, free-mode"), vec![plain(Some("a.wasm")), plain(None)]),
            (json!("[\"a.wasm\"]"), vec![plain(Some("a.wasm"))]),
            (json!([]), vec![]),
            (json!(""), vec![]),
            (json!(null), vec![]),
        ];
        for (written, expected) in cases {
            assert_eq!(serde_json::from_value::<Chain>(written.clone()).unwrap(), Chain(expected), "{written}");
        }
        let full = json!({"module": "a.wasm", "settings": {"x": 1}, "settings_file": "s.json", "sha256": "ab",
            "limits": {"time": "20ms", "memory": "8MiB"}});
        let module: Module = serde_json::from_value(full.clone()).unwrap();
        assert_eq!(serde_json::to_value(&module).unwrap(), full, "and it is written as it was read");
        assert_eq!(module.settings, json!({"x": 1}).as_object().unwrap().clone());
    }

    #[test]
    fn what_is_no_module_is_told_with_its_place() {
        let told = |written| serde_json::from_value::<Chain>(written).unwrap_err().to_string();
        assert_eq!(
            told(json!(["a", {"modul": "b"}])),
            "[1]: unknown field `modul`, expected one of `module`, `settings`, `settings_file`, `sha256`, `limits`, `sample`"
        );
        assert_eq!(told(json!([{"settings": {}}])), "[0]: missing field `module`");
        assert_eq!(told(json!(["a", ""])), "[1]: `module` is empty: use the path of a module, or `free-mode`");
        assert_eq!(
            told(json!([{"module": "a", "sample": 1}])),
            "[0]: `sample` is for `policy.shadow`: a policy of the chain is always asked"
        );
        assert_eq!(told(json!(3)), "`3` is no list of modules");
    }

    #[test]
    fn a_shadow_is_asked_on_a_share() {
        let read = |written: Value| serde_json::from_value::<Shadow>(written).map_err(|error| error.to_string());
        assert_eq!(read(json!("a.wasm")), Ok(Shadow { module: plain(Some("a.wasm")), sample: Share::TENTH }));
        let half = read(json!({"module": "free-mode", "sample": "0.5"})).unwrap();
        assert_eq!((half.sample.fraction(), half.module), (0.5, plain(None)));
        assert_eq!(
            read(json!({"module": "a", "sample": 2})),
            Err("`2` is not a share: use a number from 0 to 1".to_owned())
        );
    }
}
