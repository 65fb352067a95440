//! What clients call the models, and which model a name means.
//!
//! A name is shown without its vendor where that is unambiguous and always with
//! a tag; it is understood with or without either, in any case. A name that
//! fits several models is an error that lists them, never a guess. Pure: made
//! once for a catalogue and a view.

use std::collections::HashMap;

use crate::catalog::{Catalog, Model};

/// The name that lets the policy choose freely.
pub const AUTO: &str = "auto";

/// The tag that Ollama adds to names without one.
const LATEST: &str = ":latest";

/// What to do with a name that no model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// A name that was or looks like a free model's counts as a model that
    /// failed; any other is unknown.
    Gone,
    /// Every unknown name means [`AUTO`].
    Auto,
    /// Every unknown name is unknown.
    Reject,
}

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Any model: the policy chooses.
    Any,
    /// The model with this number.
    Model(u32),
    /// A model that is not served now; others are to be tried.
    Gone,
    /// Several models, by their full names.
    Ambiguous(Vec<String>),
    /// None.
    Unknown,
}

/// The names of the models that clients may see.
#[derive(Debug, Default)]
pub struct Names {
    /// By number, for the visible models only.
    shown: HashMap<u32, String>,
    /// Lower-case full id, without `:latest`, to number.
    whole: HashMap<String, u32>,
    /// Lower-case id without vendor, without `:latest`, to numbers.
    tails: HashMap<String, Vec<u32>>,
}

impl Names {
    /// Names the models of a view, given by their numbers.
    pub fn new(catalog: &Catalog, visible: &[u32]) -> Self {
        let mut names = Self::default();
        for (&number, model) in visible.iter().filter_map(|n| Some((n, catalog.model(*n)?))) {
            names.whole.insert(key(model.id.as_str()), number);
            names.tails.entry(key(model.id.tail())).or_default().push(number);
        }
        for (&number, model) in visible.iter().filter_map(|n| Some((n, catalog.model(*n)?))) {
            names.shown.insert(number, names.name(model));
        }
        names
    }

    /// Returns the name under which a visible model is listed.
    pub fn shown(&self, number: u32) -> Option<&str> {
        self.shown.get(&number).map(String::as_str)
    }

    /// Returns what a client means by `name`.
    pub fn find(&self, name: &str, catalog: &Catalog, free_mode: bool, unknown: Unknown) -> Found {
        let wanted = key(name);
        if wanted == AUTO {
            return Found::Any;
        }
        if let Some(&number) = self.whole.get(&wanted) {
            return Found::Model(number);
        }
        match self.tails.get(&wanted).map(Vec::as_slice) {
            Some(&[number]) => return Found::Model(number),
            Some(several) => {
                let mut ids: Vec<String> =
                    several.iter().filter_map(|n| catalog.model(*n)).map(|m| m.id.to_string()).collect();
                ids.sort();
                return Found::Ambiguous(ids);
            }
            None => {}
        }
        match unknown {
            Unknown::Auto => Found::Any,
            Unknown::Gone if free_mode && was_served(&wanted, catalog) => Found::Gone,
            Unknown::Gone | Unknown::Reject => Found::Unknown,
        }
    }

    fn name(&self, model: &Model) -> String {
        let tail = model.id.tail();
        let tail_key = key(tail);
        let alone = self.tails.get(&tail_key).is_none_or(|numbers| numbers.len() == 1);
        let name = if alone && tail_key != AUTO { tail } else { model.id.as_str() };
        if name.contains(':') { name.to_owned() } else { format!("{name}{LATEST}") }
    }
}

fn key(name: &str) -> String {
    let name = name.trim().to_lowercase();
    match name.strip_suffix(LATEST) {
        Some(rest) => rest.to_owned(),
        None => name,
    }
}

fn was_served(wanted: &str, catalog: &Catalog) -> bool {
    let looks_free = wanted.len() > ":free".len() && wanted.ends_with(":free");
    looks_free
        || catalog.formerly().iter().any(|id| {
            let id = id.to_lowercase();
            id == wanted || id.split_once('/').is_some_and(|(_, tail)| tail == wanted)
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalog::{Capabilities, ModelId, Traits};

    fn catalog(ids: &[&str], formerly: &[&str]) -> Catalog {
        let models = ids
            .iter()
            .map(|id| Model {
                id: ModelId::parse(id).unwrap(),
                name: (*id).to_owned(),
                capabilities: Capabilities::empty(),
                traits: Traits::FREE | Traits::CHAT,
                context_tokens: 0,
                max_output_tokens: 0,
                prompt_price: Some(0.0),
                completion_price: Some(0.0),
                created: 0,
                expires: None,
            })
            .collect();
        let formerly: BTreeSet<String> = formerly.iter().map(|id| (*id).to_owned()).collect();
        Catalog::new(models, formerly, 0)
    }

    #[test]
    fn names_drop_the_vendor_where_unambiguous_and_always_have_a_tag() {
        let catalog = catalog(
            &["google/gemma-4:free", "openrouter/free", "a/twin:free", "b/twin:free", "openrouter/auto", "x/y-1.5"],
            &[],
        );
        let names = Names::new(&catalog, &[0, 1, 2, 3, 4, 5]);
        let shown: Vec<&str> = (0..6).map(|n| names.shown(n).unwrap()).collect();
        assert_eq!(
            shown,
            ["gemma-4:free", "free:latest", "a/twin:free", "b/twin:free", "openrouter/auto:latest", "y-1.5:latest"]
        );
    }

    #[test]
    fn names_are_understood_in_every_form() {
        let catalog = catalog(
            &["google/Gemma-4:free", "openrouter/free", "a/twin:free", "b/twin:free", "paid/hidden"],
            &["old/cloaked-alpha"],
        );
        let names = Names::new(&catalog, &[0, 1, 2, 3]);
        let cases = [
            ("gemma-4:free", Found::Model(0)),
            ("GOOGLE/gemma-4:FREE", Found::Model(0)),
            (" gemma-4:free ", Found::Model(0)),
            ("gemma-4:free:latest", Found::Model(0)),
            ("free", Found::Model(1)),
            ("openrouter/free:latest", Found::Model(1)),
            ("auto", Found::Any),
            ("Auto:latest", Found::Any),
            ("a/twin:free", Found::Model(2)),
            ("twin:free", Found::Ambiguous(vec!["a/twin:free".into(), "b/twin:free".into()])),
            ("deepseek-chat-v3-0324:free", Found::Gone),
            ("cloaked-alpha", Found::Gone),
            ("old/cloaked-alpha:latest", Found::Gone),
            ("paid/hidden", Found::Unknown),
            ("gemma-4", Found::Unknown),
            (":free", Found::Unknown),
            ("", Found::Unknown),
        ];
        for (name, expected) in cases {
            assert_eq!(names.find(name, &catalog, true, Unknown::Gone), expected, "{name:?}");
        }
    }

    #[test]
    fn an_unknown_name_is_treated_as_the_operator_says() {
        let catalog = catalog(&["google/gemma-4:free"], &[]);
        let names = Names::new(&catalog, &[0]);
        let find = |name, free_mode, unknown| names.find(name, &catalog, free_mode, unknown);
        assert_eq!(find("gone:free", false, Unknown::Gone), Found::Unknown);
        assert_eq!(find("gone:free", true, Unknown::Reject), Found::Unknown);
        assert_eq!(find("claude-haiku", true, Unknown::Auto), Found::Any);
        assert_eq!(find("gone:free", true, Unknown::Auto), Found::Any);
    }
}
