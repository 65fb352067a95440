//! The steps that bring a guest up to its catalogue: made, described, configured,
//! loaded. Each may refuse the policy, and none may take for ever.
//!
//! In which order they are taken, and what is done with the guest, is the business
//! of `policy::executor` and `policy::workbench`.

use std::{pin::pin, sync::Arc};

use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::policy::{
    Fault, Phase, Refused,
    bindings::ollama_router::policy::types,
    component::Code,
    instance::{Instance, presentable},
    limits::Limits,
};

/// The longest name or version of a policy.
const MAX_NAME_BYTES: usize = 64;

/// Settings that are named when they are refused; further ones say little.
const MAX_SETTING_ERRORS: usize = 20;

/// Makes a guest.
pub(super) async fn instantiate(code: &Code, name: Arc<str>, limits: Limits) -> Result<Instance, Refused> {
    step(Phase::Instantiate, limits, Instance::new(code, name, limits)).await?
}

/// Asks the guest what it is.
pub(super) async fn describe(guest: &mut Instance) -> Result<types::Descriptor, Refused> {
    let limits = guest.limits();
    let descriptor = faultless(Phase::Describe, step(Phase::Describe, limits, guest.describe()).await?)?;
    check_names(&descriptor)?;
    Ok(descriptor)
}

/// Gives the guest its settings.
pub(super) async fn configure(guest: &mut Instance, settings: &Map<String, Value>) -> Result<(), Refused> {
    let limits = guest.limits();
    let text = Value::Object(settings.clone()).to_string();
    let configured = step(Phase::Configure, limits, guest.configure(&text)).await?;
    faultless(Phase::Configure, configured)?.map_err(|errors| Refused {
        phase: Phase::Configure,
        reason: errors
            .iter()
            .take(MAX_SETTING_ERRORS)
            .map(|error| format!("policy.settings{}: {}", presentable(&error.pointer), presentable(&error.message)))
            .collect::<Vec<_>>()
            .join("; "),
    })
}

/// Gives the guest the catalogue.
pub(super) async fn load_catalog(
    guest: &mut Instance,
    epoch: u64,
    models: &[types::Model],
) -> Result<types::View, Refused> {
    let limits = guest.limits();
    let loaded = step(Phase::LoadCatalog, limits, guest.load_catalog(epoch, models)).await?;
    faultless(Phase::LoadCatalog, loaded)
}

/// Name and version stand in headers and in the log, so they must be plain.
fn check_names(descriptor: &types::Descriptor) -> Result<(), Refused> {
    let is_plain = |text: &str| {
        (1..=MAX_NAME_BYTES).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte))
    };
    if is_plain(&descriptor.name) && is_plain(&descriptor.version) {
        return Ok(());
    }
    let reason = format!(
        "its name or version is not like `free-mode` and `0.1.0`: letters, digits and -._+, {MAX_NAME_BYTES} at most"
    );
    Err(Refused { phase: Phase::Describe, reason })
}

/// Bounds a step of loading by the wall clock, for guests that sleep.
async fn step<T>(phase: Phase, limits: Limits, work: impl Future<Output = T>) -> Result<T, Refused> {
    let time = limits.loading_time();
    timeout(time, pin!(work))
        .await
        .map_err(|_elapsed| Refused { phase, reason: format!("it took longer than {} ms", time.as_millis()) })
}

fn faultless<T>(phase: Phase, answer: Result<T, Fault>) -> Result<T, Refused> {
    answer.map_err(|fault| Refused { phase, reason: fault.to_string() })
}
