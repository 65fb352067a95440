//! The rules of the house that no compiler checks, as data and one test each.
//!
//! What files are called and hold, and that the committed policy is the one of
//! the committed sources. Who may import whom is in `tidy/layers.rs`. A failure
//! lists all offences, with the reason for the rule. Nothing here runs the router.
//! How files are found is in `tidy/tree.rs`, how Rust is read in `tidy/source.rs`.

#![expect(clippy::unwrap_used, clippy::expect_used, unreachable_pub, reason = "tests")]

#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;

use std::{collections::BTreeSet, fmt::Write as _, fs};

use sha2::{Digest as _, Sha256};
use wasmtime::{
    Engine,
    component::{Component, types::ComponentItem},
};

use crate::{
    source::{Token, tokens},
    tree::{File, files, root},
};

/// What may be at the root, dotfiles apart.
const ROOT: &str = "CHANGELOG.md Cargo.lock Cargo.toml Dockerfile LICENSE LICENSE-APACHE LICENSE-MIT README.md \
    README.zh-CN.md compose.yaml examples host policies rust-toolchain.toml tests wit";

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] = &["common", "data", "helper", "manager", "misc", "mod", "service", "util"];

/// The files in which `unsafe` may be: loading our own compiled code, a guest's generated
/// bindings, and the system's calls that make a terminal.
const UNSAFE_HOMES: &[&str] =
    &["host/src/policy/cache.rs", "policies/free-mode/src/lib.rs", "tests/e2e/support/terminal.rs"];

/// The largest default policy: it is part of the binary.
const POLICY_BYTES_MAX: usize = 100_000;

/// Notes to oneself, cut in two so that this file holds none.
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Folders that exist on somebody's machine, cut in two likewise.
const MACHINE_FOLDERS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// The made-up user of examples.
const NOBODY: &str = concat!("/ho", "me/me");

/// Files that tools write, where chance makes words.
const LOCKS: &[&str] = &["Cargo.lock", "package-lock.json"];

#[test]
fn every_rust_file_opens_by_saying_what_it_is() {
    let mut offences =
        Offences::new("a file opens with `//!`: what it is, what it must not know or do, where to read next");
    for file in rust() {
        let text = file.text().unwrap();
        if !text.starts_with("//! ") && !text.starts_with("#![doc = include_str!(") {
            offences.add(&file.path, 1, "opens with something else");
        }
    }
    offences.none();
}

#[test]
fn no_file_has_a_name_that_says_nothing() {
    let mut offences =
        Offences::new("a newcomer finds the place for a change by the names alone (`foo.rs` + `foo/bar.rs`)");
    for file in rust() {
        let stem = file.name().trim_end_matches(".rs");
        if EMPTY_NAMES.iter().any(|name| stem == *name || stem.strip_suffix('s') == Some(name)) {
            offences.add(&file.path, 1, "name it for what it holds");
        }
    }
    offences.none();
}

#[test]
fn there_is_one_contract() {
    let is_contract = |file: &File| {
        file.path.rsplit('.').next() == Some("wit")
            && file.text().is_some_and(|text| text.contains("ollama-router:policy"))
    };
    let contracts: Vec<_> = files().into_iter().filter(is_contract).map(|file| file.path).collect();
    assert_eq!(contracts, ["wit/policy.wit"], "copies of the contract drift apart: refer to this one");
}

#[test]
fn unsafe_code_has_few_homes() {
    let mut offences = Offences::new(
        "unsafe is for loading our own compiled code, for generated bindings and for the terminal of the tests, nothing else",
    );
    for file in rust().iter().filter(|file| !UNSAFE_HOMES.contains(&file.path.as_str())) {
        for Token { text, line } in tokens(file.text().unwrap()) {
            if text == "unsafe" || text == "unsafe_code" {
                offences.add(&file.path, line, &format!("`{text}`"));
            }
        }
    }
    offences.none();
}

#[test]
fn the_committed_policy_was_built_from_the_committed_sources() {
    let mut offences =
        Offences::new("the binary embeds policies/free-mode.wasm; build it with policies/build.sh and commit both");
    let list = "policies/free-mode.sources.sha256";
    let text = fs::read_to_string(root().join(list)).unwrap();
    let mut listed = BTreeSet::new();
    for (line, entry) in (1..).zip(text.lines()) {
        let (recorded, path) = entry.split_once("  ").expect("a line is a digest, two spaces, a path");
        let digest = fs::read(root().join(path)).map(|bytes| format!("{:x}", Sha256::digest(bytes)));
        match digest {
            Ok(digest) if digest == recorded => {}
            Ok(_) => offences.add(list, line, &format!("{path} is not what it was when the policy was built")),
            Err(error) => offences.add(list, line, &format!("{path} cannot be read: {error}")),
        }
        listed.insert(path.to_owned());
    }
    let is_source = |path: &str| {
        let in_guest = path.strip_prefix("policies/free-mode/");
        in_guest.is_some_and(|path| path == "Cargo.toml" || path == "build.rs" || path.starts_with("src/"))
    };
    let mut wanted: BTreeSet<_> = files().into_iter().map(|file| file.path).filter(|path| is_source(path)).collect();
    wanted.extend(["wit/policy.wit".to_owned(), "policies/free-mode.wasm".to_owned()]);
    for path in wanted.difference(&listed) {
        offences.add(list, 1, &format!("{path} is not listed"));
    }
    offences.none();
}

#[test]
fn the_committed_policy_is_small_and_imports_nothing() {
    let component = fs::read(root().join("policies/free-mode.wasm")).unwrap();
    assert!(component.len() <= POLICY_BYTES_MAX, "{} bytes are more than {POLICY_BYTES_MAX}", component.len());
    // Types that it shares with the host count as imports; what matters is what it could call.
    let engine = Engine::default();
    let kind = Component::from_binary(&engine, &component).unwrap().component_type();
    let called: Vec<_> = kind.imports(&engine).flat_map(|(name, item)| callable(&engine, name, item.ty)).collect();
    assert!(called.is_empty(), "it has to be pure, but may call {called:?}");
    let offered: Vec<_> = kind.exports(&engine).flat_map(|(name, item)| callable(&engine, name, item.ty)).collect();
    assert!(!offered.is_empty(), "it offers nothing to call");
}

#[test]
fn nothing_is_left_to_do_later() {
    let mut offences = Offences::new("what is missing is in the issues; what is here is finished");
    each_line(|path, number, line| {
        let is_lock = LOCKS.iter().any(|lock| path.ends_with(lock));
        let mut words = line.split(|sign: char| !sign.is_alphanumeric());
        if let Some(note) = words.find(|word| NOTES.contains(word)).filter(|_| !is_lock) {
            offences.add(path, number, &format!("`{note}`"));
        }
    });
    offences.none();
}

#[test]
fn no_file_names_a_folder_of_some_machine() {
    let mut offences = Offences::new("a path of one machine is wrong on every other");
    each_line(|path, number, line| {
        for folder in MACHINE_FOLDERS {
            for (place, _) in line.match_indices(folder) {
                let before = line[..place].chars().next_back();
                let goes_on = before.is_some_and(|sign| sign.is_alphanumeric() || "._~-*/})$".contains(sign));
                if !goes_on && !line[place..].starts_with(NOBODY) {
                    offences.add(path, number, &format!("`{folder}`"));
                }
            }
        }
    });
    let component = fs::read(root().join("policies/free-mode.wasm")).unwrap();
    for folder in MACHINE_FOLDERS {
        if component.windows(folder.len()).any(|bytes| bytes == folder.as_bytes()) {
            offences.add("policies/free-mode.wasm", 1, &format!("`{folder}`: build it with policies/build.sh"));
        }
    }
    offences.none();
}

#[test]
fn the_root_holds_only_what_belongs_there() {
    let mut offences = Offences::new("the root is fixed, so that everybody finds everything; put it where it is used");
    let tops: BTreeSet<_> = files().iter().map(|file| file.path.split('/').next().unwrap().to_owned()).collect();
    for top in tops.iter().filter(|top| !top.starts_with('.') && !ROOT.split(' ').any(|name| name == *top)) {
        offences.add(top, 1, "is not among those listed in tests/tidy.rs");
    }
    offences.none();
}

/// What breaks a rule, and why there is the rule.
struct Offences {
    reason: &'static str,
    found: Vec<String>,
}

impl Offences {
    fn new(reason: &'static str) -> Self {
        Self { reason, found: Vec::new() }
    }

    fn add(&mut self, path: &str, line: usize, what: &str) {
        self.found.push(format!("{path}:{line}: {what}"));
    }

    fn none(self) {
        let mut message = format!("{} offences; {}:\n", self.found.len(), self.reason);
        for offence in &self.found {
            writeln!(message, "  {offence}").unwrap();
        }
        assert!(self.found.is_empty(), "{message}");
    }
}

fn rust() -> Vec<File> {
    files().into_iter().filter(File::is_rust).collect()
}

/// Returns what of an imported or exported item is more than a type.
fn callable(engine: &Engine, name: &str, item: ComponentItem) -> Vec<String> {
    match item {
        ComponentItem::Type(_) => Vec::new(),
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .flat_map(|(part, item)| callable(engine, &format!("{name}#{part}"), item.ty))
            .collect(),
        _ => vec![name.to_owned()],
    }
}

fn each_line(mut see: impl FnMut(&str, usize, &str)) {
    for file in files() {
        for (number, line) in (1..).zip(file.text().unwrap_or_default().lines()) {
            see(&file.path, number, line);
        }
    }
}
