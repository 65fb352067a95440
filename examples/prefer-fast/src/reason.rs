//! The reasons that this policy gives, each with its code and its text.
//!
//! They go into logs and metrics, so that a number, once given, keeps its
//! meaning. Hidden models have 1 to 9, picks 10 to 19, drops 20 to 29.

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
    /// Picked: nobody speaks sooner of those that are left.
    Fastest = 11,
    /// Picked first by chance, to learn how fast it is.
    Explored = 12,
    /// Picked after those whose time is known.
    Unknown = 13,
    /// Picked late: it failed too often in the last five minutes.
    Unsteady = 14,
    /// Picked at the very end: it failed lately and rests.
    LastResort = 15,
    /// Left out: enough others are tried before it.
    BeyondLimit = 20,
}

impl Reason {
    /// Lists every reason once, in the order of the codes.
    pub(crate) const ALL: [Self; 11] = [
        Self::NotChat,
        Self::NotFree,
        Self::NoTools,
        Self::Filtered,
        Self::Requested,
        Self::Fastest,
        Self::Explored,
        Self::Unknown,
        Self::Unsteady,
        Self::LastResort,
        Self::BeyondLimit,
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
            Self::Fastest => "the soonest first token of those left",
            Self::Explored => "tried by chance, to learn how fast it is",
            Self::Unknown => "how fast it is, is not known",
            Self::Unsteady => "failed more often than `max_failures` lately",
            Self::LastResort => "cooling down, the last resort",
            Self::BeyondLimit => "enough others are tried before it",
        }
    }
}
