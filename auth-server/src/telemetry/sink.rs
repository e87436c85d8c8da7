//! Where lines go: a buffer in memory that a thread of its own empties.
//!
//! The first line of a batch wakes the thread, which waits a moment for company and then writes everything at once: a busy server pays
//! one system call for hundreds of lines, a quiet one shows each line within ten milliseconds.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

/// How long a batch waits for company.
const GATHER: Duration = Duration::from_millis(10);
/// What may wait when standard error is stuck. Beyond it lines are counted and dropped: the server matters more than its log.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The thread and the buffer that it empties.
#[derive(Debug)]
pub(super) struct Sink {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something to write, or the end.
    wake: Condvar,
    /// A batch has been written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    dropped: u64,
    /// The thread holds bytes that are not out yet.
    writing: bool,
    closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding this lock leaves a whole number of lines.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + line.len() > WAITING_BYTES_MAX {
            state.dropped += 1;
            return;
        }
        let first = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if first {
            self.wake.notify_one();
        }
    }
}

impl Sink {
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || empty(&theirs, out))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn writer(&self) -> Writer {
        Writer(Arc::clone(&self.shared))
    }

    /// Waits until everything that was added is out.
    pub(super) fn flush(&self) {
        let mut state = self.shared.state();
        while !state.closed && (!state.waiting.is_empty() || state.writing) {
            state = self.shared.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panicked log thread has nothing more to say.
            let _ = thread.join();
        }
    }
}

/// The thread: take everything, write it, again, until closed and empty.
fn empty(shared: &Shared, mut out: impl Write) {
    let mut batch = Vec::new();
    loop {
        let mut state = shared.state();
        while state.waiting.is_empty() && !state.closed {
            state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.waiting.is_empty() {
            return;
        }
        if !state.closed {
            drop(state);
            thread::sleep(GATHER);
            state = shared.state();
        }
        std::mem::swap(&mut batch, &mut state.waiting);
        let dropped = std::mem::take(&mut state.dropped);
        state.writing = true;
        drop(state);
        if dropped > 0 {
            let _ = writeln!(batch, "{{\"level\":\"warn\",\"event\":\"log.dropped\",\"lines\":{dropped}}}");
        }
        // Nobody to tell when the log itself cannot be written.
        let _ = out.write_all(&batch).and_then(|()| out.flush());
        batch.clear();
        shared.state().writing = false;
        shared.written.notify_all();
    }
}

/// Adds whole lines to the buffer.
#[derive(Debug, Clone)]
pub(super) struct Writer(Arc<Shared>);

impl Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Writer;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A place to look at what was written.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let page = Page::default();
        let sink = Sink::start(page.clone()).unwrap();
        let writer = sink.writer();
        for number in 0..1000 {
            (&writer).write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        sink.flush();
        let expected: String = (0..1000).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(page.0.lock().unwrap().clone()).unwrap(), expected);
    }

    #[test]
    fn the_last_lines_are_written_when_the_log_ends() {
        let page = Page::default();
        let sink = Sink::start(page.clone()).unwrap();
        (&sink.writer()).write_all(b"last\n").unwrap();
        drop(sink);
        assert_eq!(*page.0.lock().unwrap(), b"last\n");
    }

    /// Stands still until it is told to go on.
    struct Stuck(mpsc::Receiver<()>, Page);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_terminal_costs_lines_and_never_memory() {
        let (go, stuck) = mpsc::channel();
        let page = Page::default();
        let sink = Sink::start(Stuck(stuck, page.clone())).unwrap();
        let line = vec![b'x'; 64 * 1024];
        for _ in 0..WAITING_BYTES_MAX / line.len() * 3 {
            (&sink.writer()).write_all(&line).unwrap();
        }
        assert!(sink.shared.state().waiting.len() <= WAITING_BYTES_MAX);
        drop(go);
        drop(sink);
        assert!(page.0.lock().unwrap().len() <= 2 * WAITING_BYTES_MAX + 256);
    }
}
