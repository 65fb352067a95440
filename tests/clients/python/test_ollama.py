"""ollama-python against the router: lists, answers, streams, tools, vectors, errors.

It has a call for everything the router serves, and leaves nothing out here.
"""

import asyncio
import datetime
import json

import ollama
import pytest
from simulated import (
    ANSWER,
    ARGUMENTS,
    BREAK,
    BRITTLE,
    BROKEN,
    DIMENSIONS,
    EMBEDDING,
    LARGE,
    PICTURE,
    PRIM,
    QUESTION,
    REFUSAL,
    RESULT,
    SEEN,
    THOUGHT,
    UNKNOWN,
    UNKNOWN_EMBEDDING,
    URL,
    WEATHER,
    is_near,
    is_vector,
    says,
)

HELLO = [{"role": "user", "content": "Hello!"}]
DURATIONS = ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"]
COUNTS = ["prompt_eval_count", "eval_count"]

client = ollama.Client(host=URL)


def without_figures(answer) -> dict:
    """Takes the figures of a finished answer away, once they are plausible."""
    fields = {name: value for name, value in answer.model_dump().items() if value is not None}
    for name in DURATIONS + COUNTS:
        assert fields.pop(name) >= 1, name
    moment = datetime.datetime.fromisoformat(fields.pop("created_at").replace("Z", "+00:00"))
    assert moment.tzinfo is not None
    return fields


def test_every_listed_model_is_whole_and_can_be_shown():
    models = client.list().models
    assert [models[0].model, LARGE in [model.model for model in models]] == ["auto:latest", True]
    assert len({model.digest for model in models}) == len(models) > 10
    for model in models:
        assert len(model.digest) == 64 and int(model.digest, 16) >= 0
        assert model.size >= 1 and model.modified_at.tzinfo is not None
        shown = client.show(model.model)
        contexts = [key for key in shown.modelinfo if "context_length" in key]
        assert contexts == [f"{shown.modelinfo['general.architecture']}.context_length"]
        assert ("tools" in shown.capabilities) == (".Tools" in (shown.template or ""))
        assert ("completion" in shown.capabilities) != (shown.capabilities == ["embedding"])
        assert shown.details == model.details
    assert client.show(EMBEDDING).capabilities == ["embedding"]


def test_a_model_that_answered_is_listed_as_running():
    client.chat(LARGE, HELLO)
    running = client.ps().models
    listed = {model.model: model.digest for model in client.list().models}
    assert running and all(listed[model.model] == model.digest for model in running)
    assert all(model.expires_at > datetime.datetime.now(datetime.timezone.utc) for model in running)


def test_a_chat_is_answered_whole():
    fields = without_figures(client.chat(LARGE, HELLO, think=False))
    message = fields.pop("message")
    assert fields == {"model": LARGE, "done": True, "done_reason": "stop"}
    assert message["role"] == "assistant" and says(message["content"], "Hello!")


def test_a_streamed_chat_is_the_same_in_pieces():
    pieces = list(client.chat(LARGE, HELLO, stream=True))
    assert len(pieces) > 10
    content = ""
    for piece in pieces[:-1]:
        fields = {name: value for name, value in piece.model_dump().items() if value is not None}
        assert set(fields) == {"model", "created_at", "done", "message"}
        assert (piece.model, piece.done, piece.message.role) == (LARGE, False, "assistant")
        content += piece.message.content
    assert says(content, "Hello!")
    last = without_figures(pieces[-1])
    message = {name: value for name, value in last.pop("message").items() if value is not None}
    assert last == {"model": LARGE, "done": True, "done_reason": "stop"}
    assert message == {"role": "assistant", "content": ""}


def test_a_model_thinks_when_asked_to():
    answer = client.chat(LARGE, HELLO, think=True)
    assert says(answer.message.content, "Hello!")
    # Another model may have taken over, but only one that can think.
    assert answer.message.thinking == THOUGHT


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_is_used(stream):
    messages = [{"role": "user", "content": QUESTION}]
    answer = client.chat("auto", messages, tools=[WEATHER], stream=stream)
    pieces = list(answer) if stream else [answer]
    calls = [call for piece in pieces for call in piece.message.tool_calls or []]
    assert [(call.function.name, call.function.arguments) for call in calls] == [("get_weather", ARGUMENTS)]
    assert (pieces[-1].done, pieces[-1].done_reason) == (True, "stop")
    messages += [
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_name": "get_weather", "content": "22 degrees"},
    ]
    told = client.chat("auto", messages, tools=[WEATHER])
    assert says(told.message.content, "22 degrees", RESULT) and not told.message.tool_calls


def test_a_python_function_serves_as_a_tool():
    def count_letters(word: str) -> int:
        """Counts the letters of a word.

        Args:
          word: The word.
        """
        return len(word)

    answer = client.chat("auto", [{"role": "user", "content": "How long is Strawberry"}], tools=[count_letters])
    [call] = answer.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("count_letters", {"word": "Strawberry"})


def test_tools_go_to_a_model_that_has_them():
    # joiner-8b has none, and in free mode others stand in.
    answer = client.chat("joiner-8b:free", [{"role": "user", "content": QUESTION}], tools=[WEATHER])
    assert [call.function.name for call in answer.message.tool_calls] == ["get_weather"]


def test_an_answer_keeps_to_a_schema():
    answer = client.chat("auto", [{"role": "user", "content": QUESTION}], format=WEATHER["function"]["parameters"])
    assert json.loads(answer.message.content) == ARGUMENTS


def test_a_picture_goes_to_a_model_that_sees():
    question = {"role": "user", "content": SEEN, "images": [PICTURE]}
    assert says(client.chat("auto", [question]).message.content, SEEN)


def test_an_answer_is_cut_at_the_limit():
    answer = client.chat(LARGE, HELLO, think=False, options={"num_predict": 5, "temperature": 0.2, "top_k": 20})
    assert (answer.message.content.strip(), answer.done_reason) == ("This answer is simulated: no", "length")


def test_a_prompt_is_completed_whole_and_in_pieces():
    fields = without_figures(client.generate(LARGE, "Hello!", think=False))
    content = fields.pop("response")
    fields.pop("thinking", None)
    assert fields == {"model": LARGE, "done": True, "done_reason": "stop", "context": []}
    assert says(content, "Hello!")
    pieces = list(client.generate(LARGE, "Hello!", stream=True))
    assert says("".join(piece.response for piece in pieces), "Hello!")
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_loading_and_unloading_answer_without_words():
    loaded = client.chat(LARGE, [])
    assert (loaded.model, loaded.done, loaded.done_reason, loaded.message.content) == (LARGE, True, "load", "")
    unloaded = client.generate(LARGE, keep_alive=0)
    assert (unloaded.model, unloaded.done, unloaded.done_reason, unloaded.response) == (LARGE, True, "unload", "")


def test_several_clients_are_served_at_once():
    async def ask(number: int) -> str:
        asked = ollama.AsyncClient(host=URL)
        words = [{"role": "user", "content": f"Number {number}"}]
        return "".join([piece.message.content async for piece in await asked.chat("auto", words, stream=True)])

    async def ask_all() -> list[str]:
        return await asyncio.gather(*(ask(number) for number in range(8)))

    answers = asyncio.run(ask_all())
    assert [says(answer, f"Number {number}", ANSWER) for number, answer in enumerate(answers)] == [True] * 8


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_not_found(stream):
    with pytest.raises(ollama.ResponseError) as error:
        list(client.chat("no-such-model", HELLO, stream=stream))
    assert (error.value.status_code, error.value.error) == (404, UNKNOWN)


def test_an_unknown_model_cannot_be_shown():
    with pytest.raises(ollama.ResponseError) as error:
        client.show("no-such-model")
    assert (error.value.status_code, error.value.error) == (404, UNKNOWN)


def test_a_name_of_two_models_is_refused_with_both():
    with pytest.raises(ollama.ResponseError) as error:
        client.chat("echo-v1.5:free", HELLO)
    assert error.value.status_code == 400
    assert "halcyon/echo-v1.5:free" in error.value.error and "ivory/echo-v1.5:free" in error.value.error


def test_a_pull_of_what_is_served_succeeds():
    assert client.pull(LARGE).status == "success"
    statuses = [step.status for step in client.pull(LARGE, stream=True)]
    assert statuses[0] == "pulling manifest" and statuses[-1] == "success"
    with pytest.raises(ollama.ResponseError, match="file does not exist"):
        client.pull("no-such-model")


def test_a_model_that_is_not_stored_here_cannot_be_deleted():
    with pytest.raises(ollama.ResponseError) as error:
        client.delete(LARGE)
    assert error.value.status_code == 501 and "models-filter/filter" in error.value.error
    assert LARGE in [model.model for model in client.list().models]


def test_a_model_that_left_is_replaced():
    # The example name of many a tutorial: the model is gone, the name must go on working.
    answer = client.chat("deepseek-chat-v3-0324:free", HELLO)
    assert answer.model == "deepseek-chat-v3-0324:free" and says(answer.message.content, "Hello!")


def test_what_cannot_be_meant_is_a_client_error():
    with pytest.raises(ollama.ResponseError) as error:
        client.chat(LARGE, HELLO, options={"num_predict": "many"})
    assert error.value.status_code == 400 and "num_predict" in error.value.error


def test_texts_become_vectors_in_their_order():
    answer = client.embed(EMBEDDING, ["One", "Two", "One"])
    one, two, again = answer.embeddings
    assert answer.model == EMBEDDING and answer.prompt_eval_count >= 1 and answer.total_duration >= 1
    assert is_vector(one) and is_vector(two)
    assert is_near(one, again) and not is_near(one, two)
    [alone] = client.embed(EMBEDDING, "One").embeddings
    assert is_near(one, alone)


def test_a_vector_has_as_many_dimensions_as_asked_for():
    [vector] = client.embed(EMBEDDING, "One", dimensions=64).embeddings
    assert is_vector(vector, 64)


def test_the_older_call_gives_one_vector():
    assert len(client.embeddings(EMBEDDING, "One").embedding) == DIMENSIONS


def test_a_model_that_chats_gives_no_vectors():
    with pytest.raises(ollama.ResponseError) as error:
        client.embed(LARGE, "One")
    assert error.value.status_code == 400 and f'"{LARGE}" does not support embeddings' in error.value.error


def test_an_unknown_model_gives_no_vectors():
    with pytest.raises(ollama.ResponseError) as error:
        client.embed("no-such-model", "One")
    assert (error.value.status_code, error.value.error) == (404, UNKNOWN_EMBEDDING)


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_has_its_status(stream):
    with pytest.raises(ollama.ResponseError) as error:
        list(client.chat(PRIM, HELLO, stream=stream))
    assert (error.value.status_code, error.value.error) == (403, REFUSAL)


@pytest.mark.parametrize("way", ["chat", "generate"])
def test_an_error_after_the_first_words_is_told_in_full(way):
    if way == "chat":
        answer, words = client.chat(BRITTLE, HELLO, stream=True), lambda piece: piece.message.content
    else:
        answer, words = client.generate(BRITTLE, "Hello!", stream=True), lambda piece: piece.response
    content = ""
    with pytest.raises(ollama.ResponseError) as error:
        for piece in answer:
            assert not piece.done
            content += words(piece)
    assert (content, error.value.error) == (BROKEN, BREAK)


def test_a_whole_answer_that_would_break_off_comes_from_another_model():
    answer = client.chat(BRITTLE, HELLO)
    assert (answer.model, answer.done_reason) == (BRITTLE, "stop")
    assert says(answer.message.content, "Hello!") and "brittle" not in answer.message.content
