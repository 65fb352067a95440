// @anthropic-ai/sdk against the router: messages, streams, tools, thinking, errors.
//
// It takes the root of the router as its base URL. What is streamed is gathered by its
// own helper, which fails where events do not follow each other as they should.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

import {
  ANTHROPIC_WEATHER,
  ARGUMENTS,
  BREAK,
  BRITTLE,
  BROKEN,
  HELLO,
  LARGE,
  PICTURE,
  PRIM,
  QUESTION,
  REFUSAL,
  SEEN,
  THOUGHT,
  UNKNOWN,
  URL,
  byItself,
  gather,
  reports,
  says,
} from "./simulated.js";

// No retries of its own: a failure that reaches the client is to be seen here.
const client = new Anthropic({ baseURL: URL, apiKey: "unused", maxRetries: 0 });
const THINKING = { type: "enabled", budget_tokens: 1024 };

function asking(model, messages = HELLO, options = {}) {
  return { model, messages, max_tokens: 4096, ...options };
}

function told(message) {
  return message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

test("a message is answered whole", async () => {
  const message = await client.messages.create(asking(LARGE));
  says(told(message), "Hello!");
  assert.deepEqual([message.type, message.role, message.stop_reason], ["message", "assistant", "end_turn"]);
  assert.deepEqual(
    message.content.map((block) => block.type),
    ["text"],
  );
  assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
  assert.ok(message._request_id);
});

test("a streamed message is the same in events", async () => {
  const stream = client.messages.stream(asking(LARGE));
  const { pieces, error } = await gather(stream);
  assert.equal(error, undefined);
  const names = pieces.map((event) => event.type).filter((name) => name !== "ping");
  assert.deepEqual(names.slice(0, 2), ["message_start", "content_block_start"]);
  assert.deepEqual(names.slice(-3), ["content_block_stop", "message_delta", "message_stop"]);
  assert.deepEqual([...new Set(names.slice(2, -3))], ["content_block_delta"]);
  const message = await stream.finalMessage();
  says(told(message), "Hello!");
  assert.equal(message.stop_reason, "end_turn");
});

test("a model thinks when asked to", async () => {
  const ask = () => client.messages.stream(asking(LARGE, HELLO, { thinking: THINKING })).finalMessage();
  const message = await byItself(ask, ({ content }) => content.length > 1);
  const [thought, answer] = message.content;
  assert.deepEqual([thought.type, thought.thinking, answer.type], ["thinking", THOUGHT, "text"]);
  says(answer.text, "Hello!");
  // The block comes back as it was given, as it must with Anthropic's own models.
  const more = [...HELLO, { role: "assistant", content: message.content }, { role: "user", content: "And?" }];
  says(told(await client.messages.create(asking(LARGE, more, { thinking: THINKING }))), "And?");
});

test("a tool is called and its result is used, whole and in a stream", async () => {
  const options = { tools: [ANTHROPIC_WEATHER] };
  for (const ask of [(given) => client.messages.create(given), (given) => client.messages.stream(given).finalMessage()]) {
    const messages = [{ role: "user", content: QUESTION }];
    const called = await ask(asking("auto", messages, options));
    const calls = called.content.filter((block) => block.type === "tool_use");
    assert.deepEqual(
      calls.map((call) => [call.name, call.input]),
      [["get_weather", ARGUMENTS]],
    );
    assert.equal(called.stop_reason, "tool_use");
    const result = { type: "tool_result", tool_use_id: calls[0].id, content: "22 degrees" };
    messages.push({ role: "assistant", content: called.content }, { role: "user", content: [result] });
    reports(told(await ask(asking("auto", messages, options))), "22 degrees");
  }
});

test("its runner runs a tool until there is an answer", async () => {
  const called = [];
  const run = (given) => {
    called.push(given);
    return "22 degrees";
  };
  const tools = [{ ...ANTHROPIC_WEATHER, run, parse: (given) => given }];
  const runner = client.beta.messages.toolRunner(asking("auto", [{ role: "user", content: QUESTION }], { tools }));
  reports(told(await runner), "22 degrees");
  assert.deepEqual(called, [ARGUMENTS]);
});

test("a picture goes to a model that sees", async () => {
  const source = { type: "base64", media_type: "image/png", data: PICTURE.toString("base64") };
  const content = [
    { type: "text", text: SEEN },
    { type: "image", source },
  ];
  says(told(await client.messages.create(asking("auto", [{ role: "user", content }]))), SEEN);
});

test("tokens are counted before asking", async () => {
  const few = await client.messages.countTokens({ model: LARGE, messages: HELLO });
  const many = await client.messages.countTokens({ model: LARGE, messages: HELLO, system: "Be brief. ".repeat(100) });
  assert.ok(few.input_tokens > 0 && many.input_tokens > few.input_tokens);
});

test("an unknown model is not found", async () => {
  const isNotFound = (error) => {
    const { request_id, ...body } = error.error;
    assert.deepEqual([error.status, body], [404, { type: "error", error: { type: "not_found_error", message: UNKNOWN } }]);
    assert.equal(error.requestID, request_id);
    return true;
  };
  await assert.rejects(client.messages.create(asking("no-such-model")), isNotFound);
});

test("an error before the first word has its status", async () => {
  const isRefused = ({ status, error }) => {
    assert.deepEqual([status, error.error.type, error.error.message], [403, "permission_error", REFUSAL]);
    return true;
  };
  await assert.rejects(client.messages.create(asking(PRIM)), isRefused);
  await assert.rejects(client.messages.stream(asking(PRIM)).finalMessage(), isRefused);
});

test("an error after the first words is told in full", async () => {
  const { pieces, error } = await gather(await client.messages.create(asking(BRITTLE, HELLO, { stream: true })));
  assert.equal(pieces.map((event) => event.delta?.text ?? "").join(""), BROKEN);
  assert.equal(error?.error.error.message, BREAK);
  assert.ok(!pieces.some((event) => event.type === "message_stop"));
});

test("a whole answer that would break off comes from another model", async () => {
  says(told(await client.messages.create(asking(BRITTLE))), "Hello!");
});
