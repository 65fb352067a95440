//! What a request needs of a model, and how large it is.
//!
//! Found out once, when a request is read; held against what is known of a model
//! wherever models are chosen. Pure, and knows nothing of what happened to models.

use crate::catalog::{Capabilities, Model};

/// What a request says about calling tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolMode {
    /// It has none.
    #[default]
    None,
    /// The model may call them.
    Optional,
    /// The model has to call one.
    Required,
}

/// What a request needs of a model, and how large it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// What the model must be able to do.
    pub capabilities: Capabilities,
    /// What the request says about tools.
    pub tools: ToolMode,
    /// Tokens in the prompt, estimated from its length.
    pub input_tokens: u32,
    /// Tokens that the client allows for the answer; 0 if it did not say.
    pub output_tokens: u32,
}

impl Needs {
    /// Returns how large the request is, with the room that its answer may take.
    pub fn size(&self) -> u32 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Tells whether a model can answer such a request at all.
    ///
    /// The estimate of the prompt is rough, so the context is only held
    /// against it with half of it to spare: what is really too long is refused
    /// by the model itself, and then a larger one is tried.
    pub fn met_by(&self, model: &Model) -> bool {
        let wants_vectors = self.capabilities.contains(Capabilities::EMBEDDINGS);
        let of_its_kind = model.embeds() == wants_vectors;
        // Texts for vectors can be cut, and a client may have asked for that.
        let fits = wants_vectors || model.context_tokens == 0 || self.input_tokens / 3 * 2 <= model.context_tokens;
        of_its_kind && model.capabilities.contains(self.capabilities) && fits
    }
}
