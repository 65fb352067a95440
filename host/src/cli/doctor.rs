//! `doctor`: everything that may be wrong, checked, with the remedy of each.
//!
//! Changes nothing, spends no quota, and goes on after a failure as far as that makes
//! sense. In reading order: [`finding`] (a line), [`machine`] (files, disk, port),
//! [`certificate`] (HTTPS), [`lists`] (policy, filter, cache), [`upstream`] (network, keys,
//! privacy, clock).

mod certificate;
mod finding;
mod lists;
mod machine;
mod upstream;

use std::{io::Write as _, process::ExitCode};

use clap::Args;

use crate::{
    cli::{
        Common, Failed, block_on,
        doctor::finding::{Finding, Verdict},
        print_json,
        words::count,
    },
    config::load::{self, Loaded},
};

/// Check everything that may be wrong, and say what to do about it
///
/// The configuration, the folder's rights, secrets, disk space, the certificate of HTTPS, the
/// policy and the filter, the list of models, the way to OpenRouter, the keys and what they have left,
/// the account's privacy settings, the clock, the port, and the router that runs. It
/// changes nothing and spends no request of your quota. Ends with 0 if nothing failed
/// (warnings are none), and with 1 if something did.
#[derive(Args)]
pub(super) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Checks, and prints what was found.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let findings = match load::load(&common.sources()?) {
            Ok(loaded) => block_on(async { Ok(examine(&loaded).await) })?,
            Err(error) => vec![unusable(&error)],
        };
        let failed = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).count();
        let warned = findings.iter().filter(|finding| finding.verdict == Verdict::Warning).count();
        if self.json {
            print_json(&findings)?;
        } else {
            finding::print(&findings)?;
        }
        let summary = match (failed, warned) {
            (0, 0) => "all is well".to_owned(),
            (0, warned) => format!("nothing failed, {}", count(warned, "warning")),
            (failed, warned) => format!("{failed} failed, {}", count(warned, "warning")),
        };
        writeln!(anstream::stderr(), "{summary}")?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

fn unusable(error: &load::Error) -> Finding {
    let problems: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
    let what = format!("{}; nothing else was checked", problems.join("; "));
    Finding::failed("configuration", what, "mend what it names; host/config.example.yaml has every key")
}

async fn examine(loaded: &Loaded) -> Vec<Finding> {
    let mut findings = vec![configuration(loaded), machine::folder(loaded)];
    findings.extend(machine::secrets(loaded));
    findings.push(machine::disk(loaded));
    findings.extend(certificate::certificate(loaded));
    findings.extend(lists::policy(loaded).await);
    findings.push(lists::cache(loaded));
    findings.extend(upstream::examine(loaded).await);
    findings.extend(machine::port(loaded).await);
    findings
}

fn configuration(loaded: &Loaded) -> Finding {
    let file = loaded.file.display();
    if loaded.file_exists {
        return Finding::ok("configuration", format!("{file} is valid"));
    }
    Finding::ok(
        "configuration",
        format!("there is no {file}; every setting has its default, or is from the environment"),
    )
}
