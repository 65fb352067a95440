//! Sets up the log: level, form, and where it goes. Nothing else.
//!
//! Lines go to standard error, so that standard output is data alone. What is
//! logged never holds a key, a prompt or an answer.

use std::io;

use tracing_subscriber::{EnvFilter, fmt, util::TryInitError};

use crate::config::{
    Logging,
    value::{Level, LogFormat},
};

/// Starts logging for the whole process; to be called once.
pub fn start(logging: &Logging) -> Result<(), TryInitError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    // What libraries say is only of use to those who look for it.
    let filter = EnvFilter::new(match logging.level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "warn,ollama_router=info",
        Level::Debug => "warn,ollama_router=debug",
        Level::Trace => "debug,ollama_router=trace",
    });
    let lines = fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    match logging.format {
        LogFormat::Text => {
            let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
            lines.with_ansi(colours).finish().try_init()
        }
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    }
}
