//! Captures what the layer logs on this thread. The whole process has one subscriber, because tracing caches for each
//! callsite whether anybody listens. The result of a subscriber for one thread would depend on the order of the tests.

use std::cell::RefCell;
use std::io;
use std::sync::OnceLock;

use tracing_subscriber::fmt::MakeWriter;

thread_local! {
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Runs `work`, and returns what this thread logged meanwhile, of every level.
pub(crate) fn captured<T>(work: impl FnOnce() -> T) -> (T, String) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // At TRACE, these crates would log a line for each frame of an endless body.
        let format =
            tracing_subscriber::fmt().with_ansi(false).with_env_filter("trace,h2=off,hyper=off,hyper_util=off");
        tracing::subscriber::set_global_default(format.with_writer(ThreadLines).finish())
            .expect("the only subscriber of the integration binary is this one");
    });
    LINES.set(Some(Vec::new()));
    let value = work();
    let lines = LINES.take().unwrap_or_default();
    (value, String::from_utf8_lossy(&lines).into_owned())
}

struct ThreadLines;

impl<'a> MakeWriter<'a> for ThreadLines {
    type Writer = ThreadLines;

    fn make_writer(&'a self) -> ThreadLines {
        ThreadLines
    }
}

impl io::Write for ThreadLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.iter_mut().for_each(|lines| lines.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
