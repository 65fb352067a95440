//! Tool calls, put together from their fragments.
//!
//! Models and providers disagree about fragments: some leave out the index,
//! some repeat id and name, some send a call whole, some give arguments that
//! are empty. Here all of it becomes complete calls in order. Pure.

use crate::chat::chunk::ToolCallDelta;

/// A message holds no more calls than this: beyond it the model runs wild.
const MAX_CALLS: usize = 256;

/// A complete tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id; made by us where the upstream gave none or gave one twice.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments' JSON text; `{}` where the upstream gave none.
    pub arguments: String,
}

impl ToolCall {
    /// Tells whether the arguments are an object that is closed, so that no more
    /// of them can come.
    pub fn is_closed(&self) -> bool {
        // The cheap question first: it is asked for each fragment.
        self.arguments.trim_end().ends_with('}') && is_object(&self.arguments)
    }

    /// Tells whether a client can carry it out as it is so far: it has a name, and
    /// arguments that are an object or none at all.
    pub fn is_readable(&self) -> bool {
        !self.name.is_empty() && is_object(&self.arguments)
    }
}

/// The calls of one message while their fragments come in.
#[derive(Debug, Default)]
pub struct ToolCalls {
    calls: Vec<(u32, ToolCall)>,
}

impl ToolCalls {
    /// Adds a fragment to the call it belongs to.
    pub fn add(&mut self, fragment: &ToolCallDelta) {
        self.placed(fragment);
    }

    /// Adds a fragment, and returns which call it belongs to, in the order in
    /// which they began; none if there are too many.
    pub fn placed(&mut self, fragment: &ToolCallDelta) -> Option<usize> {
        let id = fragment.id.as_deref().filter(|id| !id.is_empty());
        let place = match fragment.index {
            Some(index) => self.calls.iter().rposition(|(at, _)| *at == index),
            // Without an index a new id begins a new call; no id goes on.
            None => match id {
                Some(id) => self.calls.iter().rposition(|(_, call)| call.id == id),
                None => self.calls.len().checked_sub(1),
            },
        };
        let place = match place {
            Some(place) => place,
            None if self.calls.len() < MAX_CALLS => self.begin(fragment.index),
            None => return None,
        };
        let (_, call) = self.calls.get_mut(place)?;
        if call.id.is_empty() {
            id.unwrap_or_default().clone_into(&mut call.id);
        }
        if call.name.is_empty() {
            fragment.function.name.as_deref().unwrap_or_default().clone_into(&mut call.name);
        }
        call.arguments.push_str(fragment.function.arguments.as_deref().unwrap_or_default());
        Some(place)
    }

    /// Returns a call as far as it has come, by its place among those that began.
    pub fn get(&self, place: usize) -> Option<&ToolCall> {
        self.calls.get(place).map(|(_, call)| call)
    }

    /// Tells whether no call has begun.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Returns how many calls have begun.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Returns the first call that no client can carry out as it is so far: one
    /// without a name, or whose arguments are no JSON object.
    pub fn unreadable(&self) -> Option<&ToolCall> {
        self.calls.iter().map(|(_, call)| call).find(|call| !call.is_readable())
    }

    /// Returns the complete calls, in the order of their indices.
    ///
    /// `fresh_id` makes an id for a call that has none of its own.
    pub fn finish(mut self, mut fresh_id: impl FnMut() -> String) -> Vec<ToolCall> {
        self.calls.sort_by_key(|(index, _)| *index);
        let mut finished: Vec<ToolCall> = Vec::with_capacity(self.calls.len());
        for (_, mut call) in self.calls {
            if call.id.is_empty() || finished.iter().any(|earlier| earlier.id == call.id) {
                call.id = fresh_id();
            }
            if call.arguments.trim().is_empty() {
                "{}".clone_into(&mut call.arguments);
            }
            finished.push(call);
        }
        finished
    }

    fn begin(&mut self, index: Option<u32>) -> usize {
        let next = self.calls.iter().map(|(at, _)| at.saturating_add(1)).max().unwrap_or(0);
        let call = ToolCall { id: String::new(), name: String::new(), arguments: String::new() };
        self.calls.push((index.unwrap_or(next), call));
        self.calls.len() - 1
    }
}

/// Tells whether arguments are an object; none at all are an empty one.
fn is_object(arguments: &str) -> bool {
    let arguments = arguments.trim();
    let is_json = || serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok();
    arguments.is_empty() || (arguments.starts_with('{') && is_json())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(fragments: &str, expected: &[(&str, &str, &str)]) {
        let fragments: Vec<ToolCallDelta> = serde_json::from_str(fragments).unwrap();
        let mut calls = ToolCalls::default();
        for fragment in &fragments {
            calls.add(fragment);
        }
        let mut number = 0;
        let calls = calls.finish(|| {
            number += 1;
            format!("fresh{number}")
        });
        let calls: Vec<(&str, &str, &str)> =
            calls.iter().map(|call| (&*call.id, &*call.name, &*call.arguments)).collect();
        assert_eq!(calls, expected);
    }

    #[test]
    fn fragments_are_joined_by_index() {
        check(
            r#"[{"index":0,"id":"a","function":{"name":"f","arguments":""}},
                {"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}},
                {"index":0,"function":{"arguments":"{\"x\":"}},
                {"index":1,"function":{"arguments":":2}"}},
                {"index":0,"function":{"arguments":"1}"}}]"#,
            &[("a", "f", r#"{"x":1}"#), ("b", "g", r#"{"y":2}"#)],
        );
    }

    #[test]
    fn whole_calls_without_index_are_told_apart_by_id() {
        check(
            r#"[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{}"}},
                {"function":{"arguments":" "}}]"#,
            &[("a", "f", "{}"), ("b", "f", "{} ")],
        );
    }

    #[test]
    fn a_call_is_closed_when_its_object_is_and_readable_with_a_name_and_an_object_or_nothing() {
        let rows = [
            ("f", "", false, true),
            ("f", " ", false, true),
            ("f", "{", false, false),
            ("f", r#"{"a":{}"#, false, false),
            ("f", r#"{"a":"}"#, false, false),
            ("f", r#"{"a":{}}"#, true, true),
            ("f", "{}\n", true, true),
            ("", "{}", true, false),
            ("f", "[]", false, false),
        ];
        for (name, arguments, closed, readable) in rows {
            let call = ToolCall { id: String::new(), name: name.to_owned(), arguments: arguments.to_owned() };
            assert_eq!((call.is_closed(), call.is_readable()), (closed, readable), "{name} {arguments}");
        }
    }

    #[test]
    fn repeated_names_missing_ids_double_ids_and_missing_arguments_are_mended() {
        check(
            r#"[{"index":0,"id":"a","function":{"name":"f"}},{"index":0,"id":"a","function":{"name":"f","arguments":null}},
                {"index":1,"id":"a","function":{"name":"g","arguments":"  "}},
                {"index":2,"id":"","function":{"name":"h","arguments":"{}"}}]"#,
            &[("a", "f", "{}"), ("fresh1", "g", "{}"), ("fresh2", "h", "{}")],
        );
    }
}
