//! Ids for tool calls and their results.
//!
//! OpenAI's protocol ties a result to its call by an id; Ollama's clients often
//! send none, some send a function's name with the result, some not even that.
//! Here every call and every result gets an id: its own, its partner's, or one
//! that is made up. Partners are found by id, then by name, then by order,
//! among the results that follow a turn's calls. Pure, and the same history
//! gives the same ids, so that an upstream's prompt cache still fits.

use std::borrow::Cow;

use crate::api::ollama::wire::Message;

/// Returns the ids of each message: one for each call of an assistant's
/// message, one for a tool's message, none for others.
pub(super) fn ids<'a>(messages: &'a [Message<'a>]) -> Vec<Vec<Cow<'a, str>>> {
    let mut ids: Vec<Vec<Cow<'a, str>>> = messages.iter().map(given).collect();
    let mut made = 0_u32;
    let turns: Vec<usize> = (0..messages.len()).filter(|place| calls(messages, *place) > 0).collect();
    for (number, &turn) in turns.iter().enumerate() {
        let end = turns.get(number + 1).copied().unwrap_or(messages.len());
        let results: Vec<usize> = (turn + 1..end).filter(|place| messages.get(*place).is_some_and(is_result)).collect();
        for (call, result) in pairs(messages, turn, &results) {
            let id = id_at(&ids, turn, call).or_else(|| id_at(&ids, result, 0)).unwrap_or_else(|| fresh(&mut made));
            put(&mut ids, turn, call, id.clone());
            put(&mut ids, result, 0, id);
        }
    }
    for id in ids.iter_mut().flatten().filter(|id| id.is_empty()) {
        *id = fresh(&mut made);
    }
    ids
}

/// Tells whether a message is a tool's result.
pub(super) fn is_result(message: &Message<'_>) -> bool {
    message.role.eq_ignore_ascii_case("tool")
}

/// Returns the name of the function whose result a message is; may be empty.
pub(super) fn result_name<'a>(message: &'a Message<'_>) -> &'a str {
    if message.tool_name.is_empty() { &message.name } else { &message.tool_name }
}

fn given<'a>(message: &'a Message<'a>) -> Vec<Cow<'a, str>> {
    if is_result(message) {
        vec![message.tool_call_id.as_ref().into()]
    } else {
        message.tool_calls.iter().map(|call| call.id.as_ref().into()).collect()
    }
}

fn calls(messages: &[Message<'_>], place: usize) -> usize {
    messages.get(place).filter(|message| !is_result(message)).map_or(0, |message| message.tool_calls.len())
}

/// Returns which call of a turn each result belongs to.
///
/// A call and a result that have different ids are never partners.
fn pairs(messages: &[Message<'_>], turn: usize, results: &[usize]) -> Vec<(usize, usize)> {
    let Some(turn) = messages.get(turn) else { return Vec::new() };
    let mut open: Vec<usize> = (0..turn.tool_calls.len()).collect();
    let mut waiting = results.to_vec();
    let mut pairs = Vec::new();
    for tie in [Tie::Id, Tie::Name, Tie::Order] {
        waiting.retain(|&place| {
            let Some(result) = messages.get(place) else { return false };
            let partner = open.iter().position(|&call| {
                turn.tool_calls.get(call).is_some_and(|call| match tie {
                    Tie::Id => !call.id.is_empty() && call.id == result.tool_call_id,
                    Tie::Name => may_meet(&call.id, result) && call.function.name == result_name(result),
                    Tie::Order => may_meet(&call.id, result),
                })
            });
            if let Some(partner) = partner {
                pairs.push((open.remove(partner), place));
            }
            partner.is_none()
        });
    }
    pairs
}

#[derive(Clone, Copy)]
enum Tie {
    Id,
    Name,
    Order,
}

fn may_meet(call_id: &str, result: &Message<'_>) -> bool {
    call_id.is_empty() || result.tool_call_id.is_empty()
}

fn id_at<'a>(ids: &[Vec<Cow<'a, str>>], message: usize, place: usize) -> Option<Cow<'a, str>> {
    ids.get(message)?.get(place).filter(|id| !id.is_empty()).cloned()
}

fn put<'a>(ids: &mut [Vec<Cow<'a, str>>], message: usize, place: usize, id: Cow<'a, str>) {
    if let Some(slot) = ids.get_mut(message).and_then(|ids| ids.get_mut(place)) {
        *slot = id;
    }
}

/// Makes an id of nine letters and digits, the only form that Mistral takes.
fn fresh<'a>(made: &mut u32) -> Cow<'a, str> {
    *made += 1;
    format!("call{made:05}").into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::api::ollama::{lenient::decode, wire::ChatRequest};

    /// Checks the ids of a history in which `f#a` is a call of `f` with the id
    /// `a`, and `=f#a` a result of it; a turn's calls are joined by `+`.
    fn check(history: &str, expected: &str) {
        let messages: Vec<String> = history.split(' ').map(message).collect();
        let body = format!(r#"{{"messages":[{}]}}"#, messages.join(","));
        let request: ChatRequest<'_> = decode(body.as_bytes()).unwrap();
        let ids: Vec<String> = ids(&request.messages).iter().map(|ids| ids.join("+")).collect();
        assert_eq!(ids.join(" "), expected, "{history}");
    }

    fn message(word: &str) -> String {
        if word == "user" {
            return r#"{"role":"user","content":"x"}"#.to_owned();
        }
        if let Some(result) = word.strip_prefix('=') {
            let (name, id) = result.split_once('#').unwrap_or((result, ""));
            return format!(r#"{{"role":"Tool","tool_name":"{name}","tool_call_id":"{id}"}}"#);
        }
        let calls: Vec<String> = word
            .split('+')
            .map(|call| {
                let (name, id) = call.split_once('#').unwrap_or((call, ""));
                format!(r#"{{"id":"{id}","function":{{"name":"{name}"}}}}"#)
            })
            .collect();
        format!(r#"{{"role":"assistant","tool_calls":[{}]}}"#, calls.join(","))
    }

    #[test]
    fn given_ids_stay() {
        check("user f#a =f#a f#b+g#c =g#c =f#b", " a a b+c c b");
        check("f#a =f#other", "a other");
    }

    #[test]
    fn results_without_ids_find_their_calls_by_name_then_by_order() {
        check("f+g =g =f", "call00002+call00001 call00001 call00002");
        check("f+g = =", "call00001+call00002 call00001 call00002");
        check("f+f =f =f", "call00001+call00002 call00001 call00002");
        check("f#a+g#b =g =", "a+b b a");
        check("f+g =wrong =f", "call00001+call00002 call00002 call00001");
    }

    #[test]
    fn an_id_on_one_side_serves_for_both() {
        check("f+g =g#x =f#y", "y+x x y");
        check("f#a+g =f =g#x", "a+x a x");
    }

    #[test]
    fn turns_do_not_mix_and_leftovers_get_ids_of_their_own() {
        check("f = user f =", "call00001 call00001  call00002 call00002");
        check("=f f+g =f =f =f", "call00003 call00001+call00002 call00001 call00002 call00004");
    }
}
