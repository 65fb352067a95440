"""langchain-ollama against the router: what its users build on."""

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_ollama import ChatOllama, OllamaLLM
from simulated import ARGUMENTS, LARGE, QUESTION, RESULT, URL, WEATHER, says

chat = ChatOllama(model=LARGE, base_url=URL, validate_model_on_init=True)


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


def test_a_tool_is_called_and_its_result_is_used():
    tooled = ChatOllama(model="auto", base_url=URL).bind_tools([WEATHER])
    asked = HumanMessage(QUESTION)
    called = tooled.invoke([asked])
    [call] = called.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", ARGUMENTS)
    told = tooled.invoke([asked, called, ToolMessage("22 degrees", tool_call_id=call["id"])])
    assert says(told.content, "22 degrees", RESULT)


def test_an_answer_keeps_to_a_schema():
    schema = {"title": "weather", **WEATHER["function"]["parameters"]}
    structured = ChatOllama(model="auto", base_url=URL).with_structured_output(schema, method="json_schema")
    assert structured.invoke(QUESTION) == ARGUMENTS


def test_a_prompt_is_completed():
    assert says(OllamaLLM(model=LARGE, base_url=URL).invoke("Hello!"), "Hello!")
