//! Limits of which nothing tells whose they are: a model's, or the account's.
//!
//! Taken for the model's, until several models are limited at once. Values and
//! arithmetic; who keeps it and acts on it is `failover::ledger`.

use crate::catalog::ModelId;

/// So many different models are not limited at once by chance.
const MODELS: usize = 3;

/// What "at once" is, in milliseconds: as long as one chain of quick refusals,
/// or a burst of requests, takes.
const WINDOW_MS: u64 = 10_000;

/// The models that were limited lately, without any answer since.
#[derive(Debug, Default)]
pub struct Suspects {
    seen: Vec<(ModelId, u64)>,
}

impl Suspects {
    /// Notes such a limit. If it must be the account's, returns the models that
    /// were blamed for it, this one among them.
    pub fn limited(&mut self, id: &ModelId, now: u64) -> Option<Vec<ModelId>> {
        self.seen.retain(|(known, at)| known != id && now.saturating_sub(*at) < WINDOW_MS);
        self.seen.push((id.clone(), now));
        let is_account = self.seen.len() >= MODELS;
        is_account.then(|| std::mem::take(&mut self.seen).into_iter().map(|(id, _)| id).collect())
    }

    /// Notes an answer: the account is not limited, so the models were.
    pub fn answered(&mut self) {
        self.seen.clear();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn id(name: &str) -> ModelId {
        ModelId::parse(&format!("acme/{name}:free")).unwrap()
    }

    #[test]
    fn three_models_within_seconds_are_the_account() {
        let mut suspects = Suspects::default();
        assert_eq!(suspects.limited(&id("a"), 1_000), None);
        assert_eq!(suspects.limited(&id("b"), 2_000), None);
        assert_eq!(suspects.limited(&id("b"), 3_000), None, "the same one again tells nothing new");
        assert_eq!(suspects.limited(&id("c"), 4_000), Some(vec![id("a"), id("b"), id("c")]));
        assert_eq!(suspects.limited(&id("d"), 4_001), None, "from then on it is counted anew");
    }

    #[test]
    fn an_answer_in_between_or_a_longer_time_clears_the_account() {
        let mut suspects = Suspects::default();
        for name in ["a", "b"] {
            assert_eq!(suspects.limited(&id(name), 1_000), None);
        }
        suspects.answered();
        assert_eq!(suspects.limited(&id("c"), 1_500), None);
        assert_eq!(suspects.limited(&id("d"), 11_400), None);
        assert_eq!(suspects.limited(&id("e"), 11_500), None, "the first is too long ago");
    }
}
