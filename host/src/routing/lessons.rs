//! What a model's refusals have taught: what it lacks, whatever the catalogue says.
//!
//! A lesson keeps a model from requests that it would refuse again, and only from
//! those. It ends with its time, or when the model's entry in the catalogue
//! changes. Values and arithmetic: the time is an argument, in milliseconds since
//! 1970. What a refusal teaches is decided in `openrouter::failure`.

use std::fmt;

use crate::{
    catalog::{Capabilities, Model, Traits},
    routing::needs::Needs,
};

/// How long a lack is remembered: a provider may mend it within days.
const LACK_MS: u64 = 24 * 3600 * 1000;

/// How long a size is: it was learned from an estimate.
const SIZE_MS: u64 = 6 * 3600 * 1000;

/// What a refusal teaches of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lesson {
    /// It always thinks.
    AlwaysThinks,
    /// It cannot do this.
    Lacks(Capabilities),
    /// So many tokens fit, or 0 if that was not said: fewer than the request had.
    Room(u32),
}

/// The lessons of one model, each kind once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lessons(Vec<Learned>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Learned {
    lesson: Lesson,
    /// The estimated size of the request that was refused.
    size: u32,
    until_ms: u64,
    /// The entry of the catalogue that it contradicts.
    entry: u32,
}

/// The lacks that can be learned, by name.
const LACKS: [(&str, Capabilities); 5] = [
    ("no-tools", Capabilities::TOOLS),
    ("no-tool-choice", Capabilities::TOOL_CHOICE),
    ("no-images", Capabilities::VISION),
    ("no-audio", Capabilities::AUDIO),
    ("no-files", Capabilities::FILES),
];

impl Lessons {
    /// Remembers what a request with these needs has taught of a model.
    pub fn learn(&mut self, lesson: Lesson, needs: &Needs, model: &Model, now: u64) {
        let length = if matches!(lesson, Lesson::Room(_)) { SIZE_MS } else { LACK_MS };
        let entry = entry(model);
        let known = self.0.iter().filter(|known| known.is_of(entry, now) && known.lesson.is_like(lesson));
        let size = known.map(|known| known.size).min().unwrap_or(u32::MAX).min(needs.size());
        self.0.retain(|known| known.is_of(entry, now) && !known.lesson.is_like(lesson));
        self.0.push(Learned { lesson, size, until_ms: now.saturating_add(length), entry });
    }

    /// Returns a model as it has shown itself; `None` if nothing was learned of it.
    pub fn taught(&self, model: &Model, now: u64) -> Option<Model> {
        let mut taught: Option<Model> = None;
        for learned in self.of(model, now) {
            let model = taught.get_or_insert_with(|| model.clone());
            match learned.lesson {
                Lesson::AlwaysThinks => model.traits |= Traits::REASONING_MANDATORY,
                Lesson::Lacks(lacks) => model.capabilities -= lacks,
                Lesson::Room(0) => {}
                Lesson::Room(tokens) => model.context_tokens = tokens,
            }
        }
        taught
    }

    /// Tells whether a model would refuse such a request again.
    pub fn forbid(&self, model: &Model, needs: &Needs, now: u64) -> bool {
        let too_large = |learned: &Learned| matches!(learned.lesson, Lesson::Room(_)) && needs.size() >= learned.size;
        self.of(model, now).any(too_large) || self.taught(model, now).is_some_and(|taught| !needs.met_by(&taught))
    }

    /// Returns the lessons in words for programs, such as `no-tools`.
    pub fn names(&self, model: &Model, now: u64) -> Vec<String> {
        self.of(model, now).map(|learned| learned.lesson.to_string()).collect()
    }

    /// Reads what [`fmt::Display`] writes; what it does not understand is no lesson.
    pub fn parse(text: &str) -> Self {
        Self(text.split(' ').filter_map(Learned::parse).collect())
    }

    fn of<'a>(&'a self, model: &Model, now: u64) -> impl Iterator<Item = &'a Learned> {
        // An entry is only worth a look where there is something to compare.
        let entry = if self.0.is_empty() { 0 } else { entry(model) };
        self.0.iter().filter(move |learned| learned.is_of(entry, now))
    }
}

impl Lesson {
    /// Tells whether it is about the same as another.
    fn is_like(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Room(_), Self::Room(_)))
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(tokens) = text.strip_prefix("context=") {
            return tokens.parse().ok().map(Self::Room);
        }
        if text == "always-thinks" {
            return Some(Self::AlwaysThinks);
        }
        LACKS.iter().find(|(name, _)| *name == text).map(|(_, lack)| Self::Lacks(*lack))
    }
}

impl fmt::Display for Lesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlwaysThinks => f.write_str("always-thinks"),
            Self::Lacks(lacks) => {
                let name = LACKS.iter().find(|(_, known)| known == lacks).map_or("no-feature", |(name, _)| name);
                f.write_str(name)
            }
            Self::Room(tokens) => write!(f, "context={tokens}"),
        }
    }
}

impl fmt::Display for Lessons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, learned) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { " " };
            let Learned { lesson, size, until_ms, entry } = learned;
            write!(f, "{separator}{lesson};{size};{until_ms};{entry:08x}")?;
        }
        Ok(())
    }
}

impl Learned {
    fn is_of(&self, entry: u32, now: u64) -> bool {
        self.entry == entry && self.until_ms > now
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let lesson = Lesson::parse(parts.next()?)?;
        let size = parts.next()?.parse().ok()?;
        let until_ms = parts.next()?.parse().ok()?;
        let entry = u32::from_str_radix(parts.next()?, 16).ok()?;
        Some(Self { lesson, size, until_ms, entry })
    }
}

/// Returns a number that changes with what the catalogue says of a model: FNV-1a,
/// which is the same in every build.
fn entry(model: &Model) -> u32 {
    let facts = [
        u64::from(model.capabilities.bits()),
        u64::from(model.traits.bits()),
        u64::from(model.context_tokens),
        u64::from(model.max_output_tokens),
        model.created,
    ];
    let bytes = facts.iter().flat_map(|fact| fact.to_le_bytes());
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{catalog::ModelId, routing::needs::ToolMode};

    const NOW: u64 = 1_800_000_000_000;

    fn model() -> Model {
        Model {
            id: ModelId::parse("a/b:free").unwrap(),
            name: "b".to_owned(),
            capabilities: Capabilities::TOOLS | Capabilities::TOOL_CHOICE | Capabilities::VISION,
            traits: Traits::FREE,
            context_tokens: 32_000,
            max_output_tokens: 0,
            prompt_price: None,
            completion_price: None,
            created: 7,
            expires: None,
        }
    }

    fn needs(capabilities: Capabilities, input_tokens: u32) -> Needs {
        Needs { capabilities, tools: ToolMode::None, input_tokens, output_tokens: 0 }
    }

    #[test]
    fn a_lack_forbids_what_needs_it_and_nothing_else_until_its_time_is_over() {
        let mut lessons = Lessons::default();
        let tools = needs(Capabilities::TOOLS, 9);
        lessons.learn(Lesson::Lacks(Capabilities::TOOLS), &tools, &model(), NOW);
        let forbids = |needs: &Needs, now| lessons.forbid(&model(), needs, now);
        assert!(forbids(&tools, NOW) && forbids(&tools, NOW + LACK_MS - 1));
        assert!(!forbids(&needs(Capabilities::VISION, 9), NOW) && !forbids(&tools, NOW + LACK_MS));
        assert_eq!(lessons.names(&model(), NOW), ["no-tools"]);
    }

    #[test]
    fn a_changed_entry_of_the_catalogue_ends_every_lesson() {
        let mut lessons = Lessons::default();
        lessons.learn(Lesson::AlwaysThinks, &Needs::default(), &model(), NOW);
        assert!(lessons.taught(&model(), NOW).unwrap().traits.contains(Traits::REASONING_MANDATORY));
        let changed = Model { context_tokens: 64_000, ..model() };
        assert_eq!((lessons.taught(&changed, NOW), lessons.names(&changed, NOW)), (None, vec![]));
    }

    #[test]
    fn a_size_forbids_what_is_as_large_or_does_not_fit_what_was_told() {
        let sized = |tokens| needs(Capabilities::empty(), tokens);
        let mut lessons = Lessons::default();
        lessons.learn(Lesson::Room(0), &sized(9_000), &model(), NOW);
        lessons.learn(Lesson::Room(4_096), &sized(20_000), &model(), NOW);
        let forbidden = [3_000, 6_000, 8_999, 9_000].map(|tokens| lessons.forbid(&model(), &sized(tokens), NOW));
        assert_eq!(forbidden, [false, false, true, true]);
        assert_eq!(lessons.names(&model(), NOW), ["context=4096"]);
    }

    #[test]
    fn lessons_are_written_down_and_read_back() {
        let mut lessons = Lessons::default();
        for (_, lack) in LACKS {
            lessons.learn(Lesson::Lacks(lack), &Needs::default(), &model(), NOW);
        }
        lessons.learn(Lesson::AlwaysThinks, &Needs::default(), &model(), NOW);
        lessons.learn(Lesson::Room(8_192), &needs(Capabilities::empty(), 5), &model(), NOW);
        assert_eq!(Lessons::parse(&lessons.to_string()), lessons);
        for text in ["", "no-tools", "no-wings;1;2;ff", "no-tools;x;2;ff", "context=x;1;2;ff"] {
            assert_eq!(Lessons::parse(text), Lessons::default(), "{text}");
        }
    }
}
