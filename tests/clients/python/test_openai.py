"""openai-python against the router: lists, answers, streams, tools, vectors, errors.

All that it calls under /v1 but the Responses API, which test_responses.py has.
"""

import json

import openai
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
    RESULT,
    SEEN,
    UNKNOWN,
    URL,
    WEATHER,
    is_near,
    is_vector,
    says,
)

# No retries of its own: a failure that reaches the client is to be seen here.
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="unused", max_retries=0)
HELLO = [{"role": "user", "content": "Hello!"}]


def test_models_are_listed():
    models = client.models.list().data
    assert [models[0].id, LARGE in [model.id for model in models]] == ["auto", True]
    assert len({model.id for model in models}) == len(models) > 10
    assert all(model.object == "model" and model.owned_by and model.created > 0 for model in models)


def test_a_chat_is_answered_whole_and_says_by_whom():
    raw = client.chat.completions.with_raw_response.create(model=LARGE, messages=HELLO)
    answer = raw.parse()
    [choice] = answer.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert says(choice.message.content, "Hello!") and raw.headers["x-router-model"] in choice.message.content
    assert answer.object == "chat.completion" and answer.id and answer.created > 0
    usage = answer.usage
    assert usage.prompt_tokens > 0 < usage.completion_tokens
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert int(raw.headers["x-router-attempts"]) >= 1
    assert raw.headers["x-router-policy"].startswith("free-mode/")
    assert raw.headers["x-router-request-id"]


@pytest.mark.parametrize("with_usage", [False, True])
def test_a_streamed_chat_is_the_same_in_pieces(with_usage):
    options = {"stream_options": {"include_usage": True}} if with_usage else {}
    pieces = list(client.chat.completions.create(model=LARGE, messages=HELLO, stream=True, **options))
    choices = [choice for piece in pieces for choice in piece.choices]
    assert says("".join(choice.delta.content or "" for choice in choices), "Hello!")
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert {piece.object for piece in pieces} == {"chat.completion.chunk"}
    assert len({piece.id for piece in pieces}) == 1
    assert len([piece for piece in pieces if piece.usage]) == int(with_usage)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_is_used(stream):
    messages = [{"role": "user", "content": QUESTION}]
    if stream:
        with client.chat.completions.stream(model="auto", messages=messages, tools=[WEATHER]) as events:
            for _ in events:
                pass
            choice = events.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(model="auto", messages=messages, tools=[WEATHER]).choices[0]
    [call] = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls" and call.id
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", ARGUMENTS)
    called = {"id": call.id, "type": "function", "function": {"name": "get_weather", "arguments": call.function.arguments}}
    messages += [
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": call.id, "content": "22 degrees"},
    ]
    told = client.chat.completions.create(model="auto", messages=messages, tools=[WEATHER])
    assert says(told.choices[0].message.content, "22 degrees", RESULT)


def test_a_picture_goes_to_a_model_that_sees():
    parts = [{"type": "text", "text": SEEN}, {"type": "image_url", "image_url": {"url": PICTURE_URL}}]
    answer = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": parts}])
    assert says(answer.choices[0].message.content, SEEN)


def test_an_answer_keeps_to_a_schema():
    schema = {"name": "weather", "schema": WEATHER["function"]["parameters"]}
    form = {"type": "json_schema", "json_schema": schema}
    messages = [{"role": "user", "content": QUESTION}]
    answer = client.chat.completions.create(model="auto", messages=messages, response_format=form)
    assert json.loads(answer.choices[0].message.content) == ARGUMENTS


def test_an_answer_is_cut_at_the_limit():
    answer = client.chat.completions.create(model="joiner-8b:free", messages=HELLO, max_tokens=5)
    [choice] = answer.choices
    assert (choice.message.content.strip(), choice.finish_reason) == ("This answer is simulated: no", "length")


def test_an_unknown_model_is_not_found():
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="no-such-model", messages=HELLO)
    body = {"message": UNKNOWN, "type": "not_found_error", "param": None, "code": None}
    assert error.value.body == body


def test_a_chat_without_messages_is_refused():
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model="auto", messages=[])
    assert error.value.body["type"] == "invalid_request_error"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_has_its_status(stream):
    with pytest.raises(openai.PermissionDeniedError) as error:
        client.chat.completions.create(model=PRIM, messages=HELLO, stream=stream)
    [attempt] = error.value.body.pop("metadata")["attempts"]
    assert (attempt["model"], attempt["kind"], attempt["status"]) == (f"thistle/{PRIM}", "moderated", 403)
    assert error.value.body == {"message": REFUSAL, "type": "permission_error", "param": None, "code": "moderated"}


def test_an_error_after_the_first_words_is_told_in_full():
    content = ""
    with pytest.raises(openai.APIError) as error:
        for piece in client.chat.completions.create(model=BRITTLE, messages=HELLO, stream=True):
            content += piece.choices[0].delta.content or ""
    assert (content, error.value.message) == (BROKEN, BREAK)


def test_a_whole_answer_that_would_break_off_comes_from_another_model():
    raw = client.chat.completions.with_raw_response.create(model=BRITTLE, messages=HELLO)
    content = raw.parse().choices[0].message.content
    assert says(content, "Hello!") and raw.headers["x-router-model"] in content
    assert raw.headers["x-router-trail"].startswith("thistle/brittle-2b:free")


def test_a_model_is_looked_up_by_its_name():
    listed = {model.id: model for model in client.models.list().data}
    assert client.models.retrieve(LARGE) == listed[LARGE]
    # By OpenRouter's name too, whose slash and colon the library escapes.
    assert client.models.retrieve(f"aurelia/{LARGE}").object == "model"
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("no-such-model")
    assert error.value.body["message"] == UNKNOWN and error.value.body["type"] == "not_found_error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_is_completed(stream):
    answer = client.completions.create(model=LARGE, prompt="Hello!", max_tokens=4096, stream=stream)
    if not stream:
        assert answer.object == "text_completion" and answer.usage.completion_tokens > 0
    pieces = list(answer) if stream else [answer]
    choices = [choice for piece in pieces for choice in piece.choices]
    assert says("".join(choice.text for choice in choices), "Hello!")
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert len(pieces) > 10 or not stream


def test_a_prompt_that_breaks_off_or_is_refused_says_so():
    text = ""
    with pytest.raises(openai.APIError) as error:
        for piece in client.completions.create(model=BRITTLE, prompt="Hello!", stream=True):
            text += piece.choices[0].text
    assert (text, error.value.message) == (BROKEN, BREAK)
    with pytest.raises(openai.PermissionDeniedError) as error:
        client.completions.create(model=PRIM, prompt="Hello!")
    assert error.value.body["message"] == REFUSAL


def test_texts_and_tokens_become_vectors_in_their_order():
    # In base64, as the library asks for if it is not told.
    answer = client.embeddings.create(model=EMBEDDING, input=["One", "Two", "One"])
    assert [entry.index for entry in answer.data] == [0, 1, 2] and answer.usage.prompt_tokens > 0
    one, two, again = [entry.embedding for entry in answer.data]
    assert is_vector(one) and is_near(one, again) and not is_near(one, two)
    [alone] = client.embeddings.create(model=EMBEDDING, input="One", encoding_format="float").data
    assert is_near(one, alone.embedding)
    [short] = client.embeddings.create(model=EMBEDDING, input="One", dimensions=64).data
    assert is_vector(short.embedding, 64)
    tokens = client.embeddings.create(model=EMBEDDING, input=[[1, 2], [3]]).data
    [first] = client.embeddings.create(model=EMBEDDING, input=[1, 2]).data
    assert [is_near(first.embedding, entry.embedding) for entry in tokens] == [True, False]


def test_an_unknown_model_gives_no_vectors():
    with pytest.raises(openai.NotFoundError) as error:
        client.embeddings.create(model="no-such-model", input="One")
    assert "no-such-model" in error.value.body["message"] and error.value.body["type"] == "not_found_error"
