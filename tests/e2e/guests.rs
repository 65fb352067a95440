//! Policies made of WebAssembly text, so that no tool for guests is needed.
//!
//! One sound policy is the mould (`tests/fixtures/guests/policy.wat`); a test
//! puts lines of its own into it to make it misbehave. Files that must
//! never come into force are tried in two ways: at the start, and as a change.

use ollama_router::policy::component;
use serde_json::{Value, json};
use wit_component::{StringEncoding, embed_component_metadata, metadata::Bindgen};

use crate::support::{
    Host, PATIENCE, POLICY, Setup,
    ask::{FORMS, Form, Told},
};

const MOULD: &str = include_str!("../fixtures/guests/policy.wat");
const CONTRACT: &str = include_str!("../../wit/policy.wit");
const WASI: &str = include_str!("../fixtures/guests/wasi.wit");

/// The sound policy as headers name it.
pub const SOUND: &str = "reversed/1.0.0";

/// A request that allows this many tokens for its answer makes a guest with
/// [`Guest::when_marked`] misbehave. No probe of a reload allows any number.
pub const MARK: u32 = 666;

/// Runs for ever.
pub const LOOP: &str = "(loop $for_ever (br $for_ever))";

/// A policy in the making.
#[derive(Clone)]
pub struct Guest {
    text: String,
    contract: String,
    world: &'static str,
}

impl Guest {
    /// The sound policy: the models of the view, last one first.
    pub fn sound() -> Self {
        Self { text: MOULD.to_owned(), contract: CONTRACT.to_owned(), world: "policy" }
    }

    /// Puts lines at a place of the mould, before what it does there itself.
    pub fn put(mut self, place: &str, lines: &str) -> Self {
        let comment = format!(";;@{place}\n");
        assert!(self.text.contains(&comment), "the mould has no place {place}");
        self.text = self.text.replace(&comment, &format!("{lines}\n{comment}"));
        self
    }

    /// Puts lines into `select` that run for requests with the [`MARK`] alone.
    pub fn when_marked(self, lines: &str) -> Self {
        let marked = format!("(i32.eq (i32.load offset=20 (local.get $ask)) (i32.const {MARK}))");
        self.put("select", &format!("(if {marked} (then {lines}))"))
    }

    /// Gives it a say after failures: these lines return where its verdict is.
    pub fn after_failure(self, lines: &str) -> Self {
        let name = "ollama-router:policy/failover@0.1.0#after-failure";
        let function = format!("(func (export \"{name}\") (param $ask i32) (result i32) {lines})");
        let post_return = format!("(export \"cabi_post_{name}\" (func $over))");
        let guest = self.put("fields", &format!("{function} {post_return}"));
        Self { world: "policy-with-failover", ..guest }
    }

    /// Lets it import these interfaces of WASI, such as `cli/environment`.
    pub fn importing(mut self, interfaces: &[&str]) -> Self {
        let named = |name: &&str| {
            let (package, interface) = name.split_once('/').unwrap();
            format!("import wasi:{package}/{interface}@0.2.0;\n")
        };
        let imports: String = interfaces.iter().map(named).collect();
        self = self.contract("import log;\n", &format!("import log;\n{imports}"));
        self.contract.push_str(WASI);
        self
    }

    /// Replaces a text of the mould.
    pub fn replace(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "the mould has no {from}");
        self.text = self.text.replace(from, to);
        self
    }

    /// Replaces a text of the contract that it is built against.
    pub fn contract(mut self, from: &str, to: &str) -> Self {
        assert!(self.contract.contains(from), "the contract has no {from}");
        self.contract = self.contract.replace(from, to);
        self
    }

    /// Returns it as Cargo would build it: a core module with the contract's
    /// types in a section.
    pub fn module(&self) -> Vec<u8> {
        let mut module = wat::parse_str(&self.text).unwrap_or_else(|error| panic!("{error}"));
        let mut resolve = Bindgen::default().resolve;
        let package = resolve.push_str("policy.wit", &self.contract).unwrap();
        let world = resolve.select_world(&[package], Some(self.world)).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }

    /// Returns it as a component.
    pub fn component(&self) -> Vec<u8> {
        component::wrap(&self.module()).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The models that [`Setup::models`] gets here: the embedded policy tries the
/// first one first, and the sound guest the last one.
pub const MODELS: [&str; 3] = ["a/first:free", "b/second:free", "c/third:free"];

/// What the embedded policy answers with.
pub const BY_EMBEDDED: &str = MODELS[0];

/// What the sound guest answers with.
pub const BY_GUEST: &str = MODELS[2];

/// A file that must not come into force, and what is to be said about it.
pub struct Bad {
    /// What is wrong with it.
    pub name: &'static str,
    /// The file.
    pub file: Vec<u8>,
    /// The phase in which it is refused.
    pub phase: &'static str,
    /// A part of the reason.
    pub reason: &'static str,
}

impl Bad {
    /// A guest that is refused in a phase, for a reason.
    pub fn guest(name: &'static str, guest: &Guest, phase: &'static str, reason: &'static str) -> Self {
        Self { name, file: guest.component(), phase, reason }
    }

    fn check(&self, refused: &Value) {
        let told = (refused["phase"].as_str(), refused["reason"].as_str());
        let (Some(phase), Some(reason)) = told else { panic!("{} was not refused", self.name) };
        assert_eq!(phase, self.phase, "{}: {reason}", self.name);
        assert!(reason.contains(self.reason), "{}: {reason}", self.name);
    }
}

/// Starts a router with each of the files: it has to run with the embedded
/// policy, and to say what is wrong.
pub async fn refused_at_start(files: &[Bad]) {
    for bad in files {
        let host = small().policy(&bad.file).start().await;
        let policy = host.policy().await;
        bad.check(&policy["refused"]);
        let told = (&policy["source"], &policy["state"], &policy["generation"]);
        assert_eq!(told, (&json!("embedded"), &json!("active (change refused)"), &json!(1)), "{}", bad.name);
        assert_eq!(host.get("/router/status").await.json()["policy"], policy, "{}", bad.name);
        let reply = host.ask(FORMS[0], "auto").await;
        assert_eq!(Told::by(&reply), Told::hello(BY_EMBEDDED, 1, None), "{}", bad.name);
    }
}

/// Puts each of the files in the place of a sound policy that is in force: it
/// has to stay.
pub async fn refused_as_a_change(files: &[Bad]) {
    let sound = Guest::sound().component();
    let host = small().policy(&sound).start().await;
    for bad in files {
        host.write(POLICY, &bad.file);
        let (status, mut report) = host.reload().await;
        bad.check(&report["refused"]);
        report["refused"].take();
        let phases = report.as_object_mut().unwrap().remove("phases").unwrap();
        let last = phases.as_array().unwrap().last().unwrap();
        assert_eq!((&last["phase"], &last["status"]), (&json!(bad.phase), &json!("failed")), "{}", bad.name);
        let kept = json!({"changed": false, "generation": 1, "policy": "reversed", "version": "1.0.0", "chain": SOUND, "refused": null});
        assert_eq!((status, report), (422, kept), "{}", bad.name);
        let reply = host.ask(FORMS[0], "auto").await;
        assert_eq!(Told::by(&reply), Told::hello(BY_GUEST, 1, None), "{}", bad.name);
    }
    host.write(POLICY, &sound);
    assert_eq!(host.reload().await.0, 200);
    assert_eq!(host.policy().await["state"], "active");
}

/// Little time and little memory, so that both are soon used up.
fn small() -> Setup {
    Setup::new().models(&MODELS).set("policy.limits.time", "10ms").set("policy.limits.memory", "2MiB")
}

/// Returns a request for any model that has the [`MARK`].
pub fn marked(form: Form) -> Value {
    form.body_within("auto", MARK)
}

impl Host {
    /// Asks until the guest itself decides: one that fell over is being replaced.
    pub async fn decided_by_guest(&self) {
        let decided = async { while Told::by(&self.ask(FORMS[0], "auto").await) != Told::hello(BY_GUEST, 1, None) {} };
        tokio::time::timeout(PATIENCE, decided).await.expect("the guest was not replaced");
    }

    /// Returns how often the policy in force gave no usable answer.
    pub async fn faults(&self) -> u64 {
        self.policy().await["faults"].as_u64().unwrap()
    }
}
