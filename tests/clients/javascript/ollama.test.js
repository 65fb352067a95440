// ollama-js against the router: lists, answers, streams, tools, errors.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Ollama } from "ollama";

const LARGE = "lumen-4-large:free";
const HELLO = [{ role: "user", content: "Hello!" }];
const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};
const WEATHER = {
  type: "function",
  function: { name: "get_weather", description: "Tells the weather of a city.", parameters: PARAMETERS },
};
const client = new Ollama({ host: process.env.ROUTER_URL });

function says(content, words) {
  assert.match(content, /^This answer is simulated: no model was asked\. .* fail over in the same way\.$/s);
  assert.ok(content.includes(`You asked: “${words}”`), content);
}

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
    assert.ok(shown.capabilities.includes("completion"));
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
  const messages = [{ role: "user", content: "What is the weather in Paris?" }];
  const called = await client.chat({ model: "auto", messages, tools: [WEATHER] });
  const calls = called.message.tool_calls.map((call) => [call.function.name, call.function.arguments]);
  assert.deepEqual(calls, [["get_weather", { city: "Paris" }]]);
  messages.push(called.message, { role: "tool", tool_name: "get_weather", content: "22 degrees" });
  const told = await client.chat({ model: "auto", messages, tools: [WEATHER] });
  assert.ok(told.message.content.startsWith("The tool answered: 22 degrees\n\n"), told.message.content);
});

test("an answer keeps to a schema", async () => {
  const messages = [{ role: "user", content: "What is the weather in Paris?" }];
  const answer = await client.chat({ model: "auto", messages, format: PARAMETERS });
  assert.deepEqual(JSON.parse(answer.message.content), { city: "Paris" });
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
  const notFound = { name: "ResponseError", status_code: 404, message: "model 'no-such-model' not found" };
  for (const stream of [false, true]) {
    await assert.rejects(client.chat({ model: "no-such-model", messages: HELLO, stream }), notFound);
  }
  await assert.rejects(client.show({ model: "no-such-model" }), notFound);
});
