"""What the policy goes by, without a component: python3 -m unittest"""

import json
import unittest
from enum import Flag, auto
from types import SimpleNamespace

from policy import BEYOND_LIMIT, LAST_RESORT, NEXT, NOT_FREE, PREFERRED, REQUESTED, SCHEMA, Settings
from policy import decide, parse_settings, view


class Capabilities(Flag):
    TOOLS = auto()
    EMBEDDINGS = auto()


class Traits(Flag):
    FREE = auto()
    CHAT = auto()


class Standing(Flag):
    COOLING = auto()


def model(name, traits=Traits.FREE | Traits.CHAT, capabilities=Capabilities(0)):
    return SimpleNamespace(id=name, name=name, traits=traits, capabilities=capabilities)


MODELS = [model("a/a"), model("b/b"), model("c/c"), model("d/paid", Traits.CHAT)]


class Policy(unittest.TestCase):
    def test_the_requested_first_then_the_preferred_resting_ones_last(self):
        cases = [
            (None, 9, [], [(2, PREFERRED), (0, NEXT), (1, NEXT)], [(3, NOT_FREE)]),
            (1, 2, [], [(1, REQUESTED), (2, PREFERRED)], [(3, NOT_FREE), (0, BEYOND_LIMIT)]),
            (3, 1, [], [(3, REQUESTED)], [(2, BEYOND_LIMIT), (0, BEYOND_LIMIT), (1, BEYOND_LIMIT)]),
            (None, 9, [2], [(0, NEXT), (1, NEXT), (2, LAST_RESORT)], [(3, NOT_FREE)]),
        ]
        for asked, limit, resting, order, dropped in cases:
            facts = [SimpleNamespace(model=number, standing=Standing.COOLING) for number in resting]
            with self.subTest(asked=asked, resting=resting):
                decided = decide(Settings(prefer="c/"), MODELS, asked, limit, [0, 1, 2, 3], facts)
                self.assertEqual(decided, (order, dropped))

    def test_the_view_keeps_to_what_the_operator_wants(self):
        self.assertEqual(view(Settings(), MODELS)[0], [0, 1, 2])
        self.assertEqual(view(Settings(filter=["b/"]), MODELS)[0], [1])
        self.assertEqual(view(Settings(tool_use_only=True), MODELS)[0], [])

    def test_settings(self):
        defaults = {name: entry["default"] for name, entry in json.loads(SCHEMA)["properties"].items()}
        self.assertEqual(parse_settings(json.dumps(defaults)), (Settings(), []))
        lines = ["# all", "", " B/:Latest # one", "a#b"]
        self.assertEqual(parse_settings(json.dumps({"filter": lines})), (Settings(filter=["b/", "a#b"]), []))
        cases = [
            ("[]", ""),
            ('{"prefer": 1}', "/prefer"),
            ('{"free_mode": null}', "/free_mode"),
            ('{"filter": ["a", 1]}', "/filter/1"),
            ('{"a/b": 1}', "/a~1b"),
            ('{"__class__": 1}', "/__class__"),
        ]
        for text, pointer in cases:
            with self.subTest(text=text):
                self.assertEqual(parse_settings(text)[1][0][0], pointer)


if __name__ == "__main__":
    unittest.main()
