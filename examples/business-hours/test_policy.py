"""What the policy goes by, without a component: python3 -m unittest"""

import json
import unittest
from datetime import datetime, timezone
from enum import Flag, auto
from types import SimpleNamespace

import hours
from settings import SCHEMA, Settings, parse


class Capabilities(Flag):
    TOOLS = auto()
    JSON_SCHEMA = auto()
    REASONING = auto()
    EMBEDDINGS = auto()


class Traits(Flag):
    FREE = auto()
    CHAT = auto()
    ROUTER = auto()


class Standing(Flag):
    COOLING = auto()


NONE = Capabilities(0)
USUAL = Traits.FREE | Traits.CHAT


def model(name, context=1, capabilities=NONE, traits=USUAL):
    return SimpleNamespace(
        id=name, name=f"Named {name}", context_tokens=context, capabilities=capabilities, traits=traits
    )


def fact(number, first_token_ms=0, cooldown_ms=0):
    standing = Standing.COOLING if cooldown_ms else Standing(0)
    return SimpleNamespace(model=number, standing=standing, cooldown_ms=cooldown_ms, first_token_ms=first_token_ms)


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000)


class Time(unittest.TestCase):
    def test_hours(self):
        usual, night = Settings(), Settings(start=22 * 60, end=6 * 60, days=frozenset([4]))
        berlin, whole = Settings(utc_offset=120), Settings(start=0, end=24 * 60, days=frozenset([6]))
        cases = [
            (usual, "2026-11-26T09:00", True),  # a Thursday
            (usual, "2026-11-26T08:59", False),
            (usual, "2026-11-26T16:59", True),
            (usual, "2026-11-26T17:00", False),
            (usual, "2026-11-28T12:00", False),
            (usual, "1970-01-01T12:00", True),
            (berlin, "2026-11-26T07:00", True),
            (berlin, "2026-11-26T15:00", False),
            (Settings(utc_offset=-600), "2026-11-28T02:00", True),  # still Friday, 16:00
            (night, "2026-11-27T22:00", True),
            (night, "2026-11-28T05:59", True),
            (night, "2026-11-28T22:00", False),
            (night, "2026-11-27T05:00", False),
            (whole, "2026-11-29T00:00", True),
            (whole, "2026-11-29T23:59", True),
            (whole, "2026-11-30T00:00", False),
            (Settings(days=frozenset()), "2026-11-26T12:00", False),
        ]
        for settings, time, expected in cases:
            with self.subTest(time=time, settings=settings):
                self.assertEqual(hours.is_open(settings, at(time)), expected)


class View(unittest.TestCase):
    MODELS = [
        model("a/embed", 900, Capabilities.EMBEDDINGS, Traits.FREE),
        model("a/router", 800, NONE, USUAL | Traits.ROUTER),
        model("a/ocr", 1, NONE, Traits.FREE),
        model("a/paid", 1, NONE, Traits.CHAT),
        model("b/small", 10, Capabilities.TOOLS),
        model("b/large", 99),
    ]

    def test_visible_in_order_and_hidden_with_reasons(self):
        visible, hidden = hours.view(Settings(), self.MODELS)
        self.assertEqual(visible, [5, 4, 1, 0])
        self.assertEqual(hidden, [(2, hours.NOT_CHAT), (3, hours.NOT_FREE)])

    def test_the_operators_standard_wishes(self):
        self.assertEqual(hours.view(Settings(tool_use_only=True), self.MODELS)[0], [4])
        self.assertEqual(hours.view(Settings(filter=["named b"]), self.MODELS)[0], [5, 4])
        self.assertIn(3, hours.view(Settings(free_mode=False), self.MODELS)[0])


class Order(unittest.TestCase):
    MODELS = [
        model("a/small", 10),
        model("b/large", 500),
        model("c/thinks", 100, Capabilities.REASONING | Capabilities.JSON_SCHEMA),
        model("d/paid", 900, NONE, Traits.CHAT),
        model("e/router", 800, NONE, USUAL | Traits.ROUTER),
    ]
    DAY, EVENING = at("2026-11-26T12:00"), at("2026-11-26T20:00")

    def rank(self, now, asked=None, facts=(), limit=9, wishes=NONE, settings=Settings()):
        request = SimpleNamespace(now_ms=now, limit=limit, wishes=wishes)
        order, dropped = hours.rank(settings, self.MODELS, request, asked, [0, 1, 2, 3, 4], list(facts))
        everybody = sorted(number for number, _ in order + dropped)
        self.assertEqual(everybody, [0, 1, 2, 3, 4], "each candidate is picked or dropped, once")
        return order, dropped

    def numbers(self, *arguments, **more):
        return [number for number, _ in self.rank(*arguments, **more)[0]]

    def test_large_within_hours_fast_outside(self):
        self.assertEqual(self.numbers(self.DAY), [2, 1, 0, 4])
        self.assertEqual(self.numbers(self.EVENING), [0, 1, 2, 4])
        self.assertEqual(self.numbers(self.EVENING, facts=[fact(1, 900), fact(2, 300)]), [2, 1, 0, 4])

    def test_the_other_way(self):
        other = Settings(within="fast")
        self.assertEqual(self.numbers(self.DAY, settings=other), [0, 1, 2, 4])
        self.assertEqual(self.numbers(self.EVENING, settings=other), [2, 1, 0, 4])

    def test_the_requested_first_and_what_rests_last(self):
        self.assertEqual(self.rank(self.DAY, asked=0)[0][0], (0, hours.REQUESTED))
        self.assertEqual(self.numbers(self.DAY, asked=3), [3, 2, 1, 0, 4])
        resting = [fact(2, cooldown_ms=9), fact(0, cooldown_ms=5)]
        self.assertEqual(self.numbers(self.DAY, asked=0, facts=resting), [1, 4, 0, 2])

    def test_wishes_count_more_than_size_and_speed(self):
        wishes = Capabilities.JSON_SCHEMA
        self.assertEqual(self.numbers(self.EVENING, wishes=wishes), [2, 0, 1, 4])

    def test_what_is_left_out_has_its_reason(self):
        order, dropped = self.rank(self.DAY, limit=1)
        self.assertEqual(order, [(2, hours.LARGE)])
        beyond = hours.BEYOND_LIMIT
        self.assertEqual(dropped, [(3, hours.NOT_FREE), (1, beyond), (0, beyond), (4, beyond)])

    def test_codes_are_unique(self):
        self.assertEqual(len({reason.code for reason in hours.REASONS}), len(hours.REASONS))


class Options(unittest.TestCase):
    def test_defaults_are_those_of_the_schema(self):
        properties = json.loads(SCHEMA)["properties"]
        defaults = {name: entry["default"] for name, entry in properties.items()}
        self.assertEqual(parse(json.dumps(defaults)), (Settings(), []))
        self.assertEqual(parse("{}"), (Settings(), []))

    def test_everything_can_be_set(self):
        given = {"utc_offset": "-09:30", "from": "22:15", "to": "24:00", "days": ["sun"], "within": "fast"}
        given |= {"free_mode": False, "tool_use_only": True, "filter": [" Gemma:latest # yes", "", "# no"]}
        expected = Settings(-570, 22 * 60 + 15, 24 * 60, frozenset([6]), "fast", False, True, ["gemma"])
        self.assertEqual(parse(json.dumps(given)), (expected, []))

    def test_wrong_settings_are_named_by_their_pointers(self):
        cases = [
            ("[]", [""]),
            ("{", [""]),
            ('{"utc_offset": 2}', ["/utc_offset"]),
            ('{"utc_offset": "+15:00"}', ["/utc_offset"]),
            ('{"from": "9:00"}', ["/from"]),
            ('{"from": "24:00"}', ["/from"]),
            ('{"to": "24:01"}', ["/to"]),
            ('{"to": "17:00\\n"}', ["/to"]),
            ('{"from": "10:00", "to": "10:00"}', ["/to"]),
            ('{"days": "mon"}', ["/days"]),
            ('{"days": ["mon", "Tuesday"]}', ["/days/1"]),
            ('{"days": ["mon", "mon"]}', ["/days/1"]),
            ('{"days": [1], "within": ["large"]}', ["/days/0", "/within"]),
            ('{"free_mode": 1, "tool_use_only": null}', ["/free_mode", "/tool_use_only"]),
            ('{"filter": ["a", 7]}', ["/filter/1"]),
            ('{"a/b~c": 1}', ["/a~1b~0c"]),
        ]
        for text, expected in cases:
            with self.subTest(text=text):
                self.assertEqual([pointer for pointer, _ in parse(text)[1]], expected)


if __name__ == "__main__":
    unittest.main()
