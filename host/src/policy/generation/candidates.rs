//! Which models may be offered for a request: the host's say, before the policy's.
//!
//! Visible, able, not known to refuse it, and still served. Pure; who asks is
//! `policy::generation` when it decides, and the chain when it needs larger models.

use crate::{
    catalog::{Capabilities, Catalog, Model},
    policy::generation::Generation,
    routing::{
        needs::Needs,
        plan::{Fact, Query, Target},
    },
};

/// The models that clients may see, in the order of the view.
#[derive(Clone, Copy)]
pub(in crate::policy) struct Offer<'a> {
    /// All models.
    pub(in crate::policy) catalog: &'a Catalog,
    /// The numbers of those that are visible.
    pub(in crate::policy) visible: &'a [u32],
}

impl Offer<'_> {
    /// Returns the numbers of the models that can answer such a request.
    pub(in crate::policy) fn candidates(self, needs: &Needs) -> Vec<u32> {
        self.among(|_, model| needs.met_by(model))
    }

    /// Returns the candidates for a request, without those that are known to
    /// refuse it and those whose last day is over.
    pub(in crate::policy) fn fit(self, query: &Query, facts: &[Fact]) -> Vec<u32> {
        let unfit: Vec<u32> = facts.iter().filter(|fact| fact.unfit).map(|fact| fact.model).collect();
        let now = query.now_ms / 1000;
        // Nobody stands in where vectors are wanted: those of two models differ.
        let alone = match query.target {
            Target::Model(asked) if query.needs.capabilities.contains(Capabilities::EMBEDDINGS) => Some(asked),
            Target::Model(_) | Target::Any | Target::Gone => None,
        };
        self.among(|number, model| {
            query.needs.met_by(model)
                && !model.is_over(now)
                && alone.is_none_or(|asked| asked == number)
                && !unfit.contains(&number)
        })
    }

    /// Returns the numbers of the visible models of which something is true.
    fn among(self, wanted: impl Fn(u32, &Model) -> bool) -> Vec<u32> {
        // One look at each model, for this is done for every request.
        let mut numbers = Vec::with_capacity(self.visible.len());
        let is_wanted = |number: &u32| self.catalog.model(*number).is_some_and(|model| wanted(*number, model));
        numbers.extend(self.visible.iter().copied().filter(is_wanted));
        numbers
    }
}

impl Generation {
    /// Returns the numbers of the models that can answer such a request: visible,
    /// able, and in free mode free; in the order of the view.
    pub fn candidates(&self, needs: &Needs) -> Vec<u32> {
        self.offer().candidates(needs)
    }

    /// Returns the candidates for a request, without those that are known to
    /// refuse it and those whose last day is over.
    pub fn fit(&self, query: &Query, facts: &[Fact]) -> Vec<u32> {
        self.offer().fit(query, facts)
    }

    pub(super) fn offer(&self) -> Offer<'_> {
        Offer { catalog: &self.catalog, visible: &self.visible }
    }
}
