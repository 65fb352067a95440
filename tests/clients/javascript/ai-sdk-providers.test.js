// The Vercel AI SDK with the providers that are no Ollama's: OpenAI, Anthropic, compatible.
//
// OpenAI's speaks the Responses API unless told otherwise, and is told so by `.chat`.
// One list of tests is run with each, for the SDK makes one thing of all four.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embedMany, generateText, isStepCount, jsonSchema, streamText, tool } from "ai";

import {
  ARGUMENTS,
  BREAK,
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
  byItself,
  gather,
  isNear,
  isVector,
  reports,
  says,
} from "./simulated.js";

// That it does not know our models' limits is no news.
globalThis.AI_SDK_LOG_WARNINGS = false;

const options = { baseURL: `${URL}/v1`, apiKey: "unused", name: "router" };
const openai = createOpenAI(options);
const anthropic = createAnthropic(options);
const compatible = createOpenAICompatible({ ...options, includeUsage: true, supportsStructuredOutputs: true });

// What thinking is asked for with, where the provider has something for it.
const WAYS = {
  responses: { model: (name) => openai(name), thinking: { openai: { reasoningEffort: "low", reasoningSummary: "auto", forceReasoning: true } } },
  chat: { model: (name) => openai.chat(name) },
  anthropic: { model: (name) => anthropic(name), thinking: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } } },
  compatible: { model: (name) => compatible(name), thinking: { router: { reasoningEffort: "low" } } },
};

// Objects without more fields than are named, which is all that OpenAI's strict schemas take.
const SCHEMA = { ...PARAMETERS, additionalProperties: false };

function weather(called) {
  const execute = async (given) => {
    called.push(given);
    return "22 degrees";
  };
  return { get_weather: tool({ description: "Tells the weather of a city.", inputSchema: jsonSchema(SCHEMA), execute }) };
}

// All at once, for most of it is waiting: the demo answers at a human pace.
describe("each provider", { concurrency: true }, () => {
  for (const [way, { model, thinking }] of Object.entries(WAYS)) {
    // No retries of its own: a failure that reaches the client is to be seen here.
    const asking = (name, prompt = "Hello!", more = {}) => ({ model: model(name), prompt, maxRetries: 0, ...more });

    test(`${way}: a chat is answered whole`, async () => {
      const answer = await generateText(asking(LARGE, "Hello!", { instructions: "Be brief." }));
      says(answer.text, "Hello!");
      assert.equal(answer.finishReason, "stop");
      assert.ok(answer.usage.inputTokens > 0 && answer.usage.outputTokens > 0);
    });

    test(`${way}: a streamed chat is the same in pieces`, async () => {
      const answer = streamText(asking(LARGE));
      const { pieces, error } = await gather(answer.textStream);
      assert.equal(error, undefined);
      assert.ok(pieces.length > 10);
      says(pieces.join(""), "Hello!");
      assert.equal(await answer.finishReason, "stop");
      assert.ok((await answer.usage).outputTokens > 0);
    });

    if (thinking) {
      test(`${way}: a model thinks when asked to`, async () => {
        const given = asking(LARGE, "Hello!", { providerOptions: thinking });
        const streamed = async () => {
          const answer = streamText(given);
          return { text: await answer.text, reasoningText: await answer.reasoningText };
        };
        for (const ask of [() => generateText(given), streamed]) {
          const answer = await byItself(ask, ({ reasoningText }) => reasoningText);
          assert.equal(answer.reasoningText, THOUGHT);
          says(answer.text, "Hello!");
        }
      });
    }

    test(`${way}: a tool is called in a step and its result used in the next`, async () => {
      const steps = { stopWhen: isStepCount(3) };
      let called = [];
      const whole = await generateText(asking("auto", QUESTION, { tools: weather(called), ...steps }));
      reports(whole.text, "22 degrees");
      assert.deepEqual([called, whole.steps.map((step) => step.finishReason)], [[ARGUMENTS], ["tool-calls", "stop"]]);
      called = [];
      const streamed = streamText(asking("auto", QUESTION, { tools: weather(called), ...steps }));
      reports(await streamed.text, "22 degrees");
      assert.deepEqual(called, [ARGUMENTS]);
    });

    test(`${way}: a picture goes to a model that sees`, async () => {
      const content = [
        { type: "text", text: SEEN },
        { type: "file", data: PICTURE, mediaType: "image/png" },
      ];
      const { prompt: _, ...given } = asking("auto");
      says((await generateText({ ...given, messages: [{ role: "user", content }] })).text, SEEN);
    });

    test(`${way}: an answer keeps to a schema`, async () => {
      const output = Output.object({ schema: jsonSchema(SCHEMA) });
      assert.deepEqual((await generateText(asking("auto", QUESTION, { output }))).output, ARGUMENTS);
    });

    test(`${way}: an unknown model is not found`, async () => {
      const notFound = { name: "AI_APICallError", statusCode: 404, message: UNKNOWN };
      await assert.rejects(generateText(asking("no-such-model")), notFound);
    });

    test(`${way}: an error before the first word has its status and our words`, async () => {
      const refused = { name: "AI_APICallError", statusCode: 403, message: REFUSAL };
      await assert.rejects(generateText(asking(PRIM)), refused);
      const errors = [];
      await gather(streamText(asking(PRIM, "Hello!", { onError: ({ error }) => errors.push(error) })).textStream);
      assert.deepEqual(
        errors.map(({ name, statusCode, message }) => ({ name, statusCode, message })),
        [refused],
      );
    });

    test(`${way}: an error after the first words is told in full`, async () => {
      const errors = [];
      const answer = streamText(asking(BRITTLE, "Hello!", { onError: ({ error }) => errors.push(error) }));
      const { pieces, error } = await gather(answer.textStream);
      const told = [...errors, error].map((one) => (typeof one === "string" ? one : one?.message ?? JSON.stringify(one)));
      assert.equal(pieces.join(""), BROKEN);
      assert.ok(told.some((words) => words?.includes(BREAK)), told.join("; "));
    });
  }
});

test("texts become vectors in their order", async () => {
  for (const model of [openai.embedding(EMBEDDING), compatible.embeddingModel(EMBEDDING)]) {
    const { embeddings } = await embedMany({ model, values: ["One", "Two", "One"], maxRetries: 0 });
    const [one, two, again] = embeddings;
    isVector(one);
    assert.deepEqual([isNear(one, again), isNear(one, two)], [true, false]);
  }
});

test("a prompt is completed", async () => {
  const answer = await generateText({ model: openai.completion(LARGE), prompt: "Hello!", maxRetries: 0 });
  assert.match(answer.text, /^This answer is simulated: no model was asked\./);
});
