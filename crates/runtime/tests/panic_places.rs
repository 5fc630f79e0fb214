//! Tests F2 and L1: the place of a panic. The test is a separate process, because the panic hook belongs to the whole
//! process.

use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};

use error_envelope_runtime::{catch, log_panic_places};

#[test]
fn l1_the_place_of_a_panic_is_behind_its_text() {
    static EARLIER: AtomicUsize = AtomicUsize::new(0);
    panic::set_hook(Box::new(|_| {
        EARLIER.fetch_add(1, Ordering::Relaxed);
    }));
    let place_of = |caught: Result<(), Box<str>>| {
        let text = caught.expect_err("it panics").to_string();
        text.rsplit_once(" (at ").map(|(_, place)| place.trim_end_matches(')').to_owned())
    };

    assert_eq!(place_of(catch(|| panic!("one"))), None, "nothing is noted before it is turned on");
    log_panic_places();
    log_panic_places();
    let (line, caught) = (line!(), catch(|| panic!("two")));
    assert_eq!(place_of(caught), Some(format!("{}:{line}", file!())));
    let _ = panic::catch_unwind(|| panic!("caught by the service"));
    assert_eq!(place_of(catch(|| panic::resume_unwind(Box::new("of another thread")))), None);
    assert_eq!(EARLIER.load(Ordering::Relaxed), 3, "the earlier hook is called once for each panic");
}
