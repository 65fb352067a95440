// Coding agents against the router: each does a task with its own tools, unattended.
//
// The simulated model calls what the task tells it to (`host/src/sandbox/answer/told.rs`):
// the agent's shell, and where it has one its tool to write a file, both in one turn.
// So a run holds a streamed answer with two calls, their results on the way back, and
// an answer in words that quotes the results. An agent has an empty folder for its home
// and another to work in, and reaches nothing outside: what it would send or fetch is
// switched off. One that does not start here is skipped, with a line that says why.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";

const URL = process.env.ROUTER_URL;
const TOOLS = join(dirname(fileURLToPath(import.meta.url)), "node_modules", ".bin");

// Far more than a run takes on a busy machine; it only ends one that hangs.
const PATIENCE_MS = 180_000;

// What the shell does, and what it prints.
const COMMAND = "printf 'made by the shell' > made.txt && cat made.txt";
const MADE = "made by the shell";
const WRITTEN = "written by the agent";

const AGENTS = {
  // https://developers.openai.com/codex/config-reference, by the Responses API.
  codex: {
    files: {
      "home/.codex/config.toml": `
        model = "auto"
        model_provider = "router"
        check_for_update_on_startup = false
        [analytics]
        enabled = false
        [model_providers.router]
        name = "ollama-router"
        base_url = "${URL}/v1"
        wire_api = "responses"
      `,
    },
    arguments: ["exec", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check", "-"],
    calls: () => [["exec_command", { cmd: COMMAND }]],
  },
  // https://code.claude.com/docs/en/llm-gateway, by Anthropic's Messages API.
  claude: {
    variables: {
      ANTHROPIC_BASE_URL: URL,
      ANTHROPIC_AUTH_TOKEN: "unused",
      ANTHROPIC_MODEL: "auto",
      ANTHROPIC_DEFAULT_HAIKU_MODEL: "auto",
      ANTHROPIC_DEFAULT_SONNET_MODEL: "auto",
      ANTHROPIC_DEFAULT_OPUS_MODEL: "auto",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
      // It may run without asking only in a sandbox, or not as the superuser.
      IS_SANDBOX: "1",
    },
    arguments: ["-p", "--dangerously-skip-permissions"],
    calls: (folder) => [
      ["Bash", { command: COMMAND, description: "Makes a file" }],
      ["Write", { file_path: join(folder, "written.txt"), content: WRITTEN }],
    ],
  },
  // https://opencode.ai/docs/providers/#custom-provider, by Chat Completions.
  opencode: {
    files: {
      "work/opencode.json": JSON.stringify({
        autoupdate: false,
        share: "disabled",
        permission: "allow",
        enabled_providers: ["router"],
        model: "router/auto",
        small_model: "router/auto",
        provider: {
          router: {
            npm: "@ai-sdk/openai-compatible",
            name: "ollama-router",
            options: { baseURL: `${URL}/v1`, apiKey: "unused" },
            models: { auto: { name: "auto" } },
          },
        },
      }),
    },
    variables: { OPENCODE_DISABLE_MODELS_FETCH: "1", OPENCODE_DISABLE_LSP_DOWNLOAD: "1" },
    arguments: ["run"],
    calls: (folder) => [
      ["bash", { command: COMMAND, description: "Makes a file" }],
      ["write", { filePath: join(folder, "written.txt"), content: WRITTEN }],
    ],
  },
  // https://docs.cline.bot/cline-cli, by Chat Completions.
  cline: {
    // Without a daemon, which would stay behind on a port of its own.
    variables: { CLINE_SESSION_BACKEND_MODE: "local" },
    before: [["auth", "-p", "openai", "-k", "unused", "-b", `${URL}/v1`, "-m", "auto"]],
    arguments: ["--auto-approve", "true"],
    isTaskAnArgument: true,
    calls: () => [
      ["run_commands", { commands: [COMMAND] }],
      ["editor", { path: "written.txt", new_text: WRITTEN }],
    ],
  },
};

// All at once, for most of it is waiting: the demo answers at a human pace.
describe("each agent", { concurrency: true }, () => {
  for (const [name, agent] of Object.entries(AGENTS)) {
    test(`${name} runs its tools and reports what came of them`, { timeout: 2 * PATIENCE_MS }, async (context) => {
      const folder = await mkdtemp(join(tmpdir(), `agent-${name}-`));
      context.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
      for (const part of ["home", "work"]) await mkdir(join(folder, part));
      const version = await run(name, folder, {}, ["--version"]);
      if (version.code !== 0) {
        // Read by run.sh, which tells it again.
        console.log(`SKIPPED: agent ${name}: it does not start here: ${version.said.trim().split("\n").at(-1)}`);
        context.skip("it does not start here");
        return;
      }
      console.log(`${name}: ${version.out.trim()}`);
      await task(name, agent, folder);
    });
  }
});

// Has an agent do its task in a folder, and asserts what came of it.
async function task(name, agent, folder) {
  for (const [path, text] of Object.entries(agent.files ?? {})) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text.replaceAll(/^ +/gm, ""));
  }
  for (const first of agent.before ?? []) {
    const ran = await run(name, folder, agent.variables, first);
    assert.equal(ran.code, 0, ran.said);
  }
  const work = join(folder, "work");
  const calls = agent.calls(work);
  const lines = calls.map(([tool, given]) => `Call the tool ${tool} with ${JSON.stringify(given)}`).join("\n");
  const given = agent.isTaskAnArgument ? [...agent.arguments, lines] : agent.arguments;
  const ran = await run(name, folder, agent.variables, given, agent.isTaskAnArgument ? "" : lines);
  assert.equal(ran.code, 0, ran.said);
  assert.equal(await readFile(join(work, "made.txt"), "utf8"), MADE, ran.said);
  if (calls.length > 1) assert.equal((await readFile(join(work, "written.txt"), "utf8")).trimEnd(), WRITTEN, ran.said);
  // What the simulated model says of the results is all that the agent prints at its end.
  const [first, ...others] = ran.out.split("The tool answered: ").slice(1);
  assert.ok(first?.includes(MADE), ran.said);
  assert.equal(others.length, calls.length - 1, ran.said);
  assert.match(ran.out, /This summary is simulated; [\w./:~-]+ would have put it into better words\./, ran.said);
}

// Runs an agent's program to its end, and gives its code and what it printed.
function run(name, folder, variables, given, input = "") {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, HOME: join(folder, "home"), NO_COLOR: "1", NO_PROXY: "127.0.0.1", ...variables };
    // A group of its own, so that whatever it leaves running ends with it.
    const child = spawn(join(TOOLS, name), given, { cwd: join(folder, "work"), env, detached: true });
    const end = () => {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // Nothing is left of it.
      }
    };
    const late = setTimeout(end, PATIENCE_MS);
    let out = "";
    let said = "";
    child.stdout.on("data", (data) => ((out += data), (said += data)));
    child.stderr.on("data", (data) => (said += data));
    child.on("error", (error) => (error.code === "ENOENT" ? resolve({ code: -1, out, said: "it is not installed" }) : reject(error)));
    child.on("exit", end);
    child.on("close", (code) => {
      clearTimeout(late);
      resolve({ code, out, said });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}
