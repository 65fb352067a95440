// The Vercel AI SDK with ollama-ai-provider-v2 against the router.
//
// It has no call to list or show models. Our words for an error before the first one
// are only in the body that it keeps (`responseBody`), for it looks for OpenAI's form
// of an error; our words for an error after the first one are lost, and the cut that
// follows them is what it tells. It takes a picture in base64 only: bytes it cannot
// turn into that itself. Its `completion` models do not stream, with Ollama neither.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Output, embed, embedMany, generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { createOllama } from "ollama-ai-provider-v2";

import {
  ARGUMENTS,
  BRITTLE,
  BROKEN,
  EMBEDDING,
  LARGE,
  PARAMETERS,
  PICTURE,
  PRIM,
  QUESTION,
  REFUSAL,
  SEEN,
  THOUGHT,
  UNKNOWN,
  URL,
  gather,
  isNear,
  isVector,
  reports,
  says,
} from "./simulated.js";

const ollama = createOllama({ baseURL: `${URL}/api` });

// No retries of its own: a failure that reaches the client is to be seen here.
function asking(name, prompt = "Hello!", options = {}) {
  return { model: ollama(name), prompt, maxRetries: 0, ...options };
}

function weather(called) {
  const execute = async (given) => {
    called.push(given);
    return "22 degrees";
  };
  return { get_weather: tool({ description: "Tells the weather of a city.", inputSchema: jsonSchema(PARAMETERS), execute }) };
}

test("a chat is answered whole", async () => {
  const answer = await generateText(asking(LARGE));
  says(answer.text, "Hello!");
  assert.equal(answer.finishReason, "stop");
  assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
  assert.equal(answer.response.modelId, LARGE);
});

test("a prompt is completed whole", async () => {
  const answer = await generateText({ model: ollama.completion(LARGE), prompt: "Hello!", maxRetries: 0 });
  assert.match(answer.text, /^This answer is simulated: no model was asked\./);
  assert.equal(answer.finishReason, "stop");
});

test("a streamed chat is the same in pieces", async () => {
  const answer = streamText(asking(LARGE));
  const { pieces } = await gather(answer.textStream);
  assert.ok(pieces.length > 10);
  says(pieces.join(""), "Hello!");
  assert.equal(await answer.finishReason, "stop");
});

test("a model thinks when asked to", async () => {
  const answer = await generateText(asking(LARGE, "Hello!", { providerOptions: { ollama: { think: true } } }));
  says(answer.text, "Hello!");
  assert.equal(answer.reasoningText, THOUGHT);
});

test("a tool is called and its result is used", async () => {
  const called = [];
  const answer = await generateText(asking("auto", QUESTION, { tools: weather(called), stopWhen: isStepCount(3) }));
  assert.deepEqual(called, [ARGUMENTS]);
  assert.deepEqual(
    answer.steps.map((step) => step.finishReason),
    ["tool-calls", "stop"],
  );
  reports(answer.text, "22 degrees");
});

test("a tool is called in a stream and its result is used", async () => {
  const called = [];
  const answer = streamText(asking("auto", QUESTION, { tools: weather(called), stopWhen: isStepCount(3) }));
  const { pieces } = await gather(answer.textStream);
  assert.deepEqual(called, [ARGUMENTS]);
  reports(pieces.join(""), "22 degrees");
});

test("a picture goes to a model that sees", async () => {
  const content = [
    { type: "text", text: SEEN },
    { type: "file", data: PICTURE.toString("base64"), mediaType: "image/png" },
  ];
  const answer = await generateText({ model: ollama("auto"), messages: [{ role: "user", content }], maxRetries: 0 });
  says(answer.text, SEEN);
});

test("an answer keeps to a schema", async () => {
  const output = Output.object({ schema: jsonSchema(PARAMETERS) });
  const answer = await generateText(asking("auto", QUESTION, { output }));
  assert.deepEqual(answer.output, ARGUMENTS);
});

test("texts become vectors in their order", async () => {
  const model = ollama.embedding(EMBEDDING);
  const { embeddings, usage } = await embedMany({ model, values: ["One", "Two", "One"], maxRetries: 0 });
  const [one, two, again] = embeddings;
  isVector(one);
  assert.deepEqual([isNear(one, again), isNear(one, two)], [true, false]);
  assert.ok(usage.tokens > 0);
  const { embedding } = await embed({ model, value: "One", maxRetries: 0 });
  assert.ok(isNear(one, embedding));
});

test("an unknown model is not found", async () => {
  const notFound = { name: "AI_APICallError", statusCode: 404, responseBody: JSON.stringify({ error: UNKNOWN }) };
  await assert.rejects(generateText(asking("no-such-model")), notFound);
});

test("an error before the first word has its status", async () => {
  const isRefusal = ({ name, statusCode, message, responseBody }) => {
    assert.deepEqual([name, statusCode, message], ["AI_APICallError", 403, "Forbidden"]);
    assert.equal(JSON.parse(responseBody).error, REFUSAL);
    return true;
  };
  await assert.rejects(generateText(asking(PRIM)), isRefusal);
  const errors = [];
  const answer = streamText(asking(PRIM, "Hello!", { onError: ({ error }) => errors.push(error) }));
  const { pieces } = await gather(answer.textStream);
  assert.deepEqual([pieces, errors.length], [[], 1]);
  isRefusal(errors[0]);
});

test("an error after the first words is seen, though not ours", async () => {
  const answer = streamText(asking(BRITTLE));
  const { pieces, error } = await gather(answer.textStream);
  assert.deepEqual([pieces.join(""), error?.message], [BROKEN, "terminated"]);
  await assert.rejects(answer.finishReason, { message: "terminated" });
});

test("a whole answer that would break off comes from another model", async () => {
  says((await generateText(asking(BRITTLE))).text, "Hello!");
});
