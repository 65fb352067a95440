"""LiteLLM against the router, by both of its ways to an Ollama server."""

import json

import litellm
import pytest
from simulated import ARGUMENTS, LARGE, QUESTION, URL, WEATHER, says

HELLO = [{"role": "user", "content": "Hello!"}]


@pytest.mark.parametrize("way", ["ollama", "ollama_chat"])
def test_a_chat_is_answered_whole(way):
    answer = litellm.completion(model=f"{way}/{LARGE}", api_base=URL, messages=HELLO)
    [choice] = answer.choices
    # Through /api/generate the words are put into a template of LiteLLM's own.
    words = "Hello!" if way == "ollama_chat" else "### User:\nHello!\n\n"
    assert says(choice.message.content, words), choice.message.content
    assert choice.finish_reason == "stop" and answer.usage.completion_tokens > 0


def test_a_streamed_chat_is_the_same_in_pieces():
    pieces = list(litellm.completion(model=f"ollama_chat/{LARGE}", api_base=URL, messages=HELLO, stream=True))
    assert says("".join(piece.choices[0].delta.content or "" for piece in pieces), "Hello!")
    assert pieces[-1].choices[0].finish_reason == "stop"


def test_a_tool_is_called_natively():
    messages = [{"role": "user", "content": QUESTION}]
    answer = litellm.completion(model=f"ollama_chat/{LARGE}", api_base=URL, messages=messages, tools=[WEATHER])
    [call] = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", ARGUMENTS)
    assert answer.choices[0].finish_reason == "tool_calls"


def test_an_unknown_model_is_an_error_with_its_name():
    with pytest.raises(litellm.exceptions.NotFoundError, match="model 'no-such-model' not found"):
        litellm.completion(model="ollama_chat/no-such-model", api_base=URL, messages=HELLO)
