//! `policy new`: the folder in which an own policy begins.
//!
//! Writes only into a folder that is new or empty.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use clap::Args;

use crate::cli::{
    Failed,
    policy::templates::{CONTRACT, Language, NAME},
};

/// The longest name: it stands in headers and in the log.
const MAX_NAME_BYTES: usize = 64;

const EXAMPLES: &str = "\
Example:
  ollama-router policy new my-policy --lang rust";

/// Make the folder of an own policy: source, tests, build script and the contract
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct New {
    /// Its name, and that of the folder: lower-case words joined by hyphens
    #[arg(value_parser = name)]
    name: String,
    /// The language that it is written in
    #[arg(long, value_enum)]
    lang: Language,
}

impl New {
    pub(super) fn run(&self) -> Result<ExitCode, Failed> {
        let Self { name, lang } = self;
        let folder = Path::new(name);
        vacant(folder)?;
        let contract = [("wit/policy.wit", CONTRACT.to_owned())];
        let files = lang.files().iter().map(|file| (file.path, file.text.replace(NAME, name)));
        for (path, text) in files.chain(contract) {
            let path = folder.join(path);
            write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let [tools, tests] = lang.commands();
        writeln!(
            anstream::stderr(),
            "made the folder {name}; its README.md says what is in it. Next:\n  cd {name}\n  {tools}\n  {tests}\n  \
             ./build.sh\n  ollama-router policy check {name}.wasm\n  ollama-router policy run {name}.wasm"
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Takes a name that a policy may say of itself, and that is a folder's and a package's too.
fn name(text: &str) -> Result<String, String> {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let begins_well = text.starts_with(|first: char| first.is_ascii_lowercase());
    if text.len() <= MAX_NAME_BYTES && begins_well && text.split('-').all(is_word) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "a name is lower-case words joined by hyphens, such as my-policy, with at most {MAX_NAME_BYTES} letters"
    ))
}

/// Checks that nothing can be overwritten.
fn vacant(folder: &Path) -> Result<(), Failed> {
    let shown = folder.display();
    match fs::read_dir(folder).map(Iterator::count) {
        Ok(0) => Ok(()),
        Ok(_) => {
            Err(anyhow!("cannot make {shown}: there is a folder of that name with files in it; choose another name")
                .into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(anyhow!("cannot make the folder {shown}: {error}").into()),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    if path.extension().is_some_and(|ending| ending == "sh") { executable(path) } else { Ok(()) }
}

#[cfg(unix)]
fn executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_path: &Path) -> io::Result<()> {
    Ok(())
}
