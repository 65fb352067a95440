//! The JSON Schema of the settings, for editors and for the host's check.
//!
//! It says what `settings.rs` does, in the words that an operator reads. The
//! two must not drift: the tests of `settings.rs` hold the names, the defaults
//! and the bounds against each other.

/// JSON Schema, draft 2020-12, of the settings.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Settings of the policy free-mode",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "fallbacks": {
      "type": "array",
      "items": { "type": "string", "minLength": 1, "maxLength": 500 },
      "maxItems": 32,
      "default": [],
      "description": "Models to try right after the requested one, in this order, by id (`vendor/name`) or by name, in any case. In free mode the other free models follow; without it nothing else is tried. One that is not in the catalogue is skipped, and so is a name that several vendors use."
    },
    "filter": {
      "type": "array",
      "items": { "type": "string", "maxLength": 500 },
      "maxItems": 1000,
      "default": [],
      "description": "Only models are visible whose id or display name contains one of these texts, in any case. A `:latest` at its end counts for nothing, and what follows a `#` at the beginning or behind white space is a comment; empty lines are ignored, and without a text nothing is filtered."
    },
    "free_mode": {
      "type": "boolean",
      "default": true,
      "description": "Only free models are visible, and all of them may be tried for a request. Without it a request goes to the requested model and to `fallbacks` alone."
    },
    "tool_use_only": {
      "type": "boolean",
      "default": false,
      "description": "Only models that can call tools are visible."
    }
  }
}
"#;
