//! The built-in models that are not for a free chat.
//!
//! Routers, free models that do not chat, paid models and embedding models.
//! Vendors, names and figures are invented; the ids of the two routers
//! `openrouter/free` and `openrouter/auto` are real. The free chat models are
//! in `catalog/models.rs`, the columns in `catalog/entry.rs`.

use crate::sandbox::catalog::entry::{BASE, Entry, FULL, Reasoning, TOOLS};

/// Routers, an alias, and the free models that do not chat.
pub(super) const SPECIAL: &[Entry] = &[
    Entry {
        id: "~aurelia/lumen-latest",
        name: "Aurelia: Lumen Latest",
        summary: "Always the newest model of its family.",
        created: 7,
        context: 1_048_576,
        tokenizer: "Router",
        prices: &[("prompt", "0.0000004"), ("completion", "0.0000016")],
        parameters: FULL,
        alias: Some(("Aurelia: Lumen 4 Large", "aurelia/lumen-4-large")),
        ..BASE
    },
    Entry {
        id: "openrouter/free",
        name: "Free Models Router",
        summary: "Sends a call to some free model that fits it.",
        created: 6,
        context: 200_000,
        answer_max: None,
        inputs: &["text", "image"],
        tokenizer: "Router",
        parameters: FULL,
        ..BASE
    },
    Entry {
        id: "openrouter/auto",
        name: "Auto Router",
        summary: "Sends a call to any model; its price is not known before.",
        created: 5,
        context: 2_000_000,
        answer_max: None,
        inputs: &["text", "image", "file"],
        tokenizer: "Router",
        prices: &[("prompt", "-1"), ("completion", "-1")],
        parameters: FULL,
        ..BASE
    },
    Entry {
        id: "openrouter/panel",
        name: "Panel Router",
        summary: "Asks several models at once; its price is not known before.",
        created: 4,
        context: 1_000_000,
        answer_max: None,
        tokenizer: "Router",
        prices: &[("prompt", "-1"), ("completion", "-1")],
        parameters: &[],
        ..BASE
    },
    Entry {
        id: "marlow/shield-guard-4b:free",
        name: "Marlow: Shield Guard 4B (free)",
        summary: "Judges texts as safe or unsafe; does not chat.",
        created: 3,
        context: 128_000,
        inputs: &["text", "image"],
        ..BASE
    },
    Entry {
        id: "nocturne/sonata-1-preview",
        name: "Nocturne: Sonata 1 Preview",
        summary: "Composes music; free while in preview.",
        created: 2,
        context: 1_048_576,
        inputs: &["text", "image"],
        outputs: &["text", "audio"],
        parameters: &["max_tokens", "response_format", "seed", "temperature", "top_p"],
        ..BASE
    },
    Entry {
        id: "ochre/paperscan-ocr-2b:free",
        name: "Ochre: Paperscan OCR 2B (free)",
        summary: "Reads the text of scanned pages; does not chat.",
        created: 1,
        context: 16_384,
        inputs: &["image", "text"],
        ..BASE
    },
];

/// The models that cost something, or may.
pub(super) const PAID: &[Entry] = &[
    Entry {
        id: "aurelia/lumen-4-large",
        name: "Aurelia: Lumen 4 Large",
        summary: "The paid twin, whose context is larger than the free one's.",
        created: 12,
        context: 1_048_576,
        answer_max: Some(65_536),
        prices: &[("prompt", "0.0000004"), ("completion", "0.0000016"), ("input_cache_read", "0.00000004")],
        parameters: FULL,
        reasoning: Reasoning::ByDefault,
        benchmarks: Some([52.5, 48.0, 44.5]),
        ..BASE
    },
    Entry {
        id: "aurelia/lumen-4-large:batch",
        name: "Aurelia: Lumen 4 Large (batch)",
        summary: "For the asynchronous batch interface only.",
        created: 11,
        context: 1_048_576,
        prices: &[("prompt", "0.0000002"), ("completion", "0.0000008")],
        parameters: FULL,
        ..BASE
    },
    Entry {
        id: "borealis/skald-405b",
        name: "Borealis: Skald 405B",
        created: 10,
        context: 131_072,
        prices: &[("prompt", "0.000001"), ("completion", "0.000003")],
        parameters: TOOLS,
        instruct: Some("chatml"),
        ..BASE
    },
    Entry {
        id: "russet/scribe-2",
        name: "Russet: Scribe 2",
        summary: "Shares its short name with another vendor's model; both are paid.",
        created: 9,
        context: 65_536,
        prices: &[("prompt", "0.0000001"), ("completion", "0.0000003")],
        parameters: TOOLS,
        ..BASE
    },
    Entry {
        id: "sable/scribe-2",
        name: "Sable: Scribe 2",
        summary: "Shares its short name with another vendor's model; both are paid.",
        created: 8,
        context: 65_536,
        prices: &[("prompt", "0.0000002"), ("completion", "0.0000005")],
        parameters: TOOLS,
        ..BASE
    },
    Entry {
        id: "tamarisk/meter-1",
        name: "Tamarisk: Meter 1",
        summary: "Tokens cost nothing, each request does.",
        created: 7,
        prices: &[("prompt", "0"), ("completion", "0"), ("request", "0.004")],
        parameters: TOOLS,
        ..BASE
    },
    Entry {
        id: "umbra/canvas-2",
        name: "Umbra: Canvas 2",
        summary: "Writes and draws.",
        created: 6,
        inputs: &["text", "image"],
        outputs: &["text", "image"],
        prices: &[("prompt", "0.0000003"), ("completion", "0.0000025"), ("image_output", "0.00003")],
        ..BASE
    },
    Entry {
        id: "umbra/brush-1",
        name: "Umbra: Brush 1",
        summary: "Draws only: listed when every output is asked for.",
        created: 5,
        outputs: &["image"],
        prices: &[("prompt", "0"), ("completion", "0"), ("image_output", "0.00002")],
        parameters: &[],
        ..BASE
    },
    Entry {
        id: "vesper/omni-1.1",
        name: "Vesper: Omni 1.1",
        summary: "Takes texts, images, files, sound and films.",
        created: 4,
        context: 1_048_576,
        inputs: &["text", "image", "file", "audio", "video"],
        prices: &[("prompt", "0.00000125"), ("completion", "0.00001"), ("audio", "0.000002")],
        parameters: FULL,
        reasoning: Reasoning::ByDefault,
        benchmarks: Some([63.0, 66.5, 58.0]),
        ..BASE
    },
    Entry {
        id: "willow/legacy-13b",
        name: "Willow: Legacy 13B",
        summary: "An old model with an old prompt form.",
        created: 3,
        context: 4_096,
        answer_max: Some(4_096),
        instruct: Some("alpaca"),
        prices: &[("prompt", "0.00000008"), ("completion", "0.00000008")],
        ..BASE
    },
    Entry {
        id: "yarrow/thrift-1",
        name: "Yarrow: Thrift 1",
        summary: "Costs almost nothing, which is not nothing.",
        created: 2,
        context: 131_072,
        prices: &[("prompt", "0.00000000001"), ("completion", "0.00000000001")],
        parameters: TOOLS,
        ..BASE
    },
    Entry {
        id: "zenith/bolt-2",
        name: "Zenith: Bolt 2",
        summary: "Its provider moderates what is asked.",
        created: 1,
        context: 200_000,
        is_moderated: true,
        prices: &[("prompt", "0.000003"), ("completion", "0.000015"), ("web_search", "0.01")],
        parameters: TOOLS,
        ..BASE
    },
];

/// The models of `/embeddings/models`.
pub(super) const EMBEDDING: &[Entry] = &[
    Entry {
        id: "fathom/sounding-embed-1:free",
        name: "Fathom: Sounding Embed 1 (free)",
        summary: "A free embedding model.",
        created: 2,
        context: 8_192,
        answer_max: None,
        outputs: &["embeddings"],
        parameters: &[],
        ..BASE
    },
    Entry {
        id: "aurelia/lumen-embed-3",
        name: "Aurelia: Lumen Embed 3",
        summary: "A paid embedding model.",
        created: 1,
        context: 8_192,
        answer_max: None,
        outputs: &["embeddings"],
        prices: &[("prompt", "0.00000002"), ("completion", "0")],
        parameters: &[],
        ..BASE
    },
];
