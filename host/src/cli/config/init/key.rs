//! What OpenRouter says of a key, before it is written down.
//!
//! A key that is refused is not taken. An upstream that cannot be asked says nothing of
//! the key: that is for the person to decide.

use std::io::{self, Write as _};

use anyhow::{Context as _, anyhow};

use crate::{
    cli::{Failed, block_on},
    config::{load::Loaded, value::Secret},
    openrouter::{self, Client, key::KeyFacts},
    routing::FailureKind,
};

/// What came of asking.
pub(super) enum Verdict {
    /// It can be used.
    Good(KeyFacts),
    /// It cannot, and why.
    Refused(String),
    /// Nobody could say, and why.
    Unknown(String),
}

/// Asks about a key; none if the person did not wait for the answer.
pub(super) fn check(key: &Secret, loaded: &Loaded) -> Result<Option<Verdict>, Failed> {
    let config = &loaded.config;
    let settings = openrouter::Settings {
        base_url: config.openrouter.base_url.as_str().to_owned(),
        api_keys: vec![key.expose().to_owned()],
        referer: config.openrouter.referer.clone(),
        title: config.openrouter.title.clone(),
        connect_timeout: config.failover.connect_timeout.duration(),
        idle_timeout: config.failover.idle_timeout.duration(),
    };
    let client = Client::new(&settings).with_context(|| format!("cannot set up calls to {}", settings.base_url))?;
    let seen = block_on(async {
        tokio::select! {
            seen = client.probe() => Ok(Some(seen)),
            _ = tokio::signal::ctrl_c() => Ok(None),
        }
    })?;
    let Some(seen) = seen else { return Ok(None) };
    Ok(Some(match seen.map(|seen| seen.key) {
        Ok(Ok(facts)) if facts.manages_only => {
            Verdict::Refused("it is a key to manage other keys, and answers no request".to_owned())
        }
        Ok(Ok(facts)) => Verdict::Good(facts),
        Ok(Err(failure)) if failure.kind == FailureKind::KeyRejected => {
            Verdict::Refused(failure.message.trim_end_matches('.').to_owned())
        }
        Ok(Err(failure)) | Err(failure) => Verdict::Unknown(failure.message),
    }))
}

/// Checks a key that a flag gave, where there is nobody to ask.
///
/// Tells whether to go on.
pub(super) fn check_given(key: Option<&Secret>, loaded: &Loaded) -> Result<bool, Failed> {
    let Some(key) = key else { return Ok(true) };
    let Some(verdict) = check(key, loaded)? else { return Ok(false) };
    match verdict {
        Verdict::Good(facts) => {
            tell(&facts)?;
            Ok(true)
        }
        Verdict::Refused(why) => {
            let masked = key.masked();
            Err(anyhow!(
                "OpenRouter refuses the key {masked}: {why}. Nothing was written; see https://openrouter.ai/keys"
            )
            .into())
        }
        Verdict::Unknown(why) => {
            writeln!(anstream::stderr(), "warning: the key could not be checked, and is taken as it is: {why}")?;
            Ok(true)
        }
    }
}

/// Tells what OpenRouter says of a key that can be used.
pub(super) fn tell(facts: &KeyFacts) -> io::Result<()> {
    let mut err = anstream::stderr();
    let label = facts.label.as_ref().map(|label| format!(", labelled {label}")).unwrap_or_default();
    writeln!(err, "The key works{label}.")?;
    match facts.day {
        Some(day) => {
            let tier = if day.limit >= 1000 { "credits were bought" } else { "free tier" };
            writeln!(err, "  Free requests of today: {} of {} are left ({tier}).", day.remaining, day.limit)?;
        }
        None => match facts.free_tier {
            Some(true) => writeln!(err, "  The account is on the free tier.")?,
            Some(false) => writeln!(err, "  The account has bought credits.")?,
            None => {}
        },
    }
    match (facts.limit, facts.limit_remaining) {
        (Some(limit), Some(left)) => writeln!(err, "  Its own limit: ${left:.2} of ${limit:.2} are left.")?,
        (Some(limit), None) => writeln!(err, "  Its own limit: ${limit:.2}.")?,
        (None, Some(left)) => writeln!(err, "  Of its own limit ${left:.2} are left.")?,
        (None, None) => writeln!(err, "  It has no limit of its own.")?,
    }
    if let Some(end) = &facts.expires_at {
        writeln!(err, "  It ends at {end}.")?;
    }
    Ok(())
}
