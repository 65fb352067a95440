//! What is refused, each in the words that say what to do.

use super::*;

#[test]
fn items_that_cannot_be_read_are_refused_with_their_place() {
    refuses(&[
        (json!({"input": null}), "cannot use `input`: it is required"),
        (json!({"input": []}), "cannot use `input`: there is nothing in it to answer"),
        (json!({"input": 3}), "cannot use `input`: expected a text or a list of parts"),
        (json!({"input": [{}]}), "cannot use `input[0]`: `type` is missing"),
        (json!({"input": [{"type": "message", "content": "x"}]}), "cannot use `input[0]`: `role` is missing"),
        (
            json!({"input": [{"role": "tool", "content": "x"}]}),
            "cannot use `input[0]`: the role `tool` is none of user, assistant, system and developer",
        ),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            "cannot use `input[0]`: this item is not known here any more, so there is nothing to refer to; send the item itself",
        ),
        (
            json!({"input": [{"type": "local_shell_call", "call_id": "c"}]}),
            "cannot use `input[0]`: an item of the type `local_shell_call` has no counterpart with OpenRouter's models; leave it \
          out, or say in a message what is in it",
        ),
        (
            json!({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}),
            "cannot use `input[0]`: there is no tool call with the call_id `c` before its output; the router keeps no state, so \
          send the call too",
        ),
        (
            json!({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
            "cannot use `input[0]`: `call_id` is missing",
        ),
        (
            json!({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": 3}]}),
            "cannot use `input[0]`: `arguments` must be a text that holds a JSON object",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
            "cannot use `input[0].content[0]`: the router keeps no files, so there is none of this `file_id`; send its content instead",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}),
            "cannot use `input[0].content[0]`: the router keeps no files, so there is none of this `file_id`; send its content instead",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}),
            "cannot use `input[0].content[0]`: a part cannot be of the type `input_video`: use input_text, input_image, input_file, \
          input_audio, output_text or refusal",
        ),
    ]);
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let tools = json!([{"type": "function", "name": "f"}]);
    refuses(&[
        (
            json!({"previous_response_id": "resp_1"}),
            "cannot use `previous_response_id`: the router keeps no answers; send the whole conversation in `input`",
        ),
        (
            json!({"conversation": {"id": "c"}}),
            "cannot use `conversation`: the router keeps no conversations; send the whole of it in `input`",
        ),
        (
            json!({"prompt": {"id": "p"}}),
            "cannot use `prompt`: the router keeps no prompts; send its text in `instructions` and `input`",
        ),
        (
            json!({"background": true}),
            "cannot use `background`: the router keeps no answers to ask for later; use `stream` instead",
        ),
        (json!({"moderation": {"model": "m"}}), "cannot use `moderation`: no model here moderates; leave it out"),
        (
            json!({"messages": []}),
            "cannot use `messages`: it belongs to /v1/chat/completions; here it is called `input`",
        ),
        (
            json!({"tools": [{"type": "functoin", "name": "f"}]}),
            "cannot use `tools`: there are no tools of the type `functoin`: use function, custom or namespace",
        ),
        (json!({"tools": [{"type": "function"}]}), "cannot use `tools`: a tool has no `name`"),
        (json!({"tool_choice": "required"}), "cannot use `tool_choice`: a tool must be called, but `tools` has none"),
        (
            json!({"tools": [{"type": "web_search"}], "tool_choice": "required"}),
            "cannot use `tool_choice`: a tool must be called, but the only ones given are such as `web_search`, which no model of \
          OpenRouter's has",
        ),
        (
            json!({"tools": tools, "tool_choice": {"type": "web_search_preview"}}),
            "cannot use `tool_choice`: no free model has the tool `web_search_preview`; use functions of your own",
        ),
        (
            json!({"tools": tools, "tool_choice": {"type": "function", "name": "g"}}),
            "cannot use `tool_choice`: there is no tool `g` in `tools`",
        ),
        (
            json!({"tools": tools, "tool_choice": "any"}),
            "cannot use `tool_choice`: `any` is none of auto, none and required",
        ),
        (
            json!({"text": {"format": {"type": "grammar"}}}),
            "cannot use `text.format`: `grammar` is none of text, json_object and json_schema",
        ),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "s"}}}),
            "cannot use `text.format`: `schema` is missing",
        ),
        (json!({"truncation": "middle"}), "cannot use `truncation`: `middle` is none of auto and disabled"),
        (json!({"top_logprobs": 21}), "cannot use `top_logprobs`: it must be between 0 and 20"),
        (
            json!({"max_output_tokens": -1}),
            "cannot use `max_output_tokens`: invalid value: integer `-1`, expected u64 at line 1 column 2",
        ),
    ]);
}

fn refuses(cases: &[(Value, &str)]) {
    for (given, expected) in cases {
        assert_eq!(asked(&with(given)).map(|_| ()), Err((*expected).to_owned()), "{given}");
    }
}
