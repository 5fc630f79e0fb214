//! The observatory: what each route says, and the last errors.

use tower_error_envelope::exchange::{Event, Observer};

use crate::table::Row;

/// Its pages: `/`, `/errors…`, `/events`.
pub(crate) static ROWS: &[Row] = &[];

/// What was seen, in bounded memory.
#[derive(Default)]
pub(crate) struct Store {}

impl Observer for Store {
    fn saw(&self, _: &Event) {}
}
