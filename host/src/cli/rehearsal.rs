//! Takes the policy of a configuration through all phases of a start, and starts nothing.
//!
//! `doctor` looks at what is there, `config` at what it has just written. The models are
//! those of the list that is kept; nothing is asked over the network, nothing is written.

use std::sync::Arc;

use crate::{
    app,
    catalog::Catalog,
    clock::now_ms,
    config::load::Loaded,
    policy::generation::Generation,
    refresh::kept::{self, List},
};

/// What the error of a rehearsal begins with, for those who have said so already.
const REFUSED: &str = "the policy cannot be used: ";

/// Returns what a start would put in force.
pub(super) async fn policy(loaded: &Loaded) -> anyhow::Result<Generation> {
    let catalog = match kept::list(&loaded.state, now_ms() / 1000) {
        List::Whole { catalog, .. } => catalog,
        List::None | List::Unusable(_) => Catalog::default(),
    };
    app::rehearse(loaded, Arc::new(catalog)).await
}

/// Returns why a start would refuse the policy; none if it would not.
pub(super) async fn refusal(loaded: &Loaded) -> Option<String> {
    let told = format!("{:#}", policy(loaded).await.err()?);
    Some(told.strip_prefix(REFUSED).map(str::to_owned).unwrap_or(told))
}
