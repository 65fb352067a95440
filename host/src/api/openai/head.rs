//! What every piece of an answer says of the whole: id, kind, time and model.
//!
//! Some upstreams leave one out or change it on the way, and clients take pieces
//! with another id for another answer. So the first piece counts for all, and what
//! it does not say is made here. Knows nothing of choices.

use serde_json::{Map, Value, json};

use crate::{catalog::ModelId, clock::now_ms};

/// What every piece of one answer says.
pub(super) struct Head {
    object: &'static str,
    /// What all ids of this kind begin with, if the client insists on it.
    prefix: &'static str,
    /// The model that was asked, for an answer that does not say who gives it.
    asked: ModelId,
    told: Option<Told>,
}

#[derive(Clone)]
struct Told {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    /// The head of an answer by `asked`, before its first piece.
    pub(super) fn new(object: &'static str, prefix: &'static str, asked: &ModelId) -> Self {
        Self { object, prefix, asked: asked.clone(), told: None }
    }

    /// Has a piece say what all say, and tells whether it did so by itself.
    pub(super) fn fill(&mut self, piece: &mut Map<String, Value>) -> bool {
        let Told { id, created, model } = self.told(piece);
        let members =
            [("id", json!(id)), ("object", json!(self.object)), ("created", json!(created)), ("model", json!(model))];
        let mut is_same = true;
        for (name, value) in members {
            if piece.get(name) != Some(&value) {
                is_same = false;
                piece.insert(name.to_owned(), value);
            }
        }
        is_same
    }

    /// Returns a piece that says nothing else.
    pub(super) fn piece(&mut self) -> Map<String, Value> {
        let mut piece = Map::new();
        self.fill(&mut piece);
        piece
    }

    /// Takes what a piece says, if it is the first, and returns what all say.
    fn told(&mut self, piece: &Map<String, Value>) -> Told {
        let Self { prefix, asked, told, .. } = self;
        let told = told.get_or_insert_with(|| {
            let text = |name| piece.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            let id = text("id").map_or_else(|| format!("gen-{:016x}", fastrand::u64(..)), str::to_owned);
            Told {
                id: if id.starts_with(*prefix) { id } else { format!("{prefix}{id}") },
                created: piece.get("created").and_then(Value::as_u64).unwrap_or_else(|| now_ms() / 1000),
                model: text("model").unwrap_or(asked.as_str()).to_owned(),
            }
        });
        told.clone()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn head() -> Head {
        Head::new("o", "cmpl-", &ModelId::parse("a/b:free").unwrap())
    }

    fn filled(head: &mut Head, piece: Value) -> (Value, bool) {
        let Value::Object(mut piece) = piece else { panic!("{piece} is no object") };
        let is_same = head.fill(&mut piece);
        (Value::Object(piece), is_same)
    }

    #[test]
    fn the_first_piece_counts_for_all() {
        let mut head = head();
        let first = json!({"id": "cmpl-1", "object": "o", "created": 5, "model": "m", "x": 1});
        assert_eq!(filled(&mut head, first.clone()), (first.clone(), true));
        for other in [json!({"id": "other", "created": 6, "model": "", "x": 1}), json!({"x": 1})] {
            assert_eq!(filled(&mut head, other), (first.clone(), false));
        }
        assert_eq!(Value::Object(head.piece())["id"], "cmpl-1");
    }

    #[test]
    fn what_the_first_does_not_say_is_made() {
        let mut head = head();
        let (piece, is_same) = filled(&mut head, json!({"id": "", "created": null, "model": ""}));
        assert!(!is_same && piece["id"].as_str().unwrap().starts_with("cmpl-gen-"), "{piece}");
        assert!(piece["created"].as_u64().is_some_and(|created| created > 1_700_000_000), "{piece}");
        assert_eq!((&piece["model"], &piece["object"]), (&json!("a/b:free"), &json!("o")));
        assert_eq!(filled(&mut head, json!({})).0, piece, "and stays");
    }
}
