//! A list of issues as it is written: the canonical form, bounded, each text one printable line (rules E2, E8).

use std::borrow::Cow;

use crate::json::push_string;
use crate::message;

/// The most bytes of issues in a list. Field names and texts are written once for each issue, so a body within its
/// budget could need thousands of times its length. With message and envelope, the result stays within the 64 KiB that
/// an outer layer reads by default (R4, E7).
pub const MAX_BYTES: usize = 56 * 1024;

/// The most issues of a foreign body that are written (R4).
pub const MAX_ISSUES: usize = 100;

/// The most steps of a path that are written: more than any form has.
pub const MAX_STEPS: usize = 32;

/// The longest number that every client's language counts exactly.
const MAX_DIGITS: usize = 15;

/// A list as a JSON array.
pub struct IssueList {
    pub json: String,
    /// The number of issues that it leaves out (R4).
    pub more: usize,
}

pub struct List {
    json: Vec<u8>,
    len: usize,
    more: usize,
}

impl List {
    #[inline]
    pub fn new() -> Self {
        Self { json: vec![b'['], len: 0, more: 0 }
    }

    pub fn push(&mut self, path: &[u8], message: &str, code: Option<&str>) {
        if self.is_full() {
            return self.leave_out(1);
        }
        let message = message::clean(message).unwrap_or(Cow::Borrowed("Invalid."));
        let size = self.json.len() + path.len() + message.len() + code.map_or(0, str::len);
        if size > MAX_BYTES {
            return self.leave_out(1);
        }
        if self.len > 0 {
            self.json.push(b',');
        }
        self.len += 1;
        self.json.extend_from_slice(b"{\"path\":");
        self.json.extend_from_slice(path);
        self.json.extend_from_slice(b",\"message\":");
        push_string(&mut self.json, &message);
        if let Some(code) = code {
            self.json.extend_from_slice(b",\"code\":");
            push_string(&mut self.json, code);
        }
        self.json.push(b'}');
    }

    /// Counts issues that are not written.
    #[inline]
    pub fn leave_out(&mut self, issues: usize) {
        self.more += issues;
    }

    /// Whether the list is full, so that further issues are only counted.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == MAX_ISSUES || self.more > 0
    }

    /// The number of issues.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn into_list(self) -> Option<IssueList> {
        let more = self.more;
        self.into_json().map(|json| IssueList { json, more })
    }

    #[inline]
    pub fn into_json(self) -> Option<String> {
        if self.json.len() > 1 { Some(self.close()) } else { None }
    }

    #[inline]
    pub fn close(mut self) -> String {
        self.json.push(b']');
        String::from_utf8(self.json).unwrap_or_default()
    }
}

/// The path of an issue: a JSON array of names and indices.
pub struct Path(Vec<u8>);

impl Path {
    #[inline]
    pub fn new() -> Self {
        Self(vec![b'['])
    }

    #[inline]
    pub fn name(&mut self, name: &str) {
        self.comma();
        push_string(&mut self.0, name);
    }

    /// A number, as it is written.
    #[inline]
    pub fn raw(&mut self, number: &str) {
        self.comma();
        self.0.extend_from_slice(number.as_bytes());
    }

    #[inline]
    pub fn close(mut self) -> Vec<u8> {
        self.0.push(b']');
        self.0
    }

    fn comma(&mut self) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
    }
}

/// Whether a step of a path is an index.
#[inline]
pub fn is_index(step: &str) -> bool {
    let digits = !step.is_empty() && step.len() <= MAX_DIGITS && step.bytes().all(|byte| byte.is_ascii_digit());
    digits && (step == "0" || !step.starts_with('0'))
}
