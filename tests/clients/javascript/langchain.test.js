// @langchain/ollama against the router: what its users build on.
//
// It lists models only to check a name (`checkOrPullModel`), and has no call to show
// one. Whole answers are streams that it gathers itself, so that `invoke` too meets
// the error of an answer that broke off. Its retries are switched off, so that each
// error is seen.

import assert from "node:assert/strict";
import { test } from "node:test";

import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOllama, Ollama, OllamaEmbeddings } from "@langchain/ollama";

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
  UNKNOWN_EMBEDDING,
  URL,
  WEATHER,
  gather,
  isNear,
  isVector,
  reports,
  says,
} from "./simulated.js";

function model(name, options = {}) {
  return new ChatOllama({ model: name, baseUrl: URL, maxRetries: 0, ...options });
}

test("a name is looked for in the list, and pulled if it is not there", async () => {
  says((await model(LARGE, { checkOrPullModel: true }).invoke("Hello!")).content, "Hello!");
  const missing = model("no-such-model", { checkOrPullModel: true });
  await assert.rejects(missing.invoke("Hello!"), { message: /file does not exist/ });
});

test("a chat is answered whole", async () => {
  const answer = await model(LARGE).invoke("Hello!");
  says(answer.content, "Hello!");
  assert.equal(answer.response_metadata.done_reason, "stop");
  assert.ok(answer.usage_metadata.input_tokens > 0 && answer.usage_metadata.output_tokens > 0);
});

test("a streamed chat is the same in pieces", async () => {
  const { pieces, error } = await gather(await model(LARGE).stream("Hello!"));
  assert.equal(error, undefined);
  assert.ok(pieces.length > 10);
  says(pieces.map((piece) => piece.content).join(""), "Hello!");
});

test("a model thinks when asked to", async () => {
  const answer = await model(LARGE, { think: true }).invoke("Hello!");
  says(answer.content, "Hello!");
  assert.equal(answer.additional_kwargs.reasoning_content, THOUGHT);
});

test("a tool is called and its result is used", async () => {
  const tooled = model("auto").bindTools([WEATHER]);
  const asked = new HumanMessage(QUESTION);
  const called = await tooled.invoke([asked]);
  assert.deepEqual(
    called.tool_calls.map((call) => [call.name, call.args]),
    [["get_weather", ARGUMENTS]],
  );
  const result = new ToolMessage({ content: "22 degrees", tool_call_id: called.tool_calls[0].id });
  reports((await tooled.invoke([asked, called, result])).content, "22 degrees");
});

test("a picture goes to a model that sees", async () => {
  const url = `data:image/png;base64,${PICTURE.toString("base64")}`;
  const content = [
    { type: "text", text: SEEN },
    { type: "image_url", image_url: url },
  ];
  // It sends the picture in a message of its own, after that with the words.
  says((await model("auto").invoke([new HumanMessage({ content })])).content, SEEN);
});

test("an answer keeps to a schema", async () => {
  const structured = model("auto").withStructuredOutput(PARAMETERS, { method: "jsonSchema" });
  assert.deepEqual(await structured.invoke(QUESTION), ARGUMENTS);
});

test("a prompt is completed", async () => {
  // Unless it is told not to, it puts what the model thinks before what it says.
  says(await new Ollama({ model: LARGE, baseUrl: URL, think: false }).invoke("Hello!"), "Hello!");
});

test("texts become vectors in their order", async () => {
  const vectors = new OllamaEmbeddings({ model: EMBEDDING, baseUrl: URL, maxRetries: 0 });
  const [one, two, again] = await vectors.embedDocuments(["One", "Two", "One"]);
  isVector(one);
  assert.deepEqual([isNear(one, again), isNear(one, two)], [true, false]);
  assert.ok(isNear(one, await vectors.embedQuery("One")));
});

test("an unknown model gives no vectors", async () => {
  const vectors = new OllamaEmbeddings({ model: "no-such-model", baseUrl: URL, maxRetries: 0 });
  await assert.rejects(vectors.embedQuery("One"), { message: UNKNOWN_EMBEDDING });
});

test("an error before the first word has its status", async () => {
  const refused = { name: "ResponseError", status_code: 403, message: REFUSAL };
  await assert.rejects(model(PRIM).invoke("Hello!"), refused);
  await assert.rejects(model(PRIM).stream("Hello!"), refused);
});

test("an error after the first words is told in full", async () => {
  const { pieces, error } = await gather(await model(BRITTLE).stream("Hello!"));
  assert.deepEqual([pieces.map((piece) => piece.content).join(""), error?.message], [BROKEN, BREAK]);
});

test("an answer asked for whole breaks off as well", async () => {
  await assert.rejects(model(BRITTLE).invoke("Hello!"), { message: BREAK });
});
