// A policy: which models a request is tried with, and in which order.
//
// The contract is wit/policy.wit; every function and field is explained there. Names
// are in camel case here, flags are objects of booleans, variants have `tag` and
// `val`, and whatever is thrown is the error of the call.

import { SCHEMA, parseSettings } from "./settings.js";

/** Why a model is hidden, picked or left out. A code, once given, keeps its meaning. */
export const NOT_USABLE = 1;
export const FILTERED = 2;
export const NOT_FREE = 3;
export const REQUESTED = 10;
export const PREFERRED = 11;
export const NEXT = 12;
export const LAST_RESORT = 13;
export const BEYOND_LIMIT = 20;
const REASONS = [
  { code: NOT_USABLE, text: "neither a chat nor an embedding model" },
  { code: FILTERED, text: "not what `free_mode`, `tool_use_only` and the filter let through" },
  { code: NOT_FREE, text: "not free" },
  { code: REQUESTED, text: "requested" },
  { code: PREFERRED, text: "preferred" },
  { code: NEXT, text: "the next of the view" },
  { code: LAST_RESORT, text: "cooling down, the last resort" },
  { code: BEYOND_LIMIT, text: "enough others are tried before it" },
];

// What the host has loaded so far. Memory is a cache: an instance may be replaced at any time.
let settings;
let models;

export const lifecycle = {
  describe() {
    return {
      name: "{{name}}",
      version: "0.1.0",
      summary: "The requested model, then the preferred ones, then the others; resting ones last.",
      settingsSchema: SCHEMA,
      reasons: REASONS,
    };
  },

  configure(json) {
    const read = parseSettings(json);
    if (read.errors.length > 0) throw read.errors;
    settings = read.settings;
  },

  loadCatalog(_epoch, catalog) {
    if (settings === undefined) throw "call `configure` first";
    models = catalog;
    return view(settings, models);
  },
};

export const selector = {
  select(request, candidates, facts) {
    if (models === undefined) throw "call `load-catalog` first";
    // Lists of numbers come as typed arrays.
    return decide(settings, models, request, Array.from(candidates), facts);
  },
};

/** The model filter: what clients may see and use, best first, and why not the others. */
export function view(settings, models) {
  const visible = [];
  const hidden = [];
  models.forEach((model, number) => {
    const why = whyHidden(settings, model);
    if (why === undefined) visible.push(number);
    else hidden.push({ model: number, why });
  });
  return { visible, hidden };
}

function whyHidden(settings, { id, name, traits, capabilities }) {
  if (!traits.chat && !capabilities.embeddings) return NOT_USABLE;
  const names = [id.toLowerCase(), name.toLowerCase()];
  const passes = settings.filter.length === 0 || settings.filter.some((text) => names.some((name) => name.includes(text)));
  if ((settings.freeMode && !traits.free) || (settings.toolUseOnly && !capabilities.tools) || !passes) return FILTERED;
}

/** The decision: a function of what was loaded, the request and the facts, and of nothing else. */
export function decide(settings, models, request, candidates, facts) {
  const resting = new Set(facts.filter((fact) => fact.standing.cooling).map((fact) => fact.model));
  const { tag, val: asked } = request.target;
  // What costs is tried only if the client asked for it by name.
  const why = (number) => {
    const isRequested = tag === "model" && asked === number;
    if (!isRequested && !models[number].traits.free) return NOT_FREE;
    if (resting.has(number)) return LAST_RESORT;
    if (isRequested) return REQUESTED;
    return settings.prefer !== "" && models[number].id.toLowerCase().includes(settings.prefer) ? PREFERRED : NEXT;
  };
  const all = candidates.map((model) => ({ model, why: why(model) }));
  // Candidates come in the order of the view, and sorting keeps that of equals.
  const ranked = all.filter(({ why }) => why !== NOT_FREE).sort((one, other) => one.why - other.why);
  const limit = Math.max(request.limit, 1);
  // No opinion: the host goes by the order of the view.
  if (ranked.length === 0) return { tag: "abstain" };
  const order = ranked.slice(0, limit).map(({ model, why }) => ({ model, why, score: why === LAST_RESORT ? 0 : 1 }));
  const dropped = [
    ...all.filter(({ why }) => why === NOT_FREE),
    ...ranked.slice(limit).map(({ model }) => ({ model, why: BEYOND_LIMIT })),
  ];
  return { tag: "route", val: { order, dropped: request.explain ? dropped : [] } };
}
