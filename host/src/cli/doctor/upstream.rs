//! What `doctor` asks OpenRouter: is it there, does it take the keys, what do they have
//! left, which models does the account's privacy leave, what time is it.
//!
//! Only questions that cost no quota are asked.

use std::time::{Duration, Instant};

use jiff::{Timestamp, fmt::rfc2822};
use tokio::net::{TcpStream, lookup_host};

use crate::{
    app,
    catalog::{Model, Traits},
    cli::{doctor::finding::Finding, words::span},
    clock::now_ms,
    config::load::Loaded,
    openrouter::{self, AUTHORITIES_REMEDY, Client, key::KeyFacts, models, probe::Seen},
    routing::{Failure, FailureKind},
};

/// A name that is not found by then is not found in time for a request either.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);

/// From so many seconds on a clock is wrong: rests and daily limits go by it.
const WRONG_CLOCK_S: u64 = 30;

/// So few free requests are worth a warning.
const FEW_REQUESTS: u32 = 5;

const PRIVACY: &str = "https://openrouter.ai/settings/privacy";

/// Asks, and judges what comes.
pub(super) async fn examine(loaded: &Loaded) -> Vec<Finding> {
    let base = loaded.config.openrouter.base_url.as_str();
    let client = match app::client(&loaded.config) {
        Ok(client) => client,
        Err(error) => return vec![unusable(base, &error)],
    };
    let missing = (client.keys() == 0).then(|| {
        let remedy = "get one at https://openrouter.ai/keys, and set openrouter.api_key or OPENROUTER_API_KEY";
        Finding::failed("key", "there is no OpenRouter API key", remedy)
    });
    let first = match client.probe().await {
        Ok(seen) => seen,
        Err(failure) => return [unreachable(base, &failure).await].into_iter().chain(missing).collect(),
    };
    let mut findings = vec![Finding::ok("upstream", format!("{base} answers in {} ms", first.took.as_millis()))];
    findings.extend(clock(&first));
    if missing.is_some() {
        findings.extend(missing);
        return findings;
    }
    findings.extend(keys(&client, first).await);
    findings.extend(privacy(&client).await);
    findings
}

/// Says why no call can be made at all.
fn unusable(base: &str, error: &anyhow::Error) -> Finding {
    match error.downcast_ref() {
        Some(openrouter::Error::Authorities { found }) => {
            let what = format!("no certificate for {base} could be trusted here: {found}");
            Finding::failed("upstream", what, AUTHORITIES_REMEDY)
        }
        Some(_) | None => Finding::failed("upstream", format!("{error:#}"), "mend this setting"),
    }
}

/// Finds out how far it comes, and says what helps there.
async fn unreachable(base: &str, failure: &Failure) -> Finding {
    let failed = |what: String, remedy: &str| Finding::failed("upstream", what, remedy);
    let (host, port) = host_and_port(base);
    let began = Instant::now();
    let Ok(Ok(mut found)) = tokio::time::timeout(STEP_TIMEOUT, lookup_host((host, port))).await else {
        let what = format!("the name {host} is not found: {}", failure.message);
        return failed(what, "check the network, the name server (/etc/resolv.conf), and openrouter.base_url");
    };
    let named = began.elapsed().as_millis();
    let Some(address) = found.next() else {
        return failed(format!("the name {host} has no address"), "check openrouter.base_url");
    };
    if !matches!(tokio::time::timeout(STEP_TIMEOUT, TcpStream::connect(address)).await, Ok(Ok(_))) {
        let what = format!("{host} is found ({named} ms), but {address} takes no connection: {}", failure.message);
        return failed(what, "check firewalls, and the proxy in HTTPS_PROXY if there is to be one");
    }
    let what = format!("{address} takes connections, but {base} does not answer: {}", failure.message);
    failed(what, "check the machine's certificates and clock, a proxy between, and openrouter.base_url")
}

/// Takes them out of a URL that has been checked when it was read.
fn host_and_port(base: &str) -> (&str, u16) {
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let authority = rest.split('/').next().unwrap_or(rest);
    let usual = if scheme == "http" { 80 } else { 443 };
    let split = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = split.unwrap_or((authority, usual));
    (host.trim_matches(['[', ']']), port)
}

fn clock(seen: &Seen) -> Option<Finding> {
    let theirs = rfc2822::parse(seen.date.as_ref()?).ok()?.timestamp();
    let ours = Timestamp::from_millisecond(i64::try_from(now_ms()).ok()?).ok()?;
    let off = ours.as_second().abs_diff(theirs.as_second());
    if off < WRONG_CLOCK_S {
        return Some(Finding::ok("clock", "it agrees with the upstream's"));
    }
    let way = if ours > theirs { "ahead of" } else { "behind" };
    let what = format!("it is {} {way} the upstream's", span(off));
    Some(Finding::warning(
        "clock",
        what,
        "set it, best by NTP (`timedatectl set-ntp true`): rests and daily limits go by it",
    ))
}

/// Asks about each key; of the first it is known already.
async fn keys(client: &Client, first: Seen) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut day, mut accepted) = (None, false);
    let mut told = Some(Ok(first));
    for place in 0..client.keys() {
        let one = client.with_key(place);
        let seen = match told.take() {
            Some(seen) => seen,
            None => one.probe().await,
        };
        let facts = seen.and_then(|seen| seen.key);
        if let Ok(facts) = &facts {
            (day, accepted) = (day.or(facts.day), true);
        }
        findings.push(key(&one.key_name(), facts));
    }
    if !accepted {
        return findings;
    }
    findings.push(match day {
        None => Finding::ok("quota", "the upstream does not tell how many free requests are left today"),
        Some(day) => {
            let what = format!("{} of {} free requests are left today", day.remaining, day.limit);
            let remedy = "wait for the next day (UTC), or buy credits for $10 once: then it is 1,000 a day";
            match day.remaining {
                0 => Finding::failed("quota", what, remedy),
                1..FEW_REQUESTS => Finding::warning("quota", what, remedy),
                _ => Finding::ok("quota", what),
            }
        }
    });
    findings
}

fn key(name: &str, facts: Result<KeyFacts, Failure>) -> Finding {
    let replace = "make another at https://openrouter.ai/keys, and set openrouter.api_key";
    match facts {
        Ok(facts) if facts.manages_only => {
            let what = format!("{name} only manages other keys, and answers no request");
            Finding::failed("key", what, replace)
        }
        Ok(facts) if facts.limit_remaining.is_some_and(|left| left <= 0.0) => {
            let what = format!("{name} is accepted, but the limit of its own is used up");
            Finding::warning(
                "key",
                what,
                "raise it at https://openrouter.ai/keys: paid models refuse it, free ones may",
            )
        }
        Ok(facts) => {
            let until = facts.expires_at.map(|end| format!(", until {end}")).unwrap_or_default();
            Finding::ok("key", format!("{name} is accepted{until}"))
        }
        Err(failure) if failure.kind == FailureKind::KeyRejected => {
            Finding::failed("key", format!("{name} is refused: {}", failure.message), replace)
        }
        Err(failure) => {
            let what = format!("{name} could not be checked: {}", failure.message);
            Finding::warning("key", what, "try again; another upstream than OpenRouter may not tell of keys")
        }
    }
}

/// Compares the free models of all with those that the account may use.
async fn privacy(client: &Client) -> Option<Finding> {
    let now = now_ms() / 1000;
    let free = |body: &[u8]| {
        let models = models::parse(body, now).ok()?.models;
        let free = |model: &Model| model.traits.contains(Traits::FREE | Traits::CHAT);
        Some(models.into_iter().filter(free).map(|model| model.id.to_string()).collect::<Vec<_>>())
    };
    let all = free(&client.models().await.ok()?)?;
    let own = match client.models_of_account().await {
        Ok(body) => free(&body),
        // A refused key has been told of.
        Err(failure) if failure.kind == FailureKind::KeyRejected => return None,
        Err(_) => None,
    };
    let toggles = format!(
        "allow free endpoints that may train on and that may publish prompts at {PRIVACY}, or accept that; guardrails \
         of a workspace have the same effect"
    );
    let Some(own) = own else {
        let what = "the upstream does not tell which models the account's settings leave";
        return Some(Finding::warning("privacy", what, format!("look at {PRIVACY} that free endpoints are allowed")));
    };
    let closed = all.iter().filter(|id| !own.contains(id)).count();
    Some(match closed {
        0 => Finding::ok("privacy", format!("the account's settings leave all {} free models", all.len())),
        closed if closed == all.len() => {
            Finding::failed("privacy", format!("the account's settings leave none of {closed} free models"), toggles)
        }
        closed => {
            let what = format!("the account's settings close {closed} of {} free models", all.len());
            Finding::warning("privacy", what, toggles)
        }
    })
}
