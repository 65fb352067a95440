"""LiteLLM against the router, by both of its ways to an Ollama server.

It keeps no whole error: a refusal is raised by its status with our words in it,
and an answer that breaks off is told as a bad request of the client's (400), with
the line that came in its message.
"""

import json

import litellm
import pytest
from litellm.llms.ollama.common_utils import OllamaModelInfo
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
    RESULT,
    SEEN,
    THOUGHT,
    UNKNOWN,
    URL,
    WEATHER,
    is_near,
    is_vector,
    says,
)

HELLO = [{"role": "user", "content": "Hello!"}]


def ask(model: str, messages: list[dict] = HELLO, **options):
    return litellm.completion(model=f"ollama_chat/{model}", api_base=URL, messages=messages, **options)


def test_models_are_listed():
    listed = OllamaModelInfo().get_models(api_base=URL)
    assert {f"ollama/{LARGE}", "ollama/auto:latest", f"ollama/{EMBEDDING}"} <= set(listed) and len(listed) > 10


def test_a_model_is_shown_with_its_context_and_its_tools():
    shown = litellm.get_model_info(f"ollama_chat/{LARGE}", api_base=URL)
    assert (shown["max_input_tokens"], shown["supports_function_calling"]) == (262_144, True)
    shown = litellm.get_model_info("ollama_chat/joiner-8b:free", api_base=URL)
    assert (shown["max_input_tokens"], shown["supports_function_calling"]) == (32_768, False)


@pytest.mark.parametrize("way", ["ollama", "ollama_chat"])
def test_a_chat_is_answered_whole(way):
    answer = litellm.completion(model=f"{way}/{LARGE}", api_base=URL, messages=HELLO)
    [choice] = answer.choices
    # Through /api/generate the words are put into a template of LiteLLM's own.
    words = "Hello!" if way == "ollama_chat" else "### User:\nHello!\n\n"
    assert says(choice.message.content, words), choice.message.content
    assert choice.finish_reason == "stop" and answer.usage.completion_tokens > 0


def test_a_streamed_chat_is_the_same_in_pieces():
    pieces = list(ask(LARGE, stream=True))
    assert says("".join(piece.choices[0].delta.content or "" for piece in pieces), "Hello!")
    assert pieces[-1].choices[0].finish_reason == "stop"


def test_a_model_thinks_when_asked_to():
    [choice] = ask(LARGE, reasoning_effort="low").choices
    assert says(choice.message.content, "Hello!") and choice.message.reasoning_content == THOUGHT


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_natively_and_its_result_is_used(stream):
    messages = [{"role": "user", "content": QUESTION}]
    answer = ask(LARGE, messages, tools=[WEATHER], stream=stream)
    answer = litellm.stream_chunk_builder(list(answer), messages=messages) if stream else answer
    [call] = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", ARGUMENTS)
    assert answer.choices[0].finish_reason == "tool_calls"
    called = answer.choices[0].message.model_dump()
    messages += [called, {"role": "tool", "tool_call_id": call.id, "content": "22 degrees"}]
    told = ask(LARGE, messages, tools=[WEATHER])
    assert says(told.choices[0].message.content, "22 degrees", RESULT)


def test_a_picture_goes_to_a_model_that_sees():
    parts = [{"type": "text", "text": SEEN}, {"type": "image_url", "image_url": {"url": PICTURE_URL}}]
    assert says(ask("auto", [{"role": "user", "content": parts}]).choices[0].message.content, SEEN)


def test_an_answer_keeps_to_a_schema():
    schema = {"name": "weather", "schema": WEATHER["function"]["parameters"]}
    form = {"type": "json_schema", "json_schema": schema}
    answer = ask("auto", [{"role": "user", "content": QUESTION}], response_format=form)
    assert json.loads(answer.choices[0].message.content) == ARGUMENTS


def test_texts_become_vectors_in_their_order():
    answer = litellm.embedding(f"ollama/{EMBEDDING}", input=["One", "Two", "One"], api_base=URL)
    one, two, again = [entry["embedding"] for entry in answer.data]
    assert is_vector(one) and is_near(one, again) and not is_near(one, two)
    assert answer.usage.prompt_tokens > 0


def test_an_unknown_model_is_an_error_with_its_name():
    with pytest.raises(litellm.exceptions.NotFoundError, match=UNKNOWN):
        ask("no-such-model")


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_has_its_status(stream):
    with pytest.raises(litellm.exceptions.PermissionDeniedError) as error:
        list(ask(PRIM, stream=stream))
    told, body = str(error.value).split(" - ", 1)
    assert told == "litellm.PermissionDeniedError: Ollama_chatException"
    # The whole of it, with what is for programs after what is for people.
    assert body.startswith('{"error":') and json.loads(body)["error"] == REFUSAL


def test_an_error_after_the_first_words_is_told_as_a_bad_request():
    content = ""
    with pytest.raises(litellm.exceptions.BadRequestError) as error:
        for piece in ask(BRITTLE, stream=True):
            content += piece.choices[0].delta.content or ""
    assert content == BROKEN and BREAK in str(error.value)


def test_a_whole_answer_that_would_break_off_comes_from_another_model():
    assert says(ask(BRITTLE).choices[0].message.content, "Hello!")
