//! What `/api/experimental/model-recommendations` says: what would be tried first.
//!
//! Ollama's launcher offers these to people who have not chosen yet. Knows
//! nothing of how the order came about: it is the policy's.

use serde::Serialize;

use crate::api::ollama::listing::{Listed, readable};

/// More than this nobody reads.
const MAX_RECOMMENDED: usize = 5;

/// The answer, as Ollama's launcher reads it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Recommendations {
    recommendations: Vec<Recommendation>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Recommendation {
    model: String,
    description: String,
    #[serde(skip_serializing_if = "is_unknown")]
    context_length: u32,
    #[serde(skip_serializing_if = "is_unknown")]
    max_output_tokens: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_unknown(tokens: &u32) -> bool {
    *tokens == 0
}

/// Recommends the first of these models that chat.
pub fn recommendations(models: &[Listed<'_>]) -> Recommendations {
    let chat = models.iter().filter(|listed| !listed.model.embeds()).take(MAX_RECOMMENDED);
    let recommendations = chat.map(|listed| Recommendation {
        model: listed.name.to_owned(),
        description: readable(listed.model).to_owned(),
        context_length: listed.model.context_tokens,
        max_output_tokens: listed.model.max_output_tokens,
    });
    Recommendations { recommendations: recommendations.collect() }
}
