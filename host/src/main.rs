//! The binary: parse, run, say what went wrong, end with a code. No logic.

use std::process::ExitCode;

fn main() -> ExitCode {
    ollama_router::cli::main()
}
