//! Going back: an earlier recipe in force again, over the models of now.
//!
//! Because a change failed on trial, or because an operator says so. Which recipes
//! there are is `history`'s business.

use std::sync::Arc;

use crate::{
    api::admin::wire::policy::{Refusal, ReloadReport},
    catalog::Catalog,
    current::Current,
    policy::{generation::Blueprint, steps::Steps, trial::Trial},
    reload::{Reload, causes::Cause},
};

impl Reload {
    /// Puts an earlier recipe in force again, over the models of now: that of a
    /// generation, or else the last good one. What the files say is held back until
    /// they change, or somebody calls for a reload.
    pub(super) async fn roll_back(
        &mut self,
        current: &Current,
        generation: Option<u64>,
        why: String,
        catalog: &Arc<Catalog>,
    ) -> ReloadReport {
        let before = current.generation();
        let refuse = |reason: String| {
            let refusal = Refusal { phase: "rollback".to_owned(), reason };
            ReloadReport { refused: Some(refusal), ..ReloadReport::now(&before) }
        };
        let Some(earlier) = self.history.earlier(generation) else {
            let reason = self.history.why_none_earlier(generation);
            tracing::warn!(generation = before.number, %why, "cannot roll back: {reason}");
            return refuse(reason);
        };
        let (records, trial) = (self.records(catalog), Arc::new(Trial::passed()));
        let blueprint = Blueprint { catalog: Arc::clone(catalog), records, trial, ..earlier };
        self.history.give_up(why.clone());
        match self.build(blueprint, &[], Cause::Rollback, &Steps::default()).await {
            Ok(made) => {
                tracing::warn!(
                    from = before.number,
                    generation = made.number,
                    policy = made.chain.label(),
                    "rolled back: {why}"
                );
                current.swap(made, self.history.past());
                current.note_rollback();
                ReloadReport { changed: true, ..ReloadReport::now(&current.generation()) }
            }
            Err(refused) => {
                self.history.keep_on();
                tracing::error!(%refused, "cannot roll back");
                refuse(refused.to_string())
            }
        }
    }
}
