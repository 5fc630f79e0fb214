//! Opens a recording.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::failure::CommandError;

pub(crate) type Reader = BufReader<Recording>;

/// A file that reports its progress on standard error, if reading takes more than a second.
pub(crate) struct Recording {
    file: File,
    name: String,
    progress: Progress,
}

impl Read for Recording {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        if let Some(line) = self.progress.line(bytes, Instant::now()) {
            anstream::eprintln!("{}: {line}", self.name);
        }
        Ok(bytes)
    }
}

/// When the next progress line is due: after one second, then after twice as long each time.
struct Progress {
    began: Instant,
    due: Duration,
    read: u64,
    all: u64,
}

impl Progress {
    fn new(all: u64, began: Instant) -> Self {
        Self { began, due: Duration::from_secs(1), read: 0, all }
    }

    fn line(&mut self, bytes: usize, now: Instant) -> Option<String> {
        self.read += bytes as u64;
        let spent = now.saturating_duration_since(self.began);
        if bytes == 0 || spent < self.due {
            return None;
        }
        while self.due <= spent {
            self.due *= 2;
        }
        let mib = |bytes: u64| bytes / (1024 * 1024);
        // The length of a pipe, or of anything that is not a plain file, is unknown.
        let all = if self.all < self.read { String::new() } else { format!(" of {}", mib(self.all)) };
        Some(format!("read {}{all} MiB in {} s", mib(self.read), spent.as_secs()))
    }
}

/// Opens a file, and skips its byte order mark.
pub(crate) fn open(path: &Path) -> Result<Reader, CommandError> {
    const MARK: &[u8] = b"\xef\xbb\xbf";

    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let all = file.metadata().map_or(0, |about| about.len());
    let recording = Recording { file, name: path.display().to_string(), progress: Progress::new(all, Instant::now()) };
    let mut reader = BufReader::with_capacity(64 * 1024, recording);
    if reader.fill_buf().map_err(|error| unreadable(path, &error))?.starts_with(MARK) {
        reader.consume(MARK.len());
    }
    Ok(reader)
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::Io(format!("{}: cannot be read: {error}; name a readable file", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_of_a_second_and_then_ever_less() {
        const MIB: usize = 1024 * 1024;
        let began = Instant::now();
        let mut progress = Progress::new(90 * MIB as u64, began);
        let texts: Vec<_> =
            (0..=90_u64).filter_map(|tenths| progress.line(MIB, began + Duration::from_millis(tenths * 100))).collect();
        let expected = [
            "read 11 of 90 MiB in 1 s",
            "read 21 of 90 MiB in 2 s",
            "read 41 of 90 MiB in 4 s",
            "read 81 of 90 MiB in 8 s",
        ];
        assert_eq!(texts, expected);
        assert_eq!(Progress::new(0, began).line(MIB, began + Duration::from_secs(9)).unwrap(), "read 1 MiB in 9 s");
    }
}
