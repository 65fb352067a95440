//! Items of the last answers, for clients that name them instead of sending them.
//!
//! Some libraries count on the server to keep what it said, unless they are told
//! `store: false`: they send the id of an item back in place of the item. So the
//! last ones are kept, in memory alone and no more than so many bytes; a client that
//! says `store: false` leaves nothing. What is not known any more stays a reference,
//! and is refused where the input is read.
//!
//! Outside fact: `@ai-sdk/openai` 4 does so with texts and thinking (its source,
//! November 2026).

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes of items that are kept, the oldest of which go first.
const MAX_BYTES: usize = 8 << 20;

/// The largest item that is kept, so that one does not displace all others.
const MAX_ITEM_BYTES: usize = 1 << 20;

/// Items of the last answers.
#[derive(Debug, Default)]
pub struct Recall(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    items: VecDeque<(String, Arc<str>)>,
    bytes: usize,
}

/// As much of an item as tells whether it is a reference.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<std::borrow::Cow<'a, str>>,
}

impl Recall {
    /// Keeps an item, as JSON, under its id.
    pub(super) fn keep(&self, id: &str, item: &str) {
        let size = id.len() + item.len();
        if size > MAX_ITEM_BYTES {
            return;
        }
        let mut kept = self.kept();
        kept.bytes += size;
        kept.items.push_back((id.to_owned(), item.into()));
        while kept.bytes > MAX_BYTES
            && let Some((id, item)) = kept.items.pop_front()
        {
            kept.bytes -= id.len() + item.len();
        }
    }

    /// Returns an input with the items that it refers to, as far as they are known;
    /// none if there is nothing to put in.
    pub(super) fn filled(&self, input: &RawValue) -> Option<Box<RawValue>> {
        // The cheap question first: hardly any input refers to anything.
        if !input.get().contains("item_reference") {
            return None;
        }
        let items: Vec<&RawValue> = serde_json::from_str(input.get()).ok()?;
        let items: Vec<Arc<str>> =
            items.into_iter().map(|item| self.meant(item).unwrap_or_else(|| item.get().into())).collect();
        RawValue::from_string(format!("[{}]", items.join(","))).ok()
    }

    fn meant(&self, item: &RawValue) -> Option<Arc<str>> {
        let glance: Glance<'_> = serde_json::from_str(item.get()).ok()?;
        let id = glance.id.filter(|_| glance.kind.as_deref() == Some("item_reference"))?;
        let kept = self.kept();
        kept.items.iter().rev().find(|(known, _)| *known == id).map(|(_, item)| Arc::clone(item))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing can panic between two lines that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn filled(recall: &Recall, input: &str) -> Option<String> {
        recall.filled(&RawValue::from_string(input.to_owned()).unwrap()).map(|input| input.get().to_owned())
    }

    #[test]
    fn a_reference_becomes_the_item_if_that_is_known() {
        let recall = Recall::default();
        recall.keep("msg_1", r#"{"type":"message"}"#);
        let input =
            r#"[{"role":"user"}, {"type":"item_reference","id":"msg_1"}, {"id":"msg_2","type":"item_reference"}]"#;
        let expected = r#"[{"role":"user"},{"type":"message"},{"id":"msg_2","type":"item_reference"}]"#;
        assert_eq!(filled(&recall, input).as_deref(), Some(expected));
        assert_eq!(filled(&recall, r#"[{"type":"message","id":"msg_1"}]"#), None);
        assert_eq!(filled(&recall, r#""what is an item_reference?""#), None);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_and_a_huge_one_is_not_kept() {
        let recall = Recall::default();
        let item = |size: usize| format!("\"{}\"", "x".repeat(size));
        for number in 0..12 {
            recall.keep(&number.to_string(), &item(1_000_000));
        }
        recall.keep("huge", &item(MAX_ITEM_BYTES));
        let known = |id: &str| {
            !filled(&recall, &format!(r#"[{{"type":"item_reference","id":"{id}"}}]"#))
                .unwrap()
                .contains("item_reference")
        };
        assert_eq!(["0", "3", "4", "11", "huge"].map(known), [false, false, true, true, false]);
    }
}
