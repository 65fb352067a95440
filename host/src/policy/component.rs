//! From a file to a component that is known to be a policy.
//!
//! The first phases of a reload: read, pin, parse, imports, version, compile.
//! Each can refuse, and says why and what to do. What a component imports and exports
//! is read in `policy::interfaces`. Nothing of the guest runs yet; that begins in
//! `policy::instance`.

use std::{fmt::Write as _, fs::File, io::Read as _, path::Path, sync::Arc, time::Instant};

use sha2::{Digest as _, Sha256};
use wasmtime::component::{Component, InstancePre};

use crate::policy::{
    Phase, Refused,
    bindings::exports::ollama_router::policy::{failover, lifecycle, selector},
    engine::Engine,
    interfaces::Interfaces,
    limits::Guest,
    steps::Steps,
};

/// The largest file that is read: Python components have 18 MB.
const MAX_BYTES: u64 = 128 << 20;

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

    /// Returns how many bytes its compiled form has, as the cache would keep it;
    /// none if it cannot be told.
    pub fn compiled_bytes(&self) -> Option<usize> {
        self.pre.component().serialize().ok().map(|compiled| compiled.len())
    }
}

/// Reads a policy's file.
pub fn read(path: &Path) -> Result<Vec<u8>, Refused> {
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
    Ok(bytes)
}

/// Holds the digest of a policy's file against the one that it must have.
pub fn check_pin(path: &Path, digest: &str, pin: &str) -> Result<(), Refused> {
    if pin.eq_ignore_ascii_case(digest) {
        return Ok(());
    }
    let shown = path.display();
    let reason = format!("{shown} has the SHA-256 {digest}, but policy.sha256 is {pin}");
    Err(Refused { phase: Phase::Pin, reason })
}

/// Checks and compiles a policy, and notes the phases.
///
/// A core module that carries the contract's types, as Cargo alone builds it,
/// is wrapped into a component. Compiling takes from a millisecond (cached) to
/// seconds (Python, JavaScript): not for a thread that serves.
pub fn compile(engine: &Arc<Engine>, bytes: &[u8], steps: &Steps) -> Result<Code, Refused> {
    let digest = digest(bytes);
    let component = match kept(engine, &digest, steps) {
        // What is in the cache passed all checks when it was put there.
        Some(component) => component,
        None => translate(engine, &checked(bytes, steps)?, &digest, steps)?,
    };
    link(engine, &component, digest).inspect_err(|refused| steps.refuse(refused))
}

/// Does the same for those who want to see each phase: it is checked again though its
/// compiled form is kept.
pub fn check_and_compile(engine: &Arc<Engine>, bytes: &[u8], steps: &Steps) -> Result<Code, Refused> {
    let digest = digest(bytes);
    let found = checked(bytes, steps)?;
    let component = match kept(engine, &digest, steps) {
        Some(component) => component,
        None => translate(engine, &found, &digest, steps)?,
    };
    link(engine, &component, digest).inspect_err(|refused| steps.refuse(refused))
}

/// Wraps a core module that carries the contract's types into a component.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, Refused> {
    // The encoder takes it for whole, and panics where it is cut short.
    wasmtime::Module::validate(&wasmtime::Engine::default(), module).map_err(|error| Refused {
        phase: Phase::Parse,
        reason: format!("it is no sound WebAssembly module ({error:#}); build it or copy it again"),
    })?;
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

/// Returns the compiled form that is kept of an earlier time, if there is one.
fn kept(engine: &Engine, digest: &str, steps: &Steps) -> Option<Component> {
    let began = Instant::now();
    let component = engine.cache()?.load(engine.wasm(), digest)?;
    steps.kept(Phase::Compile, began);
    Some(component)
}

/// Reads a policy, and checks what can be checked without running it.
fn checked<'a>(bytes: &'a [u8], steps: &Steps) -> Result<Interfaces<'a>, Refused> {
    let found = steps.run(Phase::Parse, || Interfaces::parse(bytes))?;
    steps.run(Phase::Imports, || found.check_imports())?;
    steps.run(Phase::Version, || found.check_version())?;
    Ok(found)
}

/// Makes machine code of what was found to be sound, and keeps it for the next start.
fn translate(engine: &Engine, found: &Interfaces<'_>, digest: &str, steps: &Steps) -> Result<Component, Refused> {
    let component = steps.run(Phase::Compile, || {
        Component::new(engine.wasm(), found.component())
            .map_err(|error| Refused { phase: Phase::Compile, reason: first_line(&error) })
    })?;
    if let Some(cache) = engine.cache()
        && let Err(error) = cache.store(engine.wasm(), digest, &component)
    {
        tracing::warn!(%error, "failed to keep the compiled policy; it will be compiled again at the next start");
    }
    Ok(component)
}

/// Gives a component what it imports.
fn link(engine: &Arc<Engine>, component: &Component, digest: String) -> Result<Code, Refused> {
    let version = |error: wasmtime::Error| Refused { phase: Phase::Version, reason: first_line(&error) };
    let pre = engine
        .linker()
        .instantiate_pre(component)
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

/// wasmtime's errors are chains of many lines; the first two say what is wrong.
pub(super) fn first_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.next().unwrap_or_default().trim().to_owned()
}
