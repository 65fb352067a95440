// Builds {{name}}.wasm beside this script, or as the file that is named.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { componentize } from "@bytecodealliance/componentize-js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { component } = await componentize({
  sourcePath: here("src/policy.js"),
  witPath: here("wit"),
  worldName: "policy",
  // Policies have no network, no output, and only the request's clock and chance.
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(process.argv[2] ?? here("{{name}}.wasm"), component);
