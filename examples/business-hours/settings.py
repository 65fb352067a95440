"""What an operator may set for this policy, and what is wrong with it."""

import json
import re
from dataclasses import dataclass, field

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
KINDS = ["large", "fast"]

SCHEMA = json.dumps(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of the policy business-hours",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "utc_offset": {
                "type": "string",
                "pattern": "^[+-](0[0-9]|1[0-4]):[0-5][0-9]$",
                "default": "+00:00",
                "description": "How far your clocks are from UTC. It is fixed: a policy knows no summer time.",
            },
            "from": {
                "type": "string",
                "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$",
                "default": "09:00",
                "description": "When business begins.",
            },
            "to": {
                "type": "string",
                "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
                "default": "17:00",
                "description": "When it is over. Before `from` means: on the next day.",
            },
            "days": {
                "type": "array",
                "items": {"enum": DAYS},
                "uniqueItems": True,
                "default": DAYS[:5],
                "description": "The days on which business begins.",
            },
            "within": {
                "enum": KINDS,
                "default": "large",
                "description": "What comes first within hours: `large` models, those that reason first, or `fast` "
                "ones, by the time to their first token and then the smallest. Outside it is the other.",
            },
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
                "description": "Only models are visible whose id or name contains one of these texts, with or "
                "without `:latest`. What follows a `#` is a comment.",
            },
        },
    },
    indent=2,
)


@dataclass(frozen=True)
class Settings:
    """Settings that cannot be wrong. Times are minutes."""

    utc_offset: int = 0
    start: int = 9 * 60
    end: int = 17 * 60
    days: frozenset[int] = frozenset(range(5))
    within: str = "large"
    free_mode: bool = True
    tool_use_only: bool = False
    filter: list[str] = field(default_factory=list)


Error = tuple[str, str]


def parse(text: str) -> tuple[Settings | None, list[Error]]:
    """Reads the settings' JSON, or says all that is wrong, each with its JSON pointer."""
    try:
        given = json.loads(text)
    except ValueError as error:
        return None, [("", f"expected JSON: {error}")]
    if not isinstance(given, dict):
        return None, [("", "expected an object of settings")]
    found: dict[str, object] = {}
    errors: list[Error] = []
    for name, value in given.items():
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        if name not in READERS:
            errors.append((pointer, f"unknown setting; there are {', '.join(READERS)}"))
            continue
        key, reader = READERS[name]
        try:
            found[key] = reader(value)
        except Wrong as wrong:
            errors.append((pointer + wrong.below, f"expected {wrong.expected}, got {json.dumps(wrong.value)}"))
    if errors:
        return None, errors
    settings = Settings(**found)
    if settings.start == settings.end:
        return None, [("/to", "expected another time than that of `from`; all day is 00:00 to 24:00")]
    return settings, []


class Wrong(Exception):
    """A value that cannot be used."""

    def __init__(self, expected: str, value: object, below: str = "") -> None:
        super().__init__(expected)
        self.expected, self.value, self.below = expected, value, below


def _minutes(pattern: str, expected: str):
    def read(value: object) -> int:
        match = re.fullmatch(pattern, value, re.ASCII) if isinstance(value, str) else None
        if not match:
            raise Wrong(expected, value)
        sign, hours, minutes = match.groups()
        return (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)

    return read


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Wrong("true or false", value)
    return value


def _kind(value: object) -> str:
    if value not in KINDS:
        raise Wrong("`large` or `fast`", value)
    return str(value)


def _list(value: object, expected: str) -> list[str]:
    if not isinstance(value, list):
        raise Wrong(f"a list of {expected}", value)
    for place, entry in enumerate(value):
        if not isinstance(entry, str):
            raise Wrong("a text", entry, f"/{place}")
    return value


def _days(value: object) -> frozenset[int]:
    names = _list(value, "days")
    for place, name in enumerate(names):
        if name not in DAYS or name in names[:place]:
            raise Wrong(f"each of {', '.join(DAYS)} at most once", name, f"/{place}")
    return frozenset(DAYS.index(name) for name in names)


def _filter(value: object) -> list[str]:
    lines = [re.sub(r"(^|\s)#.*", "", line, flags=re.DOTALL).strip().lower() for line in _list(value, "texts")]
    # Names have that tag in lists.
    return [line.removesuffix(":latest") or line for line in lines if line]


READERS = {
    "utc_offset": ("utc_offset", _minutes(r"([+-])(0\d|1[0-4]):([0-5]\d)", "an offset such as +02:00")),
    "from": ("start", _minutes(r"()([01]\d|2[0-3]):([0-5]\d)", "a time such as 09:00")),
    "to": ("end", _minutes(r"()([01]\d|2[0-3]|24(?=:00)):([0-5]\d)", "a time such as 17:00")),
    "days": ("days", _days),
    "within": ("within", _kind),
    "free_mode": ("free_mode", _flag),
    "tool_use_only": ("tool_use_only", _flag),
    "filter": ("filter", _filter),
}
