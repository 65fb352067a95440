"""What the simulated OpenRouter of `start --demo` says, and where the router is.

Holds no test and asks nothing: what is here is compared with, in every file of
tests. What is simulated, and how, is in `host/src/sandbox` of the checkout.
"""

import base64
import math
import os
import re

URL = os.environ["ROUTER_URL"]

# A free model with tools and reasoning, and the largest context of all.
LARGE = "lumen-4-large:free"

# A free model that sees.
SEEING = "lumen-4-mini:free"

# A free model whose streams break off in the middle of their words, each time.
BRITTLE = "brittle-2b:free"
BROKEN = "This answer is simulated, and it breaks off in the middle of its"
BREAK = "the answer broke off: Upstream provider disconnected (server-error)"

# A free model whose provider refuses every request before the first word.
PRIM = "prim-2b:free"
REFUSAL = (
    "no answer: thistle/prim-2b:free: thistle/prim-2b:free requires moderation on Sandbox. "
    "Your input was flagged (moderated)"
)

# A free model that embeds, and the length of its vectors.
EMBEDDING = "sounding-embed-1:free"
DIMENSIONS = 384

# What a name that nobody has is answered with, in chats and shows, and in embeddings.
UNKNOWN = "model 'no-such-model' not found"
UNKNOWN_EMBEDDING = 'model "no-such-model" not found, try pulling it first'

# A red dot: the smallest picture that every reader of PNG takes.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415478da63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
PICTURE_BASE64 = base64.b64encode(PICTURE).decode()
PICTURE_URL = "data:image/png;base64," + PICTURE_BASE64
SEEN = "What is this?"

# Whole answers, but for the model: another one may have taken over.
ANSWER = (
    "This answer is simulated: no model was asked. It comes from the sandbox that stands in for OpenRouter, "
    "in the place of {model}. You asked: “{words}” With a key from openrouter.ai the same request would go to "
    "the real model, and the router would fail over in the same way."
)
THOUGHT = "This is simulated reasoning: I read the question, then I answer it. "
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
# The same tool as Anthropic's and as the Responses API spell it.
ANTHROPIC_WEATHER = {
    "name": "get_weather",
    "description": WEATHER["function"]["description"],
    "input_schema": WEATHER["function"]["parameters"],
}
RESPONSES_WEATHER = {"type": "function", "strict": False, **WEATHER["function"]}
QUESTION = "What is the weather in Paris?"
ARGUMENTS = {"city": "Paris", "unit": "celsius"}


def says(content: str, words: str, form: str = ANSWER) -> bool:
    """Tells whether this is the whole answer to these words, whichever model gave it."""
    # What is said of tools that were offered and not called.
    content = re.sub(r"\n\nTools are called when you say so, in a line such as: .*$", "", content)
    pattern = re.escape(form.format(model="MODEL", words=words)).replace("MODEL", r"[\w./:~-]+")
    return re.fullmatch(pattern, content) is not None


def by_itself(ask, is_it):
    """Asks again while another model stood in, which need not think: one call in six fails in the demo."""
    for _ in range(3):
        answer = ask()
        if is_it(answer):
            break
    return answer


def is_vector(vector: list[float], dimensions: int = DIMENSIONS) -> bool:
    """Tells whether these are numbers of a vector of this many dimensions and of length one."""
    return len(vector) == dimensions and math.isclose(math.hypot(*vector), 1, rel_tol=1e-3)


def is_near(vector: list[float], other: list[float]) -> bool:
    """Tells whether two vectors are the same but for rounding."""
    return len(vector) == len(other) and math.dist(vector, other) < 1e-3
