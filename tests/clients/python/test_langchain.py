"""langchain-ollama against the router: what its users build on.

It lists models only to check a name (`validate_model_on_init`), and has no call
to show one. Whole answers are streams that it gathers itself, so that `invoke`
too meets the error of an answer that broke off.
"""

import ollama
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
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
    URL,
    WEATHER,
    is_near,
    is_vector,
    says,
)

chat = ChatOllama(model=LARGE, base_url=URL, validate_model_on_init=True)
vectors = OllamaEmbeddings(model=EMBEDDING, base_url=URL)


def test_a_model_that_is_not_listed_is_refused_at_once():
    with pytest.raises(ValueError, match="Model `no-such-model` not found in Ollama"):
        ChatOllama(model="no-such-model", base_url=URL, validate_model_on_init=True)


def test_a_chat_is_answered_whole():
    answer = chat.invoke("Hello!")
    assert isinstance(answer, AIMessage) and says(answer.content, "Hello!")
    assert (answer.response_metadata["done"], answer.response_metadata["done_reason"]) == (True, "stop")
    assert answer.usage_metadata["input_tokens"] > 0 < answer.usage_metadata["output_tokens"]


def test_a_streamed_chat_is_the_same_in_pieces():
    pieces = list(chat.stream("Hello!"))
    assert len(pieces) > 10 and says("".join(piece.content for piece in pieces), "Hello!")
    # The counts are summed over all pieces, so they must be in one only.
    assert len([piece for piece in pieces if piece.usage_metadata]) == 1


def test_a_model_thinks_when_asked_to():
    answer = ChatOllama(model=LARGE, base_url=URL, reasoning=True).invoke("Hello!")
    assert says(answer.content, "Hello!") and answer.additional_kwargs["reasoning_content"] == THOUGHT


def test_a_tool_is_called_and_its_result_is_used():
    tooled = ChatOllama(model="auto", base_url=URL).bind_tools([WEATHER])
    asked = HumanMessage(QUESTION)
    called = tooled.invoke([asked])
    [call] = called.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", ARGUMENTS)
    told = tooled.invoke([asked, called, ToolMessage("22 degrees", tool_call_id=call["id"])])
    assert says(told.content, "22 degrees", RESULT)


def test_a_picture_goes_to_a_model_that_sees():
    parts = [{"type": "text", "text": SEEN}, {"type": "image_url", "image_url": {"url": PICTURE_URL}}]
    answer = ChatOllama(model="auto", base_url=URL).invoke([HumanMessage(parts)])
    # It puts each text on a line of its own.
    assert says(answer.content, f"\n{SEEN}")


def test_an_answer_keeps_to_a_schema():
    schema = {"title": "weather", **WEATHER["function"]["parameters"]}
    structured = ChatOllama(model="auto", base_url=URL).with_structured_output(schema, method="json_schema")
    assert structured.invoke(QUESTION) == ARGUMENTS


def test_a_prompt_is_completed():
    assert says(OllamaLLM(model=LARGE, base_url=URL).invoke("Hello!"), "Hello!")


def test_texts_become_vectors_in_their_order():
    one, two, again = vectors.embed_documents(["One", "Two", "One"])
    assert is_vector(one) and is_near(one, again) and not is_near(one, two)
    assert is_near(one, vectors.embed_query("One"))


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_an_error_before_the_first_word_has_its_status(way):
    prim = ChatOllama(model=PRIM, base_url=URL)
    with pytest.raises(ollama.ResponseError) as error:
        list(prim.stream("Hello!")) if way == "stream" else prim.invoke("Hello!")
    assert (error.value.status_code, error.value.error) == (403, REFUSAL)


def test_an_error_after_the_first_words_is_told_in_full():
    content = ""
    with pytest.raises(ollama.ResponseError) as error:
        for piece in ChatOllama(model=BRITTLE, base_url=URL).stream("Hello!"):
            content += piece.content
    assert (content, error.value.error) == (BROKEN, BREAK)


def test_an_answer_asked_for_whole_breaks_off_as_well():
    with pytest.raises(ollama.ResponseError) as error:
        ChatOllama(model=BRITTLE, base_url=URL).invoke("Hello!")
    assert error.value.error == BREAK
