//! Which models may be offered for a request: the host's say, before the policy's.
//!
//! Visible, able, not known to refuse it, and still served. Pure; who asks is
//! `policy::generation` when it decides, and the chain when it needs larger models.

use crate::{
    catalog::{Capabilities, Catalog},
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
        let able = |number: &u32| self.catalog.model(*number).is_some_and(|model| needs.met_by(model));
        self.visible.iter().copied().filter(able).collect()
    }

    /// Returns the candidates for a request, without those that are known to
    /// refuse it and those whose last day is over.
    pub(in crate::policy) fn fit(self, query: &Query, facts: &[Fact]) -> Vec<u32> {
        let unfit: Vec<u32> = facts.iter().filter(|fact| fact.unfit).map(|fact| fact.model).collect();
        let is_over = |number: u32| self.catalog.model(number).is_none_or(|model| model.is_over(query.now_ms / 1000));
        // Nobody stands in where vectors are wanted: those of two models differ.
        let alone = match query.target {
            Target::Model(asked) if query.needs.capabilities.contains(Capabilities::EMBEDDINGS) => Some(asked),
            Target::Model(_) | Target::Any | Target::Gone => None,
        };
        let may =
            |number: &u32| !unfit.contains(number) && !is_over(*number) && alone.is_none_or(|asked| asked == *number);
        self.candidates(&query.needs).into_iter().filter(may).collect()
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
