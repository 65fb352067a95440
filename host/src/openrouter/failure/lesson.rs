//! What a refusal teaches of the model, beyond this one request.
//!
//! Only of refusals that were classified as such by status and structure are the
//! words read, to tell which ability is missing. Pure; what becomes of a lesson is
//! `routing::lessons`' business.

use crate::{
    catalog::Capabilities,
    routing::{Failure, FailureKind, lessons::Lesson},
};

/// What is said of a missing ability, and which it is; the first that fits counts.
const LACKS: [(&str, Capabilities); 7] = [
    ("'tool_choice' value", Capabilities::TOOL_CHOICE),
    ("support tool use", Capabilities::TOOLS),
    ("does not support tools", Capabilities::TOOLS),
    ("support image input", Capabilities::VISION),
    ("does not support image", Capabilities::VISION),
    ("support audio input", Capabilities::AUDIO),
    ("support file input", Capabilities::FILES),
];

/// What comes before the number of tokens that fit.
const ROOM: &str = "maximum context length is ";

/// Returns what a failure teaches of its model; `None` if nothing that lasts.
pub fn lesson(failure: &Failure) -> Option<Lesson> {
    let message = failure.message.as_str();
    match failure.kind {
        FailureKind::Unsupported if message.contains("Reasoning is mandatory") => Some(Lesson::AlwaysThinks),
        FailureKind::Unsupported => {
            LACKS.iter().find(|(words, _)| message.contains(words)).map(|(_, lack)| Lesson::Lacks(*lack))
        }
        FailureKind::ContextOverflow => Some(Lesson::Room(room(message).unwrap_or(0))),
        _ => None,
    }
}

fn room(message: &str) -> Option<u32> {
    let (_, rest) = message.split_once(ROOM)?;
    let end = rest.find(|sign: char| !sign.is_ascii_digit() && sign != ',').unwrap_or(rest.len());
    rest.get(..end)?.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_teach_what_they_say_and_others_nothing() {
        use FailureKind::{BadRequest, ContextOverflow, Unsupported};
        let lacks = |lack| Some(Lesson::Lacks(lack));
        let rows = [
            (Unsupported, "No endpoints found that support tool use. Try disabling \"f\".", lacks(Capabilities::TOOLS)),
            (
                Unsupported,
                "No endpoints found that support the provided 'tool_choice' value. To learn more",
                lacks(Capabilities::TOOL_CHOICE),
            ),
            (Unsupported, "No endpoints found that support image input", lacks(Capabilities::VISION)),
            (Unsupported, "No endpoints found that support audio input", lacks(Capabilities::AUDIO)),
            (Unsupported, "No endpoints found that support file input", lacks(Capabilities::FILES)),
            (
                Unsupported,
                "Reasoning is mandatory for this endpoint and cannot be disabled.",
                Some(Lesson::AlwaysThinks),
            ),
            (Unsupported, "No endpoints found that can handle the requested parameters.", None),
            (
                ContextOverflow,
                "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens",
                Some(Lesson::Room(8_192)),
            ),
            (ContextOverflow, "maximum context length is 131,072 tokens", Some(Lesson::Room(131_072))),
            (ContextOverflow, "Token limit reached", Some(Lesson::Room(0))),
            (ContextOverflow, "maximum context length is long", Some(Lesson::Room(0))),
            (BadRequest, "my prompt says: support tool use", None),
        ];
        for (kind, message, expected) in rows {
            assert_eq!(lesson(&Failure::new(kind, message)), expected, "{message}");
        }
    }
}
