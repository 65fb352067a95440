//! Commands and paths that a person can paste into a shell as they are printed.
//!
//! Words only: what is said about them is for the commands.

use std::path::Path;

/// Returns how this program is called again for the same settings file: with `-c` if it was
/// given so.
pub(super) fn program(config: Option<&Path>) -> String {
    let flag = config.map(|path| format!(" -c {}", path_of(path))).unwrap_or_default();
    format!("ollama-router{flag}")
}

/// Writes a path as a shell reads it.
pub(super) fn path_of(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// Writes a text as a shell reads it.
pub(super) fn quoted(text: &str) -> String {
    if cfg!(windows) {
        // Neither of the two shells there takes the other's marks for all letters; both take these.
        return if text.contains([' ', '&', '(', ')', ';', ',']) { format!("\"{text}\"") } else { text.to_owned() };
    }
    let is_plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "/._-+:@".contains(letter));
    if is_plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        let rows = [
            ("/etc/router.yaml", "/etc/router.yaml"),
            ("my file.yaml", "'my file.yaml'"),
            ("it's $HOME", "'it'\\''s $HOME'"),
            ("~/a", "'~/a'"),
            ("", "''"),
        ];
        for (text, expected) in rows {
            assert_eq!(quoted(text), expected);
        }
        assert_eq!(program(None), "ollama-router");
        assert_eq!(program(Some(Path::new("a b"))), "ollama-router -c 'a b'");
    }
}
