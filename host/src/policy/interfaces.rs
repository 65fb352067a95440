//! What a file is, and what it imports and exports, by the names alone.
//!
//! Nothing is compiled here and nothing runs. A core module that carries the
//! contract's types is made a component first. What is compiled of it, and how it
//! is linked, is in `policy::component`.

use std::borrow::Cow;

use crate::policy::{Phase, Refused, component::wrap};

/// The package of the contract, and the version that this router speaks.
const PACKAGE: &str = "ollama-router:policy/";
const VERSION: &str = "0.1.0";

/// What components may import, besides the contract: parts of WASI that are
/// there and empty.
const WASI: [&str; 6] = ["wasi:io/", "wasi:cli/", "wasi:clocks/", "wasi:random/", "wasi:filesystem/", "wasi:sockets/"];

/// A file that is a component, or was made one.
#[derive(Debug)]
pub struct Interfaces<'a> {
    /// Whether it came as a core module.
    pub was_module: bool,
    /// What it imports, such as `ollama-router:policy/log@0.1.0`.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    component: Cow<'a, [u8]>,
}

/// What becomes of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// It is of the contract, and given.
    Contract,
    /// It is of WASI: there, and nothing in it.
    Empty,
    /// It is not offered.
    Refused,
}

impl Grant {
    /// Returns what becomes of an import with this name.
    pub fn of(import: &str) -> Self {
        if import.starts_with(PACKAGE) {
            Self::Contract
        } else if import.contains("@0.2.") && WASI.iter().any(|wasi| import.starts_with(wasi)) {
            Self::Empty
        } else {
            Self::Refused
        }
    }
}

impl<'a> Interfaces<'a> {
    /// Tells what a file is; anything but a component or a core module with the
    /// contract's types is refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refused> {
        let refuse = |reason: String| Err(Refused { phase: Phase::Parse, reason });
        let component = as_component(bytes)?;
        let decoded = match wit_component::decode(&component) {
            Ok(decoded) => decoded,
            Err(error) => return refuse(format!("it cannot be read: {error:#}")),
        };
        let resolve = decoded.resolve();
        let wit_component::DecodedWasm::Component(_, world) = &decoded else {
            return refuse("it is a package of interfaces without code".to_owned());
        };
        let Some(world) = resolve.worlds.get(*world) else {
            return refuse("it has no world".to_owned());
        };
        Ok(Self {
            was_module: matches!(component, Cow::Owned(_)),
            imports: world.imports.keys().map(|key| resolve.name_world_key(key)).collect(),
            exports: world.exports.keys().map(|key| resolve.name_world_key(key)).collect(),
            component,
        })
    }

    /// Returns the bytes of the component.
    pub(super) fn component(&self) -> &[u8] {
        &self.component
    }

    /// Checks that all it imports is offered.
    pub fn check_imports(&self) -> Result<(), Refused> {
        let refuse = |reason: String| Err(Refused { phase: Phase::Imports, reason });
        match self.imports.iter().find(|name| Grant::of(name) == Grant::Refused) {
            None => Ok(()),
            Some(name) if name.starts_with("wasi:http/") => refuse(format!(
                "it imports {name}, and policies have no network; build it without (for componentize-js: disable `http` and `fetch-event`)"
            )),
            Some(name) => refuse(format!("it imports {name}, which this router does not offer")),
        }
    }

    /// Checks that it is a policy, and one of this version of the contract.
    pub fn check_version(&self) -> Result<(), Refused> {
        self.imports.iter().try_for_each(|name| check_version(name))?;
        if let Some(name) = self.exports.iter().find(|name| name.starts_with(&format!("{PACKAGE}failover@"))) {
            check_version(name)?;
        }
        for interface in ["lifecycle", "selector"] {
            let wanted = format!("{PACKAGE}{interface}");
            let Some(name) = self.exports.iter().find(|name| name.split('@').next() == Some(&wanted)) else {
                let exports = list(&self.exports);
                let reason = format!(
                    "it does not export {wanted}@{VERSION}, so it is no policy; it exports {exports}; \
                     `ollama-router policy new` makes one that does"
                );
                return Err(Refused { phase: Phase::Version, reason });
            };
            check_version(name)?;
        }
        Ok(())
    }
}

/// Tells by the first bytes what a file is, and makes a component of a core module.
fn as_component(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Refused> {
    let refuse = |reason: &str| Err(Refused { phase: Phase::Parse, reason: reason.to_owned() });
    match bytes {
        [] => refuse("the file is empty"),
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(bytes.into()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(wrap(bytes)?.into()),
        [b'\0', b'a', b's', b'm', ..] => refuse("it is WebAssembly of a version that this router does not know"),
        _ if wasmtime::Engine::detect_precompiled(bytes).is_some() => {
            refuse("it is compiled code (.cwasm), which is never loaded from outside; give the .wasm component")
        }
        [b'(', ..] => refuse("it is WebAssembly text; translate it into a binary component first"),
        _ => refuse("it is no WebAssembly"),
    }
}

fn check_version(name: &str) -> Result<(), Refused> {
    let Some(version) = name.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@')).map(|(_, version)| version)
    else {
        return Ok(());
    };
    let series = |version: &str| version.rsplit_once('.').map(|(series, _)| series.to_owned());
    if series(version) == series(VERSION) {
        return Ok(());
    }
    Err(Refused {
        phase: Phase::Version,
        reason: format!(
            "it speaks {name}, and this router speaks {VERSION}; build it against wit/policy.wit of this version"
        ),
    })
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
