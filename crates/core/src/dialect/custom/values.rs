//! The values of a body, for lookups at several places.

use std::cell::OnceCell;

use serde_json::value::RawValue;

use crate::dialect::json::Object;
use crate::dialect::parsed_error::Body;

/// A body whose places are looked up. The places of a shape are mostly in one object: it is parsed once.
pub(crate) struct BodyValues<'b, 'a> {
    body: &'b Object<'a>,
    error: Option<&'b Object<'a>>,
    /// The first object that was looked into, and where it stands.
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

    /// The value of that name in the field of this name; `None` if the field is no object, or lacks it.
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
