//! The terminal as a page of its own: drawn over, and given back as it was.
//!
//! Whatever happens (a key, a signal, an error, a panic) the terminal is as before
//! when the page is gone. Knows nothing of what is drawn.

use std::{
    io::{self, Stdout, Write as _},
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    event::{self, KeyCode, KeyEventKind, KeyModifiers},
    execute, queue,
    style::Print,
    terminal::{
        self, BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
        EnterAlternateScreen, LeaveAlternateScreen,
    },
};
use tokio::sync::mpsc;

/// Whether a page is open, for [`restore`].
static OPEN: AtomicBool = AtomicBool::new(false);

/// Events that may wait; more say nothing new.
const QUEUE: usize = 16;

/// What may happen to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Somebody wants to leave it.
    Leave,
    /// It has another size.
    Resized,
}

/// A page.
pub(super) struct Screen {
    out: Stdout,
    events: mpsc::Receiver<Event>,
    ended: Pin<Box<dyn Future<Output = ()>>>,
}

impl Screen {
    /// Opens a page, and listens for keys and signals.
    pub(super) fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        OPEN.store(true, Ordering::Relaxed);
        let (send, events) = mpsc::channel(QUEUE);
        // Made before anything is drawn, so that whatever fails gives the terminal back.
        let mut screen = Self { out: io::stdout(), events, ended: Box::pin(told_to_end()) };
        execute!(screen.out, EnterAlternateScreen, Hide, DisableLineWrap, Clear(ClearType::All))?;
        thread::Builder::new().name("keys".to_owned()).spawn(move || listen(&send))?;
        Ok(screen)
    }

    /// Returns how wide it is.
    pub(super) fn columns() -> usize {
        terminal::size().map_or(80, |(columns, _)| usize::from(columns))
    }

    /// Draws lines over what was there, at once; those that have no room are counted.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let rows = terminal::size().map_or(24, |(_, rows)| usize::from(rows));
        let shown = if lines.len() > rows { rows.saturating_sub(1) } else { lines.len() };
        let more = (shown < lines.len()).then(|| format!("… {} more lines", lines.len() - shown));
        let choice = anstream::AutoStream::choice(&self.out);
        queue!(self.out, BeginSynchronizedUpdate)?;
        for (row, line) in (0..).zip(lines.iter().take(shown).chain(&more)) {
            let line = match choice {
                anstream::ColorChoice::Never => anstream::adapter::strip_str(line).to_string(),
                _ => line.clone(),
            };
            queue!(self.out, MoveTo(0, row), Print(line), Clear(ClearType::UntilNewLine))?;
        }
        let end = u16::try_from(shown + usize::from(more.is_some())).unwrap_or(u16::MAX);
        if usize::from(end) < rows {
            queue!(self.out, MoveTo(0, end), Clear(ClearType::FromCursorDown))?;
        }
        queue!(self.out, EndSynchronizedUpdate)?;
        self.out.flush()
    }

    /// Waits for something to happen.
    pub(super) async fn event(&mut self) -> Event {
        tokio::select! {
            event = self.events.recv() => event.unwrap_or(Event::Leave),
            () = &mut self.ended => Event::Leave,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, if a page is open.
pub(super) fn restore() {
    if OPEN.swap(false, Ordering::Relaxed) {
        // Nothing is left to do if even this fails.
        execute!(io::stdout(), EnableLineWrap, Show, LeaveAlternateScreen).ok();
        terminal::disable_raw_mode().ok();
    }
}

/// Passes keys on until nobody waits for them.
fn listen(send: &mpsc::Sender<Event>) {
    while let Ok(event) = event::read() {
        let event = match event {
            event::Event::Resize(..) => Event::Resized,
            event::Event::Key(key) if key.kind != KeyEventKind::Release => match (key.code, key.modifiers) {
                (KeyCode::Char('q' | 'Q') | KeyCode::Esc, _) | (KeyCode::Char('c' | 'd'), KeyModifiers::CONTROL) => {
                    Event::Leave
                }
                _ => continue,
            },
            _ => continue,
        };
        if send.blocking_send(event).is_err() {
            return;
        }
    }
}

/// Resolves when the system asks to end.
#[cfg(unix)]
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let told = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()].map(signal);
    let [Ok(mut terminate), Ok(mut hangup), Ok(mut interrupt)] = told else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Resolves when the system asks to end.
#[cfg(not(unix))]
async fn told_to_end() {
    drop(tokio::signal::ctrl_c().await);
}
