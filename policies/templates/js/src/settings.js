// What an operator may set under `policy.settings`, and what is wrong with it.

/** JSON Schema of the settings, as text: the same for people and editors. */
export const SCHEMA = JSON.stringify({
  type: "object",
  additionalProperties: false,
  properties: {
    prefer: { type: "string", default: "", description: "Models whose id contains this come first." },
    free_mode: { type: "boolean", default: true, description: "Only free models are visible." },
    tool_use_only: { type: "boolean", default: false, description: "Only models that call tools are visible." },
    filter: {
      type: "array",
      items: { type: "string" },
      default: [],
      description: "Only models are visible whose id or name contains one of these.",
    },
  },
});

const isText = (value) => typeof value === "string";
const isFlag = (value) => typeof value === "boolean";
const CHECKS = {
  prefer: [isText, "a text"],
  free_mode: [isFlag, "true or false"],
  tool_use_only: [isFlag, "true or false"],
  filter: [Array.isArray, "a list of texts"],
};

/** Reads the settings' JSON. Each error names its setting by a JSON pointer. */
export function parseSettings(json) {
  let given;
  try {
    given = JSON.parse(json);
  } catch {
    given = null;
  }
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    return { errors: [{ pointer: "", message: "expected an object of settings" }] };
  }
  const errors = [];
  for (const [name, value] of Object.entries(given)) {
    const pointer = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const [isGood, expected] = Object.hasOwn(CHECKS, name) ? CHECKS[name] : [];
    if (!isGood) errors.push({ pointer, message: "unknown setting" });
    else if (!isGood(value)) errors.push({ pointer, message: `expected ${expected}` });
    else if (name === "filter") {
      value.forEach((line, place) => {
        if (!isText(line)) errors.push({ pointer: `${pointer}/${place}`, message: "expected a text" });
      });
    }
  }
  if (errors.length > 0) return { errors };
  const patterns = (given.filter ?? []).map(pattern);
  return {
    errors,
    settings: {
      prefer: (given.prefer ?? "").toLowerCase(),
      freeMode: given.free_mode ?? true,
      toolUseOnly: given.tool_use_only ?? false,
      filter: patterns.filter((text) => text !== ""),
    },
  };
}

/** Returns the pattern of a line: without the comment in it, and without the tag that names have in lists. */
function pattern(line) {
  const text = line.replace(/(^|\s)#.*/s, "").trim().toLowerCase();
  return text.replace(/:latest$/, "") || text;
}
