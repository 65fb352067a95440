// ollama-js against the router: lists, answers, streams, tools, vectors, errors.
//
// It has a call for everything the router serves, and leaves nothing out here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Ollama } from "ollama";

import {
  ARGUMENTS,
  BREAK,
  BRITTLE,
  BROKEN,
  DIMENSIONS,
  EMBEDDING,
  HELLO,
  LARGE,
  PARAMETERS,
  PICTURE,
  PRIM,
  QUESTION,
  REFUSAL,
  SEEN,
  THOUGHT,
  UNKNOWN,
  UNKNOWN_EMBEDDING,
  URL,
  WEATHER,
  gather,
  isNear,
  isVector,
  reports,
  says,
} from "./simulated.js";

const client = new Ollama({ host: URL });

async function all(answer) {
  const pieces = [];
  for await (const piece of answer) pieces.push(piece);
  return pieces;
}

test("every listed model can be shown", async () => {
  const { models } = await client.list();
  assert.ok(models.length > 10 && models.some((model) => model.name === LARGE));
  assert.equal(new Set(models.map((model) => model.digest)).size, models.length);
  for (const model of models) {
    const shown = await client.show({ model: model.name });
    assert.deepEqual(shown.details, model.details);
    assert.equal(shown.capabilities.includes("completion"), !shown.capabilities.includes("embedding"));
  }
});

test("a chat is answered whole", async () => {
  const answer = await client.chat({ model: LARGE, messages: HELLO });
  assert.deepEqual([answer.model, answer.done, answer.done_reason], [LARGE, true, "stop"]);
  assert.equal(answer.message.role, "assistant");
  assert.ok(answer.eval_count >= 1 && answer.prompt_eval_count >= 1 && answer.total_duration >= 1);
  says(answer.message.content, "Hello!");
});

test("a streamed chat is the same in pieces, and ends", async () => {
  const pieces = await all(await client.chat({ model: LARGE, messages: HELLO, stream: true }));
  const last = pieces.pop();
  says(pieces.map((piece) => piece.message.content).join(""), "Hello!");
  assert.ok(pieces.length > 10 && pieces.every((piece) => piece.done === false));
  assert.deepEqual([last.done, last.done_reason, last.message.content], [true, "stop", ""]);
});

test("a tool is called and its result is used", async () => {
  const messages = [{ role: "user", content: QUESTION }];
  const called = await client.chat({ model: "auto", messages, tools: [WEATHER] });
  const calls = called.message.tool_calls.map((call) => [call.function.name, call.function.arguments]);
  assert.deepEqual(calls, [["get_weather", ARGUMENTS]]);
  messages.push(called.message, { role: "tool", tool_name: "get_weather", content: "22 degrees" });
  const told = await client.chat({ model: "auto", messages, tools: [WEATHER] });
  reports(told.message.content, "22 degrees");
});

test("an answer keeps to a schema", async () => {
  const messages = [{ role: "user", content: QUESTION }];
  const answer = await client.chat({ model: "auto", messages, format: PARAMETERS });
  assert.deepEqual(JSON.parse(answer.message.content), ARGUMENTS);
});

test("a model thinks when asked to", async () => {
  const answer = await client.chat({ model: LARGE, messages: HELLO, think: true });
  says(answer.message.content, "Hello!");
  assert.equal(answer.message.thinking, THOUGHT);
});

test("a picture goes to a model that sees", async () => {
  const messages = [{ role: "user", content: SEEN, images: [PICTURE] }];
  says((await client.chat({ model: "auto", messages })).message.content, SEEN);
});

test("a prompt is completed whole and in pieces", async () => {
  const answer = await client.generate({ model: LARGE, prompt: "Hello!" });
  says(answer.response, "Hello!");
  const pieces = await all(await client.generate({ model: LARGE, prompt: "Hello!", stream: true }));
  says(pieces.map((piece) => piece.response).join(""), "Hello!");
});

test("an answer can be left in the middle, and the next one comes", async () => {
  const answer = await client.chat({ model: LARGE, messages: HELLO, stream: true });
  await assert.rejects(
    async () => {
      for await (const _ of answer) answer.abort();
    },
    { name: "AbortError" },
  );
  says((await client.chat({ model: LARGE, messages: HELLO })).message.content, "Hello!");
});

test("a pull of what is served succeeds", async () => {
  assert.equal((await client.pull({ model: LARGE })).status, "success");
  const steps = await all(await client.pull({ model: LARGE, stream: true }));
  assert.equal(steps.at(-1).status, "success");
});

test("an unknown model is not found", async () => {
  const notFound = { name: "ResponseError", status_code: 404, message: UNKNOWN };
  for (const stream of [false, true]) {
    await assert.rejects(client.chat({ model: "no-such-model", messages: HELLO, stream }), notFound);
  }
  await assert.rejects(client.show({ model: "no-such-model" }), notFound);
});

test("texts become vectors in their order", async () => {
  const answer = await client.embed({ model: EMBEDDING, input: ["One", "Two", "One"] });
  const [one, two, again] = answer.embeddings;
  assert.deepEqual([answer.model, answer.embeddings.length], [EMBEDDING, 3]);
  isVector(one);
  assert.deepEqual([isNear(one, again), isNear(one, two)], [true, false]);
  const short = await client.embed({ model: EMBEDDING, input: "One", dimensions: 64 });
  isVector(short.embeddings[0], 64);
});

test("the older call gives one vector", async () => {
  const { embedding } = await client.embeddings({ model: EMBEDDING, prompt: "One" });
  assert.equal(embedding.length, DIMENSIONS);
});

test("an unknown model gives no vectors", async () => {
  const notFound = { name: "ResponseError", status_code: 404, message: UNKNOWN_EMBEDDING };
  await assert.rejects(client.embed({ model: "no-such-model", input: "One" }), notFound);
});

test("an error before the first word has its status", async () => {
  const refused = { name: "ResponseError", status_code: 403, message: REFUSAL };
  for (const stream of [false, true]) {
    await assert.rejects(client.chat({ model: PRIM, messages: HELLO, stream }), refused);
  }
});

test("an error after the first words is told in full", async () => {
  const { pieces, error } = await gather(await client.chat({ model: BRITTLE, messages: HELLO, stream: true }));
  assert.deepEqual([pieces.map((piece) => piece.message.content).join(""), error?.message], [BROKEN, BREAK]);
  assert.ok(pieces.every((piece) => piece.done === false));
});

test("a whole answer that would break off comes from another model", async () => {
  const answer = await client.chat({ model: BRITTLE, messages: HELLO });
  assert.deepEqual([answer.model, answer.done_reason], [BRITTLE, "stop"]);
  says(answer.message.content, "Hello!");
});
