//! The program itself, as a person starts it: arguments, environment, streams.
//!
//! Nothing of this machine leaks in: the environment is empty but for `PATH`,
//! and the home folder is a fresh one. Whatever is started is ended when the
//! test is over, passed or not. For all that can be seen in process, use
//! `Setup` instead.

use std::{
    io::{BufRead as _, BufReader, Read, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
};

use tempfile::TempDir;

use crate::support::PATIENCE;

/// Starts the program in a home folder of its own.
pub struct Program {
    home: TempDir,
    environment: Vec<(String, String)>,
    file_limit_kib: Option<u32>,
    open_files: Option<u32>,
}

/// What a program that has ended left.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// A program that serves.
pub struct Served {
    child: Owned,
    out: Receiver<String>,
    lines: Receiver<String>,
    log: String,
    /// Where it listens.
    pub port: u16,
}

/// A child that does not outlive its test.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Program {
    /// Makes an empty home.
    pub fn new() -> Self {
        Self { home: TempDir::new().unwrap(), environment: Vec::new(), file_limit_kib: None, open_files: None }
    }

    /// Sets a variable for all that is started from here.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets nothing that is started from here write a file larger than this; the
    /// system refuses the write, as on a full disk.
    pub fn file_limit_kib(self, kib: u32) -> Self {
        Self { file_limit_kib: Some(kib), ..self }
    }

    /// Lets nothing that is started from here have more files open than this.
    pub fn open_files(self, number: u32) -> Self {
        Self { open_files: Some(number), ..self }
    }

    /// Writes a file below the home folder.
    pub fn file(self, path: &str, content: &str) -> Self {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Returns a path below the home folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// Runs a command to its end, which finds this on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.spawn(arguments);
        // Few look at it, and who does not may be gone.
        child.0.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let out = all(child.0.stdout.take().unwrap());
        let err = all(child.0.stderr.take().unwrap());
        let told = |text: Receiver<String>| {
            text.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{arguments:?} does not end"))
        };
        let (out, err) = (told(out), told(err));
        Ran { code: child.0.wait().unwrap().code(), out, err }
    }

    /// Runs a command until it has printed so many lines, and ends it.
    pub fn lines(&self, arguments: &[&str], number: usize) -> Vec<String> {
        let mut child = self.spawn(arguments);
        let printed = lines(child.0.stdout.take().unwrap());
        let line = |_| printed.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{arguments:?} prints no more"));
        (0..number).map(line).map(|line| line.trim_end().to_owned()).collect()
    }

    /// Runs a command until it has printed so many lines, sends it Ctrl-C, and returns the code
    /// that it ends with.
    pub fn left_after(&self, arguments: &[&str], number: usize) -> Option<i32> {
        let mut child = self.spawn(arguments);
        let printed = lines(child.0.stdout.take().unwrap());
        for _ in 0..number {
            printed.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{arguments:?} prints no more"));
        }
        interrupt(child.0.id(), "INT");
        child.0.wait().unwrap().code()
    }

    /// Starts a router, and returns when it listens.
    pub fn serve(&self, arguments: &[&str]) -> Served {
        let mut served = self.begin(arguments);
        while served.port == 0 {
            let line = served.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("{arguments:?} does not listen: {}", served.log));
            served.log.push_str(&line);
            let listening = line.split_once("listening on ").and_then(|(_, url)| url.split_once("://"));
            if let Some((_, address)) = listening {
                served.port = address.trim().rsplit_once(':').unwrap().1.parse().unwrap();
            }
        }
        served
    }

    /// Starts a router, and returns at once; its port is 0, for it is not known yet.
    pub fn begin(&self, arguments: &[&str]) -> Served {
        let mut child = self.spawn(arguments);
        let out = all(child.0.stdout.take().unwrap());
        let lines = lines(child.0.stderr.take().unwrap());
        Served { child, out, lines, log: String::new(), port: 0 }
    }

    fn spawn(&self, arguments: &[&str]) -> Owned {
        let mut command = self.command();
        command.env_clear().envs(self.surroundings()).current_dir(self.home.path()).args(arguments);
        Owned(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Returns the whole environment of what is started from here.
    pub fn surroundings(&self) -> Vec<(String, String)> {
        let home = self.home.path().to_str().unwrap().to_owned();
        // Only to find programs; what a test needs beyond it, it sets.
        let path = std::env::vars().filter(|(name, _)| name == "PATH");
        path.chain([("HOME".to_owned(), home)]).chain(self.environment.iter().cloned()).collect()
    }

    /// Returns a text in which the home folder is called `~`, for comparing it whole.
    pub fn scrubbed(&self, text: &str) -> String {
        text.replace(self.home.path().to_str().unwrap(), "~")
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_ollama-router");
        // In half kibibytes, as POSIX has it; the signal would end the program before it can cope.
        let size = self.file_limit_kib.map(|kib| format!("trap '' XFSZ; ulimit -f {}; ", kib * 2));
        let number = self.open_files.map(|number| format!("ulimit -n {number}; "));
        let limits: String = size.into_iter().chain(number).collect();
        if limits.is_empty() {
            return Command::new(program);
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limits}exec \"$@\""), "sh", program]);
        command
    }
}

fn interrupt(process: u32, signal: &str) {
    let kill = format!("kill -{signal} {process}");
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
}

impl Served {
    /// Tells whether these words are in the log by now.
    pub fn has_said(&mut self, words: &str) -> bool {
        self.log.extend(self.lines.try_iter());
        self.log.contains(words)
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the URL of a path, where it speaks HTTPS.
    pub fn secure_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the number of its process.
    pub fn process(&self) -> u32 {
        self.child.0.id()
    }

    /// Sends a signal such as `TERM`.
    pub fn signal(&self, name: &str) {
        interrupt(self.child.0.id(), name);
    }

    /// Waits for the end, and returns what was said from the start on.
    pub fn ended(mut self) -> Ran {
        let mut err = std::mem::take(&mut self.log);
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => err.push_str(&line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the router does not end: {err}"),
            }
        }
        let out = self.out.recv_timeout(PATIENCE).unwrap();
        Ran { code: self.child.0.wait().unwrap().code(), out, err }
    }
}

fn all(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, text) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A stream that breaks has said what it had to say.
        stream.read_to_end(&mut bytes).ok();
        send.send(String::from_utf8_lossy(&bytes).into_owned()).ok();
    });
    text
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = mpsc::channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).is_ok_and(|length| length > 0) {
            // Nobody listens any more once the test is over.
            if send.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    lines
}
