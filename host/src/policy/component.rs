//! From a file to a component that is known to be a policy.
//!
//! The first phases of a reload: read, pin, parse, imports, version, compile.
//! Each can refuse, and says why and what to do. Nothing of the guest runs yet;
//! that begins in `policy::instance`.

use std::{fmt::Write as _, fs::File, io::Read as _, path::Path, sync::Arc};

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, InstancePre};

use crate::policy::{
    Phase, Refused,
    bindings::exports::ollama_router::policy::{failover, lifecycle, selector},
    engine::Engine,
    limits::Guest,
};

/// The largest file that is read: Python components have 18 MB.
const MAX_BYTES: u64 = 128 << 20;

/// The package of the contract, and the version that this router speaks.
const PACKAGE: &str = "ollama-router:policy/";
const VERSION: &str = "0.1.0";

/// What components may import, besides the contract: parts of WASI that are
/// there and empty.
const WASI: [&str; 6] = ["wasi:io/", "wasi:cli/", "wasi:clocks/", "wasi:random/", "wasi:filesystem/", "wasi:sockets/"];

/// A compiled policy, ready to be instantiated any number of times.
///
/// Cloning shares the code.
#[derive(Clone)]
pub struct Code {
    pub(super) engine: Arc<Engine>,
    pub(super) pre: InstancePre<Guest>,
    pub(super) lifecycle: lifecycle::GuestIndices,
    pub(super) selector: selector::GuestIndices,
    /// Only if the policy has the optional interface.
    pub(super) failover: Option<failover::GuestIndices>,
    digest: Arc<str>,
}

impl Code {
    /// Returns SHA-256 of the file, as 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Reads a policy's file, and holds it against `pin` if there is one.
pub fn read(path: &Path, pin: Option<&str>) -> Result<Vec<u8>, Refused> {
    let refuse = |reason: String| Refused { phase: Phase::Read, reason };
    let shown = path.display();
    let file = File::open(path).map_err(|error| refuse(format!("cannot open {shown}: {error}")))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(format!("cannot read {shown}: {error}")))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse(format!("{shown} is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let digest = digest(&bytes);
    match pin {
        Some(pin) if !pin.eq_ignore_ascii_case(&digest) => Err(Refused {
            phase: Phase::Pin,
            reason: format!("{shown} has the SHA-256 {digest}, but policy.sha256 is {pin}"),
        }),
        _ => Ok(bytes),
    }
}

/// Checks and compiles a policy.
///
/// A core module that carries the contract's types, as Cargo alone builds it,
/// is wrapped into a component. Compiling takes from a millisecond (cached) to
/// seconds (Python, JavaScript): not for a thread that serves.
pub fn compile(engine: &Arc<Engine>, bytes: &[u8]) -> Result<Code, Refused> {
    let digest = digest(bytes);
    let component = match engine.cache().and_then(|cache| cache.load(engine.wasm(), &digest)) {
        // What is in the cache passed all this when it was put there.
        Some(component) => component,
        None => compile_checked(engine, bytes, &digest)?,
    };
    let version = |error: wasmtime::Error| Refused { phase: Phase::Version, reason: first_line(&error) };
    let pre = engine
        .linker()
        .instantiate_pre(&component)
        .map_err(|error| Refused { phase: Phase::Imports, reason: first_line(&error) })?;
    Ok(Code {
        engine: Arc::clone(engine),
        lifecycle: lifecycle::GuestIndices::new(&pre).map_err(version)?,
        selector: selector::GuestIndices::new(&pre).map_err(version)?,
        failover: failover::GuestIndices::new(&pre).ok(),
        pre,
        digest: digest.into(),
    })
}

/// Wraps a core module that carries the contract's types into a component.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, Refused> {
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| Refused {
            phase: Phase::Parse,
            reason: format!(
                "it is a core module and cannot be made a component ({error:#}); build it with wit-bindgen \
                 against the contract, or make a component of it yourself"
            ),
        })
}

/// Returns SHA-256 as 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn compile_checked(engine: &Engine, bytes: &[u8], digest: &str) -> Result<Component, Refused> {
    let bytes = &*as_component(bytes)?;
    check_interfaces(bytes)?;
    let component = Component::new(engine.wasm(), bytes)
        .map_err(|error| Refused { phase: Phase::Compile, reason: first_line(&error) })?;
    if let Some(cache) = engine.cache()
        && let Err(error) = cache.store(engine.wasm(), digest, &component)
    {
        tracing::warn!(%error, "failed to keep the compiled policy; it will be compiled again at the next start");
    }
    Ok(component)
}

/// Tells by the first bytes what a file is; anything but a component or a core
/// module is refused.
fn as_component(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, Refused> {
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

/// Checks what a component imports and exports, by the names alone.
fn check_interfaces(bytes: &[u8]) -> Result<(), Refused> {
    let refuse = |phase, reason: String| Err(Refused { phase, reason });
    let decoded = match wit_component::decode(bytes) {
        Ok(decoded) => decoded,
        Err(error) => return refuse(Phase::Parse, format!("it cannot be read: {error:#}")),
    };
    let resolve = decoded.resolve();
    let wit_component::DecodedWasm::Component(_, world) = &decoded else {
        return refuse(Phase::Parse, "it is a package of interfaces without code".to_owned());
    };
    let Some(world) = resolve.worlds.get(*world) else {
        return refuse(Phase::Parse, "it has no world".to_owned());
    };
    for name in world.imports.keys().map(|key| resolve.name_world_key(key)) {
        let known = WASI.iter().any(|wasi| name.starts_with(wasi)) && name.contains("@0.2.");
        if name.starts_with("wasi:http/") {
            return refuse(
                Phase::Imports,
                format!(
                    "it imports {name}, and policies have no network; build it without (for componentize-js: disable `http` and `fetch-event`)"
                ),
            );
        }
        if !known && !name.starts_with(PACKAGE) {
            return refuse(Phase::Imports, format!("it imports {name}, which this router does not offer"));
        }
        check_version(&name)?;
    }
    let exports: Vec<String> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    if let Some(name) = exports.iter().find(|name| name.starts_with(&format!("{PACKAGE}failover@"))) {
        check_version(name)?;
    }
    for interface in ["lifecycle", "selector"] {
        let wanted = format!("{PACKAGE}{interface}");
        match exports.iter().find(|name| name.split('@').next() == Some(&wanted)) {
            Some(name) => check_version(name)?,
            None => {
                return refuse(
                    Phase::Version,
                    format!("it does not export {wanted}@{VERSION}, so it is no policy; it exports {}", list(&exports)),
                );
            }
        }
    }
    Ok(())
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

/// wasmtime's errors are chains of many lines; the first two say what is wrong.
pub(super) fn first_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.next().unwrap_or_default().trim().to_owned()
}
