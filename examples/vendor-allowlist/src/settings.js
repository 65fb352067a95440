// What an operator may set for this policy, and what is wrong with it.

const vendors = (what) => ({
  type: "array",
  items: { type: "string", minLength: 1, maxLength: 100 },
  maxItems: 1000,
  default: [],
  description: what,
});

/** JSON Schema of the settings, as text. */
export const SCHEMA = JSON.stringify(
  {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Settings of the policy vendor-allowlist",
    type: "object",
    additionalProperties: false,
    properties: {
      allow: vendors(
        "Only models of these vendors are visible: the part of an id before the slash, in any case; `*` stands for any text, `?` for one character. Empty: of all vendors.",
      ),
      deny: vendors("Models of these vendors are hidden, even if they are allowed."),
      substitute: {
        type: "boolean",
        default: true,
        description:
          "A request for a free model that is hidden or gone is answered by an allowed one. Without it such a request is refused.",
      },
      free_mode: { type: "boolean", default: true, description: "Only free models are visible." },
      tool_use_only: {
        type: "boolean",
        default: false,
        description: "Only models that call tools are visible.",
      },
      filter: {
        type: "array",
        items: { type: "string" },
        default: [],
        description:
          "Only models are visible whose id or name contains one of these texts, with or without `:latest`. What follows a `#` is a comment.",
      },
    },
  },
  null,
  2,
);

const flag = (value) => (typeof value === "boolean" ? [] : [["", `expected true or false, got ${JSON.stringify(value)}`]]);

/** Returns what is wrong with a list of texts, as pairs of a pointer's rest and a message. */
function texts(value, isGood, expected) {
  if (!Array.isArray(value)) return [["", `expected a list of texts, got ${JSON.stringify(value)}`]];
  if (value.length > 1000) return [["", `expected at most 1000 entries, got ${value.length}`]];
  return value.flatMap((entry, place) =>
    typeof entry === "string" && isGood(entry.trim())
      ? []
      : [[`/${place}`, `expected ${expected}, got ${JSON.stringify(entry)}`]],
  );
}

const patterns = (value) =>
  texts(
    value,
    (text) => text.length > 0 && text.length <= 100 && !text.includes("/"),
    "a vendor of at most 100 characters, such as `google` or `meta*`",
  );

/** How each setting is checked. */
const CHECKS = {
  allow: patterns,
  deny: patterns,
  substitute: flag,
  free_mode: flag,
  tool_use_only: flag,
  filter: (value) => texts(value, () => true, "a text"),
};

/** Returns a line of the filter without the comment in it. */
const uncommented = (line) => line.replace(/(^|\s)#.*/s, "");

/** Returns a pattern without the tag that names have in lists. */
const untagged = (pattern) => pattern.replace(/:latest$/, "") || pattern;

const lower = (list = []) => list.map((text) => text.trim().toLowerCase());

/** Reads the settings' JSON. The errors are all that there are, each with its JSON pointer. */
export function parse(json) {
  const refuse = (message) => ({ errors: [{ pointer: "", message }] });
  let given;
  try {
    given = JSON.parse(json);
  } catch (error) {
    return refuse(`expected JSON: ${error.message}`);
  }
  if (given === null || typeof given !== "object" || Array.isArray(given)) {
    return refuse("expected an object of settings");
  }
  const errors = Object.entries(given).flatMap(([name, value]) => {
    const check = Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined;
    const found = check?.(value) ?? [["", `unknown setting; there are ${Object.keys(CHECKS).join(", ")}`]];
    const pointer = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    return found.map(([rest, message]) => ({ pointer: pointer + rest, message }));
  });
  if (errors.length > 0) return { errors };
  const settings = {
    allow: lower(given.allow),
    deny: lower(given.deny),
    substitute: given.substitute ?? true,
    freeMode: given.free_mode ?? true,
    toolUseOnly: given.tool_use_only ?? false,
    filter: lower(given.filter?.map(uncommented)).filter((text) => text !== "").map(untagged),
  };
  return { errors, settings };
}
