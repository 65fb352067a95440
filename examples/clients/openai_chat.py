"""Lists models, streams an answer, calls a tool. Needs: pip install openai

The address is `OPENAI_BASE_URL`, or the router on this machine.
"""

import json
import os

from openai import OpenAI

address = os.environ.get("OPENAI_BASE_URL", "http://localhost:11434/v1")
client = OpenAI(base_url=address, api_key=os.environ.get("OPENAI_API_KEY", "any"))

print("models:", ", ".join(model.id for model in client.models.list()))

question = [{"role": "user", "content": "Why is the sky blue?"}]
for chunk in client.chat.completions.create(model="auto", messages=question, stream=True):
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()

weather = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
messages = [{"role": "user", "content": "What is the weather in Paris?"}]
asked = client.chat.completions.create(model="auto", messages=messages, tools=[weather]).choices[0].message
messages.append(asked.model_dump(exclude_none=True))
for call in asked.tool_calls or []:
    city = json.loads(call.function.arguments)["city"]
    messages.append({"role": "tool", "tool_call_id": call.id, "content": f"22 degrees and sunny in {city}"})
print(client.chat.completions.create(model="auto", messages=messages, tools=[weather]).choices[0].message.content)
