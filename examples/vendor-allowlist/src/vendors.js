// Who is visible, and who may answer: pure functions of the settings, the
// catalogue and the request.

/** Every reason that this policy gives. A code, once given, keeps its meaning. */
export const REASONS = {
  notChat: { code: 1, text: "neither a chat nor an embedding model" },
  notFree: { code: 2, text: "not free" },
  noTools: { code: 3, text: "calls no tools, and `tool_use_only` is set" },
  filtered: { code: 4, text: "no pattern of the filter is part of its id or name" },
  notAllowed: { code: 5, text: "its vendor is not in `allow`" },
  denied: { code: 6, text: "its vendor is in `deny`" },
  allowed: { code: 10, text: "its vendor is allowed" },
};

/** Tells whether a text fits a pattern: `*` stands for any text, `?` for one character. */
export function matches(pattern, text) {
  // The place after the last `*`, and how much of the text that star has taken.
  let [p, t, star, taken] = [0, 0, -1, 0];
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = ++p;
      taken = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Says why a model's vendor must not be used, or nothing if it may. */
function whyForbidden(settings, model) {
  const vendor = model.vendor.toLowerCase();
  const isOf = (pattern) => matches(pattern, vendor);
  if (settings.deny.some(isOf)) return REASONS.denied;
  if (settings.allow.length > 0 && !settings.allow.some(isOf)) return REASONS.notAllowed;
}

function whyHidden(settings, model) {
  if (!model.traits.chat && !model.capabilities.embeddings) return REASONS.notChat;
  const forbidden = whyForbidden(settings, model);
  if (forbidden) return forbidden;
  if (settings.freeMode && !model.traits.free) return REASONS.notFree;
  if (settings.toolUseOnly && !model.capabilities.tools) return REASONS.noTools;
  const [id, name] = [model.id.toLowerCase(), model.name.toLowerCase()];
  if (settings.filter.length > 0 && !settings.filter.some((text) => id.includes(text) || name.includes(text))) {
    return REASONS.filtered;
  }
}

/** Returns the visible models, largest context first, and the hidden ones with reasons. */
export function view(settings, models) {
  const visible = [];
  const hidden = [];
  models.forEach((model, number) => {
    const reason = whyHidden(settings, model);
    if (reason) hidden.push({ model: number, why: reason.code });
    else visible.push(number);
  });
  // Routers come after the models, and what embeds comes last.
  const place = (model) => (model.capabilities.embeddings ? 2 : model.traits.router ? 1 : 0);
  visible.sort((one, other) => {
    const [a, b] = [models[one], models[other]];
    return place(a) - place(b) || b.contextTokens - a.contextTokens || (a.id < b.id ? -1 : 1);
  });
  return { visible, hidden };
}

/**
 * Decides about a request. This policy says who may answer, not who answers best:
 * it abstains, so that the host goes by the order of the view (the requested model
 * first, resting ones last), and in a chain the next policy chooses among all.
 */
export function decide(settings, models, request, candidates) {
  if (request.target.tag === "gone" && !settings.substitute) {
    return deny("The model is not served here: it is gone, or its vendor is not allowed.");
  }
  const why = (number) => (models[number] ? whyForbidden(settings, models[number]) : REASONS.notAllowed);
  const allowed = candidates.filter((number) => !why(number));
  if (candidates.length > 0 && allowed.length === 0) {
    return deny("No model of an allowed vendor can answer this request.");
  }
  if (allowed.length === candidates.length) return { tag: "abstain" };
  // Only a host that offers what the view hides comes here.
  const order = allowed.map((model) => ({ model, why: REASONS.allowed.code, score: 1 }));
  const dropped = candidates.filter(why).map((model) => ({ model, why: why(model).code }));
  return { tag: "route", val: { order, dropped: request.explain ? dropped : [] } };
}

function deny(message) {
  return { tag: "deny", val: { status: 403, code: "vendor-not-allowed", message } };
}
