//! The files of the checkout, but for those that `.gitignore` names.
//!
//! Git itself is not asked: a source archive has none. Knows nothing of what the
//! files should hold; the rules are in `tidy.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of the checkout.
pub struct File {
    /// From the root, with `/` between its parts.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl File {
    /// Returns the content, if it is text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok().filter(|text| !text.contains('\0'))
    }

    /// Returns the file's own name.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }
}

/// Returns the root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the host is in a folder of the checkout").to_owned()
}

/// Returns every file, sorted by path.
pub fn files() -> Vec<File> {
    let ignored = Ignored::read();
    let mut files = Vec::new();
    walk(&root(), "", &ignored, &mut files);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(files.len() > 100, "found only {} files, so the rules would hold for nothing", files.len());
    files
}

fn walk(folder: &Path, prefix: &str, ignored: &Ignored, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display())) {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().expect("file names are UTF-8");
        let path = format!("{prefix}{name}");
        if path == ".git" || ignored.has(&path) {
            continue;
        }
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), ignored, files);
        } else if kind.is_file() {
            // A file may go between the listing and the reading: an editor's, or another test's.
            if let Ok(bytes) = fs::read(entry.path()) {
                files.push(File { path, bytes });
            }
        }
    }
}

/// The patterns of `.gitignore`.
struct Ignored(Vec<String>);

impl Ignored {
    fn read() -> Self {
        let text = fs::read_to_string(root().join(".gitignore")).expect("the checkout has a .gitignore");
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let patterns: Vec<String> = lines.map(str::to_owned).collect();
        for pattern in &patterns {
            let known = !pattern.starts_with('!') && !pattern.contains("**") && !pattern.contains(['[', '?', '\\']);
            assert!(known, "tests/tidy/tree.rs cannot read `{pattern}` in .gitignore; teach it, or write it otherwise");
        }
        Self(patterns)
    }

    fn has(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| is_ignored(pattern, path))
    }
}

/// Tells whether a pattern names a path: one without a slash within names it in any folder.
fn is_ignored(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_end_matches('/');
    if !pattern.contains('/') {
        return path.rsplit('/').next().is_some_and(|name| is_like(pattern, name));
    }
    let mut wanted = pattern.trim_start_matches('/').split('/');
    let mut parts = path.split('/');
    loop {
        match (wanted.next(), parts.next()) {
            (None, None) => return true,
            (Some(wanted), Some(part)) if is_like(wanted, part) => {}
            _ => return false,
        }
    }
}

/// Tells whether a name fits a pattern, in which `*` stands for any text.
fn is_like(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(name) = name.strip_prefix(start) else {
        return false;
    };
    (0..=name.len()).filter(|place| name.is_char_boundary(*place)).any(|place| is_like(rest, &name[place..]))
}

#[test]
fn ignored_files_are_told_as_git_does() {
    let told = |pattern, path| is_ignored(pattern, path);
    assert!(told("/target", "target") && !told("/target", "examples/target"));
    assert!(told("target/", "examples/sticky/target") && !told("target/", "examples/targets"));
    assert!(told("*.snap.new", "tests/e2e/a.snap.new") && !told("*.snap.new", "tests/e2e/a.snap"));
    assert!(told("examples/*/dist/", "examples/js/dist") && !told("examples/*/dist/", "examples/dist"));
}
