// What the policy goes by. Needs Node.js alone: npm test

import assert from "node:assert/strict";
import { test } from "node:test";

import * as policy from "../src/policy.js";
import { parseSettings } from "../src/settings.js";

const model = (id, more = {}) => ({ id, name: id, capabilities: {}, traits: { chat: true, free: true }, ...more });
const MODELS = [model("a/a"), model("b/b"), model("c/c"), model("d/paid", { traits: { chat: true } })];
const set = (settings) => parseSettings(JSON.stringify(settings)).settings;

test("the requested first, then the preferred, resting ones last", () => {
  const { REQUESTED, PREFERRED, NEXT, LAST_RESORT, NOT_FREE, BEYOND_LIMIT } = policy;
  const cases = [
    [{ tag: "any" }, 9, [], [[2, PREFERRED], [0, NEXT], [1, NEXT]], [[3, NOT_FREE]]],
    [{ tag: "model", val: 1 }, 2, [], [[1, REQUESTED], [2, PREFERRED]], [[3, NOT_FREE], [0, BEYOND_LIMIT]]],
    [{ tag: "model", val: 3 }, 1, [], [[3, REQUESTED]], [[2, BEYOND_LIMIT], [0, BEYOND_LIMIT], [1, BEYOND_LIMIT]]],
    [{ tag: "gone" }, 9, [2], [[0, NEXT], [1, NEXT], [2, LAST_RESORT]], [[3, NOT_FREE]]],
  ];
  for (const [target, limit, resting, order, dropped] of cases) {
    const facts = resting.map((model) => ({ model, standing: { cooling: true } }));
    const { val } = policy.decide(set({ prefer: "C/" }), MODELS, { target, limit, explain: true }, [0, 1, 2, 3], facts);
    assert.deepEqual(val.order.map(({ model, why }) => [model, why]), order);
    assert.deepEqual(val.dropped.map(({ model, why }) => [model, why]), dropped);
  }
});

test("the view keeps to what the operator wants", () => {
  assert.deepEqual(policy.view(set({}), MODELS).visible, [0, 1, 2]);
  assert.deepEqual(policy.view(set({ filter: ["# all", " B/:latest # one"] }), MODELS).visible, [1]);
  assert.deepEqual(policy.view(set({ tool_use_only: true }), MODELS).visible, []);
});

test("wrong settings are named by their pointers", () => {
  const cases = [
    ["[]", ""],
    ['{"prefer": 1}', "/prefer"],
    ['{"filter": ["a", 1]}', "/filter/1"],
    ['{"a/b": 1}', "/a~1b"],
  ];
  for (const [json, pointer] of cases) assert.equal(parseSettings(json).errors[0].pointer, pointer, json);
});
