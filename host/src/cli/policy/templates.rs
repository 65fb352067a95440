//! The files with which an own policy begins, as they are in `policies/templates`.
//!
//! They are part of the program, so that it needs nothing beside it. What is done
//! with them is `policy new`'s business.

use clap::ValueEnum;

/// The contract.
pub(super) const CONTRACT: &str = include_str!("../../../../wit/policy.wit");

/// What is replaced by the name of the policy.
pub(super) const NAME: &str = "{{name}}";

/// A language for which there is a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// Small and fast
    Rust,
    /// Needs Node.js; 12 MB
    Js,
    /// Needs Python 3; 18 MB
    Python,
}

/// A file of a template.
pub(super) struct Template {
    /// Where, below the project's folder.
    pub(super) path: &'static str,
    /// With [`NAME`] in place of the name.
    pub(super) text: &'static str,
}

/// Lists files of a template by their paths.
macro_rules! files {
    ($language:literal: $($path:literal),+) => {
        &[$(Template {
            path: $path,
            text: include_str!(concat!("../../../../policies/templates/", $language, "/", $path)),
        }),+]
    };
}

impl Language {
    /// Returns the files of the template.
    pub(super) fn files(self) -> &'static [Template] {
        match self {
            Self::Rust => files!("rust": ".gitignore", "Cargo.toml", "README.md", "build.sh", "src/lib.rs"),
            Self::Js => files!(
                "js": ".gitignore", "README.md", "build.js", "build.sh", "package.json", "src/policy.js",
                "src/settings.js", "test/policy.test.js"
            ),
            Self::Python => files!(
                "python": ".gitignore", "README.md", "app.py", "build.sh", "policy.py", "requirements.txt",
                "test_policy.py"
            ),
        }
    }

    /// Returns what has to be typed to get its tools, and to run its tests.
    pub(super) fn commands(self) -> [&'static str; 2] {
        match self {
            Self::Rust => ["rustup target add wasm32-unknown-unknown", "cargo test"],
            Self::Js => ["npm install", "npm test"],
            Self::Python => {
                ["python3 -m venv .venv && .venv/bin/pip install -r requirements.txt", "python3 -m unittest"]
            }
        }
    }
}
