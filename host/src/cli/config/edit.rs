//! `config edit`: the whole settings file in the person's own editor.
//!
//! What is edited is a copy beside the file. The file is replaced only by a text that holds
//! against all rules; another is given back to the editor, or kept where it can be found.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use tempfile::NamedTempFile;

use crate::{
    cli::{
        Common, Failed,
        config::{felt, init::FRESH},
        prompt::{self, is_interactive, outlive_ctrl_c},
    },
    config::{
        Mode, Policy,
        load::{
            self, Loaded, Sources,
            file::{SettingsFile, private_folder},
        },
    },
};

const NOTES: &str = "\
The editor is that of $VISUAL or $EDITOR, or else nano, vi or notepad. What it saves takes
the place of the file only if it is sound; otherwise you may go on editing, and if you do
not, your text is kept beside the file, and the command ends with 2.";

/// Edit the settings file in your editor, and check it before it takes effect
#[derive(Args)]
#[command(after_help = NOTES)]
pub(in crate::cli) struct Edit {}

/// Editors that are looked for when none is named.
const EDITORS: [&str; 2] = if cfg!(windows) { ["notepad", "edit"] } else { ["nano", "vi"] };

/// Runs the editor until its text can be used, or is given up.
pub(super) fn run(common: &Common) -> Result<ExitCode, Failed> {
    let sources = common.sources()?;
    let editor = editor(&sources.environment)?;
    let file = SettingsFile::open(&sources).map_err(Failed::usage)?;
    let policy = load::load(&sources).ok().map(|Loaded { config, .. }| (config.policy, config.mode));
    let before = if file.exists() { file.text() } else { FRESH };
    let copy = copy(file.path(), before)?;
    loop {
        open(&editor, copy.path()).map_err(|failed| with_text(failed, copy.path(), before))?;
        let after = read(copy.path(), &editor)?;
        if after == before {
            writeln!(anstream::stderr(), "nothing was changed in {}", file.path().display())?;
            return Ok(ExitCode::SUCCESS);
        }
        let Err(problems) = file.check(&after) else {
            if let Err(error) = file.write(&after) {
                let kept = keep(copy.path())?;
                return Err(anyhow!("{error}; {kept}").into());
            }
            writeln!(anstream::stderr(), "saved {}", file.path().display())?;
            warn(&sources, policy.as_ref())?;
            return Ok(ExitCode::SUCCESS);
        };
        if !is_interactive() || !again(&problems)? {
            let kept = keep(copy.path())?;
            return Err(Failed::usage(anyhow!("{problems}\n{} is as it was; {kept}", file.path().display())));
        }
    }
}

/// Keeps what was written before the editor failed, and says where.
fn with_text(failed: Failed, copy: &Path, before: &str) -> Failed {
    match fs::read(copy) {
        Ok(text) if text != before.as_bytes() => match keep(copy) {
            Ok(kept) => Failed { error: anyhow!("{:#}; {kept}", failed.error), ..failed },
            Err(lost) => lost,
        },
        Ok(_) | Err(_) => failed,
    }
}

/// Reads what the editor has left.
fn read(copy: &Path, editor: &str) -> Result<String, Failed> {
    fs::read_to_string(copy).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            return anyhow!("the editor `{editor}` has removed the text instead of saving it; nothing was changed")
                .into();
        }
        let error = anyhow!(error).context(format!("cannot read {}", copy.display()));
        keep(copy).map_or_else(|failed| failed, |kept| error.context(kept).into())
    })
}

/// Says what may keep the new text from being felt, or makes a key of it known.
fn warn(sources: &Sources, before: Option<&(Policy, Mode)>) -> Result<(), Failed> {
    // What is wrong elsewhere is not of this text.
    if let Ok(loaded) = load::load(sources)
        && before.is_none_or(|(policy, mode)| (policy, mode) != (&loaded.config.policy, &loaded.config.mode))
    {
        felt::warn_of_refusal(&loaded)?;
    }
    let file = SettingsFile::open(sources).map_err(Failed::usage)?;
    if file.holds_secret() {
        felt::warn_of_readers(file.path())?;
    }
    Ok(())
}

/// Shows what is wrong, and asks whether to go on.
fn again(problems: &load::Error) -> Result<bool, Failed> {
    writeln!(anstream::stderr(), "{problems}")?;
    Ok(prompt::confirm("This cannot be used. Edit it again?", true, None)?.unwrap_or(false))
}

/// Makes a copy for the editor, for its owner alone and with an ending that editors know.
fn copy(path: &Path, text: &str) -> Result<NamedTempFile, Failed> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    private_folder(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let copy = tempfile::Builder::new().prefix("config-edit-").suffix(".yaml").tempfile_in(folder);
    let mut copy = copy.with_context(|| format!("cannot write into {}", folder.display()))?;
    copy.write_all(text.as_bytes())?;
    copy.flush()?;
    Ok(copy)
}

/// Leaves the copy where it is after the command, and says where.
fn keep(copy: &Path) -> Result<String, Failed> {
    let path = copy.with_extension("rejected.yaml");
    fs::copy(copy, &path).with_context(|| format!("cannot keep your text as {}", path.display()))?;
    Ok(format!("your text is kept in {}", path.display()))
}

/// Names the editor: a program, perhaps with flags.
fn editor(environment: &[(String, String)]) -> Result<String, Failed> {
    let value = |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
    let named = ["VISUAL", "EDITOR"].iter().filter_map(|name| value(name)).find(|editor| !editor.is_empty());
    if let Some(editor) = named {
        return Ok(editor.to_owned());
    }
    let folders: Vec<PathBuf> = value("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    let is_there = |editor: &&&str| {
        let files = [(**editor).to_owned(), format!("{editor}.exe")];
        folders.iter().any(|folder| files.iter().any(|file| folder.join(file).is_file()))
    };
    let found = EDITORS.iter().find(is_there).map(|editor| (*editor).to_owned());
    found.ok_or_else(|| Failed::usage(anyhow!("there is no editor: name one in the variable EDITOR")))
}

/// Runs the editor to its end. Ctrl-C is its business meanwhile.
fn open(editor: &str, path: &Path) -> Result<(), Failed> {
    let mut command = if cfg!(windows) {
        let mut words = editor.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or(editor));
        command.args(words).arg(path);
        command
    } else {
        // As git does it, so that flags and quotes in the variable work.
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor).arg(path);
        command
    };
    outlive_ctrl_c()?;
    let status = command.status();
    let status = status.with_context(|| format!("cannot run the editor `{editor}`: name another in EDITOR"))?;
    if status.success() {
        return Ok(());
    }
    // What a shell says of a program that is not there, or is none.
    if matches!(status.code(), Some(126 | 127)) {
        return Err(anyhow!("the editor `{editor}` cannot be run: name another in EDITOR; nothing was changed").into());
    }
    Err(anyhow!("the editor `{editor}` ended with {status}; nothing was changed").into())
}
