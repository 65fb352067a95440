// What the simulated OpenRouter of `start --demo` says, and where the router is.
//
// Holds no test and asks nothing; what is here is compared with, in every file of
// tests. Its twin for Python is ../python/simulated.py.

import assert from "node:assert/strict";

export const URL = process.env.ROUTER_URL;

// A free model with tools and reasoning; one that sees; one that embeds.
export const LARGE = "lumen-4-large:free";
export const EMBEDDING = "sounding-embed-1:free";
export const DIMENSIONS = 384;

// A free model whose streams break off in the middle of their words, each time.
export const BRITTLE = "brittle-2b:free";
export const BROKEN = "This answer is simulated, and it breaks off in the middle of its";
export const BREAK = "the answer broke off: Upstream provider disconnected (server-error)";

// A free model whose provider refuses every request before the first word.
export const PRIM = "prim-2b:free";
export const REFUSAL =
  "no answer: thistle/prim-2b:free: thistle/prim-2b:free requires moderation on Sandbox. " +
  "Your input was flagged (moderated)";

// What a name that nobody has is answered with, in chats and shows, and in embeddings.
export const UNKNOWN = "model 'no-such-model' not found";
export const UNKNOWN_EMBEDDING = 'model "no-such-model" not found, try pulling it first';

export const HELLO = [{ role: "user", content: "Hello!" }];
export const THOUGHT = "This is simulated reasoning: I read the question, then I answer it. ";

export const QUESTION = "What is the weather in Paris?";
export const ARGUMENTS = { city: "Paris" };
export const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};
export const WEATHER = {
  type: "function",
  function: { name: "get_weather", description: "Tells the weather of a city.", parameters: PARAMETERS },
};

// The same tool as Anthropic's and as the Responses API spell it.
export const ANTHROPIC_WEATHER = {
  name: "get_weather",
  description: WEATHER.function.description,
  input_schema: PARAMETERS,
};
export const RESPONSES_WEATHER = { type: "function", strict: false, ...WEATHER.function };

// A red dot: the smallest picture that every reader of PNG takes.
export const PICTURE = Buffer.from(
  "89504e470d0a1a0a0000000d49484452000000010000000108020000009077" +
    "53de0000000c4944415478da63f8cfc0000003010100c9fe92ef0000000049454e44ae426082",
  "hex",
);
export const SEEN = "What is this?";

// Asserts that this is the whole answer to these words, whichever model gave it.
export function says(content, words) {
  // What is said of tools that were offered and not called.
  const [answer] = content.split("\n\nTools are called when you say so, in a line such as: ");
  const [before, after] = answer.split(/(?<=in the place of )[\w./:~-]+(?=\. You asked)/);
  assert.equal(
    `${before}MODEL${after}`,
    "This answer is simulated: no model was asked. It comes from the sandbox that stands in for OpenRouter, " +
      `in the place of MODEL. You asked: “${words}” With a key from openrouter.ai the same request would go to ` +
      "the real model, and the router would fail over in the same way.",
  );
}

// Asserts that this is the whole answer to this result of a tool.
export function reports(content, result) {
  assert.match(content, /; [\w./:~-]+ would have put it into better words\.$/);
  const start = `The tool answered: ${result}\n\nThis summary is simulated; `;
  assert.equal(content.slice(0, start.length), start);
}

// Asks again while another model stood in, which need not think: one call in six fails in the demo.
export async function byItself(ask, isIt) {
  let answer;
  for (let tries = 0; tries < 3; tries += 1) {
    answer = await ask();
    if (isIt(answer)) break;
  }
  return answer;
}

// Asserts that these are the numbers of a vector of length one.
export function isVector(vector, dimensions = DIMENSIONS) {
  assert.equal(vector.length, dimensions);
  assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-3, `its length is ${Math.hypot(...vector)}`);
}

// Tells whether two vectors are the same but for rounding.
export function isNear(vector, other) {
  return vector.length === other.length && Math.hypot(...vector.map((number, place) => number - other[place])) < 1e-3;
}

// Gathers what is streamed, and the error that ends it, if one does.
export async function gather(stream) {
  const pieces = [];
  try {
    for await (const piece of stream) pieces.push(piece);
  } catch (error) {
    return { pieces, error };
  }
  return { pieces, error: undefined };
}
