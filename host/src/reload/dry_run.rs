//! A reload that changes nothing: would it be refused, and what would be another?

use std::sync::Arc;

use crate::{
    api::admin::wire::policy::{DryRun, PhaseRow, Refusal, ReloadReport},
    catalog::Catalog,
    config::load,
    current::Current,
    policy::{Refused, generation::Generation, steps::Steps},
    reload::{REPEATED, Reload},
};

impl Reload {
    /// Makes what the files say without putting it in force, or the policies of one
    /// name alone, and tells how it would have decided on the last decisions.
    pub(super) async fn dry_run(
        &mut self,
        current: &Current,
        loaded: &load::Loaded,
        catalog: &Arc<Catalog>,
        name: Option<&str>,
    ) -> ReloadReport {
        let before = current.generation();
        let steps = Steps::default();
        let (dry_run, refused) = match self.try_out(&before, loaded, catalog, name, &steps).await {
            Ok(made) => (DryRun::of(&before, &made).await, None),
            Err(refused) => (DryRun::default(), Some(Refusal::of(&refused))),
        };
        let phases = PhaseRow::all(&steps.taken());
        ReloadReport { refused, dry_run: Some(dry_run), phases, ..ReloadReport::now(&before) }
    }

    async fn try_out(
        &mut self,
        before: &Generation,
        loaded: &load::Loaded,
        catalog: &Arc<Catalog>,
        name: Option<&str>,
        steps: &Steps,
    ) -> Result<Generation, Refused> {
        let mut fresh = self.read(steps)?;
        fresh.move_state(loaded.state.clone());
        let recorded = self.records(catalog).made(REPEATED);
        let blueprint = self.wanted(before, &fresh, catalog, name, steps).await?;
        Generation::build(blueprint, self.next, &recorded, steps).await
    }
}
