//! `policy new`: what it makes, what it refuses to overwrite, which names it takes.
//!
//! The real binary. That what it makes can be built, tested and used is shown by
//! `tests/examples/run.sh`, which has the tools for it.

use std::{fs, path::Path};

use crate::support::program::{Program, Ran};

fn ended(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
}

#[test]
fn new_makes_a_whole_project_and_overwrites_nothing() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/templates");
    for language in ["rust", "js", "python"] {
        let program = Program::new();
        let name = format!("my-{language}");
        let ran = program.run(&["policy", "new", &name, "--lang", language]);
        ended(&ran, 0);
        for step in [&*format!("cd {name}\n"), "./build.sh\n", &format!("policy check {name}.wasm\n")] {
            assert!(ran.err.contains(step), "{step} is not in {}", ran.err);
        }
        let folder = program.path(&name);
        let mut wanted = files(&templates.join(language));
        wanted.push("wit/policy.wit".to_owned());
        wanted.sort();
        assert_eq!(files(&folder), wanted);
        for file in &wanted {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            assert!(!text.contains("{{"), "{language}/{file} has a placeholder");
            let template = fs::read_to_string(templates.join(language).join(file));
            let expected = template.map_or_else(
                |_| include_str!("../../wit/policy.wit").to_owned(),
                |text| text.replace("{{name}}", &name),
            );
            assert_eq!(text, expected, "{language}/{file}");
        }
        let ran = program.run(&["policy", "new", &name, "--lang", language]);
        ended(&ran, 1);
        assert!(ran.err.contains("there is a folder of that name with files in it"), "{ran:?}");
    }
}

#[test]
fn new_takes_names_that_a_policy_may_have() {
    let program = Program::new();
    for name in ["My-policy", "my_policy", "-policy", "policy-", "my--policy", "../policy", "1st", ""] {
        let ran = program.run(&["policy", "new", "--lang", "rust", "--", name]);
        ended(&ran, 2);
        assert!(ran.err.contains("lower-case words joined by hyphens"), "{ran:?}");
    }
    fs::create_dir(program.path("empty-2")).unwrap();
    ended(&program.run(&["policy", "new", "empty-2", "--lang", "rust"]), 0);
}

#[cfg(unix)]
#[test]
fn what_new_makes_can_be_built_at_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new();
    ended(&program.run(&["policy", "new", "mine", "--lang", "rust"]), 0);
    let mode = fs::metadata(program.path("mine/build.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

/// Returns the paths of all files in a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}
