"""anthropic-python against the router: messages, streams, tools, thinking, errors.

It takes the root of the router as its base URL. What a stream comes to is what the
library gathers from the events, so their order is checked by it too.
"""

import anthropic
import pytest
from simulated import (
    ANTHROPIC_WEATHER,
    ARGUMENTS,
    BREAK,
    BRITTLE,
    BROKEN,
    LARGE,
    PICTURE_BASE64,
    PRIM,
    QUESTION,
    REFUSAL,
    RESULT,
    SEEN,
    THOUGHT,
    UNKNOWN,
    URL,
    by_itself,
    says,
)

# No retries of its own: a failure that reaches the client is to be seen here.
client = anthropic.Anthropic(base_url=URL, api_key="unused", max_retries=0)
HELLO = [{"role": "user", "content": "Hello!"}]
THINKING = {"type": "enabled", "budget_tokens": 1024}


def ask(model: str, messages: list[dict] = HELLO, **options):
    return client.messages.create(model=model, messages=messages, max_tokens=4096, **options)


def stream(model: str, messages: list[dict] = HELLO, **options):
    """Gathers a stream: the names of its events, what its texts are, and the message they make."""
    with client.messages.stream(model=model, messages=messages, max_tokens=4096, **options) as events:
        seen = list(events)
        message = events.get_final_message()
    return [event.type for event in seen], "".join(event.text for event in seen if event.type == "text"), message


def told(message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_message_is_answered_whole_and_says_by_whom():
    raw = client.messages.with_raw_response.create(model=LARGE, messages=HELLO, max_tokens=4096)
    message = raw.parse()
    assert (message.type, message.role, message.stop_reason, message.stop_sequence) == ("message", "assistant", "end_turn", None)
    assert [block.type for block in message.content] == ["text"] and says(told(message), "Hello!")
    assert message.id.startswith("msg_") and raw.headers["x-router-model"] in told(message)
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    assert raw.headers["request-id"] == raw.headers["x-router-request-id"]


def test_a_streamed_message_is_the_same_in_events():
    names, text, message = stream(LARGE)
    own = [name for name in names if name not in ("text", "ping")]
    assert own[:2] == ["message_start", "content_block_start"]
    assert own[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(own[2:-3]) == {"content_block_delta"} and len(own) > 15
    assert says(text, "Hello!") and told(message) == text
    assert (message.stop_reason, [block.type for block in message.content]) == ("end_turn", ["text"])
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


def test_what_the_system_and_the_parts_say_reaches_the_model():
    messages = [{"role": "user", "content": [{"type": "text", "text": "Hello!"}]}]
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert says(told(ask(LARGE, messages, system=system)), "Hello!")
    more = [*HELLO, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "And?"}]
    assert says(told(ask(LARGE, more, system="Be brief.")), "And?")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_model_thinks_when_asked_to(streaming):
    asking = lambda: stream(LARGE, thinking=THINKING)[2] if streaming else ask(LARGE, thinking=THINKING)
    message = by_itself(asking, lambda answer: len(answer.content) > 1)
    thought, answer = message.content
    assert (thought.type, thought.thinking, answer.type) == ("thinking", THOUGHT, "text")
    assert says(answer.text, "Hello!")
    # The block comes back as it was given, as it must with Anthropic's own models.
    more = [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": "And?"}]
    assert says(told(ask(LARGE, more, thinking=THINKING)), "And?")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_tool_is_called_and_its_result_is_used(streaming):
    messages = [{"role": "user", "content": QUESTION}]
    if streaming:
        called = stream("auto", messages, tools=[ANTHROPIC_WEATHER])[2]
    else:
        called = ask("auto", messages, tools=[ANTHROPIC_WEATHER])
    [call] = [block for block in called.content if block.type == "tool_use"]
    assert (called.stop_reason, call.name, call.input) == ("tool_use", "get_weather", ARGUMENTS) and call.id
    result = {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "22 degrees"}]}
    messages += [{"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
    assert says(told(ask("auto", messages, tools=[ANTHROPIC_WEATHER])), "22 degrees", RESULT)


def test_two_tools_are_called_at_once_and_both_results_are_used():
    line = 'Call the tool get_weather with {{"city": "{}"}}'
    messages = [{"role": "user", "content": "\n".join(line.format(city) for city in ("Rome", "Oslo"))}]
    called = stream("auto", messages, tools=[ANTHROPIC_WEATHER])[2]
    calls = [block for block in called.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}] and calls[0].id != calls[1].id
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": words}
        for call, words in zip(calls, ("22 degrees", "7 degrees"))
    ]
    messages += [{"role": "assistant", "content": called.content}, {"role": "user", "content": results}]
    words = told(ask("auto", messages, tools=[ANTHROPIC_WEATHER]))
    assert words.startswith("The tool answered: 22 degrees\n\nThe tool answered: 7 degrees\n\n")


def test_a_tool_can_be_demanded_and_forbidden():
    options = {"tools": [ANTHROPIC_WEATHER]}
    demanded = ask("auto", tool_choice={"type": "tool", "name": "get_weather"}, **options)
    assert [block.name for block in demanded.content if block.type == "tool_use"] == ["get_weather"]
    asked = [{"role": "user", "content": QUESTION}]
    assert says(told(ask("auto", asked, tool_choice={"type": "none"}, **options)), QUESTION)


def test_a_picture_goes_to_a_model_that_sees():
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE_BASE64}
    content = [{"type": "text", "text": SEEN}, {"type": "image", "source": source}]
    assert says(told(ask("auto", [{"role": "user", "content": content}])), SEEN)


def test_an_answer_is_cut_at_the_limit_and_at_a_stop():
    cut = client.messages.create(model="joiner-8b:free", messages=HELLO, max_tokens=5)
    assert (told(cut).strip(), cut.stop_reason) == ("This answer is simulated: no", "max_tokens")
    stopped = ask("auto", stop_sequences=[" simulated"])
    # Which stop it was is known only where the router had to cut.
    assert told(stopped) == "This answer is" and stopped.stop_reason in ("end_turn", "stop_sequence")


def test_tokens_are_counted_before_asking():
    few = client.messages.count_tokens(model=LARGE, messages=HELLO).input_tokens
    many = client.messages.count_tokens(model=LARGE, messages=HELLO, system="Be brief. " * 100).input_tokens
    assert 0 < few < many


def test_an_unknown_model_is_not_found():
    with pytest.raises(anthropic.NotFoundError) as error:
        ask("no-such-model")
    body = error.value.body
    assert body.pop("request_id") == error.value.request_id
    assert body == {"type": "error", "error": {"type": "not_found_error", "message": UNKNOWN}}
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="no-such-model", messages=HELLO)


def test_a_request_without_messages_is_refused():
    with pytest.raises(anthropic.BadRequestError) as error:
        ask(LARGE, [])
    assert error.value.body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("streaming", [False, True])
def test_an_error_before_the_first_word_has_its_status(streaming):
    with pytest.raises(anthropic.PermissionDeniedError) as error:
        stream(PRIM) if streaming else ask(PRIM)
    assert error.value.body["error"]["message"] == REFUSAL
    assert error.value.body["error"]["type"] == "permission_error"


def test_an_error_after_the_first_words_is_told_in_full():
    text = ""
    with pytest.raises(anthropic.APIStatusError) as error:
        with client.messages.stream(model=BRITTLE, messages=HELLO, max_tokens=4096) as events:
            for piece in events.text_stream:
                text += piece
    assert text == BROKEN and error.value.body["error"]["message"] == BREAK


def test_a_whole_answer_that_would_break_off_comes_from_another_model():
    assert says(told(ask(BRITTLE)), "Hello!")


def test_its_runner_runs_a_tool_until_there_is_an_answer():
    called = []

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        called.append(city)
        return "22 degrees"

    messages = [{"role": "user", "content": QUESTION}]
    runner = client.beta.messages.tool_runner(model="auto", messages=messages, max_tokens=4096, tools=[get_weather])
    assert says(told(runner.until_done()), "22 degrees", RESULT) and called == ["Paris"]
