//! The program in a terminal: what it shows there, and what a person types.
//!
//! A pseudo-terminal of a given size, and behind it a screen that understands what
//! programs write to terminals. Nothing is read by time: a test waits until words are
//! shown, or until the program has ended. Read `program.rs` for one without a terminal.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    num::NonZero,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command},
    ptr,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
};

use crate::support::{PATIENCE, program::Program};

/// A program that runs in a terminal.
pub struct Terminal {
    child: Child,
    keyboard: File,
    written: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// All that was written, with its colours.
    raw: String,
}

/// What a program left in its terminal.
#[derive(Debug)]
pub struct Shown {
    /// Its exit code.
    pub code: Option<i32>,
    /// What the screen shows in the end, without the space at the end of lines.
    pub screen: String,
    /// All that was written, as it was written: colours, bars, things since wiped out.
    pub raw: String,
}

impl Program {
    /// Starts a command in a terminal of so many rows and columns.
    ///
    /// A screen keeps what fits: give it as many rows as the test wants to see.
    pub fn terminal(&self, rows: u16, columns: u16, arguments: &[&str]) -> Terminal {
        let (keyboard, terminal) = pair(rows, columns);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ollama-router"));
        command.args(arguments).current_dir(self.path("")).env_clear().env("TERM", "xterm-256color");
        command.envs(self.surroundings());
        command.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).stderr(terminal);
        own_terminal(&mut command);
        let child = command.spawn().unwrap();
        // It holds this side of the terminal, whose end tells of its own.
        drop(command);
        let written = chunks(keyboard.try_clone().unwrap());
        let length = |lines| NonZero::new(lines).unwrap();
        let screen = vt100::Parser::new(length(rows), length(columns), 0);
        Terminal { child, keyboard, written, screen, raw: String::new() }
    }
}

impl Shown {
    /// Returns how wide the widest line is that was written, without its colours; one that
    /// is wider than the terminal was broken there.
    pub fn widest(&self) -> usize {
        let (mut widest, mut width, mut in_colour) = (0, 0, false);
        for letter in self.raw.chars() {
            match letter {
                '\u{1b}' => in_colour = true,
                _ if in_colour => in_colour = !letter.is_ascii_alphabetic(),
                '\r' | '\n' => width = 0,
                _ => width += 1,
            }
            widest = widest.max(width);
        }
        widest
    }
}

impl Terminal {
    /// Waits until the screen shows these words, and returns all that it shows then.
    pub fn shows(&mut self, words: &str) -> String {
        loop {
            let seen = self.seen();
            if seen.contains(words) {
                return seen;
            }
            let written = self.written.recv_timeout(PATIENCE);
            let bytes = written.unwrap_or_else(|_| panic!("`{words}` is not shown, but this:\n{seen}"));
            self.take(&bytes);
        }
    }

    /// Types this; `\r` is the return key, `\x03` is Ctrl-C, `\x1b` is Escape.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits for the end.
    pub fn ended(mut self) -> Shown {
        loop {
            match self.written.recv_timeout(PATIENCE) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the program does not end; it shows:\n{}", self.seen()),
            }
        }
        let code = self.child.wait().unwrap().code();
        Shown { code, screen: self.seen(), raw: std::mem::take(&mut self.raw) }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.push_str(&String::from_utf8_lossy(bytes));
    }

    fn seen(&self) -> String {
        let text = self.screen.screen().contents();
        let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
        lines.join("\n")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Reads to the end of a terminal, which some systems tell by an error.
fn chunks(mut terminal: File) -> Receiver<Vec<u8>> {
    let (send, chunks) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = terminal.read(&mut buffer) {
            // Nobody looks any more once the test is over.
            if send.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    chunks
}

/// Makes a terminal: what a person sees and types at, and what a program writes to.
#[expect(unsafe_code, reason = "the crates for it turn on features that have wasmtime built twice")]
fn pair(rows: u16, columns: u16) -> (File, OwnedFd) {
    let mut size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut outer, mut inner) = (-1, -1);
    // SAFETY: the places outlive the call, which needs neither name nor modes.
    let made =
        unsafe { libc::openpty(&raw mut outer, &raw mut inner, ptr::null_mut(), ptr::null_mut(), &raw mut size) };
    assert_eq!(made, 0, "{}", io::Error::last_os_error());
    // SAFETY: the call has just opened both, and nobody else has them. What other tests start must not
    // have them either, or this terminal would outlive its program.
    unsafe {
        libc::fcntl(outer, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(inner, libc::F_SETFD, libc::FD_CLOEXEC);
        (File::from_raw_fd(outer), OwnedFd::from_raw_fd(inner))
    }
}

/// Has a command begin a session whose terminal is its standard input.
#[expect(unsafe_code, reason = "between fork and exec")]
fn own_terminal(command: &mut Command) {
    let become_owner = || {
        // SAFETY: both are plain system calls, and are allowed after a fork.
        let owned = unsafe { libc::setsid() != -1 && libc::ioctl(0, libc::TIOCSCTTY as _, 0) != -1 };
        if owned { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe { command.pre_exec(become_owner) };
}
