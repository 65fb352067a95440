//! `start`: read the configuration, build, bind, serve until a signal.
//!
//! What is said when it cannot listen is in [`bind`], what the demo says in [`greeting`],
//! what ends it in [`stop`].

mod bind;
mod greeting;
mod stop;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    cli::{self, Common, Failed, ListenFlags, ModeFlags, over},
    config::load::{Loaded, Sources},
    policy::Refused,
    sandbox::{Sandbox, scenario::Scenario},
    telemetry, tls,
};

/// The key that the simulated OpenRouter is given: it takes any.
const DEMO_KEY: &str = "sk-or-v1-demo";

/// Start the router
///
/// Serves Ollama's, OpenAI's and Anthropic's APIs until Ctrl-C or SIGTERM, lets answers
/// that are under way end within ten seconds, and ends with 0; a second signal ends it at
/// once. With a certificate in the configuration it speaks HTTPS. Ends with 1 if it cannot
/// listen, and with 2 if there is no key or the configuration is wrong.
#[derive(Args)]
pub(super) struct Start {
    #[command(flatten)]
    listen: ListenFlags,
    #[command(flatten)]
    mode: ModeFlags,
    /// How much to log: error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Answer with a simulated OpenRouter: no key and no network are needed
    #[arg(long)]
    demo: bool,
    /// With --demo: simulate the models of this saved answer of /models
    #[arg(long, value_name = "FILE", requires = "demo")]
    demo_catalog: Option<PathBuf>,
    /// With --demo: let the simulated account have so many free requests a day
    #[arg(long, value_name = "N", requires = "demo")]
    demo_per_day: Option<u64>,
    /// With --demo: let the simulated account have so many free requests a minute
    #[arg(long, value_name = "N", requires = "demo")]
    demo_per_minute: Option<u32>,
}

impl Start {
    /// Serves until it is told to stop.
    pub(super) fn run(self, common: &Common) -> Result<ExitCode, Failed> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let served = runtime.block_on(self.serve(common));
        // What still blocks (a file, a name look-up) must not keep us.
        runtime.shutdown_background();
        served
    }

    async fn serve(self, common: &Common) -> Result<ExitCode, Failed> {
        let mut stop = stop::Stop::listen();
        let mut sources = common.sources()?;
        self.override_with_flags(&mut sources);
        let sandbox = if self.demo { Some(self.simulate(&mut sources).await?) } else { None };
        let mut loaded = cli::read(&sources)?;
        telemetry::start(&loaded.config.logging)?;
        if sandbox.is_some() && common.config.is_none() {
            loaded.move_state(loaded.folder.join("demo"));
        } else if loaded.config.openrouter.keys().is_empty() {
            return Err(Failed::usage(anyhow!(no_key(&loaded))));
        }
        if common.config.is_some() && !loaded.file_exists {
            tracing::warn!("there is no file {}; every setting has its default", loaded.file.display());
        }
        let listener = bind::bind(&loaded.config).await?;
        let address = listener.local_addr()?;
        let secure = loaded.config.server.tls_cert.clone();
        let app = tokio::select! {
            built = App::build(loaded, sources, sandbox.is_some()) => built.map_err(unbuilt)?,
            () = stop.come() => {
                tracing::info!("stopped before it served");
                return Ok(ExitCode::SUCCESS);
            }
        };
        let scheme = if secure.is_some() { "https" } else { "http" };
        tracing::info!("listening on {scheme}://{address}");
        if let Some(sandbox) = &sandbox {
            greeting::print(address, secure.as_deref(), &sandbox.base_url())?;
        }
        let told = CancellationToken::new();
        let shutdown = told.clone().cancelled_owned();
        let impatient = async {
            stop.come().await;
            tracing::info!("stopping; a second signal stops at once");
            told.cancel();
            stop.come().await;
        };
        tokio::select! {
            served = app.serve(listener, shutdown) => served?,
            () = impatient => tracing::warn!("stopped at once"),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn override_with_flags(&self, sources: &mut Sources) {
        let overrides = &mut sources.overrides;
        if let Some(port) = self.listen.port {
            overrides.push(over("server.port", &port, "--port"));
        }
        if let Some(host) = &self.listen.host {
            overrides.push(over("server.host", host, "--host"));
        }
        if let Some(free_mode) = self.mode.free_mode {
            overrides.push(over("mode.free_mode", &free_mode, "--free-mode"));
        }
        if let Some(tool_use_only) = self.mode.tool_use_only {
            overrides.push(over("mode.tool_use_only", &tool_use_only, "--tool-use-only"));
        }
        if let Some(level) = &self.log_level {
            overrides.push(over("logging.level", level, "--log-level"));
        }
    }

    /// Starts the simulated OpenRouter, and points the configuration at it.
    async fn simulate(&self, sources: &mut Sources) -> Result<Sandbox, Failed> {
        let mut scenario = Scenario::demo();
        if let Some(path) = &self.demo_catalog {
            scenario = scenario.catalog(catalog(path)?);
        }
        if let Some(calls) = self.demo_per_day {
            scenario = scenario.per_day(calls);
        }
        if let Some(calls) = self.demo_per_minute {
            scenario = scenario.per_minute(calls.into());
        }
        let sandbox = Sandbox::start(scenario).await.context("failed to start the simulated OpenRouter")?;
        sources.overrides.push(over("openrouter.base_url", &sandbox.base_url(), "--demo"));
        sources.overrides.push(over("openrouter.api_key", &DEMO_KEY, "--demo"));
        // Unless it is asked for, the simulated account has no limit of its own.
        let pace = self.demo_per_minute.unwrap_or(0);
        sources.overrides.push(over("failover.requests_per_minute", &pace, "--demo"));
        Ok(sandbox)
    }
}

fn catalog(path: &PathBuf) -> Result<Value, Failed> {
    let shown = path.display();
    let text = fs::read(path).with_context(|| format!("cannot read --demo-catalog {shown}")).map_err(Failed::usage)?;
    let catalog: Value = serde_json::from_slice(&text)
        .with_context(|| format!("--demo-catalog {shown} is no JSON"))
        .map_err(Failed::usage)?;
    if !catalog.get("data").is_some_and(Value::is_array) {
        let error = anyhow!("--demo-catalog {shown} is no saved answer of /models: it has no list named `data`");
        return Err(Failed::usage(error));
    }
    Ok(catalog)
}

fn no_key(loaded: &Loaded) -> String {
    format!(
        "there is no OpenRouter API key. Get one at https://openrouter.ai/keys, and give it in one of four ways:\n  \
         1. ollama-router -k KEY start\n  \
         2. the environment variable OLLAMA_ROUTER_OPENROUTER_API_KEY\n  \
         3. the environment variable OPENROUTER_API_KEY\n  \
         4. in {}:\n       openrouter:\n         api_key: \"KEY\"\n\
         To look around without a key: ollama-router start --demo",
        loaded.file.display()
    )
}

/// A certificate that cannot be served and a policy that is refused are the configuration's fault.
fn unbuilt(error: anyhow::Error) -> Failed {
    if error.is::<tls::Error>() || error.is::<Refused>() { Failed::usage(error) } else { error.into() }
}
