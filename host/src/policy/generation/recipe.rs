//! How two generations differ in what they are made of.
//!
//! A recipe is everything a generation is made of but its models. Pure: whether a change
//! is put in force is `crate::reload`'s business, and which were is `reload::history`'s.

use crate::policy::generation::{Blueprint, Part};

impl Part {
    /// Tells whether it is the same policy, told the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.is_same_file(other) && self.limits == other.limits && self.settings == other.settings
    }

    /// Tells whether it is the same policy from the same place.
    fn is_same_file(&self, other: &Self) -> bool {
        self.code.digest() == other.code.digest() && self.source == other.source
    }
}

impl Blueprint {
    /// Tells whether its policies are the same as another's, told the same.
    pub fn has_same_policies(&self, other: &Self) -> bool {
        self.has_same_shadow(other) && self.has_same_chain(other, Part::is_same)
    }

    /// Tells whether it would decide as another over the same models.
    pub fn is_same_recipe(&self, other: &Self) -> bool {
        self.has_same_policies(other)
            && self.settings == other.settings
            && (self.unknown, self.on_error) == (other.unknown, other.on_error)
    }

    /// Returns in a word each what is another than in `before`; nothing if it is the same
    /// recipe.
    pub fn changed_since(&self, before: &Self) -> Vec<&'static str> {
        let same_policies = self.has_same_chain(before, Part::is_same_file);
        // Other policies have other settings and limits: that says nothing more.
        let same_told = |is_same: fn(&Part, &Part) -> bool| !same_policies || self.has_same_chain(before, is_same);
        let mode = |recipe: &Self| (recipe.settings.free_mode, recipe.settings.tool_use_only, recipe.unknown);
        let same = [
            ("policy", same_policies),
            ("settings", same_told(|ours, theirs| ours.settings == theirs.settings)),
            ("limits", same_told(|ours, theirs| ours.limits == theirs.limits)),
            ("shadow", self.has_same_shadow(before)),
            ("filter", self.settings.filter == before.settings.filter),
            ("mode", mode(self) == mode(before)),
            ("on_error", self.on_error == before.on_error),
        ];
        same.into_iter().filter(|(_, is_same)| !is_same).map(|(word, _)| word).collect()
    }

    fn has_same_chain(&self, other: &Self, is_same: fn(&Part, &Part) -> bool) -> bool {
        let (ours, theirs) = (&self.chain, &other.chain);
        ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
    }

    fn has_same_shadow(&self, other: &Self) -> bool {
        match (&self.shadow, &other.shadow) {
            (None, None) => true,
            (Some((ours, sample)), Some((theirs, theirs_sample))) => {
                ours.is_same(theirs) && sample.total_cmp(theirs_sample).is_eq()
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}
