//! What `doctor` checks of this machine: the folder, secrets, the disk, the port.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tokio::net::TcpListener;

use crate::{
    cli::{
        doctor::finding::Finding,
        hint,
        remote::{
            Remote,
            holder::{Holder, STOP_OLLAMA},
        },
        words::bytes,
    },
    config::load::{Loaded, Origin},
};

/// Free space below which writing fails soon: the list of models, compiled policies and
/// the database have some 20 MB.
const LITTLE_SPACE_BYTES: u64 = 64 << 20;

/// Checks that the router can write its files.
pub(super) fn folder(loaded: &Loaded) -> Finding {
    let folder = &loaded.state;
    let shown = folder.display();
    let existing = existing(folder);
    let trial = existing.join(format!(".ollama-router-doctor-{}", std::process::id()));
    let written = fs::write(&trial, b"").and_then(|()| fs::remove_file(&trial));
    match written {
        Ok(()) if existing == *folder => Finding::ok("data folder", format!("{shown} can be written")),
        Ok(()) => Finding::ok("data folder", format!("{shown} is not there yet, and can be made")),
        Err(error) => {
            let user = "make it writable for the user that runs the router";
            let remedy = format!(
                "{user} (`chmod u+rwx {}`), or name a settings file elsewhere with --config",
                hint::path_of(&existing)
            );
            Finding::failed("data folder", format!("{} cannot be written: {error}", existing.display()), remedy)
        }
    }
}

/// Returns the nearest folder above that exists.
fn existing(folder: &Path) -> PathBuf {
    folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// Checks that nobody else can read what holds secrets.
pub(super) fn secrets(loaded: &Loaded) -> Vec<Finding> {
    let mut files = vec![loaded.database.clone(), loaded.state.join("cache").join("key")];
    let secrets = ["openrouter.api_key", "openrouter.api_keys", "server.client_keys", "server.admin_key"];
    let in_file = |key: &&str| matches!(loaded.origins.get(*key), Some(Origin::File { .. }));
    if secrets.iter().any(in_file) {
        files.insert(0, loaded.file.clone());
    }
    // A certificate's key is often left to a group of the servers that use it.
    let key = loaded.config.server.tls_key.iter().filter(|file| is_open(file, 0o007));
    let open: Vec<&PathBuf> = files.iter().filter(|file| is_open(file, 0o077)).chain(key).collect();
    if open.is_empty() {
        return vec![Finding::ok("secrets", "no file with secrets can be read by others")];
    }
    let remedy = |file: &PathBuf| {
        let remedy = format!("`chmod 600 {}`", hint::path_of(file));
        Finding::warning("secrets", format!("others can read {}", file.display()), remedy)
    };
    open.into_iter().map(remedy).collect()
}

/// Tells whether a file lets those in whom a mask of its mode stands for.
#[cfg(unix)]
fn is_open(file: &Path, mask: u32) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|found| found.permissions().mode() & mask != 0)
}

#[cfg(not(unix))]
fn is_open(_file: &Path, _mask: u32) -> bool {
    false
}

/// Checks that there is room for what the router writes.
pub(super) fn disk(loaded: &Loaded) -> Finding {
    let folder = existing(&loaded.state);
    match fs4::available_space(&folder) {
        Ok(free) if free < LITTLE_SPACE_BYTES => {
            let remedy = "free some space: without it neither the list of models nor failures outlast a restart";
            Finding::warning("disk", format!("only {} are free at {}", bytes(free), folder.display()), remedy)
        }
        Ok(free) => Finding::ok("disk", format!("{} are free", bytes(free))),
        Err(error) => Finding::warning("disk", format!("cannot tell what is free: {error}"), "look with `df`"),
    }
}

/// Checks who holds the port, and if that is a router, which.
pub(super) async fn port(loaded: &Loaded) -> Vec<Finding> {
    let (host, port) = (loaded.config.server.host.to_string(), loaded.config.server.port);
    let Ok(remote) = Remote::new(&loaded.config, None, None) else { return Vec::new() };
    let other = "or choose another port: `start --port`, PORT, or server.port";
    let what = format!("port {port}");
    match remote.holder().await {
        Holder::Router { is_plain: true, .. } => vec![Finding::warning(
            "port",
            format!("{what} is held by a router that speaks plain HTTP, though server.tls_cert is set"),
            "start the router again, so that it speaks HTTPS",
        )],
        Holder::Router { version, is_plain: false } => router(&what, version.as_deref()),
        Holder::Ollama { version } => {
            let what = format!("{what} is held by Ollama itself (version {version})");
            vec![Finding::failed("port", what, format!("stop it, {STOP_OLLAMA}, {other}"))]
        }
        Holder::Other => {
            let which = format!("see which with `lsof -i :{port}` and stop it, {other}");
            vec![Finding::failed("port", format!("{what} is held by another program"), which)]
        }
        Holder::Nobody => vec![match TcpListener::bind((host.as_str(), port)).await {
            Ok(_) => Finding::ok("port", format!("{what} is free, and no router runs there")),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let remedy = "ports below 1024 are for root: choose another with server.port";
                Finding::failed("port", format!("{what} cannot be used: {error}"), remedy)
            }
            Err(error) => Finding::failed(
                "port",
                format!("cannot listen on {host}:{port}: {error}"),
                "choose an address of this machine: `start --host`, or server.host",
            ),
        }],
    }
}

fn router(port: &str, version: Option<&str>) -> Vec<Finding> {
    let held = Finding::ok("port", format!("{port} is held by a router, which is running"));
    let own = env!("CARGO_PKG_VERSION");
    let running = match version {
        Some(version) if version == own => Finding::ok("router", format!("version {version}, as this program")),
        Some(version) => Finding::warning(
            "router",
            format!("version {version} is running, and this program is {own}"),
            "start the router again, so that it is the one that is installed",
        ),
        None => Finding::warning(
            "router",
            "it does not tell us of itself",
            "set server.admin_key and server.tls_cert here as they are set there",
        ),
    };
    vec![held, running]
}
