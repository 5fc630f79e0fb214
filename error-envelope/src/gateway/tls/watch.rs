//! When the files of a pair change.
//!
//! Their folders are watched, and those of every symbolic link on the way to them: deployments replace files by renaming,
//! Kubernetes swaps a link. Once the folders are quiet the pair is read. The thread that waits ends with the last [`Tls`].

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::{Pair, Tls};
use crate::failure::Failure;

/// A change is several events, and two files.
const QUIET: Duration = Duration::from_millis(50);
/// Folders that are never quiet do not put a change off for ever.
const MOST_EVENTS: usize = 1000;

pub(super) fn start(tls: &Arc<Tls>) -> Result<(), Failure> {
    let (events, woken) = channel();
    let unwatchable = |error: &dyn std::fmt::Display| Failure::Io(format!("{}: cannot be watched: {error}", tls.pair));
    let mut watcher = watcher(events).map_err(|error| unwatchable(&error))?;
    watch(&mut watcher, &tls.pair).map_err(|error| unwatchable(&error))?;
    let tls = Arc::downgrade(tls);
    let thread = std::thread::Builder::new().name("error-envelope-tls".to_owned());
    thread.spawn(move || wait(watcher, &woken, &tls)).map_err(|error| Failure::Io(format!("a thread: {error}")))?;
    Ok(())
}

fn watcher(events: Sender<()>) -> Result<RecommendedWatcher, notify::Error> {
    notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
        // Reading the files is an event, too.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            let _ = events.send(());
        }
    })
}

fn wait(mut watcher: RecommendedWatcher, events: &Receiver<()>, tls: &Weak<Tls>) {
    while events.recv().is_ok() {
        for _ in 0..MOST_EVENTS {
            match events.recv_timeout(QUIET) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let Some(tls) = tls.upgrade() else { return };
        // First, so that what changes while it is read has an event. A swapped link leads to other folders.
        if let Err(error) = watch(&mut watcher, &tls.pair) {
            tracing::warn!(%error, files = %tls.pair, "the certificate is watched no more; SIGHUP reads it anew");
        }
        tls.reload();
    }
}

/// Again also where it was watched: a folder that was replaced is another one under its name.
fn watch(watcher: &mut RecommendedWatcher, pair: &Pair) -> Result<(), notify::Error> {
    let mut failed = Ok(());
    for folder in folders(&pair.certificate).union(&folders(&pair.key)) {
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            failed = Err(error);
        }
    }
    failed
}

fn folders(file: &Path) -> BTreeSet<PathBuf> {
    let links = file.ancestors().filter(|part| part.is_symlink());
    let mut folders: BTreeSet<_> = links.chain([file]).filter_map(|part| nearest(part.parent()?)).collect();
    folders.extend(file.canonicalize().ok().and_then(|real| Some(real.parent()?.to_owned())));
    folders
}

/// The folder, or what there is above it: where it shows that it is there.
fn nearest(folder: &Path) -> Option<PathBuf> {
    let named = |folder: &Path| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() };
    folder.ancestors().map(named).find(|folder| folder.is_dir())
}
