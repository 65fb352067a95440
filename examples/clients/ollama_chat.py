"""Lists models, streams an answer, calls a tool. Needs: pip install ollama"""

import ollama

print("models:", ", ".join(model.model for model in ollama.list().models))

for piece in ollama.chat("auto", [{"role": "user", "content": "Why is the sky blue?"}], stream=True):
    print(piece.message.content, end="", flush=True)
print()


def weather(city: str) -> str:
    """Tells the weather.

    Args:
      city: The city's name.
    """
    return f"22 degrees and sunny in {city}"


messages = [{"role": "user", "content": "What is the weather in Paris?"}]
asked = ollama.chat("auto", messages, tools=[weather]).message
messages.append(asked)
for call in asked.tool_calls or []:
    messages.append({"role": "tool", "tool_name": call.function.name, "content": weather(**call.function.arguments)})
print(ollama.chat("auto", messages, tools=[weather]).message.content)
