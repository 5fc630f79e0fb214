//! Looks that return the texts sent to them, and hang until more are sent.

use std::sync::mpsc::{Sender, channel};

use notify::event::{AccessKind, AccessMode, DataChange, ModifyKind};
use notify::{Event, EventKind};

use super::*;

/// No look is waited for, except the one that hangs on purpose.
const SHORT: Patience =
    Patience { apart: Duration::ZERO, settle: Duration::ZERO, answer: MINUTE, compute: MINUTE, threads: 2 };
const MINUTE: Duration = Duration::from_secs(60);
const HUNG: Patience = Patience { answer: Duration::from_millis(1), ..SHORT };

/// A reader whose looks find these texts, and hang until more are sent.
fn reader(texts: impl IntoIterator<Item = u64>) -> (FileReader<u64>, Changes, Sender<u64>) {
    let (send, found) = channel();
    texts.into_iter().for_each(|text| send.send(text).unwrap());
    let found = Mutex::new(found);
    let look = move |_: &mut WatchedFolders, _: &Progress| {
        let texts = lock(&found).recv().expect("the test has a text");
        Look { content: texts, texts, files: vec!["/policy.toml".into()], watched: Ok(()) }
    };
    let (reader, changes) = FileReader::new(look).unwrap();
    (reader, changes, send)
}

fn read(reader: &FileReader<u64>, patience: Patience) -> Result<u64, Unread> {
    reader.read(&patience, |read| read.map(|look| look.content))
}

#[test]
fn only_what_two_looks_found_is_read() {
    let patient = Patience { settle: Duration::from_secs(60), ..SHORT };
    for (texts, found) in [(&[1, 1][..], 1), (&[1, 2, 2], 2), (&[1, 2, 1, 3, 3], 3)] {
        let (reader, _changes, _texts) = reader(texts.iter().copied());
        assert_eq!(read(&reader, patient), Ok(found), "{texts:?}");
    }
}

#[test]
fn what_never_settles_is_not_read_and_two_looks_are_always_had() {
    let (reader, _changes, texts) = reader([1, 2]);
    assert_eq!(read(&reader, SHORT), Err(Unread::Unsettled));
    (0..2).for_each(|_| texts.send(2).unwrap());
    assert_eq!(read(&reader, SHORT), Ok(2));
}

#[test]
fn a_look_that_hangs_is_left_behind_few_are_and_the_files_are_read_anew_once_it_ends() {
    let (reader, changes, texts) = reader([]);
    for _ in 0..2 {
        assert_eq!(read(&reader, HUNG), Err(Unread::Silent));
    }
    assert_eq!(reader.0.threads.load(Ordering::SeqCst), 2);
    // No more are started: this one would wait for a minute.
    assert_eq!(read(&reader, SHORT), Err(Unread::Silent));
    // A caller with more patience has two more.
    assert_eq!(read(&reader, Patience { threads: 3, ..HUNG }), Err(Unread::Silent));
    (0..3).for_each(|_| texts.send(1).unwrap());
    changes.wait_for_one();
    while reader.0.threads.load(Ordering::SeqCst) > 0 {
        thread::yield_now();
    }
    (0..2).for_each(|_| texts.send(2).unwrap());
    assert_eq!(read(&reader, SHORT), Ok(2));
}

#[test]
fn a_look_that_computes_is_waited_for_longer_than_its_files() {
    let (progress, (end, look)) = (Progress::default(), sync_channel(0));
    let patient = Patience { compute: MINUTE, ..HUNG };
    assert_eq!(progress.wait(&look, &patient), Err(Unread::Silent));
    progress.computes(true);
    assert_eq!(progress.wait(&look, &Patience { compute: Duration::ZERO, ..HUNG }), Err(Unread::Silent));
    thread::scope(|scope| {
        scope.spawn(|| end.send(1).unwrap());
        assert_eq!(progress.wait(&look, &patient), Ok(1));
    });
}

#[test]
fn one_reads_at_a_time_and_whoever_cannot_wait_has_the_files_read_once_more() {
    let (reader, changes, _texts) = reader([1, 1]);
    let busy = reader.read(&SHORT, |_| read(&reader, Patience { answer: Duration::ZERO, ..SHORT }));
    assert_eq!(busy, Err(Unread::Busy));
    changes.wait_for_one();
}

#[test]
fn a_look_that_panics_is_an_error_and_the_next_one_is_had() {
    let fails = AtomicBool::new(true);
    let look = move |_: &mut WatchedFolders, _: &Progress| {
        assert!(!fails.swap(false, Ordering::SeqCst), "as the test wants it");
        Look { content: 1, texts: 1, files: Vec::new(), watched: Ok(()) }
    };
    let (reader, _changes) = FileReader::new(look).unwrap();
    assert_eq!(read(&reader, SHORT), Err(Unread::Panicked));
    assert_eq!(read(&reader, SHORT), Ok(1));
}

#[test]
fn a_writer_that_has_a_file_open_is_waited_for() {
    const WRITE: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let (reader, _changes, texts) = reader([1, 1]);
    assert_eq!(read(&reader, SHORT), Ok(1));
    let note = |kind| reader.0.events.writers.note(&Event::new(kind).add_path("/policy.toml".into()));
    note(WRITE);
    thread::scope(|scope| {
        let waits = scope.spawn(|| read(&reader, Patience { settle: Duration::from_secs(60), ..SHORT }));
        note(CLOSE);
        // A look before the close would have hung for want of these.
        (0..2).for_each(|_| texts.send(2).unwrap());
        assert_eq!(waits.join().unwrap(), Ok(2));
    });
    // The wait for a writer that never closes its file is bounded.
    note(WRITE);
    (0..2).for_each(|_| texts.send(3).unwrap());
    assert_eq!(read(&reader, SHORT), Ok(3));
}
