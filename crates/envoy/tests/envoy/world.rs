//! One stream, and the acts that happen to it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::callbacks::{self, Stream};
use crate::hooks::{self, Config, Hook};

/// An act that happens to the stream.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    RequestHead { method: &'static str, path: &'static str, lines: Vec<(Vec<u8>, Vec<u8>)>, end: bool },
    RequestBody { chunks: Vec<Vec<u8>>, end: bool },
    RequestTrailers(Vec<(Vec<u8>, Vec<u8>)>),
    ResponseHead { status: &'static str, lines: Vec<(Vec<u8>, Vec<u8>)>, end: bool },
    ResponseBody { chunks: Vec<Vec<u8>>, end: bool },
    ResponseTrailers(Vec<(Vec<u8>, Vec<u8>)>),
    LocalReply(u32),
    Scheduled(u64),
    Completed,
    ClientLeaves,
}

pub(crate) struct World {
    config: Config,
    stream: *mut Stream,
    /// The guard of a world that is alone, so that leaked values at its end belong to it. `None` for a world that
    /// exists together with others.
    alone: Option<MutexGuard<'static, ()>>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl World {
    pub(crate) fn new(policy: &str, http2: bool, destroys_inside: bool) -> Self {
        Self::new_as(0, policy, http2, destroys_inside)
    }

    pub(crate) fn new_as(number: usize, policy: &str, http2: bool, destroys_inside: bool) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self::made(number, policy, http2, destroys_inside, Some(alone))
    }

    /// Makes a world on another thread, while a world that is alone exists.
    pub(crate) fn with_file(policy: &str) -> Self {
        Self::made(0, policy, false, false, None)
    }

    fn made(
        number: usize,
        policy: &str,
        http2: bool,
        destroys_inside: bool,
        alone: Option<MutexGuard<'static, ()>>,
    ) -> Self {
        let config = hooks::configure_as(number, policy.as_bytes()).unwrap_or_else(|| panic!("{}", callbacks::log()));
        let stream = Box::into_raw(Box::<Stream>::default());
        let world = Self { config, stream, alone };
        world.stream().http2.set(http2);
        world.stream().destroys_inside.set(destroys_inside);
        world.stream().filter.set(hooks::make(config, stream));
        world
    }

    fn stream(&self) -> &Stream {
        // SAFETY: the stream is dropped only in `end`, which consumes the world.
        unsafe { &*self.stream }
    }

    pub(crate) fn act(&mut self, act: &Act) {
        let stream = self.stream();
        let filter = stream.filter.get();
        if filter.is_null() || stream.completed.get() {
            return;
        }
        let (head_out, ended) = (stream.head_out.get(), stream.ended.get());
        match act {
            Act::RequestHead { method, path, lines, end } => {
                let pseudo = [(":method", *method), (":path", *path), (":authority", "a.example"), (":scheme", "http")];
                let pseudo = pseudo.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
                *stream.heads[0].borrow_mut() = pseudo.into_iter().chain(lines.clone()).collect();
                self.call(Hook::RequestHead(*end));
            }
            Act::RequestBody { chunks, end } => {
                stream.bodies[0].borrow_mut().clone_from(chunks);
                self.call(Hook::RequestBody(*end));
            }
            Act::RequestTrailers(lines) => {
                stream.heads[1].borrow_mut().clone_from(lines);
                self.call(Hook::RequestTrailers);
            }
            // After the end of a response, Envoy has no further part of it.
            _ if ended
                && matches!(act, Act::ResponseHead { .. } | Act::ResponseBody { .. } | Act::ResponseTrailers(_)) => {}
            Act::ResponseHead { status, lines, end } => {
                let status = (b":status".to_vec(), status.as_bytes().to_vec());
                *stream.heads[2].borrow_mut() = std::iter::once(status).chain(lines.clone()).collect();
                let hook_status = self.call(Hook::ResponseHead(*end));
                let stream = self.stream();
                stream.is_paused.set(hook_status != 0 && !stream.head_out.get());
                if hook_status == 0 && !head_out {
                    assert!(!stream.head_out.get() || stream.ended.get(), "a head passes beside an answer");
                    stream.head_out.set(true);
                }
            }
            Act::ResponseBody { chunks, end } => {
                stream.bodies[2].borrow_mut().clone_from(chunks);
                let hook_status = self.call(Hook::ResponseBody(*end));
                self.let_go(hook_status);
            }
            Act::ResponseTrailers(lines) => {
                stream.heads[3].borrow_mut().clone_from(lines);
                let hook_status = self.call(Hook::ResponseTrailers);
                self.let_go(hook_status);
            }
            Act::LocalReply(status) => drop(self.call(Hook::LocalReply(*status))),
            Act::Scheduled(event) => drop(self.call(Hook::Scheduled(*event))),
            Act::Completed => {
                stream.completed.set(true);
                self.call(Hook::Completed);
            }
            Act::ClientLeaves => {
                stream.details.set(Some("downstream_remote_disconnect"));
                self.act(&Act::Completed);
            }
        }
    }

    /// Returns the response's head after the filter.
    pub(crate) fn response_head(&self) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.stream().heads[2].borrow().iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// Returns the last data of the response's body, and true if it has ended.
    pub(crate) fn last_data(&self) -> (String, bool) {
        let data = self.stream().bodies[2].borrow().concat();
        (String::from_utf8_lossy(&data).into_owned(), self.stream().ended.get())
    }

    /// Returns the values for access logs and for Envoy's own replies.
    pub(crate) fn noted(&self) -> BTreeMap<String, String> {
        self.stream().noted.borrow().clone()
    }

    /// Returns the event that a thread has sent to the stream's worker.
    pub(crate) fn event(&self) -> Option<u64> {
        callbacks::event_of(self.stream)
    }

    /// Returns the results of both heads, without ids, and of the stream.
    pub(crate) fn seen(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let stream = self.stream();
        let heads = [0, 2].map(|index| {
            let mut lines = stream.heads[index].borrow().clone();
            for (name, value) in &mut lines {
                let names_id = [&b"x-request-id"[..], b"grpc-status-details-bin"].contains(&&**name);
                if names_id && value.len() > 20 {
                    *value = b"an id".to_vec();
                }
            }
            lines.sort();
            lines
        });
        (heads, stream.head_out.get(), stream.ended.get(), stream.is_paused.get(), stream.reset.get())
    }

    /// Runs the requested hook, as Envoy's main thread does.
    pub(crate) fn on_main_thread(&self) {
        hooks::on_main_thread(self.config);
    }

    /// A body that passes also releases the head that was held back.
    fn let_go(&self, hook_status: u32) {
        let stream = self.stream();
        if hook_status == 0 && stream.is_paused.take() {
            stream.head_out.set(true);
        }
    }

    fn call(&self, hook: Hook) -> u32 {
        hooks::call(self.stream, self.stream().filter.get(), hook)
    }

    /// Envoy releases the stream, and then the configuration.
    pub(crate) fn end(self) {
        self.stream().complete_and_destroy();
        hooks::unconfigure(self.config);
        // SAFETY: the stream was made in `new`, and its filter is gone.
        drop(unsafe { Box::from_raw(self.stream) });
        if self.alone.is_none() {
            return;
        }
        assert_eq!(callbacks::schedulers(), 0, "a scheduler was kept");
        let (faults, log) = (callbacks::faults(), callbacks::log());
        assert!(faults.is_empty(), "{faults:?}");
        assert!(!log.contains("origin=\"panic\""), "a hook panicked: {log}");
    }
}
