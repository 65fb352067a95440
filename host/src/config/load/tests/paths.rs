//! Where the files are looked for, and what is said of one that cannot be read.

use super::*;

#[test]
fn a_file_that_is_not_text_is_refused() {
    let home = Home::empty();
    fs::write(home.file(), b"mode:\n  # \xff\n").unwrap();
    assert_eq!(home.problems(&[], &[]), ["~/config.yaml: line 2 is not UTF-8: save this file as UTF-8 text"]);
    fs::write(home.file(), " ".repeat(256 * 1024 + 1)).unwrap();
    assert_eq!(home.problems(&[], &[]), ["~/config.yaml: this file is too large: 256 KiB at most"]);
    fs::remove_file(home.file()).unwrap();
    fs::create_dir(home.file()).unwrap();
    let problems = home.problems(&[], &[]);
    assert!(problems[0].starts_with("~/config.yaml: cannot read this file: "), "{problems:?}");
    assert!(
        cfg!(windows) || problems[0].ends_with("; it is a folder: name a file in it, or move it away"),
        "{problems:?}"
    );
}

/// Whoever runs the tests may read everything, so the words are looked at alone.
#[test]
fn who_may_not_read_a_file_is_told_what_lets_them() {
    let told = remedy(io::ErrorKind::PermissionDenied, Path::new("/etc/config.yaml"));
    let expected = "; let the user that runs this read it (`chown` it to them, or `chmod a+r /etc/config.yaml` if it holds no key), \
         and enter its folder";
    assert_eq!(told, expected);
}

#[test]
fn a_windows_file_is_read_like_any_other() {
    let loaded = Home::with("\u{feff}server:\r\n  port: 7\r\n").load(&[], &[]).unwrap();
    let origin = loaded.origins["server.port"].clone();
    assert_eq!((loaded.config.server.port, origin), (7, Origin::File { line: 2 }));
}

#[test]
fn paths_start_at_the_data_folder_or_the_home_and_after_a_flag_here() {
    let home = Home::with("policy: {module: p/a.wasm, settings_file: ~/s.json}\nstore: {url: 'sqlite:data/f.db'}\n");
    let user = home.folder.path().join("user");
    fs::create_dir(&user).unwrap();
    fs::write(user.join("s.json"), "{}").unwrap();
    let environment = [("HOME", user.to_str().unwrap()), ("USERPROFILE", user.to_str().unwrap())];
    let loaded = home.load(&environment, &[]).unwrap();
    let policy = &loaded.config.policy;
    assert_eq!(policy.module.as_deref(), Some(&*loaded.folder.join("p/a.wasm")));
    assert_eq!(policy.settings_file.as_deref(), Some(&*user.join("s.json")));
    assert_eq!(loaded.database, loaded.folder.join("data/f.db"));
    let flagged = home.load(&environment, &[("policy.module", "b.wasm", "--policy")]).unwrap();
    assert_eq!(flagged.config.policy.module, Some(std::path::absolute("b.wasm").unwrap()));
}

#[test]
fn the_settings_file_lies_under_the_settings() {
    let home = Home::with("policy: {settings: {a: 1}, settings_file: more.yaml}\n");
    fs::write(home.folder.path().join("more.yaml"), "a: 2\nb: {c: 3}\n").unwrap();
    let settings = home.load(&[], &[]).unwrap().config.policy.settings;
    assert_eq!(Value::Object(settings), json!({"a": 1, "b": {"c": 3}}));
}

#[test]
fn a_wrong_settings_file_is_told_with_its_own_place() {
    let home = Home::with("policy:\n  settings_file: more.json\n");
    let start = "~/config.yaml:2:3: policy.settings_file: ~/more.json";
    assert_eq!(home.problems(&[], &[]), [format!("{start}: no such file")]);
    fs::write(home.folder.path().join("more.json"), "{\"a\": 1,\n}").unwrap();
    assert_eq!(home.problems(&[], &[]), [format!("{start}:2:1: trailing comma")]);
}

#[test]
fn the_default_file_is_in_the_home_folder() {
    let environment = variables(&[("HOME", "/home/me"), ("USERPROFILE", "/home/me")]);
    let expected = Path::new("/home/me/.config/ollama-router/config.yaml");
    assert_eq!(default_file(&environment).as_deref(), Some(expected));
    let error = load(&Sources::default()).unwrap_err().to_string();
    assert!(error.starts_with("cannot find the home folder: set "), "{error}");
}

#[test]
fn the_filter_is_given_line_by_line_as_it_is() {
    let home = Home::empty();
    assert_eq!(load_filter(home.folder.path()), Ok(vec![]));
    let file = home.folder.path().join("models-filter").join("filter");
    fs::create_dir(file.parent().unwrap()).unwrap();
    fs::write(&file, "gemini\r\n# words\n\n deepseek \n").unwrap();
    let lines = ["gemini", "# words", "", " deepseek "].map(str::to_owned);
    assert_eq!(load_filter(home.folder.path()), Ok(lines.to_vec()));
    fs::write(&file, b"gemini\n\xff\n").unwrap();
    let error = load_filter(home.folder.path()).unwrap_err().to_string();
    assert_eq!(error, format!("{}: line 2 is not UTF-8: save this file as UTF-8 text", file.display()));
    fs::write(&file, "a".repeat(64 * 1024 + 1)).unwrap();
    let error = load_filter(home.folder.path()).unwrap_err().to_string();
    assert_eq!(error, format!("{}: this file is too large: 64 KiB at most", file.display()));
}
