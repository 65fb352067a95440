//! Listens where the configuration says, or tells who is in the way and what to do.

use std::io;

use anyhow::anyhow;
use tokio::net::TcpListener;

use crate::{
    cli::{
        Failed,
        remote::{
            Remote,
            holder::{Holder, STOP_OLLAMA},
        },
    },
    config::Config,
};

/// What helps whoever holds the port.
const OTHER_PORT: &str =
    "or choose another port with `start --port`, the variable PORT, or server.port in the configuration";

/// Begins to listen.
pub(super) async fn bind(config: &Config) -> Result<TcpListener, Failed> {
    let (host, port) = (config.server.host.to_string(), config.server.port);
    let error = match TcpListener::bind((host.as_str(), port)).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => in_the_way(config).await?,
        io::ErrorKind::PermissionDenied => {
            "Ports below 1024 are for root: choose another with `start --port`".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "This machine has no such address: choose one of its own with `start --host`, or server.host in the \
             configuration; 0.0.0.0 is all of them, 127.0.0.1 this machine alone"
                .to_owned()
        }
        _ => "Check the name, or choose an address with `start --host`, or server.host in the configuration".to_owned(),
    };
    Err(anyhow!("cannot listen on {host}:{port}: {error}. {remedy}").into())
}

async fn in_the_way(config: &Config) -> Result<String, Failed> {
    let remote = Remote::new(config, None, None)?;
    let port = config.server.port;
    Ok(match remote.holder().await {
        Holder::Ollama { version } => {
            format!("Ollama itself (version {version}) is running there: stop it, {STOP_OLLAMA}, {OTHER_PORT}")
        }
        Holder::Router { version, .. } => {
            let version = version.map(|version| format!(" (version {version})")).unwrap_or_default();
            let show = format!("`ollama-router status -p {port}` shows it");
            format!("Another router{version} is running there already; {show}: stop it, {OTHER_PORT}")
        }
        Holder::Nobody | Holder::Other => {
            let find = if cfg!(unix) { format!("`lsof -i :{port}` tells which") } else { "see which".to_owned() };
            format!("Another program is running there ({find}): stop it, {OTHER_PORT}")
        }
    })
}
