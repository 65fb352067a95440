//! The made-up requests that every policy must be able to decide before it is put
//! in force. Only what is asked is here, not who asks and what follows.

use crate::{
    catalog::Capabilities,
    policy::generation::candidates::Offer,
    routing::{
        needs::{Needs, ToolMode},
        plan::{Query, Target},
    },
};

impl Offer<'_> {
    /// Returns the made-up requests, each with its candidates: any model, the first
    /// one with tools, and one that is gone. Those without candidates are left out.
    pub(in crate::policy) fn probes(self) -> Vec<(Query, Vec<u32>)> {
        let with_tools = Needs { tools: ToolMode::Optional, ..Needs::default() };
        let first = self.visible.first().map_or(Target::Any, |number| Target::Model(*number));
        let asked = [(Target::Any, Needs::default()), (first, with_tools), (Target::Gone, Needs::default())];
        let probe = |(target, needs)| {
            let query = Query {
                target,
                needs,
                wishes: Capabilities::empty(),
                streaming: true,
                limit: 4,
                quota_left: None,
                now_ms: self.catalog.fetched().saturating_mul(1000),
                seed: 1,
                explain: true,
            };
            (query, self.candidates(&needs))
        };
        asked.into_iter().map(probe).filter(|(_, candidates)| !candidates.is_empty()).collect()
    }
}
