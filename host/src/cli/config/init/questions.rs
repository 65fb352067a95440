//! The questions of `config init`, and what a person should know besides.
//!
//! A flag answers its question in advance. What is offered is what the file says, or else the
//! default: a variable may say otherwise here, but not where the router runs. Leaving a question,
//! with Ctrl-C or Escape, leaves them all.

use std::{
    io::{self, Write as _},
    net::TcpListener,
};

use crate::{
    cli::{
        Failed,
        config::init::key::{self, Verdict},
        prompt::{confirm, hidden, number, outlive_ctrl_c},
    },
    config::{
        Config, Server,
        load::{Loaded, Origin, file::SettingsFile},
        value::Secret,
    },
};

/// What is to be written; nothing for what stays as it is.
#[derive(Default)]
pub(super) struct Answers {
    pub key: Option<Secret>,
    /// Whether the file is to hold no key any more.
    pub no_key: bool,
    pub port: Option<u16>,
    pub host: Option<String>,
    pub free_mode: Option<bool>,
    pub tool_use_only: Option<bool>,
}

impl Answers {
    /// Returns the settings and their values as one would type them.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let key = self.key.as_ref().map(|key| key.expose().to_owned());
        let key = key.or_else(|| self.no_key.then(|| "null".to_owned()));
        let settings = [
            ("openrouter.api_key", key),
            ("server.host", self.host.clone()),
            ("server.port", self.port.map(|port| port.to_string())),
            ("mode.free_mode", self.free_mode.map(|on| on.to_string())),
            ("mode.tool_use_only", self.tool_use_only.map(|on| on.to_string())),
        ];
        settings.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

/// What came of the questions.
pub(super) enum Asked {
    /// All are answered.
    Answered(Answers),
    /// The person does not want to go on.
    No,
    /// The person left.
    Left,
}

/// What a new user runs into within the first day.
const LIMITS: &str = "
Free models share the limits of your account: 20 requests a minute, and 50 a day, or 1,000
a day once you have bought 10 credits ($10). Requests that fail count too.

Most free models are offered by those who may learn from what you send. Whether you allow it
is said by two switches at https://openrouter.ai/settings/privacy:
  - \"free endpoints that may train on inputs\"
  - \"free endpoints that may publish prompts\"
With them off, free models answer 404 `No endpoints found matching your data policy`.
";

/// Asks everything that is not given; `program` is how this one is called for the file.
pub(super) fn ask(given: Answers, loaded: &Loaded, file: &SettingsFile, program: &str) -> Result<Asked, Failed> {
    outlive_ctrl_c()?;
    let mut err = anstream::stderr();
    writeln!(err, "This makes {}. Ctrl-C leaves everything as it was.", file.path().display())?;
    if file.exists() {
        writeln!(err, "There is such a file already: only what you answer is changed in it.")?;
        match confirm("Go on?", true, None)? {
            Some(true) => {}
            Some(false) => return Ok(Asked::No),
            None => return Ok(Asked::Left),
        }
    }
    writeln!(err)?;
    Ok(rest(given, loaded, file, program)?.map_or(Asked::Left, Asked::Answered))
}

/// Asks for each setting in its turn; none if the person left.
fn rest(given: Answers, loaded: &Loaded, file: &SettingsFile, program: &str) -> Result<Option<Answers>, Failed> {
    let (key, no_key) = match key(given.key, loaded, file)? {
        Chosen::Key(key) => (Some(key), false),
        Chosen::Nothing => (None, false),
        Chosen::None => (None, true),
        Chosen::Left => return Ok(None),
    };
    writeln!(anstream::stderr(), "{LIMITS}")?;
    // A file may need a variable to be sound.
    let Loaded { config, .. } = file.alone().unwrap_or_else(|_| loaded.clone());
    let Config { server, mode, .. } = config;
    let Some(port) = port(given.port, given.host.as_deref(), &server, program)? else { return Ok(None) };
    let ask = |given: Option<bool>, question, now, help| match given {
        Some(given) => Ok(Some(given)),
        None => confirm(question, now, Some(help)),
    };
    let help = "No means that models with a price are used too, and that your credits pay";
    let question = "Use free models alone?";
    let Some(free) = ask(given.free_mode, question, mode.free_mode, help)? else { return Ok(None) };
    let help = "For coding agents and other clients that always send tools";
    let question = "Use only models that can call tools?";
    let Some(tools) = ask(given.tool_use_only, question, mode.tool_use_only, help)? else { return Ok(None) };
    // To a file that is there nothing is added that holds without it.
    let says_so = |given: bool, changed: bool| given || changed || !file.exists();
    Ok(Some(Answers {
        key,
        no_key,
        port: Some(port).filter(|port| says_so(given.port.is_some(), *port != server.port)),
        host: given.host,
        free_mode: Some(free).filter(|free| says_so(given.free_mode.is_some(), *free != mode.free_mode)),
        tool_use_only: Some(tools).filter(|tools| says_so(given.tool_use_only.is_some(), *tools != mode.tool_use_only)),
    }))
}

/// Which key is to be written.
enum Chosen {
    Key(Secret),
    /// What the file says of it stays.
    Nothing,
    /// None, and what the file has goes.
    None,
    /// The person left.
    Left,
}

/// Finds the key to write: given, held by the environment, or typed.
fn key(given: Option<Secret>, loaded: &Loaded, file: &SettingsFile) -> Result<Chosen, Failed> {
    let mut is_unwanted = false;
    let mut next = match given {
        Some(given) => Some(given),
        None => match held(loaded, file)? {
            Some(Chosen::Key(held)) => Some(held),
            Some(chosen) => return Ok(chosen),
            None => {
                is_unwanted = file.value("openrouter.api_key").is_some();
                None
            }
        },
    };
    loop {
        let key = match next.take() {
            Some(key) => key,
            None => match typed()? {
                Chosen::Key(key) => key,
                Chosen::Nothing if is_unwanted => return Ok(Chosen::None),
                chosen => return Ok(chosen),
            },
        };
        match taken(&key, loaded)? {
            Some(true) => return Ok(Chosen::Key(key)),
            Some(false) => {}
            None => return Ok(Chosen::Left),
        }
    }
}

/// Offers the key that there is already; none if there is none, or another is wanted.
fn held(loaded: &Loaded, file: &SettingsFile) -> Result<Option<Chosen>, Failed> {
    if let Some(kept) = file.value("openrouter.api_key") {
        let question = format!("Keep the key {} of the file?", kept.as_str().unwrap_or_default());
        return Ok(match confirm(&question, true, None)? {
            Some(true) => Some(Chosen::Nothing),
            Some(false) => None,
            None => Some(Chosen::Left),
        });
    }
    let Some(Origin::Environment { variable }) = loaded.origins.get("openrouter.api_key") else { return Ok(None) };
    let Some(key) = &loaded.config.openrouter.api_key else { return Ok(None) };
    let question = format!("Write the key {} of the variable {variable} into the file?", key.masked());
    let help = "No is fine as long as the variable is set where the router runs";
    Ok(match confirm(&question, false, Some(help))? {
        Some(true) => Some(Chosen::Key(key.clone())),
        Some(false) => Some(Chosen::Nothing),
        None => Some(Chosen::Left),
    })
}

fn typed() -> Result<Chosen, Failed> {
    loop {
        let help = "get one at https://openrouter.ai/keys; leave it empty to go on without";
        let Some(text) = hidden("OpenRouter API key:", Some(help))? else { return Ok(Chosen::Left) };
        if text.trim().is_empty() {
            return Ok(Chosen::Nothing);
        }
        match Secret::parse(text.trim()) {
            Ok(key) => return Ok(Chosen::Key(key)),
            Err(why) => writeln!(anstream::stderr(), "That is no key: {why}.")?,
        }
    }
}

/// Asks OpenRouter about a key, and the person where it says nothing; none if they left.
fn taken(key: &Secret, loaded: &Loaded) -> Result<Option<bool>, Failed> {
    let mut err = anstream::stderr();
    writeln!(err, "Asking about the key ...")?;
    let Some(verdict) = key::check(key, loaded)? else { return Ok(None) };
    match verdict {
        Verdict::Good(facts) => {
            key::tell(&facts)?;
            Ok(Some(true))
        }
        Verdict::Refused(why) => {
            writeln!(err, "OpenRouter refuses this key: {why}. Copy it again, whole.")?;
            Ok(Some(false))
        }
        Verdict::Unknown(why) => {
            writeln!(err, "The key could not be checked: {why}.")?;
            confirm("Keep it anyway?", true, None)
        }
    }
}

/// Finds the port, and says so if it is taken on the host that is given, or else on that of the file.
fn port(given: Option<u16>, host: Option<&str>, server: &Server, program: &str) -> Result<Option<u16>, Failed> {
    let host = host.map_or_else(|| server.host.to_string(), str::to_owned);
    let chosen = match given {
        Some(given) => Some(given),
        None => number("Port to listen on:", server.port, "11434 is that of Ollama, where clients look by themselves")?,
    };
    let is_taken = |port: u16| {
        let bound = TcpListener::bind((host.as_str(), port));
        bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    };
    if let Some(port) = chosen.filter(|port| is_taken(*port)) {
        writeln!(
            anstream::stderr(),
            "Something listens on port {port} now, perhaps Ollama itself: stop it before you start the router, or \
             choose another port with `{program} config set server.port PORT`."
        )?;
    }
    Ok(chosen)
}
