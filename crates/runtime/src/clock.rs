//! Generates new request ids (rule I1), and reads the time.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use error_envelope_core::request_id::RequestId;

/// Generates a request id from the current time and 80 random bits of the system's CSPRNG.
///
/// # Panics
///
/// Panics if the system returns no random bytes.
#[inline]
#[must_use]
pub fn new_request_id() -> RequestId {
    let since_epoch = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = since_epoch.as_secs().saturating_mul(1000) + u64::from(since_epoch.subsec_millis());
    RequestId::from_parts(milliseconds, RANDOM_BYTES.with_borrow_mut(RandomBytes::next))
}

/// The number of random bytes in one id.
const LENGTH: usize = 10;

/// The length of a block of random bytes. One system call fills a block, which is enough for 128 ids.
const BLOCK: usize = 128 * LENGTH;

thread_local! {
    static RANDOM_BYTES: RefCell<RandomBytes> = const { RefCell::new(RandomBytes { block: [0; BLOCK], used: BLOCK }) };
}

/// Random bytes of the system's CSPRNG. Each byte is used only once.
struct RandomBytes {
    block: [u8; BLOCK],
    used: usize,
}

impl RandomBytes {
    fn next(&mut self) -> u128 {
        if self.used == BLOCK {
            getrandom::fill(&mut self.block).expect("the system has random bytes");
            self.used = 0;
        }
        let mut random = [0; size_of::<u128>()];
        random[..LENGTH].copy_from_slice(&self.block[self.used..][..LENGTH]);
        self.used += LENGTH;
        u128::from_le_bytes(random)
    }
}

/// Returns the current time of the system's clock. It is the clock for
/// [`SessionConfig::new`](error_envelope_core::session::SessionConfig::new).
#[allow(clippy::disallowed_methods, reason = "ids contain the current time, and keys expire")]
#[inline]
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn i1_no_random_bits_are_used_twice() {
        const IDS: usize = 1000;

        let ids = || (0..IDS).map(|_| RANDOM_BYTES.with_borrow_mut(RandomBytes::next)).collect::<Vec<_>>();
        let others = std::thread::spawn(ids).join().unwrap();
        let all: HashSet<_> = ids().into_iter().chain(others).collect();
        assert_eq!(all.len(), 2 * IDS);
        assert!(all.iter().all(|random| random >> 80 == 0));
    }
}
