// The policy as the host sees it, and what it goes by. Needs Node.js alone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { lifecycle, selector } from "../src/policy.js";
import { SCHEMA, parse } from "../src/settings.js";
import { REASONS, decide, matches, view } from "../src/vendors.js";

const model = (id, more = {}) => ({
  id,
  name: `Named ${id}`,
  vendor: id.split("/")[0],
  capabilities: {},
  traits: { chat: true, free: true },
  contextTokens: 1,
  ...more,
});
const set = (settings) => parse(JSON.stringify(settings)).settings;
const request = (target = { tag: "any" }) => ({ target, explain: true });

test("patterns", () => {
  const cases = [
    ["google", "google", true],
    ["google", "googler", false],
    ["meta*", "meta-llama", true],
    ["*", "", true],
    ["?", "", false],
    ["*a*b", "xxaxxab", true],
    ["*a*b", "xxaxxabc", false],
    ["z-?i", "z-ai", true],
    ["a.c", "abc", false],
    ["", "", true],
    ["*".repeat(50) + "b", "a".repeat(100), false],
  ];
  for (const [pattern, text, expected] of cases) assert.equal(matches(pattern, text), expected, `${pattern} ${text}`);
});

test("the view hides with reasons, and orders the rest", () => {
  const models = [
    model("google/small", { contextTokens: 10 }),
    model("google/large", { contextTokens: 99 }),
    model("Meta-Llama/x"),
    model("qwen/q"),
    model("google/paid", { traits: { chat: true } }),
    model("google/ocr", { traits: { free: true } }),
    model("google/embed", { traits: { free: true }, capabilities: { embeddings: true }, contextTokens: 500 }),
    model("google/router", { traits: { chat: true, free: true, router: true }, contextTokens: 900 }),
  ];
  const { visible, hidden } = view(set({ allow: ["GOOGLE", "meta*"], deny: ["meta-l*"] }), models);
  assert.deepEqual(visible, [1, 0, 7, 6]);
  assert.deepEqual(
    hidden.map(({ model, why }) => [model, why]),
    [
      [2, REASONS.denied.code],
      [3, REASONS.notAllowed.code],
      [4, REASONS.notFree.code],
      [5, REASONS.notChat.code],
    ],
  );
  assert.deepEqual(view(set({ tool_use_only: true }), models).visible, []);
  assert.deepEqual(view(set({ filter: ["# all", " named QWEN:latest # theirs"] }), models).visible, [3]);
  assert.equal(view(set({ free_mode: false }), models).visible.includes(4), true);
});

test("it has no opinion about the order, but about who may answer", () => {
  const models = [model("google/a"), model("qwen/b")];
  const only = set({ allow: ["google"] });
  assert.deepEqual(decide(only, models, request(), [0]), { tag: "abstain" });
  assert.deepEqual(decide(only, models, request(), []), { tag: "abstain" });
  assert.equal(decide(only, models, request(), [1]).val.code, "vendor-not-allowed");
  assert.deepEqual(decide(only, models, request(), [1, 0]), {
    tag: "route",
    val: {
      order: [{ model: 0, why: REASONS.allowed.code, score: 1 }],
      dropped: [{ model: 1, why: REASONS.notAllowed.code }],
    },
  });
  assert.equal(decide(only, models, request(), [7]).tag, "deny", "an unknown number is never allowed");
  const gone = request({ tag: "gone" });
  assert.equal(decide(only, models, gone, [0]).tag, "abstain");
  const strict = set({ substitute: false });
  assert.deepEqual([decide(strict, models, gone, [0]).val.status, decide(strict, models, request(), [0]).tag], [403, "abstain"]);
});

test("settings have the defaults of the schema", () => {
  const { properties } = JSON.parse(SCHEMA);
  const defaults = Object.fromEntries(Object.entries(properties).map(([name, entry]) => [name, entry.default]));
  assert.deepEqual(set(defaults), set({}));
});

test("wrong settings are named by their pointers", () => {
  const cases = [
    ["[]", [""]],
    ["null", [""]],
    ["{", [""]],
    ['{"allow": "google"}', ["/allow"]],
    ['{"allow": ["google", "", 7, "a/b"]}', ["/allow/1", "/allow/2", "/allow/3"]],
    ['{"deny": null, "substitute": 1}', ["/deny", "/substitute"]],
    ['{"filter": [false]}', ["/filter/0"]],
    ['{"free_mode": "yes"}', ["/free_mode"]],
    ['{"a/b~c": 1, "constructor": 1}', ["/a~1b~0c", "/constructor"]],
  ];
  for (const [json, expected] of cases) {
    assert.deepEqual(parse(json).errors.map((error) => error.pointer), expected, json);
  }
});

test("the calls of the contract, in order and out of order", () => {
  assert.throws(() => selector.select(request(), new Uint32Array([0]), []), /load-catalog/);
  assert.throws(() => lifecycle.loadCatalog(1n, []), /configure/);
  assert.throws(() => lifecycle.configure('{"x": 1}'), (errors) => errors[0].pointer === "/x");
  lifecycle.configure('{"allow": ["google"]}');
  assert.deepEqual(lifecycle.loadCatalog(1n, [model("qwen/a"), model("google/b")]).visible, [1]);
  assert.deepEqual(selector.select(request(), new Uint32Array([1]), []), { tag: "abstain" });
  const { reasons } = lifecycle.describe();
  assert.equal(new Set(reasons.map(({ code }) => code)).size, reasons.length);
});
