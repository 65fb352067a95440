"""openai-python against the router's Responses API: answers, events, tools, errors.

What a stream comes to is what the library gathers from the events, so their order
and their indexes are checked by it too.
"""

import json

import openai
import pytest
from pydantic import BaseModel
from simulated import (
    ARGUMENTS,
    BREAK,
    BRITTLE,
    BROKEN,
    LARGE,
    PICTURE_URL,
    PRIM,
    QUESTION,
    REFUSAL,
    RESPONSES_WEATHER,
    RESULT,
    SEEN,
    THOUGHT,
    UNKNOWN,
    URL,
    by_itself,
    says,
)

# No retries of its own: a failure that reaches the client is to be seen here.
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0)


class Weather(BaseModel):
    """The form that an answer is to have."""

    city: str
    unit: str


def ask(model: str, given="Hello!", **options):
    return client.responses.create(model=model, input=given, **options)


def stream(model: str, given="Hello!", **options):
    """Gathers a stream: its events, and the response they make."""
    with client.responses.stream(model=model, input=given, **options) as events:
        return list(events), events.get_final_response()


def test_an_answer_comes_whole_and_says_by_whom():
    raw = client.responses.with_raw_response.create(model=LARGE, input="Hello!", instructions="Be brief.")
    answer = raw.parse()
    assert (answer.object, answer.status, answer.error, answer.incomplete_details) == ("response", "completed", None, None)
    assert answer.id.startswith("resp_") and answer.created_at > 0
    message = answer.output[-1]
    assert (message.type, message.role, message.status) == ("message", "assistant", "completed") and message.id
    assert says(answer.output_text, "Hello!") and raw.headers["x-router-model"] in answer.output_text
    usage = answer.usage
    assert usage.input_tokens > 0 < usage.output_tokens and usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_a_streamed_answer_is_the_same_in_events():
    events, answer = stream(LARGE)
    names = [event.type for event in events]
    assert names[:2] == ["response.created", "response.in_progress"] and names[-1] == "response.completed"
    ends = ["response.output_text.done", "response.content_part.done", "response.output_item.done"]
    assert names[-4:-1] == ends and names.count("response.output_text.delta") > 10
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert says(text, "Hello!") and answer.output_text == text
    assert answer.status == "completed" and answer.usage.output_tokens > 0


def test_a_conversation_is_sent_as_items():
    given = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hello!"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
    ]
    assert says(ask(LARGE, given).output_text, "And?")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_model_thinks_when_asked_to(streaming):
    options = {"reasoning": {"effort": "low", "summary": "auto"}}
    asking = lambda: stream(LARGE, **options)[1] if streaming else ask(LARGE, **options)
    thought, message = by_itself(asking, lambda answer: len(answer.output) > 1).output
    texts = [part.text for part in [*thought.summary, *(thought.content or [])]]
    assert (thought.type, message.type) == ("reasoning", "message") and THOUGHT in texts
    # All items come back as they were given, and the next question with them.
    given = [{"role": "user", "content": "Hello!"}, thought, message, {"role": "user", "content": "And?"}]
    assert says(ask(LARGE, given).output_text, "And?")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_tool_is_called_and_its_result_is_used(streaming):
    given = [{"role": "user", "content": QUESTION}]
    options = {"tools": [RESPONSES_WEATHER]}
    answer = stream("auto", given, **options)[1] if streaming else ask("auto", given, **options)
    [call] = [item for item in answer.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments), call.status) == ("get_weather", ARGUMENTS, "completed")
    given += [*answer.output, {"type": "function_call_output", "call_id": call.call_id, "output": "22 degrees"}]
    assert says(ask("auto", given, **options).output_text, "22 degrees", RESULT)


def test_two_tools_are_called_at_once_and_both_results_are_used():
    line = 'Call the tool get_weather with {{"city": "{}"}}'
    given = [{"role": "user", "content": "\n".join(line.format(city) for city in ("Rome", "Oslo"))}]
    events, answer = stream("auto", given, tools=[RESPONSES_WEATHER])
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [json.loads(call.arguments) for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    ended = [event.arguments for event in events if event.type == "response.function_call_arguments.done"]
    assert ended == [call.arguments for call in calls]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": words}
        for call, words in zip(calls, ("22 degrees", "7 degrees"))
    ]
    text = ask("auto", [*given, *answer.output, *results], tools=[RESPONSES_WEATHER]).output_text
    assert text.startswith("The tool answered: 22 degrees\n\nThe tool answered: 7 degrees\n\n")


def test_a_picture_goes_to_a_model_that_sees():
    parts = [{"type": "input_text", "text": SEEN}, {"type": "input_image", "image_url": PICTURE_URL}]
    assert says(ask("auto", [{"role": "user", "content": parts}]).output_text, SEEN)


def test_an_answer_keeps_to_a_schema():
    answer = client.responses.parse(model="auto", input=QUESTION, text_format=Weather)
    assert answer.output_parsed.city == "Paris"


def test_an_answer_is_cut_at_the_limit():
    # The least that OpenAI takes is 16.
    answer = ask("joiner-8b:free", max_output_tokens=16)
    assert (answer.status, answer.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert answer.output_text.startswith("This answer is simulated: no model was asked.")


def test_an_unknown_model_is_not_found():
    with pytest.raises(openai.NotFoundError) as error:
        ask("no-such-model")
    assert error.value.body == {"message": UNKNOWN, "type": "not_found_error", "param": None, "code": None}


def test_what_would_have_to_be_remembered_is_refused():
    with pytest.raises(openai.BadRequestError) as error:
        ask(LARGE, previous_response_id="resp_1")
    assert error.value.body["type"] == "invalid_request_error" and "previous_response_id" in error.value.body["message"]


@pytest.mark.parametrize("streaming", [False, True])
def test_an_error_before_the_first_word_has_its_status(streaming):
    with pytest.raises(openai.PermissionDeniedError) as error:
        stream(PRIM) if streaming else ask(PRIM)
    assert (error.value.body["message"], error.value.body["type"]) == (REFUSAL, "permission_error")


def test_an_error_after_the_first_words_is_told_in_full():
    # Whether by an event or by the library's own error, and never as an end.
    text, told = "", []
    try:
        for event in ask(BRITTLE, stream=True):
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.failed":
                told.append(event.response.error.message)
            assert event.type != "response.completed"
    except openai.APIError as error:
        told.append(error.message)
    assert text == BROKEN and BREAK in told


def test_a_whole_answer_that_would_break_off_comes_from_another_model():
    assert says(ask(BRITTLE).output_text, "Hello!")
