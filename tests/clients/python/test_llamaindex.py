"""llama-index-llms-ollama and llama-index-embeddings-ollama against the router.

They have no call to list models, and show one only to learn its context, before
the first chat. Tool results carry neither a name nor an id.
"""

import asyncio

import ollama
import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.llms.ollama import Ollama
from pydantic import BaseModel
from simulated import (
    BREAK,
    BRITTLE,
    BROKEN,
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
    is_near,
    is_vector,
    says,
)

HELLO = [ChatMessage(role=MessageRole.USER, content="Hello!")]


def model(name: str, **options) -> Ollama:
    return Ollama(model=name, base_url=URL, request_timeout=60, **options)


def test_the_context_of_a_model_is_known():
    assert [model(LARGE).metadata.context_window, model(BRITTLE).metadata.context_window] == [262_144, 2_048]


def test_a_chat_is_answered_whole():
    answer = model(LARGE).chat(HELLO)
    assert answer.message.role == MessageRole.ASSISTANT and says(answer.message.content, "Hello!")
    usage = answer.raw["usage"]
    assert usage["prompt_tokens"] > 0 < usage["completion_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_streamed_chat_is_the_same_in_pieces():
    pieces = list(model(LARGE).stream_chat(HELLO))
    assert len(pieces) > 10 and says("".join(piece.delta or "" for piece in pieces), "Hello!")
    assert says(pieces[-1].message.content, "Hello!")


def test_an_asynchronous_chat_is_answered():
    assert says(asyncio.run(model(LARGE).achat(HELLO)).message.content, "Hello!")


def test_a_model_thinks_when_asked_to():
    answer = model(LARGE, thinking=True).chat(HELLO)
    thoughts = [block.content for block in answer.message.blocks if block.block_type == "thinking"]
    assert thoughts == [THOUGHT] and says(answer.message.content, "Hello!")


def test_a_tool_is_called_and_its_result_is_used():
    def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        return f"22 degrees in {city}"

    tool = FunctionTool.from_defaults(get_weather)
    asked = ChatMessage(role=MessageRole.USER, content=QUESTION)
    llm = model("auto")
    called = llm.chat_with_tools([tool], chat_history=[asked])
    [call] = llm.get_tool_calls_from_response(called)
    assert (call.tool_name, call.tool_kwargs) == ("get_weather", {"city": "Paris"})
    result = ChatMessage(role=MessageRole.TOOL, content=tool(**call.tool_kwargs).content)
    told = llm.chat_with_tools([tool], chat_history=[asked, called.message, result])
    assert says(told.message.content, "22 degrees in Paris", RESULT)
    assert llm.get_tool_calls_from_response(told, error_on_no_tool_call=False) == []


def test_a_tool_is_called_in_a_stream():
    def count_letters(word: str) -> int:
        """Counts the letters of a word."""
        return len(word)

    llm = model("auto")
    tool = FunctionTool.from_defaults(count_letters)
    pieces = list(llm.stream_chat_with_tools([tool], user_msg="How long is Strawberry"))
    [call] = llm.get_tool_calls_from_response(pieces[-1])
    assert (call.tool_name, call.tool_kwargs) == ("count_letters", {"word": "Strawberry"})


def test_a_picture_goes_to_a_model_that_sees():
    blocks = [TextBlock(text=SEEN), ImageBlock(image=PICTURE)]
    answer = model("auto").chat([ChatMessage(role=MessageRole.USER, blocks=blocks)])
    assert says(answer.message.content, SEEN)


def test_an_answer_keeps_to_a_schema():
    class Weather(BaseModel):
        city: str
        degrees: int

    predicted = model("auto").structured_predict(Weather, PromptTemplate(QUESTION))
    assert predicted == Weather(city="Paris", degrees=1)


def test_texts_become_vectors_in_their_order():
    vectors = OllamaEmbedding(model_name=EMBEDDING, base_url=URL)
    one, two, again = vectors.get_text_embedding_batch(["One", "Two", "One"])
    assert is_vector(one) and is_near(one, again) and not is_near(one, two)
    assert is_near(one, vectors.get_query_embedding("One"))


def test_an_unknown_model_is_not_found():
    with pytest.raises(ollama.ResponseError) as error:
        model("no-such-model").chat(HELLO)
    assert (error.value.status_code, error.value.error) == (404, UNKNOWN)
    with pytest.raises(ollama.ResponseError) as error:
        OllamaEmbedding(model_name="no-such-model", base_url=URL).get_query_embedding("One")
    assert (error.value.status_code, error.value.error) == (404, UNKNOWN_EMBEDDING)


@pytest.mark.parametrize("way", ["chat", "stream_chat"])
def test_an_error_before_the_first_word_has_its_status(way):
    with pytest.raises(ollama.ResponseError) as error:
        list(getattr(model(PRIM), way)(HELLO))
    assert (error.value.status_code, error.value.error) == (403, REFUSAL)


def test_an_error_after_the_first_words_is_told_in_full():
    content = ""
    with pytest.raises(ollama.ResponseError) as error:
        for piece in model(BRITTLE).stream_chat(HELLO):
            content += piece.delta or ""
    assert (content, error.value.error) == (BROKEN, BREAK)


def test_a_whole_answer_that_would_break_off_comes_from_another_model():
    assert says(model(BRITTLE).chat(HELLO).message.content, "Hello!")
