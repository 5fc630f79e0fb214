//! Writes a list of issues in the canonical form, with limits. Each text becomes one printable line (E2, E8).

use std::borrow::Cow;

use crate::json::push_string;
use crate::message;

/// The maximum length of the issues in a list, in bytes. Names and texts are repeated for each issue, so even a short
/// body could otherwise become thousands of times longer. With the message and the envelope, the result stays within
/// the 64 KiB that an outer layer reads by default (R4, E7).
pub const MAX_BYTES: usize = 56 * 1024;

/// The most issues of a foreign body that are written (R4).
pub const MAX_ISSUES: usize = 100;

/// The most steps of a path that are written. No known path has more steps.
pub const MAX_STEPS: usize = 32;

/// The maximum number of digits with which clients in every language represent a number exactly.
const MAX_DIGITS: usize = 15;

/// A list of issues, as a JSON array.
pub struct IssueList {
    pub json: String,
    /// The number of issues that are not in the list (R4).
    pub more: usize,
}

pub struct List {
    json: Vec<u8>,
    len: usize,
    more: usize,
}

impl List {
    pub fn new() -> Self {
        Self { json: vec![b'['], len: 0, more: 0 }
    }

    pub fn push(&mut self, path: &[u8], message: &str, code: Option<&str>) {
        if self.is_full() {
            return self.leave_out(1);
        }
        let message = message::from_json_text(message).unwrap_or(Cow::Borrowed("Invalid."));
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

    /// Counts issues that are left out of the list.
    pub fn leave_out(&mut self, issues: usize) {
        self.more += issues;
    }

    /// Returns true if the list is full. Further issues are then only counted.
    pub fn is_full(&self) -> bool {
        self.len == MAX_ISSUES || self.more > 0
    }

    /// Returns the number of issues.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn into_list(self) -> Option<IssueList> {
        let more = self.more;
        self.into_json().map(|json| IssueList { json, more })
    }

    pub fn into_json(self) -> Option<String> {
        if self.json.len() > 1 { Some(self.close()) } else { None }
    }

    pub fn close(mut self) -> String {
        self.json.push(b']');
        String::from_utf8(self.json).unwrap_or_default()
    }
}

/// Returns true if a step of a path is an index.
pub fn is_index(step: &str) -> bool {
    let digits = !step.is_empty() && step.len() <= MAX_DIGITS && step.bytes().all(|byte| byte.is_ascii_digit());
    digits && (step == "0" || !step.starts_with('0'))
}
