//! The values of one body, for a search at several places.

use std::cell::OnceCell;

use serde_json::value::RawValue;

use crate::dialect::json::Object;
use crate::dialect::parsed_error::Body;

/// A body that is searched at several places. Most places of a shape are in the same inner object, so that object is
/// parsed only once.
pub struct BodyValues<'b, 'a> {
    body: &'b Object<'a>,
    error: Option<&'b Object<'a>>,
    /// The first inner object that was searched, with its text.
    inside: OnceCell<(&'a RawValue, Option<Object<'a>>)>,
}

impl<'b, 'a> BodyValues<'b, 'a> {
    pub(crate) fn new(body: &'b Object<'a>) -> Self {
        Self { body, error: None, inside: OnceCell::new() }
    }

    pub(crate) fn of_body(body: &'b Body<'a, '_>) -> Self {
        Self { error: body.error.as_ref(), ..Self::new(&body.object) }
    }

    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.body.raw(name)
    }

    /// Returns the value under `name` in the object under `field`. Returns `None` if the field is not an object, or has
    /// no such value.
    pub(super) fn raw_in(&self, field: &str, name: &str) -> Option<&'a RawValue> {
        if let Some(error) = self.error.filter(|_| field == "error") {
            return error.raw(name);
        }
        let value = self.body.raw(field)?;
        let (first, object) = self.inside.get_or_init(|| (value, Object::parse(value.get())));
        match std::ptr::eq(*first, value) {
            true => object.as_ref()?.raw(name),
            false => Object::parse(value.get())?.raw(name),
        }
    }
}
