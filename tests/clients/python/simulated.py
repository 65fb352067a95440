"""What the simulated OpenRouter of `start --demo` says, and where the router is."""

import os
import re

URL = os.environ["ROUTER_URL"]

# A free model with tools and reasoning, and the largest context of all.
LARGE = "lumen-4-large:free"

# Whole answers, but for the model: another one may have taken over.
ANSWER = (
    "This answer is simulated: no model was asked. It comes from the sandbox that stands in for OpenRouter, "
    "in the place of {model}. You asked: “{words}” With a key from openrouter.ai the same request would go to "
    "the real model, and the router would fail over in the same way."
)
RESULT = "The tool answered: {words}\n\nThis summary is simulated; {model} would have put it into better words."

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
            "required": ["city", "unit"],
        },
    },
}
QUESTION = "What is the weather in Paris?"
ARGUMENTS = {"city": "Paris", "unit": "celsius"}


def says(content: str, words: str, form: str = ANSWER) -> bool:
    """Tells whether this is the whole answer to these words, whichever model gave it."""
    pattern = re.escape(form.format(model="MODEL", words=words)).replace("MODEL", r"[\w./:~-]+")
    return re.fullmatch(pattern, content) is not None
