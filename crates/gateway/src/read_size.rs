//! Decides how many bytes a connection reads at once.
//!
//! Each read costs a system call, wake-ups and a frame, regardless of its size. So large reads are best for a fast
//! body. But if the receiver stops reading, three pieces remain in memory. One piece is being written, one waits for
//! that write, and one is being read. So by default a connection reads pieces of its configured size. If its reads
//! return full pieces and the process has [`Room`], it reads pieces that are [`TIMES`] as large. All large pieces
//! together never use more than [`MOST`] bytes.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The factor by which a piece may be larger than its configured size.
const TIMES: usize = 4;
/// The number of pieces that remain in memory if the receiver stops reading.
const PIECES: usize = 3;
/// The most memory for all large pieces, in bytes. It is enough for about forty bodies at full speed. Further bodies
/// are read in small pieces.
const MOST: usize = 64 << 20;
/// The smallest buffer size that hyper accepts, in bytes.
const LEAST: usize = 8 << 10;
/// The number of bytes of the buffer that a small read leaves empty. hyper doubles its buffer when a read fills it.
const PAGE: usize = 4 << 10;

static LEFT: AtomicUsize = AtomicUsize::new(MOST);

/// Returns the size of a large piece, for the configured size `small`.
pub(crate) const fn large(small: u32) -> usize {
    let small = small as usize;
    (if small < LEAST { LEAST } else { small }).saturating_mul(TIMES)
}

/// Adapts the size of a connection's reads.
pub(crate) struct ReadSize {
    small: usize,
    room: Option<Room>,
    left: &'static AtomicUsize,
}

impl ReadSize {
    pub(crate) fn new(small: u32) -> Self {
        Self::within(small, &LEFT)
    }

    fn within(small: u32, left: &'static AtomicUsize) -> Self {
        Self { small: LEAST.max(small as usize), room: None, left }
    }

    /// Returns the most bytes to read with the next read.
    pub(crate) fn limit(&self) -> u64 {
        let limit = if self.room.is_some() { self.small.saturating_mul(TIMES) } else { self.small - PAGE };
        limit as u64
    }

    /// Records that a read returned this many bytes.
    pub(crate) fn read(&mut self, bytes: usize) {
        if self.room.is_none() && bytes >= self.small - PAGE {
            self.room = Room::within(self.small.saturating_mul(TIMES * PIECES), self.left);
        } else if self.room.is_some() && bytes < self.small / 2 {
            self.room = None;
        }
    }
}

/// A part of the process's memory for large pieces. It is released when this value is dropped.
pub(crate) struct Room {
    bytes: usize,
    left: &'static AtomicUsize,
}

impl Room {
    /// Reserves this many bytes. Returns `None` if other connections use the rest of the memory.
    pub(crate) fn take(bytes: usize) -> Option<Self> {
        Self::within(bytes, &LEFT)
    }

    fn within(bytes: usize, left: &'static AtomicUsize) -> Option<Self> {
        left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes)).ok()?;
        Some(Self { bytes, left })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.left.fetch_add(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: u32 = 128 << 10;

    #[test]
    fn pieces_are_large_while_they_come_full_and_the_process_has_room() {
        static LEFT: AtomicUsize = AtomicUsize::new(MOST);
        let full = |size: &mut ReadSize| size.read(usize::try_from(size.limit()).unwrap());
        let mut sizes: Vec<_> = (0..1_000).map(|_| ReadSize::within(SMALL, &LEFT)).collect();
        sizes.iter_mut().for_each(full);
        let large_ones = |sizes: &[ReadSize]| sizes.iter().filter(|size| size.limit() == large(SMALL) as u64).count();
        assert_eq!(large_ones(&sizes), MOST / PIECES / large(SMALL));
        assert!(sizes.iter().all(|size| size.room.is_some() || size.limit() < u64::from(SMALL)));
        // A small read, such as a head or the end of a body, releases the room for another connection.
        sizes[0].read(100);
        full(&mut sizes[999]);
        assert_eq!((sizes[0].limit(), sizes[999].limit()), ((SMALL as usize - PAGE) as u64, large(SMALL) as u64));
        drop(sizes);
        assert_eq!(LEFT.load(Relaxed), MOST);
        assert_eq!(ReadSize::new(1).limit(), (LEAST - PAGE) as u64);
    }
}
