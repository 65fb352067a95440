"""A policy: which models a request is tried with, and in which order.

Pure functions that read the contract's records (wit/policy.wit explains every field)
and make none. A flag such as `Traits.FREE` is known by its name.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

# Why a model is hidden, picked or left out. A code, once given, keeps its meaning.
NOT_USABLE, FILTERED, NOT_FREE = 1, 2, 3
REQUESTED, PREFERRED, NEXT, LAST_RESORT = 10, 11, 12, 13
BEYOND_LIMIT = 20
REASONS = {
    NOT_USABLE: "neither a chat nor an embedding model",
    FILTERED: "not what `free_mode`, `tool_use_only` and the filter let through",
    NOT_FREE: "not free",
    REQUESTED: "requested",
    PREFERRED: "preferred",
    NEXT: "the next of the view",
    LAST_RESORT: "cooling down, the last resort",
    BEYOND_LIMIT: "enough others are tried before it",
}

# JSON Schema of the settings, as text: the same for people and editors.
SCHEMA = json.dumps(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "prefer": {"type": "string", "default": "", "description": "Models whose id contains this come first."},
            "free_mode": {"type": "boolean", "default": True, "description": "Only free models are visible."},
            "tool_use_only": {
                "type": "boolean",
                "default": False,
                "description": "Only models that call tools are visible.",
            },
            "filter": {
                "type": "array",
                "items": {"type": "string"},
                "default": [],
                "description": "Only models are visible whose id or name contains one of these.",
            },
        },
    }
)


@dataclass
class Settings:
    """What an operator may set under `policy.settings`."""

    prefer: str = ""
    free_mode: bool = True
    tool_use_only: bool = False
    filter: list[str] = field(default_factory=list)


def parse_settings(text: str) -> tuple[Settings | None, list[tuple[str, str]]]:
    """Reads the settings' JSON, or says what is wrong, each with its JSON pointer."""
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return None, [("", "expected an object of settings")]
    settings, errors = Settings(), []
    for name, value in given.items():
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        if name == "prefer" and isinstance(value, str):
            settings.prefer = value.lower()
        elif name in ("free_mode", "tool_use_only") and isinstance(value, bool):
            setattr(settings, name, value)
        elif name == "filter" and isinstance(value, list):
            wrong = [place for place, line in enumerate(value) if not isinstance(line, str)]
            errors += [(f"{pointer}/{place}", "expected a text") for place in wrong]
            patterns = [pattern(line) for line in value if isinstance(line, str)]
            settings.filter = [text for text in patterns if text]
        elif name in vars(settings):
            errors.append((pointer, f"expected a value like {json.dumps(getattr(Settings(), name))}"))
        else:
            errors.append((pointer, "unknown setting"))
    return (None, errors) if errors else (settings, [])


def pattern(line: str) -> str:
    """Returns the pattern of a line: without the comment in it, and without the tag that names have in lists."""
    text = re.sub(r"(^|\s)#.*", "", line, flags=re.DOTALL).strip().lower()
    return text.removesuffix(":latest") or text


def has(flags: Any, name: str) -> bool:
    """Tells whether flags such as `Traits` have the one of this name."""
    return type(flags)[name] in flags


def view(settings: Settings, models: list[Any]) -> tuple[list[int], list[tuple[int, int]]]:
    """The model filter: what clients may see and use, best first, and why not the others."""
    visible, hidden = [], []
    for number, model in enumerate(models):
        names = (model.id.lower(), model.name.lower())
        passes = not settings.filter or any(text in name for text in settings.filter for name in names)
        if not has(model.traits, "CHAT") and not has(model.capabilities, "EMBEDDINGS"):
            hidden.append((number, NOT_USABLE))
        elif settings.free_mode and not has(model.traits, "FREE"):
            hidden.append((number, FILTERED))
        elif settings.tool_use_only and not has(model.capabilities, "TOOLS"):
            hidden.append((number, FILTERED))
        elif not passes:
            hidden.append((number, FILTERED))
        else:
            visible.append(number)
    return visible, hidden


def decide(
    settings: Settings, models: list[Any], asked: int | None, limit: int, candidates: list[int], facts: list[Any]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The decision: the models to try, best first, and those left out, each with its reason.

    A function of what was loaded, the request and the facts, and of nothing else.
    """
    resting = {fact.model for fact in facts if has(fact.standing, "COOLING")}

    def why(number: int) -> int:
        model = models[number]
        # What costs is tried only if the client asked for it by name.
        if number != asked and not has(model.traits, "FREE"):
            return NOT_FREE
        if number in resting:
            return LAST_RESORT
        if number == asked:
            return REQUESTED
        return PREFERRED if settings.prefer and settings.prefer in model.id.lower() else NEXT

    reasons = {number: why(number) for number in candidates}
    # Candidates come in the order of the view, and sorting keeps that of equals.
    ranked = sorted((number for number in candidates if reasons[number] != NOT_FREE), key=lambda number: reasons[number])
    limit = max(limit, 1)
    dropped = [(number, NOT_FREE) for number in candidates if reasons[number] == NOT_FREE]
    dropped += [(number, BEYOND_LIMIT) for number in ranked[limit:]]
    return [(number, reasons[number]) for number in ranked[:limit]], dropped
