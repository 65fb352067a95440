//! The program before a simulated upstream, and its output in words that stay the same.
//!
//! For tests that compare whole outputs: ports, folders, times and sizes get names, for
//! they are others each time. Knows no command.

use ollama_router::sandbox::{Sandbox, scenario::Scenario};
use serde_json::{Value, json};

use crate::support::{
    models::{catalog, entry, paid},
    program::{Program, Ran, Served},
};

/// A key that shows its last letters, as a real one does.
pub const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

/// A program, and the upstream that it is pointed at.
pub struct Scene {
    /// The upstream.
    pub sandbox: Sandbox,
    /// The program, in a home of its own.
    pub program: Program,
}

impl Scene {
    /// Begins with four models that differ in all that is shown of them.
    pub async fn new() -> Self {
        Self::of(Program::new(), varied()).await
    }

    /// Begins with these models, and a program that is set up otherwise.
    pub async fn of(program: Program, models: Value) -> Self {
        let sandbox = Sandbox::start(Scenario::quiet().catalog(models)).await.unwrap();
        let program = program
            .env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url())
            .env("OLLAMA_ROUTER_OPENROUTER_API_KEY", KEY)
            // Nobody listens there, and nobody ever will.
            .env("PORT", "1");
        Self { sandbox, program }
    }

    /// Sets a variable for all that is started from here, in the place of another value.
    pub fn set(self, name: &str, value: &str) -> Self {
        Self { program: self.program.env(name, value), ..self }
    }

    /// Starts the router.
    pub fn serve(&self) -> Served {
        self.program.serve(&["start", "-H", "127.0.0.1", "-p", "0"])
    }

    /// Runs a command, and returns its code and output in words that stay the same.
    pub fn told(&self, arguments: &[&str]) -> String {
        let Ran { code, out, err } = self.program.run(arguments);
        let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
        let errors = if err.is_empty() { String::new() } else { format!("--- standard error\n{err}") };
        self.steady(&format!("{out}{errors}--- ends with {code}"))
    }

    /// Puts names in the place of what is another each time.
    pub fn steady(&self, text: &str) -> String {
        let upstream = self.sandbox.base_url();
        let address = upstream.trim_end_matches("/api/v1").trim_start_matches("http://");
        let text = self.program.scrubbed(text).replace(address, "UPSTREAM");
        let lines: Vec<String> =
            text.lines().map(|line| without_spans(&without_moments(&without_ports(line)))).collect();
        lines.join("\n")
    }
}

/// Returns four models: a large one, one that sees and thinks and will be gone, one
/// that can nothing and has a long name, one that costs.
pub fn varied() -> Value {
    let mut seer = entry("acme/seer-12b:free", 131_072);
    seer["architecture"]["input_modalities"] = json!(["text", "image"]);
    seer["supported_parameters"] = json!(["max_tokens", "tools", "tool_choice", "reasoning"]);
    seer["expiration_date"] = json!("2090-06-30");
    let mut plain = entry("zeta/a-model-whose-name-takes-a-lot-of-room-8b:free", 32_768);
    plain["supported_parameters"] = json!(["max_tokens"]);
    catalog([entry("acme/large-70b:free", 200_000), seer, plain, paid("acme/pro-1", 1_048_576)])
}

fn without_ports(line: &str) -> String {
    let mut parts = line.split("127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    let named = |part: &str| {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_digit());
        // The port at which nobody listens is always the same.
        let port = &part[..part.len() - rest.len()];
        format!("127.0.0.1:{}{rest}", if port == "1" { "1" } else { "PORT" })
    };
    parts.map(named).fold(first, |text, part| text + &part)
}

/// Names moments, such as `2026-11-26T18:41:06Z`.
fn without_moments(line: &str) -> String {
    const LENGTH: usize = "2026-11-26T18:41:06Z".len();
    let is_moment = |text: &str| {
        let bytes = text.as_bytes();
        bytes[4] == b'-' && bytes[10] == b'T' && bytes[LENGTH - 1] == b'Z' && bytes[0].is_ascii_digit()
    };
    let mut line = line.to_owned();
    while let Some(at) = (0..line.len()).find(|at| line.get(*at..at + LENGTH).is_some_and(is_moment)) {
        line.replace_range(at..at + LENGTH, "MOMENT");
    }
    line
}

/// Names times such as `23h 59m`, and sizes such as `33.8 KiB`.
fn without_spans(line: &str) -> String {
    let is_span = |word: &str| {
        let unit = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
        unit.len() < word.len() && ["s", "m", "h", "day", "days"].contains(&unit)
    };
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let (core, tail) = word.split_at(word.trim_end_matches([',', ';', ':', '?']).len());
        let is_unit = ["B", "KiB", "MiB", "GiB"].contains(&core.trim_end_matches(')'));
        match words.last_mut() {
            Some(last) if is_span(core) && last == "SPAN" => *last = format!("SPAN{tail}"),
            Some(last)
                if is_unit && last.trim_start_matches('(').starts_with(|letter: char| letter.is_ascii_digit()) =>
            {
                let open = if last.starts_with('(') { "(" } else { "" };
                let close = if core.ends_with(')') { ")" } else { "" };
                *last = format!("{open}SIZE{close}{tail}");
            }
            _ if is_span(core) => words.push(format!("SPAN{tail}")),
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}
