//! The signature of a thinking block: how sealed thinking comes back.
//!
//! Clients keep a block's signature and send it back without looking. So it
//! carries what the upstream wants back unchanged, and who thought it. Every
//! thinking block has one, for some clients do not send back what has none. A
//! signature that is not ours opens to nothing.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::chat::chunk::ReasoningDetail;

/// How ours begin.
const PREFIX: &str = "ollama-router.";

/// What is in one.
#[derive(Serialize, Deserialize)]
struct Inside<'a> {
    /// The model that thought it.
    #[serde(borrow)]
    model: Cow<'a, str>,
    /// What it wants back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    details: Vec<ReasoningDetail>,
}

/// Returns the signature for what a model thought.
pub(super) fn sealed(model: &str, details: Vec<ReasoningDetail>) -> String {
    // Such a value always has a JSON form.
    let inside = serde_json::to_vec(&Inside { model: model.into(), details }).unwrap_or_default();
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(inside))
}

/// Returns what is to go back upstream; nothing if the signature is not ours, or
/// if another model than the one that thought it is tried `first`.
pub(super) fn opened(signature: &str, first: Option<&str>) -> Vec<ReasoningDetail> {
    let inside = signature.strip_prefix(PREFIX).and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok());
    let Some(inside) = inside else { return Vec::new() };
    match serde_json::from_slice::<Inside<'_>>(&inside) {
        Ok(inside) if first.is_none_or(|first| first == inside.model) => inside.details,
        Ok(_) | Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_for_the_model_that_thought_it_and_no_other() {
        let detail = ReasoningDetail { data: Some("x".to_owned()), index: Some(0), ..ReasoningDetail::default() };
        let signature = sealed("acme/all:free", vec![detail]);
        let opened_for = |first| serde_json::to_string(&opened(&signature, first)).ok();
        let expected = Some(r#"[{"index":0,"data":"x"}]"#.to_owned());
        assert_eq!(opened_for(None), expected);
        assert_eq!(opened_for(Some("acme/all:free")), expected);
        assert_eq!(opened(&signature, Some("acme/other:free")), []);
    }

    #[test]
    fn what_is_not_ours_opens_to_nothing() {
        for foreign in ["", "EqQBCgIYAhIM1gbcDa9GJwZA2b3h", "ollama-router.", "ollama-router.!", "ollama-router.e30"] {
            assert_eq!(opened(foreign, None), [], "{foreign}");
        }
        assert_eq!(opened(&sealed("a/b", Vec::new()), None), []);
    }
}
