//! Who may import whom in the host, and which outside crate lives where.
//!
//! The tables are the rule. They are about `host/src` alone, and about the
//! direction of knowledge: a layer knows those below it (domain, adapters,
//! engine, surface, composition), and an adapter no other. The reasons are in
//! `host/ARCHITECTURE.md`; how Rust is read, in `tidy/source.rs`.

use std::fs;

use crate::{
    Offences, rust,
    source::{Named, Token, line_naming, paths_below, tokens},
    tree::{File, files, root},
};

/// What each module of the host may import besides its own parts, lowest first.
const IMPORTS: &[(&str, &str)] = &[
    // Domain: values and arithmetic.
    ("catalog", ""),
    ("config", ""),
    ("routing", "catalog"),
    ("chat", "catalog routing"),
    ("embeddings", "chat"),
    // The clock, which is below all that knows the time.
    ("clock", ""),
    // Adapters: one outside technology each.
    ("config::load", "config"),
    ("openrouter", "catalog chat clock config embeddings routing"),
    ("policy", "catalog config routing"),
    ("store", "catalog clock config routing"),
    ("tls", "config"),
    // Engine: what answers a request.
    ("current", "policy"),
    ("failover", "catalog chat clock config current embeddings openrouter policy routing store"),
    // Surface: it meets upstream and the database only through the engine.
    ("api", "catalog chat clock config current embeddings failover policy routing"),
    // Composition.
    ("telemetry", "config"),
    // It is called by the operators' routes, and tells them how it went.
    ("refresh", "api catalog clock config current failover openrouter policy routing"),
    ("reload", "api catalog clock config config::load current failover policy routing tls"),
    ("app", "api catalog config config::load current failover openrouter policy refresh reload routing store tls"),
    (
        "cli",
        "api app catalog clock config config::load failover openrouter policy refresh routing sandbox store telemetry tls",
    ),
    // The simulated OpenRouter: it knows the wire and nothing of the host.
    ("sandbox", ""),
];

/// The faces of the API: each is one conversion, and none knows another.
const FACES: [&str; 4] = ["api::anthropic", "api::ollama", "api::openai", "api::responses"];

/// All but the domain.
const BEYOND_DOMAIN: &str =
    "clock config::load openrouter policy store tls current failover api telemetry refresh reload app cli sandbox";

/// Any module.
const ANYWHERE: &str = "catalog config routing chat embeddings clock \
    config::load openrouter policy store tls current failover api telemetry refresh reload app cli sandbox";

/// Which outside crates may be named in which modules, and why only there.
const ROOMS: &[(&str, &str, &str)] = &[
    (
        "clap clap_complete clap_mangen comfy_table crossterm indicatif unicode_width",
        "cli",
        "only the command line talks to a terminal",
    ),
    ("anstream", "cli telemetry", "whether there are colours is decided once, for what is printed and for the log"),
    ("anyhow", "app cli", "others give errors on which a caller can branch"),
    ("arc_swap", "current tls", "what is in force is swapped where it is kept: generations, and the certificate"),
    ("async_compression", "api::encoding", "what is compressed is read in one place, and from then on plain"),
    ("axum", "api app sandbox", "HTTP is served at the surface, and by the simulated upstream"),
    ("base64", "api sandbox", "encodings belong to the wire"),
    ("bitflags", "catalog", "sets of capabilities are the catalogue's"),
    ("gethostname", "app", "the composition asks the machine, and hands on what it says"),
    ("fs4", "cli::doctor", "only who looks for what is wrong asks the disk"),
    ("getrandom hmac", "policy::cache", "the cache of compiled code has the only key of our own"),
    ("http_body reqwest", "openrouter cli::remote", "one place calls upstream, one a running router"),
    ("humantime", "config api cli", "durations are text only for people"),
    ("inquire rustix", "cli::prompt", "a person is asked in one place"),
    ("notify", "reload", "one place watches files"),
    ("jsonschema", "policy::schema", "settings are held against a schema in one place"),
    ("rand_core wasmtime wasmtime_wasi wit_component", "policy", "one place runs guests"),
    ("prometheus_client", "api::metrics", "figures are written for a scraper in one place"),
    (
        "rustls",
        "tls openrouter cli::remote app::secured",
        "who connects or listens by HTTPS says whom it trusts, or as whom it is",
    ),
    ("rustls_pki_types", "tls", "certificates are read in one place"),
    ("rusqlite", "store", "one place knows the database"),
    ("saphyr_parser", "config::load::edit", "places in a text are looked for where it is changed"),
    ("serde_yaml", "config::load", "one place knows the YAML reader, so that it can be replaced"),
    ("sha2", "api policy sandbox", "digests are made where they are shown or compared"),
    ("strsim", "config::load", "names are guessed for keys that a person typed"),
    ("subtle", "api::access", "keys are compared where clients are let in"),
    ("tokio_rustls", "app::secured", "TLS is put around connections where they are accepted"),
    (
        "tokio_util",
        "app cli reload api::encoding",
        "the composition owns the tasks; bodies become readers where they are unpacked",
    ),
    (
        "tempfile",
        "config::load cli::config policy::decisions::log store::tests",
        "the settings file is replaced whole, and edited as a copy; tests have folders of their own",
    ),
    ("tower_http", "api", "layers are put around routes where the routes are"),
    ("tracing_subscriber", "telemetry store::tests", "one place decides where logs go"),
    ("fastrand futures_core futures_util jiff tokio tracing", BEYOND_DOMAIN, "the domain is values and arithmetic"),
    ("bytes serde serde_json thiserror", ANYWHERE, "they are plain values and errors"),
];

#[test]
fn modules_import_only_what_is_below_them() {
    let mut offences = Offences::new(
        "a layer imports only from those below it, and an adapter no other; move the code to where it may know what it \
         needs, or change the table in tests/tidy/layers.rs and say why",
    );
    for (file, module) in modules() {
        let Some((owner, allowed)) = row(&module) else {
            offences.add(&file.path, 1, &format!("`{module}` is not in the table of imports"));
            continue;
        };
        for Named { path, line } in imports(&tokens(file.text().unwrap()), &module) {
            let imported = row(&path).map_or_else(|| path.split("::").next().unwrap(), |(name, _)| name);
            if imported != *owner && !allowed.split(' ').any(|name| name == imported) {
                offences.add(&file.path, line, &format!("`{owner}` may not import `{imported}` (here: `{path}`)"));
            }
        }
    }
    offences.none();
}

#[test]
fn no_face_of_the_api_knows_another() {
    let face_of = |path: &str| FACES.iter().find(|face| is_within(path, face));
    let mut offences = Offences::new("what two faces need stands beside them in `api`, or below in `chat`");
    let mut seen = 0;
    for (file, module) in modules() {
        let Some(face) = face_of(&module) else { continue };
        seen += 1;
        for Named { path, line } in imports(&tokens(file.text().unwrap()), &module) {
            if face_of(&path).is_some_and(|other| other != face) {
                offences.add(&file.path, line, &format!("`{face}` may not import `{path}`"));
            }
        }
    }
    assert!(seen > FACES.len(), "the faces were not found");
    offences.none();
}

#[test]
fn every_outside_crate_stays_in_its_room() {
    let mut offences =
        Offences::new("an outside crate is known in one room, so that it can be replaced by changing it");
    let read: Vec<_> =
        modules().into_iter().map(|(file, module)| (tokens(file.text().unwrap()), file, module)).collect();
    for name in dependencies("[dependencies]") {
        let Some((_, rooms, reason)) = ROOMS.iter().find(|(crates, ..)| crates.split(' ').any(|known| known == name))
        else {
            offences.add("host/Cargo.toml", 1, &format!("`{name}` has no room: give it one in tests/tidy/layers.rs"));
            continue;
        };
        let mut is_used = false;
        for (tokens, file, module) in &read {
            let Some(line) = line_naming(tokens, &name) else { continue };
            is_used = true;
            if !rooms.split(' ').any(|room| is_within(module, room)) {
                offences.add(&file.path, line, &format!("`{name}` may not be used here: {reason}"));
            }
        }
        if !is_used {
            offences.add("host/Cargo.toml", 1, &format!("`{name}` is not used in host/src; take it out"));
        }
    }
    offences.none();
}

#[test]
fn every_dependency_of_the_tests_is_used() {
    let mut offences = Offences::new("a dependency costs compile time and trust");
    let sources: Vec<_> = rust().iter().map(|file| tokens(file.text().unwrap())).collect();
    for name in dependencies("[dev-dependencies]") {
        if !sources.iter().any(|tokens| line_naming(tokens, &name).is_some()) {
            offences.add("host/Cargo.toml", 1, &format!("`{name}` is used in no test and no benchmark; take it out"));
        }
    }
    offences.none();
}

/// Returns the host's sources, each with the path of its module.
fn modules() -> Vec<(File, String)> {
    let module = |file: File| {
        let inner = file.path.strip_prefix("host/src/")?.strip_suffix(".rs")?.replace('/', "::");
        // These two hold no code but declarations and one call.
        (!["lib", "main"].contains(&inner.as_str())).then_some((file, inner))
    };
    let modules: Vec<_> = files().into_iter().filter_map(module).collect();
    let missing: Vec<_> =
        IMPORTS.iter().filter(|(name, _)| !modules.iter().any(|(_, module)| module == name)).collect();
    assert!(missing.is_empty(), "the table of imports has modules that are none: {missing:?}");
    modules
}

/// Returns the row of the table for a module or what is in it: the longest that fits.
fn row(path: &str) -> Option<&'static (&'static str, &'static str)> {
    IMPORTS.iter().filter(|(name, _)| is_within(path, name)).max_by_key(|(name, _)| name.len())
}

fn is_within(path: &str, room: &str) -> bool {
    path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns what a module names of the host, as paths from the root of the crate.
fn imports(tokens: &[Token], module: &str) -> Vec<Named> {
    let mut found = paths_below(tokens, "crate");
    for Named { path, line } in paths_below(tokens, "super") {
        let climbed = path.split("::").take_while(|part| *part == "super").count() + 1;
        let parts: Vec<_> = module.split("::").collect();
        let below = path.split("::").skip(climbed - 1);
        let Some(kept) = parts.len().checked_sub(climbed) else { continue };
        let path = parts[..kept].iter().copied().chain(below).collect::<Vec<_>>().join("::");
        // Tests within a file climb one step less, so what looks like the root may be its parent.
        if row(&path).is_some() {
            found.push(Named { path, line });
        }
    }
    // A part that is a layer of its own, such as `load` within `config`.
    for (name, _) in IMPORTS {
        if let Some(part) = name.strip_prefix(module).and_then(|rest| rest.strip_prefix("::")) {
            let below = paths_below(tokens, part);
            found.extend(below.into_iter().map(|Named { line, .. }| Named { path: (*name).to_owned(), line }));
        }
    }
    found
}

/// Returns the names of a section of the host's manifest, as code spells them.
fn dependencies(section: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join("host/Cargo.toml")).unwrap();
    let lines = manifest.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty());
    let names: Vec<_> = names.map(|name| name.replace('-', "_")).collect();
    assert!(!names.is_empty(), "host/Cargo.toml has no section {section}");
    names
}
