//! Models that do not exist, for policies that are tried without a catalogue.
//!
//! Each sort of model that a policy may meet is there once; made in code, so that
//! it never changes by itself. No vendor and no model is real.

use std::collections::BTreeSet;

use crate::catalog::{Capabilities, Catalog, Model, ModelId, Traits};

/// When they were made up, in seconds since 1970: the start of September 2026.
const FETCHED: u64 = 1_788_220_800;

const DAY: u64 = 24 * 60 * 60;

/// What most models do.
const CALLS: Capabilities = Capabilities::TOOLS.union(Capabilities::TOOL_CHOICE).union(Capabilities::JSON_OBJECT);

/// Free, and for conversation.
const FREE: Traits = Traits::FREE.union(Traits::CHAT);

/// Returns a dozen models: free and paid, with and without tools, that see, think,
/// embed, or will soon be gone.
pub(super) fn dozen() -> Catalog {
    let thinks = Capabilities::REASONING;
    let models = [
        model("alder/oak-70b:free", 131_072, CALLS | Capabilities::JSON_SCHEMA, FREE),
        model("alder/oak-70b", 131_072, CALLS | Capabilities::JSON_SCHEMA, Traits::CHAT),
        model("alder/acorn-8b:free", 32_768, Capabilities::empty(), FREE),
        model("birch/thinker-32b:free", 65_536, CALLS | thinks, FREE | Traits::REASONING_MANDATORY),
        model("birch/thinker-200b", 262_144, CALLS | thinks, Traits::CHAT | Traits::MODERATED),
        model("cedar/lens-12b:free", 32_768, CALLS | Capabilities::VISION | Capabilities::FILES, FREE),
        model("cedar/ear-7b:free", 16_384, Capabilities::AUDIO, FREE),
        model("dogwood/leaving-30b:free", 1_048_576, CALLS | Capabilities::LOGPROBS, FREE).map(leaving),
        model("elm/unknown-size:free", 0, CALLS, FREE),
        model("elm/any:free", 65_536, CALLS, FREE | Traits::ROUTER),
        model("fir/safety-2b:free", 8_192, Capabilities::empty(), Traits::FREE),
        model("fir/vectors-1b:free", 8_192, Capabilities::EMBEDDINGS, Traits::FREE),
    ];
    Catalog::new(models.into_iter().flatten().collect(), BTreeSet::from(["alder/sapling-3b:free".to_owned()]), FETCHED)
}

/// Returns so many models for conversation, the first of which are free.
pub(super) fn many(models: u32, free: u32) -> Catalog {
    let made = |number: u32| {
        let (ending, traits) = if number < free { (":free", FREE) } else { ("", Traits::CHAT) };
        let id = format!("vendor-{}/model-{number}-instruct{ending}", number % 40);
        model(&id, 32_768 + number * 37 % 101 * 1_024, CALLS, traits)
    };
    Catalog::new((0..models).filter_map(made).collect(), BTreeSet::new(), FETCHED)
}

fn leaving(model: Model) -> Model {
    Model { expires: Some(FETCHED + 3 * DAY), ..model }
}

/// Makes a model; the whole id is its name. None if the id is empty.
fn model(id: &str, context_tokens: u32, capabilities: Capabilities, traits: Traits) -> Option<Model> {
    let price = if traits.contains(Traits::FREE) { 0.0 } else { 0.5 };
    Some(Model {
        id: ModelId::parse(id)?,
        name: id.to_owned(),
        capabilities,
        traits,
        context_tokens,
        max_output_tokens: context_tokens / 4,
        prompt_price: Some(price),
        completion_price: Some(price * 3.0),
        created: FETCHED - 90 * DAY,
        expires: None,
    })
}
