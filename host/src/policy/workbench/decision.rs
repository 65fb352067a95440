//! One decision of the guest on the workbench: what was offered, what it picked,
//! what it left out.
//!
//! The same candidates and the same checks as in a router, but nobody stands in:
//! what is wrong with the answer is told.

use crate::{
    policy::{
        Fault,
        bindings::ollama_router::policy::types,
        convert,
        workbench::{Bench, within},
    },
    routing::plan::{Dropped, Fact, Pick, Plan, Query},
};

/// What the guest was offered, and what it said.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The models that it could choose from, in the order of the view.
    pub candidates: Vec<u32>,
    /// What it said.
    pub answer: Answer,
}

/// What the guest said.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// These models, and why not the others.
    Route {
        /// Best first.
        order: Vec<Pick>,
        /// Left out.
        dropped: Vec<Dropped>,
    },
    /// It has no opinion.
    Abstain,
    /// It refuses the request.
    Deny {
        /// HTTP status, 400 to 599.
        status: u16,
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

impl Bench {
    /// Has the guest decide; `None` if it shows no model that can answer.
    ///
    /// After a fault the guest must not be asked again.
    pub async fn decide(&mut self, query: &Query, facts: &[Fact]) -> Result<Option<Decided>, Fault> {
        let candidates = self.offer().fit(query, facts);
        if candidates.is_empty() {
            return Ok(None);
        }
        let answer = self.ask(query, &candidates, facts).await?;
        Ok(Some(Decided { candidates, answer }))
    }

    /// Asks the guest, and checks what it says.
    pub(super) async fn ask(&mut self, query: &Query, candidates: &[u32], facts: &[Fact]) -> Result<Answer, Fault> {
        let facts: Vec<types::Fact> = facts.iter().map(convert::fact).collect();
        let request = convert::request(query);
        let said = within(self.setup.limits.time, self.guest.select(&request, candidates, &facts)).await?;
        Ok(match said {
            types::Decision::Abstain => Answer::Abstain,
            types::Decision::Deny(types::Denial { status, code, message }) => {
                Answer::Deny { status: status.clamp(400, 599), code, message }
            }
            types::Decision::Route(route) => Answer::Route {
                order: Plan::parse(convert::picks(&route.order), candidates, query.limit)?.order().to_vec(),
                dropped: convert::dropped(&route.dropped),
            },
        })
    }
}
