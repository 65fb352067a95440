"""LiteLLM against the router by the ways that are no Ollama's: OpenAI's and Anthropic's.

`openai/` speaks Chat Completions, `anthropic/` Messages, and `litellm.responses` the
Responses API. Its own retries are off unless asked for.
"""

import json

import litellm
import pytest
from simulated import (
    ARGUMENTS,
    BREAK,
    BRITTLE,
    BROKEN,
    EMBEDDING,
    LARGE,
    PICTURE_URL,
    PRIM,
    QUESTION,
    REFUSAL,
    RESPONSES_WEATHER,
    RESULT,
    SEEN,
    UNKNOWN,
    URL,
    WEATHER,
    is_near,
    is_vector,
    says,
)

HELLO = [{"role": "user", "content": "Hello!"}]
BASES = {"openai": f"{URL}/v1", "anthropic": URL}

each_way = pytest.mark.parametrize("way", BASES)


def ask(way: str, model: str, messages: list[dict] = HELLO, **options):
    return litellm.completion(
        model=f"{way}/{model}", api_base=BASES[way], api_key="unused", messages=messages, max_retries=0, **options
    )


def respond(model: str, given="Hello!", **options):
    return litellm.responses(model=f"openai/{model}", api_base=BASES["openai"], api_key="unused", input=given, **options)


@each_way
def test_a_chat_is_answered_whole(way):
    answer = ask(way, LARGE)
    [choice] = answer.choices
    assert says(choice.message.content, "Hello!") and choice.finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0


@each_way
def test_a_streamed_chat_is_the_same_in_pieces(way):
    pieces = list(ask(way, LARGE, stream=True))
    assert says("".join(piece.choices[0].delta.content or "" for piece in pieces), "Hello!")
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices[0].finish_reason] == ["stop"]


@each_way
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_is_used(way, stream):
    messages = [{"role": "user", "content": QUESTION}]
    answer = ask(way, "auto", messages, tools=[WEATHER], stream=stream)
    answer = litellm.stream_chunk_builder(list(answer), messages=messages) if stream else answer
    [call] = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", ARGUMENTS)
    assert answer.choices[0].finish_reason == "tool_calls"
    called = answer.choices[0].message.model_dump()
    messages += [called, {"role": "tool", "tool_call_id": call.id, "content": "22 degrees"}]
    told = ask(way, "auto", messages, tools=[WEATHER])
    assert says(told.choices[0].message.content, "22 degrees", RESULT)


@each_way
def test_a_picture_goes_to_a_model_that_sees(way):
    parts = [{"type": "text", "text": SEEN}, {"type": "image_url", "image_url": {"url": PICTURE_URL}}]
    assert says(ask(way, "auto", [{"role": "user", "content": parts}]).choices[0].message.content, SEEN)


def test_a_prompt_is_completed():
    answer = litellm.text_completion(
        model=f"text-completion-openai/{LARGE}", api_base=BASES["openai"], api_key="unused", prompt="Hello!"
    )
    assert says(answer.choices[0].text, "Hello!")


def test_texts_become_vectors_in_their_order():
    answer = litellm.embedding(
        model=f"openai/{EMBEDDING}", api_base=BASES["openai"], api_key="unused", input=["One", "Two", "One"]
    )
    one, two, again = [entry["embedding"] for entry in answer.data]
    assert is_vector(one) and is_near(one, again) and not is_near(one, two)


@each_way
def test_an_unknown_model_is_an_error_with_its_name(way):
    with pytest.raises(litellm.exceptions.NotFoundError, match=UNKNOWN):
        ask(way, "no-such-model")


@each_way
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_has_its_status(way, stream):
    # Of which kind depends on the way; the status is what callers branch on.
    with pytest.raises((litellm.exceptions.PermissionDeniedError, litellm.exceptions.APIError)) as error:
        list(ask(way, PRIM, stream=stream))
    assert error.value.status_code == 403 and REFUSAL in str(error.value)


@each_way
def test_an_error_after_the_first_words_has_our_words(way):
    content = ""
    with pytest.raises(Exception) as error:
        for piece in ask(way, BRITTLE, stream=True):
            content += piece.choices[0].delta.content or ""
    assert content == BROKEN and BREAK in str(error.value)


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_is_given(stream):
    answer = respond(LARGE, stream=stream)
    if stream:
        [answer] = [event.response for event in answer if event.type == "response.completed"]
    [message] = [item for item in answer.output if item.type == "message"]
    assert says(message.content[0].text, "Hello!") and answer.status == "completed"


def test_a_tool_is_called_in_a_response_and_its_result_is_used():
    given = [{"role": "user", "content": QUESTION}]
    answer = respond("auto", given, tools=[RESPONSES_WEATHER])
    [call] = [item for item in answer.output if item.type == "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", ARGUMENTS)
    given += [item.model_dump(exclude_none=True) for item in answer.output]
    given.append({"type": "function_call_output", "call_id": call.call_id, "output": "22 degrees"})
    [message] = [item for item in respond("auto", given, tools=[RESPONSES_WEATHER]).output if item.type == "message"]
    assert says(message.content[0].text, "22 degrees", RESULT)


def test_a_response_that_is_refused_says_so():
    with pytest.raises((litellm.exceptions.PermissionDeniedError, litellm.exceptions.APIError)) as error:
        respond(PRIM)
    assert error.value.status_code == 403 and REFUSAL in str(error.value)
