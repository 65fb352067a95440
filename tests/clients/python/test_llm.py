"""llm with llm-ollama against the router: its Python face and its command.

It shows models only to learn what they can do, when it lists them, and so leaves
those that embed out of those that chat by itself. What it learned it keeps in its
folder, which is an empty one here.
"""

import json
import os
import subprocess
import sys
import tempfile

import pytest
from simulated import (
    ARGUMENTS,
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
    SEEING,
    SEEN,
    THOUGHT,
    URL,
    WEATHER,
    is_near,
    is_vector,
    says,
)

# Both are read when it is imported.
folder = tempfile.TemporaryDirectory()
os.environ.update(LLM_USER_PATH=folder.name, OLLAMA_HOST=URL)

import llm  # noqa: E402
import ollama  # noqa: E402


def model(name: str) -> llm.Model:
    return llm.get_model(f"ollama/{name}")


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "llm", *arguments], capture_output=True, text=True, timeout=60)


def test_models_are_listed_by_what_they_can_do():
    listed = [model.model_id.removeprefix("ollama/") for model in llm.get_models() if "ollama/" in model.model_id]
    served = ollama.Client(host=URL).list().models
    chats = [served.model for served in served if served.model != EMBEDDING]
    assert sorted(listed) == sorted(chats)
    embedding = [model.model_id for model in llm.get_embedding_models() if "ollama/" in model.model_id]
    assert embedding == [f"ollama/{EMBEDDING}"]


def test_abilities_are_those_that_are_shown():
    assert [model(LARGE).supports_tools, model("joiner-8b:free").supports_tools] == [True, False]
    assert "image/png" in model(SEEING).attachment_types and not model(LARGE).attachment_types


def test_a_chat_is_answered_whole():
    answer = model(LARGE).prompt("Hello!", stream=False)
    assert says(answer.text(), "Hello!")
    usage = answer.usage()
    assert usage.input > 0 < usage.output


def test_a_streamed_chat_is_the_same_in_pieces():
    pieces = list(model(LARGE).prompt("Hello!"))
    assert len(pieces) > 10 and says("".join(pieces), "Hello!")


def test_a_conversation_goes_on():
    conversation = model(LARGE).conversation()
    assert says(conversation.prompt("Hello!").text(), "Hello!")
    assert says(conversation.prompt("And now?").text(), "And now?")


def test_a_model_thinks_when_asked_to():
    answer = model(LARGE).prompt("Hello!", think=True, stream=False)
    assert says(answer.text(), "Hello!") and answer.response_json["message"]["thinking"] == THOUGHT


def test_a_tool_is_called_and_its_result_is_used():
    called = []

    def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        called.append(city)
        return "22 degrees"

    told = model("auto").chain(QUESTION, tools=[get_weather])
    assert says(told.text(), "22 degrees", RESULT) and called == ["Paris"]


def test_a_picture_goes_to_a_model_that_sees():
    attachment = llm.Attachment(content=PICTURE, type="image/png")
    assert says(model(SEEING).prompt(SEEN, attachments=[attachment]).text(), SEEN)


def test_an_answer_keeps_to_a_schema():
    answer = model("auto").prompt(QUESTION, schema=WEATHER["function"]["parameters"])
    assert json.loads(answer.text()) == ARGUMENTS


def test_texts_become_vectors_in_their_order():
    vectors = llm.get_embedding_model(f"ollama/{EMBEDDING}")
    one, two, again = vectors.embed_multi(["One", "Two", "One"])
    assert is_vector(one) and is_near(one, again) and not is_near(one, two)
    assert is_near(one, vectors.embed("One"))


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_has_its_status(stream):
    with pytest.raises(ollama.ResponseError) as error:
        model(PRIM).prompt("Hello!", stream=stream).text()
    assert (error.value.status_code, error.value.error) == (403, REFUSAL)


def test_an_error_after_the_first_words_is_told_in_full():
    content = ""
    with pytest.raises(ollama.ResponseError) as error:
        for piece in model(BRITTLE).prompt("Hello!"):
            content += piece
    assert (content, error.value.error) == (BROKEN, BREAK)


def test_the_command_answers():
    ran = command("-m", f"ollama/{LARGE}", "Hello!")
    assert ran.returncode == 0 and says(ran.stdout.strip(), "Hello!"), ran.stderr


def test_the_command_fails_when_an_answer_breaks_off():
    ran = command("-m", f"ollama/{BRITTLE}", "Hello!")
    assert (ran.returncode, ran.stdout.strip(), ran.stderr.strip()) == (1, BROKEN, f"Error: {BREAK} (status code: -1)")
