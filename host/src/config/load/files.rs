//! Variables that name a file instead of holding a value, as container platforms give secrets.
//!
//! `OPENROUTER_API_KEY_FILE` is read in the place of `OPENROUTER_API_KEY`, and so with every
//! variable that begins with `OLLAMA_ROUTER_`. Where the longer name is a setting itself, it
//! is that alone. It must not know what a setting is for, and never puts what a file holds
//! into an error.

use std::path::Path;

use super::{Place, Problem, in_home, keys, read_text};

/// What the name of such a variable ends with.
const ENDING: &str = "_FILE";

/// The one variable without our prefix that is a secret, and has a name of its own.
const KEY: &str = "OPENROUTER_API_KEY";

/// The largest value, in bytes: the settings of a policy fit.
const VALUE_BYTES: u64 = 1024 * 1024;

/// A variable of the environment that sets something.
pub(super) struct Variable {
    /// The name that decides which setting it is, and how it ranks.
    pub name: String,
    /// The value.
    pub text: String,
    /// The name that the environment has.
    pub shown: String,
}

/// Returns the variables of the environment, with what files hold in the place of those that
/// name one; and what is wrong with these.
///
/// Relative paths start at `folder`, `~/` at the home folder.
pub(super) fn read(
    environment: &[(String, String)],
    folder: &Path,
    home: Option<&Path>,
) -> (Vec<Variable>, Vec<Problem>) {
    let (mut variables, mut problems) = (Vec::new(), Vec::new());
    let is_set = |name: &str| environment.iter().any(|(known, text)| known == name && !text.trim().is_empty());
    for (shown, text) in environment.iter().filter(|(_, text)| !text.trim().is_empty()) {
        let Some(name) = of_file(shown) else {
            variables.push(Variable { name: shown.clone(), text: text.clone(), shown: shown.clone() });
            continue;
        };
        let problem = |message: String| Problem::at(Place::Variable(shown.clone()), message);
        if is_set(name) {
            problems.push(problem(format!("{name} is set too: unset one of them")));
            continue;
        }
        let path = Path::new(text.trim());
        let path = in_home(path, home).unwrap_or_else(|| folder.join(path));
        match value(&path) {
            Ok(text) => variables.push(Variable { name: name.to_owned(), text, shown: shown.clone() }),
            Err(message) => problems.push(problem(format!("{}: {message}", path.display()))),
        }
    }
    (variables, problems)
}

/// Returns the variable for which another names a file; none if it does not.
///
/// `PORT_FILE` and the like are too common a name: another program's would be read.
pub(super) fn of_file(name: &str) -> Option<&str> {
    let short = name.strip_suffix(ENDING)?;
    let is_own = short.starts_with(keys::PREFIX) || short == KEY;
    (is_own && keys::is_variable(short) && !keys::is_variable(name)).then_some(short)
}

/// Returns the variable that an unknown one with such an ending was probably meant to be.
pub(super) fn nearest(wrong: &str) -> Option<String> {
    let nearest = keys::nearest_variable(wrong.strip_suffix(ENDING)?)?;
    Some(nearest + ENDING)
}

fn value(path: &Path) -> Result<String, String> {
    let text = read_text(path, VALUE_BYTES)?;
    let text = text.ok_or_else(|| "there is no such file: check the path, and that it is mounted here".to_owned())?;
    // Whoever writes a file ends it with a line break.
    let value = text.strip_suffix('\n').map_or(text.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
    if value.trim().is_empty() {
        return Err("this file is empty: write the value into it, or unset the variable".to_owned());
    }
    Ok(value.to_owned())
}
