//! The built-in models that chat for free, hard cases last.
//!
//! Vendors, names and figures are invented. Each awkward case of the real
//! catalogue is here or in `catalog/others.rs` once, and its summary says
//! which. A new case is a new entry. The columns are in `catalog/entry.rs`.

use crate::sandbox::catalog::entry::{BASE, Ends, Entry, FULL, Reasoning, TOOLS, TOOLS_WITHOUT_CHOICE};
use crate::sandbox::catalog::{BRITTLE_MODEL, MODERATED_MODEL};

/// The models that chat for free, newest first.
pub(super) const FREE_CHAT: &[Entry] = &[
    Entry {
        id: "aurelia/lumen-4-large:free",
        name: "Aurelia: Lumen 4 Large (free)",
        summary: "A large invented model with everything a router may ask for.",
        created: 17,
        context: 262_144,
        answer_max: Some(65_536),
        parameters: FULL,
        reasoning: Reasoning::ByDefault,
        benchmarks: Some([52.5, 48.0, 44.5]),
        ..BASE
    },
    Entry {
        id: "aurelia/lumen-4-mini:free",
        name: "Aurelia: Lumen 4 Mini (free)",
        summary: "Small, quick, sees images and uses tools.",
        created: 16,
        context: 131_072,
        inputs: &["text", "image"],
        parameters: FULL,
        reasoning: Reasoning::OnRequest,
        benchmarks: Some([31.0, 27.5, 22.0]),
        ..BASE
    },
    Entry {
        id: "borealis/skald-70b-instruct:free",
        name: "Borealis: Skald 70B Instruct (free)",
        created: 15,
        context: 131_072,
        parameters: TOOLS,
        instruct: Some("chatml"),
        ..BASE
    },
    Entry {
        id: "cinderworks/ember-coder-30b-a3b:free",
        name: "Cinderworks: Ember Coder 30B A3B (free)",
        summary: "Writes and mends code; made for agents.",
        created: 14,
        context: 262_144,
        answer_max: Some(262_144),
        parameters: TOOLS,
        benchmarks: Some([38.0, 45.5, 41.0]),
        ..BASE
    },
    Entry {
        id: "dovetail/joiner-8b:free",
        name: "Dovetail: Joiner 8B (free)",
        summary: "A plain chat model without tools.",
        created: 13,
        ..BASE
    },
    Entry {
        id: "dovetail/joiner-8b-short:free",
        name: "Dovetail: Joiner 8B Short (free)",
        summary: "A context so small that an agent's first prompt overflows it.",
        created: 12,
        context: 4_096,
        answer_max: Some(2_048),
        ..BASE
    },
    Entry {
        id: "emberline/thinkwell-2.5:free",
        name: "Emberline: Thinkwell 2.5 (free)",
        summary: "Reasons before every answer; that cannot be switched off.",
        created: 11,
        context: 131_072,
        parameters: FULL,
        reasoning: Reasoning::Mandatory,
        benchmarks: Some([47.0, 40.0, 36.5]),
        ..BASE
    },
    Entry {
        id: "fathom/deepview-12b:free",
        name: "Fathom: Deepview 12B (free)",
        summary: "Describes images; uses no tools.",
        created: 10,
        context: 65_536,
        inputs: &["text", "image"],
        ..BASE
    },
    Entry {
        id: "garnet/pocket-3.1-3b:free",
        name: "Garnet: Pocket 3.1 3B (free)",
        summary: "Uses tools, but cannot be told which.",
        created: 9,
        context: 65_536,
        parameters: TOOLS_WITHOUT_CHOICE,
        ..BASE
    },
    Entry {
        id: "halcyon/echo-v1.5:free",
        name: "Halcyon: Echo v1.5 (free)",
        summary: "Shares its short name with another vendor's model.",
        created: 8,
        context: 32_768,
        parameters: TOOLS,
        ..BASE
    },
    Entry {
        id: "ivory/echo-v1.5:free",
        name: "Ivory: Echo v1.5 (free)",
        summary: "Shares its short name with another vendor's model.",
        created: 7,
        context: 49_152,
        parameters: TOOLS,
        ..BASE
    },
    Entry {
        id: "juniper/rowan-24b:free",
        name: "Juniper: Rowan 24B (free)",
        summary: "Its provider serves a quarter of the context it could have.",
        created: 6,
        context: 131_072,
        provider_context: Some(32_768),
        parameters: TOOLS,
        ..BASE
    },
    Entry {
        id: "kestrel/talon-9b:free",
        name: "Kestrel: Talon 9B (free)",
        summary: "Leaves within days.",
        created: 5,
        context: 98_304,
        parameters: TOOLS,
        ends: Ends::Soon,
        ..BASE
    },
    Entry {
        id: "kestrel/talon-7b:free",
        name: "Kestrel: Talon 7B (free)",
        summary: "Has left, and is still listed.",
        created: 4,
        context: 98_304,
        parameters: TOOLS,
        ends: Ends::On("2026-01-31"),
        ..BASE
    },
    Entry {
        id: "larkspur/harness-48b:free",
        name: "Larkspur: Harness 48B (free)",
        summary: "Listed as free, and refused to plain API clients.",
        created: 3,
        context: 196_608,
        parameters: TOOLS,
        ..BASE
    },
    Entry {
        id: "stealth/umber-alpha",
        name: "Umber Alpha",
        summary: "A cloaked model: free without saying so in its id.",
        created: 2,
        context: 200_000,
        parameters: FULL,
        reasoning: Reasoning::Mandatory,
        ends: Ends::On("9999-01-01"),
        ..BASE
    },
    Entry { id: "quillon/nib-1b:free", summary: "Has no display name.", created: 1, context: 16_384, ..BASE },
    // The least context of all, so that no request comes to these two by itself.
    Entry {
        id: BRITTLE_MODEL,
        name: "Thistle: Brittle 2B (free)",
        summary: "Breaks off in the middle of its words, in the demo each time.",
        context: 2_048,
        answer_max: Some(1_024),
        ..BASE
    },
    Entry {
        id: MODERATED_MODEL,
        name: "Thistle: Prim 2B (free)",
        summary: "Its provider moderates what is asked, and in the demo refuses it all.",
        context: 2_048,
        answer_max: Some(1_024),
        is_moderated: true,
        ..BASE
    },
];
