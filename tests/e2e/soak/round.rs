//! One round of changes: all kinds of them, each from a known state to the next.
//!
//! A round begins with a good policy in force, or the embedded one, and ends so.

use serde_json::{Value, json};

use crate::{
    guests::{Guest, LOOP, MODELS},
    soak::operator::{CONFIG, EMBEDDED, FILTER, Operator, POLICY, SHADOW},
};

/// Shows all models, and tries the second one alone.
const SECOND: &str =
    "(call $pick (i32.const 512) (i32.const 1) (f32.const 1)) (return (call $route (i32.const 512) (i32.const 1)))";

/// What a policy may do over a marked request once it is in force.
const FITS: [&str; 7] = [
    "unreachable",
    "(drop (call $deeper (i32.const 0)))",
    LOOP,
    "(loop $more
        (i32.store8 (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1)) (i32.const 1))
        (br_if $more (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
     unreachable",
    "(return (call $route (i32.const 0) (i32.const 10000000)))",
    "(call $pick (i32.const 512) (i32.const 9) (f32.const 1)) (return (call $route (i32.const 512) (i32.const 1)))",
    "(return (i32.const -64))",
];

const DEEPER: &str = "(func $deeper (param i32) (result i32)
    (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";

/// What a policy may do that is refused because of it, and in which phase.
fn hostile(number: u32) -> (Guest, &'static str) {
    let sound = Guest::sound;
    let memory = "(memory (export \"memory\") 2)";
    match number % 5 {
        0 => (sound().put("select", LOOP), "probe"),
        1 => (sound().put("describe", "unreachable"), "describe"),
        2 => (sound().replace(memory, "(memory (export \"memory\") 2000)"), "instantiate"),
        3 => (sound().put("fields", DEEPER).put("select", FITS[1]), "probe"),
        _ => (sound().put("select", FITS[3]), "probe"),
    }
}

/// Makes a round of changes.
pub async fn make(operator: &mut Operator<'_>, number: u32) {
    let one = json!({"module": "policies/one.wasm"});
    files(operator, &one).await;
    settings(operator).await;
    refusals(operator, number, &one).await;
    falls(operator, number).await;
    shadow(operator, number, &one).await;
}

/// Good policies, as a component, as a core module, and the embedded one as a file.
async fn files(operator: &mut Operator<'_>, one: &Value) {
    let (label, guest) = operator.name("last", Guest::sound(), &MODELS[2..]);
    // At first there is no such file, and the configuration does not name it.
    operator.write_beforehand(POLICY, &guest.component());
    let config = operator.config(one.clone());
    operator.puts_in_force(CONFIG, config, &label).await;
    let (label, guest) = operator.name("next", Guest::sound().put("select", SECOND), &MODELS[1..2]);
    operator.puts_in_force(POLICY, guest.module(), &label).await;
    operator.is_refused(POLICY, Some(&guest.component()[..2000]), "parse").await;
    operator.puts_in_force(POLICY, ollama_router::policy::EMBEDDED, EMBEDDED).await;
}

/// The filter file, settings and a chain.
async fn settings(operator: &mut Operator<'_>) {
    operator.puts_in_force(FILTER, "second\nthird\n", EMBEDDED).await;
    let refused = operator.config(json!({"module": "policies/one.wasm", "settings": {"fallbacks": [1]}}));
    operator.is_refused(CONFIG, Some(refused.as_bytes()), "settings").await;
    let (label, guest) = operator.name("last", Guest::sound(), &MODELS[2..]);
    operator.write_beforehand(SHADOW, &guest.component());
    let chain = format!("{EMBEDDED}, {label}");
    operator.announce(&chain, &MODELS[2..], false);
    let config = operator.config(json!({"chain": ["free-mode", "policies/shadow.wasm"]}));
    operator.puts_in_force(CONFIG, config, &chain).await;
    operator.puts_in_force(FILTER, "", &chain).await;
}

/// What is refused, each from a good policy to the next.
async fn refusals(operator: &mut Operator<'_>, number: u32, one: &Value) {
    let (label, guest) = operator.name("last", Guest::sound(), &MODELS[2..]);
    operator.write_beforehand(POLICY, &guest.component());
    let config = operator.config(one.clone());
    operator.puts_in_force(CONFIG, config, &label).await;
    let pinned = operator.config(json!({"module": "policies/one.wasm", "sha256": "0".repeat(64)}));
    operator.is_refused(CONFIG, Some(pinned.as_bytes()), "pin").await;
    let config = operator.config(one.clone());
    operator.puts_in_force(CONFIG, config, &label).await;
    operator.is_refused(CONFIG, Some(b"policy: {modul: one.wasm}"), "read").await;
    let config = operator.config(one.clone());
    operator.puts_in_force(CONFIG, config, &label).await;
    let (bad, phase) = match number % 4 {
        0 => (Some(b"#!/bin/sh\n".to_vec()), "parse"),
        1 => (Some(Guest::sound().contract("@0.1.0", "@0.2.0").replace("@0.1.0", "@0.2.0").component()), "version"),
        2 => (None, "read"),
        _ => (Some(wat::parse_str("(component)").unwrap()), "version"),
    };
    operator.is_refused(POLICY, bad.as_deref(), phase).await;
    let (label, guest) = operator.name("next", Guest::sound().put("select", SECOND), &MODELS[1..2]);
    operator.puts_in_force(POLICY, guest.component(), &label).await;
    let (guest, phase) = hostile(number);
    let (_, guest) = operator.name("evil", guest, &[]);
    operator.is_refused(POLICY, Some(&guest.component()), phase).await;
    let (label, guest) = operator.name("last", Guest::sound(), &MODELS[2..]);
    operator.puts_in_force(POLICY, guest.component(), &label).await;
}

/// What comes into force and falls: rolled back from, twice, and left alone.
async fn falls(operator: &mut Operator<'_>, number: u32) {
    let fit = FITS[number as usize % FITS.len()];
    let guest = Guest::sound().put("fields", DEEPER).when_marked(fit);
    let (label, guest) = operator.name("fall", guest, &MODELS[2..]);
    let generation = operator.falls(&label, &guest.component()).await;
    operator.tries_out().await;
    operator.insists(&label).await;
    operator.goes_back_to_what_falls(generation, &label).await;
    let (label, guest) = operator.name("next", Guest::sound().put("select", SECOND), &MODELS[1..2]);
    operator.puts_in_force(POLICY, guest.component(), &label).await;
    let (label, guest) = operator.name("last", Guest::sound(), &MODELS[2..]);
    operator.puts_in_force(POLICY, guest.component(), &label).await;
    operator.goes_back(&json!({})).await;
}

/// One that is asked along, falls, and is never heeded.
async fn shadow(operator: &mut Operator<'_>, number: u32, one: &Value) {
    let fit = FITS[(number as usize + 1) % FITS.len()];
    let guest = Guest::sound().put("fields", DEEPER).when_marked(fit);
    let (_, guest) = operator.name("fall", guest, &MODELS[2..]);
    operator.write_beforehand(SHADOW, &guest.component());
    let (label, guest) = operator.name("last", Guest::sound(), &MODELS[2..]);
    operator.puts_in_force(POLICY, guest.component(), &label).await;
    let mut policy = one.clone();
    policy["shadow"] = json!({"module": "policies/shadow.wasm", "sample": 1.0});
    let config = operator.config(policy);
    operator.puts_in_force(CONFIG, config, &label).await;
}
