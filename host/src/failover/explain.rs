//! Why each model would be tried for a request, or not: nothing is sent for it.
//!
//! The same name, query and facts as for a request of a client's. Without a
//! running router there are no facts, and what is asked of the policy is the same.

use crate::{
    catalog::{Capabilities, Model},
    clock::now_ms,
    failover::{Error, Failover, budget::Block, find},
    policy::generation::{Generation, explain::Explanation},
    routing::{
        health::Standing,
        needs::Needs,
        plan::{Fact, Query, Target},
    },
};

/// A request that nobody sends.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The model's name as a client writes it.
    pub model: String,
    /// What a model must be able to do.
    pub needs: Needs,
    /// What would be good besides.
    pub wishes: Capabilities,
    /// Whether the client reads the answer as it comes.
    pub streaming: bool,
}

/// What would be decided, and what is remembered of the models.
pub struct Explained {
    /// The decision with its reasons.
    pub explanation: Explanation,
    /// What the policy was asked.
    pub query: Query,
    /// The models that rest, by their numbers, and for how many milliseconds.
    pub resting: Vec<(u32, u64)>,
    /// What refusals have taught of models, by their numbers, such as `no-tools`.
    pub learned: Vec<(u32, Vec<String>)>,
    /// The account's limit, if one stops the models that are free.
    pub block: Option<Block>,
}

impl Failover {
    /// Explains what would be decided now.
    pub async fn explain(&self, asked: Asked, generation: &Generation) -> Result<Explained, Error> {
        let target = target(&asked.model, generation)?;
        let wanted = (asked.needs, asked.wishes, asked.streaming);
        let query = self.query(target, wanted, generation.settings.free_mode);
        let facts = self.ledger.facts(&generation.catalog, &query.needs, query.now_ms);
        let explained = explained(query, &facts, generation).await;
        let learned = self.ledger.healths().into_iter().filter_map(|(id, health)| {
            let number = generation.catalog.number(&id)?;
            Some((number, health.lessons.names(generation.catalog.model(number)?, query.now_ms)))
        });
        Ok(Explained { block: self.ledger.account(query.now_ms), learned: learned.collect(), ..explained })
    }
}

/// Explains what would be decided by a router that remembers nothing.
pub async fn from_scratch(asked: Asked, limit: u32, generation: &Generation) -> Result<Explained, Error> {
    let query = Query {
        target: target(&asked.model, generation)?,
        needs: asked.needs,
        wishes: asked.wishes,
        streaming: asked.streaming,
        limit,
        quota_left: None,
        now_ms: now_ms(),
        seed: fastrand::u64(..),
        explain: true,
    };
    Ok(explained(query, &[], generation).await)
}

async fn explained(query: Query, facts: &[Fact], generation: &Generation) -> Explained {
    let explanation = generation.explain(&query, facts).await;
    let resting = facts.iter().filter_map(|fact| match fact.standing {
        Standing::Cooling(ms) => Some((fact.model, ms)),
        Standing::Ready | Standing::OnTrial => None,
    });
    Explained { explanation, query, resting: resting.collect(), learned: Vec::new(), block: None }
}

/// Finds the model that a name means, which has to be one that chats.
fn target(name: &str, generation: &Generation) -> Result<Target, Error> {
    if generation.catalog.models().is_empty() {
        return Err(Error::NoCatalog);
    }
    match find(name, generation)? {
        Target::Model(number) if generation.catalog.model(number).is_some_and(Model::embeds) => {
            Err(Error::NotChat(name.to_owned()))
        }
        target => Ok(target),
    }
}
