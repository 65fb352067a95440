"""What time it is, who is visible, and who is tried: pure functions.

They read the contract's records and make none, so that tests need no component.
A flag such as `Traits.FREE` is known by its name.
"""

from typing import Any, NamedTuple

from settings import Settings


class Reason(NamedTuple):
    """A code and its text. A code, once given, keeps its meaning."""

    code: int
    text: str


NOT_CHAT = Reason(1, "neither a chat nor an embedding model")
NOT_FREE = Reason(2, "not free")
NO_TOOLS = Reason(3, "calls no tools, and `tool_use_only` is set")
FILTERED = Reason(4, "no pattern of the filter is part of its id or name")
REQUESTED = Reason(10, "requested")
LARGE = Reason(11, "the largest of those left, and large ones are wanted at this hour")
FAST = Reason(12, "the fastest of those left, and fast ones are wanted at this hour")
LAST_RESORT = Reason(13, "cooling down, the last resort")
BEYOND_LIMIT = Reason(20, "enough others are tried before it")
REASONS = [NOT_CHAT, NOT_FREE, NO_TOOLS, FILTERED, REQUESTED, LARGE, FAST, LAST_RESORT, BEYOND_LIMIT]

DENIAL = (
    400,
    "no-free-model",
    "No free model can answer this request, and one that costs is tried only if it is asked for by name.",
)

DAY = 24 * 60


def is_open(settings: Settings, now_ms: int) -> bool:
    """Tells whether it is within business hours."""
    minutes = now_ms // 60_000 + settings.utc_offset
    # The first of January 1970 was a Thursday.
    day, minute = (minutes // DAY + 3) % 7, minutes % DAY
    if settings.start < settings.end:
        return day in settings.days and settings.start <= minute < settings.end
    # Over midnight: today's business, or what is left of yesterday's.
    began_today = day in settings.days and minute >= settings.start
    return began_today or ((day - 1) % 7 in settings.days and minute < settings.end)


def has(flags: Any, name: str) -> bool:
    """Tells whether flags such as `Traits` have the one of this name."""
    return type(flags)[name] in flags


def view(settings: Settings, models: list[Any]) -> tuple[list[int], list[tuple[int, Reason]]]:
    """Returns the visible models, largest context first, and the hidden ones with reasons."""
    visible, hidden = [], []
    for number, model in enumerate(models):
        reason = _why_hidden(settings, model)
        if reason is None:
            visible.append(number)
        else:
            hidden.append((number, reason))
    # Routers come after the models, and what embeds comes last.
    visible.sort(
        key=lambda number: (
            has(models[number].capabilities, "EMBEDDINGS"),
            has(models[number].traits, "ROUTER"),
            -models[number].context_tokens,
            models[number].id,
        )
    )
    return visible, hidden


def _why_hidden(settings: Settings, model: Any) -> Reason | None:
    if not has(model.traits, "CHAT") and not has(model.capabilities, "EMBEDDINGS"):
        return NOT_CHAT
    if settings.free_mode and not has(model.traits, "FREE"):
        return NOT_FREE
    if settings.tool_use_only and not has(model.capabilities, "TOOLS"):
        return NO_TOOLS
    known_as = (model.id.lower(), model.name.lower())
    if settings.filter and not any(text in name for text in settings.filter for name in known_as):
        return FILTERED
    return None


def rank(
    settings: Settings, models: list[Any], request: Any, asked: int | None, candidates: list[int], facts: list[Any]
) -> tuple[list[tuple[int, Reason]], list[tuple[int, Reason]]]:
    """Returns the models to try, best first, and those left out.

    The requested one comes first unless it rests; what grants every wish comes before
    what does not; what rests comes last, the shortest rest first. What costs is tried
    only if it was asked for.
    """
    known = {fact.model: fact for fact in facts}
    wants_large = (settings.within == "large") == is_open(settings, request.now_ms)
    dropped = [(number, NOT_FREE) for number in candidates if not (has(models[number].traits, "FREE") or number == asked)]
    left_out = {number for number, _ in dropped}

    def place(number: int) -> tuple[Reason, tuple[float, ...]]:
        model, fact = models[number], known.get(number)
        if fact is not None and has(fact.standing, "COOLING"):
            return LAST_RESORT, (2, fact.cooldown_ms)
        if number == asked:
            return REQUESTED, (0,)
        misses = request.wishes not in model.capabilities
        router, reasons = has(model.traits, "ROUTER"), has(model.capabilities, "REASONING")
        if wants_large:
            return LARGE, (1, misses, router, not reasons, -model.context_tokens)
        first_token_ms = fact.first_token_ms if fact is not None else 0
        return FAST, (1, misses, router, first_token_ms == 0, first_token_ms, reasons, model.context_tokens)

    places = {number: place(number) for number in candidates if number not in left_out}
    ranked = sorted(places, key=lambda number: places[number][1])
    limit = max(request.limit, 1)
    order = [(number, places[number][0]) for number in ranked[:limit]]
    return order, dropped + [(number, BEYOND_LIMIT) for number in ranked[limit:]]
