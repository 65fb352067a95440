//! What is in force where the operator's policy cannot be: at the start, and over new
//! models while a change is refused.
//!
//! The router runs all the same and says what is wrong, unless `policy.on_error` is
//! `deny`: then it lists models and decides nothing.

use std::sync::Arc;

use crate::{
    catalog::Catalog,
    config::{Config, load, value::OnError},
    current::Current,
    policy::{
        Refused,
        generation::{Blueprint, Generation, Part, Source},
        steps::Steps,
    },
    reload::{Reload, causes::Cause},
};

impl Reload {
    /// Makes the first generation: the operator's policy, or if that is refused,
    /// the embedded one, so that the router runs and says what is wrong. With
    /// `policy.on_error: deny` it lists models, but decides nothing.
    pub async fn first(
        &mut self,
        loaded: &load::Loaded,
        catalog: Arc<Catalog>,
    ) -> Result<(Generation, Option<Refused>), Refused> {
        self.modules.move_log(loaded);
        let refused = match self.make(loaded, Arc::clone(&catalog)).await {
            Ok(generation) => return Ok((generation, None)),
            Err(refused) if is_embedded_alone(&loaded.config) => return Err(refused),
            Err(refused) => refused,
        };
        let deny = loaded.config.policy.on_error == OnError::Deny;
        let meanwhile = if deny { "requests are refused" } else { "the embedded one decides" };
        tracing::error!(%refused, "the policy cannot be used; {meanwhile} until it is mended");
        let mut without = loaded.clone();
        without.config.policy = crate::config::Policy::default();
        let mut stand_in = self.make(&without, catalog).await?;
        stand_in.vacant = deny.then(|| refused.clone());
        Ok((stand_in, Some(refused)))
    }

    /// Keeps what is in force up to date although a change was refused: a bad
    /// policy must not keep the models from being fresh, nor a policy that was
    /// good from being replaced by the embedded one if it fails over new models.
    pub(super) async fn carry_on(
        &mut self,
        current: &Current,
        before: &Generation,
        loaded: &load::Loaded,
        catalog: &Arc<Catalog>,
        cause: Cause,
    ) {
        let deny = loaded.config.policy.on_error == OnError::Deny;
        let lifted = before.vacant.is_some() && !deny;
        let Some(last) = self.last.clone().filter(|_| lifted || !Arc::ptr_eq(&before.catalog, catalog)) else { return };
        let blueprint = Blueprint { catalog: Arc::clone(catalog), records: self.records(catalog), ..last };
        let unnoted = Steps::default();
        let (made, vacant) = match self.build(blueprint.clone(), &[], cause, &unnoted).await {
            Ok(made) => (Ok(made), before.vacant.clone().filter(|_| deny)),
            Err(refused) => {
                let part = Part {
                    code: blueprint.embedded.clone(),
                    source: Source::Embedded,
                    settings: serde_json::Map::new(),
                    limits: blueprint.chain.first().map(|part| part.limits).unwrap_or_default(),
                };
                let stand_in = Blueprint { chain: vec![part], shadow: None, ..blueprint };
                (self.build(stand_in, &[], cause, &unnoted).await, deny.then_some(refused))
            }
        };
        match made {
            Ok(mut made) => {
                made.vacant = vacant;
                tracing::info!(
                    generation = made.number,
                    policy = made.chain.label(),
                    "the models are fresh all the same"
                );
                current.swap(made, self.history.past());
            }
            Err(refused) => tracing::error!(%refused, "the embedded policy cannot be used with the new models"),
        }
    }
}

/// Tells whether nothing is in force but the policy in the program, so that there
/// is none that could stand in for it.
fn is_embedded_alone(config: &Config) -> bool {
    config.policy.module.is_none() && config.policy.chain.iter().all(|module| module.file.is_none())
}
