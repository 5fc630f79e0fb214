//! Tests that a refusal leaves the old policy in force, and is logged and counted once (M2).
//!
//! The watching thread would otherwise report it first, in its own log. So the files here change without a
//! notification: under a second name in another folder, or by moving a folder further up.

use std::fs::File;
use std::time::SystemTime;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use super::{Folder, Served, including, saying};
use crate::cases::logs::captured;

/// A policy that only a signal reloads.
struct Unheard {
    folder: Folder,
    served: Served,
    recorder: DebuggingRecorder,
    counted: Snapshotter,
}

/// The effect of one reload.
#[derive(Debug, PartialEq)]
struct Did {
    reloaded: Result<bool, String>,
    /// Levels and texts.
    lines: Vec<(String, String)>,
    taken: u64,
    refused: u64,
}

impl Unheard {
    fn new() -> Self {
        let folder = Folder::new();
        let policy = folder.write("a/b/policy.toml", &saying("one"));
        folder.unheard("a/b/policy.toml");
        let recorder = DebuggingRecorder::new();
        let counted = recorder.snapshotter();
        Self { served: Served::watch(policy), folder, recorder, counted }
    }

    fn write(&self, text: &str) {
        self.folder.write("unheard/as-well", text);
    }

    fn reload(&self) -> Did {
        let reload = || self.served.layer.reload().map_err(|error| error.to_string());
        let (reloaded, log) = metrics::with_local_recorder(&self.recorder, || captured(reload));
        let line = |line: &str| {
            let (before, text) = line.split_once(" tower_error_envelope: ")?;
            Some((before.split(' ').next_back()?.to_owned(), text.to_owned()))
        };
        let (mut taken, mut refused) = (0, 0);
        for (key, _, _, value) in self.counted.snapshot().into_vec() {
            let key = key.key();
            if matches!(key.name(), "error_envelope_policy_refused" | "error_envelope_policy_info") {
                continue;
            }
            assert_eq!(key.name(), "error_envelope_policy_reloads_total");
            let DebugValue::Counter(count) = value else { panic!("{value:?}") };
            match key.labels().map(|label| (label.key(), label.value())).collect::<Vec<_>>()[..] {
                [("outcome", "taken")] => taken += count,
                [("outcome", "refused")] => refused += count,
                ref labels => panic!("{labels:?}"),
            }
        }
        Did { reloaded, lines: log.lines().filter_map(line).collect(), taken, refused }
    }

    /// Asserts that a reload is refused with this error, is logged and counted once however often it is repeated, and
    /// leaves the policy in force.
    #[track_caller]
    fn expect_refusal(&self, error: &str) {
        let error = self.folder.0.join(error).display().to_string();
        let did = self.reload();
        assert_eq!((did.taken, did.refused), (0, 1), "{did:?}");
        assert_eq!(did.reloaded.as_ref().unwrap_err(), &error);
        let [(level, text)] = &did.lines[..] else { panic!("one line: {did:?}") };
        assert_eq!(level, "ERROR");
        assert!(text.contains(&error), "{text}");
        assert!(text.starts_with("rejected the new policy; the old one stays active"), "{text}");
        self.expect_nothing(Err(error));
        assert_eq!(self.served.says(), "one");
    }

    #[track_caller]
    fn expect_nothing(&self, reloaded: Result<bool, String>) {
        assert_eq!(self.reload(), Did { reloaded, lines: Vec::new(), taken: 0, refused: 0 });
    }

    #[track_caller]
    fn expect_taken(&self, says: &str) {
        let did = self.reload();
        assert_eq!((did.reloaded, did.taken, did.refused), (Ok(true), 1, 0), "{:?}", did.lines);
        let [(level, text)] = &did.lines[..] else { panic!("one line: {:?}", did.lines) };
        assert_eq!(level, "INFO");
        assert!(text.starts_with("reloaded the policy"), "{text}");
        assert_eq!(self.served.says(), says);
    }
}

#[test]
fn m2_a_broken_file_is_logged_once_with_its_line_and_the_old_policy_stays() {
    let it = Unheard::new();
    it.write("version = 1\n[defaults]\nmode = \"of\"\n");
    let right = "did you mean \"off\"? The choices are \"off\", \"observe\", \"own\", \"fill\" and \"enforce\"";
    it.expect_refusal(&format!("a/b/policy.toml:3: defaults.mode: unknown mode \"of\"; {right}"));
    it.write(&saying("two"));
    it.expect_taken("two");
}

#[test]
fn m2_another_mistake_is_logged_anew() {
    let it = Unheard::new();
    it.write("version = 2\n");
    let expected = "unknown version 2; this version reads 1";
    let first = it.reload();
    assert_eq!((first.lines.len(), first.refused), (1, 1), "{expected}");
    it.write("version = 3\n");
    let second = it.reload();
    assert_eq!((second.lines.len(), second.refused), (1, 1));
    assert_ne!(first.lines, second.lines);
}

#[test]
fn m2_a_missing_file_is_logged_once_and_the_old_policy_stays() {
    let it = Unheard::new();
    it.folder.rename("a", "z");
    let error = "a/b/policy.toml: cannot be read: No such file or directory (os error 2); name a readable file";
    it.expect_refusal(error);
    it.write(&saying("two"));
    // The folders above are watched now, and the faster of both reports it.
    it.folder.rename("z", "a");
    it.served.until_it_says("two");
}

#[test]
fn m2_a_missing_included_file_is_logged_once_with_the_line_that_includes_it() {
    let it = Unheard::new();
    it.write(&including("gone.toml"));
    let gone = it.folder.path("a/b/gone.toml");
    let right = "is not a file; create the file, or remove its name here";
    it.expect_refusal(&format!("a/b/policy.toml:2: include[0]: {} {right}", gone.display()));
}

#[test]
fn m2_a_file_that_is_touched_without_a_change_does_nothing() {
    let it = Unheard::new();
    it.expect_nothing(Ok(false));
    let file = File::options().write(true).open(it.folder.path("a/b/policy.toml")).unwrap();
    file.set_modified(SystemTime::now()).unwrap();
    // The reload would wait for a writer that has it open.
    drop(file);
    it.expect_nothing(Ok(false));
    it.folder.replace("a/b/policy.toml", &saying("one"));
    it.expect_nothing(Ok(false));
}

#[test]
fn m2_a_policy_that_is_right_again_is_logged_though_it_is_already_active() {
    let it = Unheard::new();
    it.write("version = 1\nx = 1\n");
    assert_eq!(it.reload().refused, 1);
    it.write(&saying("one"));
    it.expect_taken("one");
}

#[test]
fn m2_a_file_that_is_wrong_at_first_is_no_layer() {
    let folder = Folder::new();
    let path = folder.write("policy.toml", "version = 1\n[defaults]\nmod = \"off\"\n");
    let error = tower_error_envelope::ErrorEnvelopeLayer::watch(&path).unwrap_err();
    assert_eq!((error.line(), error.key()), (Some(3), Some("defaults.mod")), "{error}");
    assert!(tower_error_envelope::ErrorEnvelopeLayer::watch(folder.path("gone.toml")).is_err());
}
