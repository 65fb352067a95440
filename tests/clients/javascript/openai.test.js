// openai-js against the router: chats, completions, vectors, responses, tools, errors.
//
// Its helpers are used where it has some: they gather what is streamed, run tools and
// send the results, and fail where events do not follow each other as they should.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import {
  ARGUMENTS,
  BREAK,
  BRITTLE,
  BROKEN,
  EMBEDDING,
  HELLO,
  LARGE,
  PARAMETERS,
  PICTURE,
  PRIM,
  QUESTION,
  REFUSAL,
  RESPONSES_WEATHER,
  SEEN,
  THOUGHT,
  UNKNOWN,
  URL,
  WEATHER,
  byItself,
  gather,
  isNear,
  isVector,
  reports,
  says,
} from "./simulated.js";

// No retries of its own: a failure that reaches the client is to be seen here.
const client = new OpenAI({ baseURL: `${URL}/v1`, apiKey: "unused", maxRetries: 0 });
const PICTURE_URL = `data:image/png;base64,${PICTURE.toString("base64")}`;

function weather(called) {
  const run = (given) => {
    called.push(given);
    return "22 degrees";
  };
  return { type: "function", function: { ...WEATHER.function, parse: JSON.parse, function: run } };
}

test("models are listed and looked up", async () => {
  const listed = await client.models.list();
  const model = listed.data.find(({ id }) => id === LARGE);
  assert.deepEqual(await client.models.retrieve(LARGE), model);
  await assert.rejects(client.models.retrieve("no-such-model"), { name: "Error", status: 404 });
});

test("a chat is answered whole", async () => {
  const answer = await client.chat.completions.create({ model: LARGE, messages: HELLO });
  says(answer.choices[0].message.content, "Hello!");
  assert.deepEqual([answer.object, answer.choices[0].finish_reason], ["chat.completion", "stop"]);
});

test("a streamed chat is the same in pieces", async () => {
  const { pieces, error } = await gather(await client.chat.completions.create({ model: LARGE, messages: HELLO, stream: true }));
  assert.equal(error, undefined);
  assert.ok(pieces.length > 10 && pieces.every((piece) => piece.object === "chat.completion.chunk"));
  says(pieces.map((piece) => piece.choices[0]?.delta.content ?? "").join(""), "Hello!");
  const stream = client.chat.completions.stream({ model: LARGE, messages: HELLO });
  says(await stream.finalContent(), "Hello!");
});

test("tools are run and their results used, whole and in a stream", async () => {
  for (const stream of [false, true]) {
    const called = [];
    const messages = [{ role: "user", content: QUESTION }];
    const runner = client.chat.completions.runTools({ model: "auto", messages, tools: [weather(called)], stream });
    reports(await runner.finalContent(), "22 degrees");
    assert.deepEqual(called, [ARGUMENTS]);
  }
});

test("a picture goes to a model that sees", async () => {
  const content = [
    { type: "text", text: SEEN },
    { type: "image_url", image_url: { url: PICTURE_URL } },
  ];
  const answer = await client.chat.completions.create({ model: "auto", messages: [{ role: "user", content }] });
  says(answer.choices[0].message.content, SEEN);
});

test("an answer keeps to a schema", async () => {
  const messages = [{ role: "user", content: QUESTION }];
  const format = { type: "json_schema", json_schema: { name: "weather", schema: PARAMETERS } };
  const answer = await client.chat.completions.parse({ model: "auto", messages, response_format: format });
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), ARGUMENTS);
});

test("a prompt is completed, whole and in a stream", async () => {
  const answer = await client.completions.create({ model: LARGE, prompt: "Hello!", max_tokens: 4096 });
  says(answer.choices[0].text, "Hello!");
  const { pieces, error } = await gather(await client.completions.create({ model: LARGE, prompt: "Hello!", stream: true }));
  assert.equal(error, undefined);
  says(pieces.map((piece) => piece.choices[0]?.text ?? "").join(""), "Hello!");
});

test("texts become vectors in their order", async () => {
  // In base64, as the library asks for if it is not told.
  const answer = await client.embeddings.create({ model: EMBEDDING, input: ["One", "Two", "One"] });
  const [one, two, again] = answer.data.map((entry) => entry.embedding);
  isVector(one);
  assert.deepEqual([isNear(one, again), isNear(one, two)], [true, false]);
  const alone = await client.embeddings.create({ model: EMBEDDING, input: "One", encoding_format: "float" });
  assert.ok(isNear(one, alone.data[0].embedding));
});

test("a response comes whole", async () => {
  const answer = await client.responses.create({ model: LARGE, input: "Hello!", instructions: "Be brief." });
  says(answer.output_text, "Hello!");
  assert.deepEqual([answer.object, answer.status, answer.error], ["response", "completed", null]);
});

test("a streamed response is the same in events", async () => {
  const stream = client.responses.stream({ model: LARGE, input: "Hello!" });
  const { pieces, error } = await gather(stream);
  assert.equal(error, undefined);
  const names = pieces.map((event) => event.type);
  assert.deepEqual([names[0], names.at(-1)], ["response.created", "response.completed"]);
  assert.ok(names.filter((name) => name === "response.output_text.delta").length > 10);
  says((await stream.finalResponse()).output_text, "Hello!");
});

test("a model thinks in a response when asked to", async () => {
  const reasoning = { effort: "low", summary: "auto" };
  const ask = () => client.responses.create({ model: LARGE, input: "Hello!", reasoning });
  const answer = await byItself(ask, ({ output }) => output.length > 1);
  const thought = answer.output.find((item) => item.type === "reasoning");
  const texts = [...thought.summary, ...(thought.content ?? [])].map((part) => part.text);
  assert.ok(texts.includes(THOUGHT));
  says(answer.output_text, "Hello!");
});

test("a tool is called in a response and its result is used", async () => {
  const input = [{ role: "user", content: QUESTION }];
  const answer = await client.responses.stream({ model: "auto", input, tools: [RESPONSES_WEATHER] }).finalResponse();
  const call = answer.output.find((item) => item.type === "function_call");
  assert.deepEqual([call.name, JSON.parse(call.arguments)], ["get_weather", ARGUMENTS]);
  input.push(...answer.output, { type: "function_call_output", call_id: call.call_id, output: "22 degrees" });
  const told = await client.responses.create({ model: "auto", input, tools: [RESPONSES_WEATHER] });
  reports(told.output_text, "22 degrees");
});

test("an unknown model is not found", async () => {
  const notFound = { status: 404, type: "not_found_error", message: `404 ${UNKNOWN}` };
  await assert.rejects(client.chat.completions.create({ model: "no-such-model", messages: HELLO }), notFound);
  await assert.rejects(client.completions.create({ model: "no-such-model", prompt: "Hello!" }), notFound);
  await assert.rejects(client.responses.create({ model: "no-such-model", input: "Hello!" }), notFound);
  const noVectors = { status: 404, type: "not_found_error" };
  await assert.rejects(client.embeddings.create({ model: "no-such-model", input: "One" }), noVectors);
});

test("an error before the first word has its status", async () => {
  const refused = { status: 403, type: "permission_error", message: `403 ${REFUSAL}` };
  for (const stream of [false, true]) {
    await assert.rejects(client.chat.completions.create({ model: PRIM, messages: HELLO, stream }), refused);
    await assert.rejects(client.completions.create({ model: PRIM, prompt: "Hello!", stream }), refused);
    await assert.rejects(client.responses.create({ model: PRIM, input: "Hello!", stream }), refused);
  }
});

test("an error after the first words is told in full", async () => {
  const chat = await gather(await client.chat.completions.create({ model: BRITTLE, messages: HELLO, stream: true }));
  assert.deepEqual([chat.pieces.map((piece) => piece.choices[0].delta.content ?? "").join(""), chat.error?.message], [BROKEN, BREAK]);
  const text = await gather(await client.completions.create({ model: BRITTLE, prompt: "Hello!", stream: true }));
  assert.deepEqual([text.pieces.map((piece) => piece.choices[0].text).join(""), text.error?.message], [BROKEN, BREAK]);
});

test("a response that breaks off says so in full", async () => {
  const { pieces, error } = await gather(await client.responses.create({ model: BRITTLE, input: "Hello!", stream: true }));
  const text = pieces.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta);
  // By an event, by the library's own error, or by both; and never as an end.
  const told = [error?.message, ...pieces.map((event) => event.response?.error?.message ?? event.message)];
  assert.equal(text.join(""), BROKEN);
  assert.ok(told.some((words) => words?.endsWith(BREAK)), told.join());
  assert.ok(!pieces.some((event) => event.type === "response.completed"));
});

test("an answer can be left in the middle, and the next one comes", async () => {
  const answer = await client.chat.completions.create({ model: LARGE, messages: HELLO, stream: true });
  for await (const _ of answer) break;
  assert.ok(answer.controller.signal.aborted);
  says((await client.chat.completions.create({ model: LARGE, messages: HELLO })).choices[0].message.content, "Hello!");
});
