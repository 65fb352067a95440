//! The reasons that this policy gives, each with its code and its text.
//!
//! The only place that knows the numbers. They go into the operator's log and
//! metrics, so that a number, once given, keeps its meaning: new reasons get
//! new ones. Hidden models have 1 to 9, picks 10 to 19, drops 20 to 29. Who
//! gives them: `filter.rs` and `rank.rs`.

/// Why a model is hidden, picked or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Reason {
    /// Hidden: it neither converses nor embeds.
    NotChat = 1,
    /// Hidden or left out: a request to it may cost something.
    NotFree = 2,
    /// Hidden: it calls no tools, and only such models are wanted.
    NoTools = 3,
    /// Hidden: no pattern of the filter is part of its id or its name.
    Filtered = 4,
    /// Picked: the client asked for it.
    Requested = 10,
    /// Picked: the operator named it in `fallbacks`.
    Fallback = 11,
    /// Picked: the largest context of those that were left.
    LargestContext = 12,
    /// Picked after the models: it picks a model itself, nobody knows which.
    Router = 13,
    /// Picked at the very end: it failed lately and rests.
    LastResort = 14,
    /// Left out: enough others are tried before it.
    BeyondLimit = 20,
    /// Left out: without free mode only what somebody named is tried.
    NotNamed = 21,
}

impl Reason {
    /// Lists every reason once, in the order of the codes.
    pub(crate) const ALL: [Self; 11] = [
        Self::NotChat,
        Self::NotFree,
        Self::NoTools,
        Self::Filtered,
        Self::Requested,
        Self::Fallback,
        Self::LargestContext,
        Self::Router,
        Self::LastResort,
        Self::BeyondLimit,
        Self::NotNamed,
    ];

    /// Returns the number that stands for it in the contract.
    pub(crate) const fn code(self) -> u16 {
        self as u16
    }

    /// Returns the fragment that people read.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::NotChat => "neither a chat nor an embedding model",
            Self::NotFree => "not free",
            Self::NoTools => "calls no tools, and `tool_use_only` is set",
            Self::Filtered => "no pattern of the filter is part of its id or name",
            Self::Requested => "requested",
            Self::Fallback => "named in `fallbacks`",
            Self::LargestContext => "the largest context of those left",
            Self::Router => "a router, after all models",
            Self::LastResort => "cooling down, the last resort",
            Self::BeyondLimit => "enough others are tried before it",
            Self::NotNamed => "neither requested nor named in `fallbacks`, and free mode is off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_reason_has_a_code_and_a_text_of_its_own() {
        for (place, reason) in Reason::ALL.iter().enumerate() {
            for other in &Reason::ALL[place + 1..] {
                assert!(reason.code() < other.code(), "{reason:?}, {other:?}");
                assert_ne!(reason.text(), other.text());
            }
        }
    }

    #[test]
    fn a_text_is_a_fragment_without_a_full_stop() {
        for reason in Reason::ALL {
            assert!(!reason.text().is_empty(), "{reason:?}");
            assert!(!reason.text().ends_with('.'), "{reason:?}");
        }
    }
}
