//! What the names in tables refer to. Equal lists of names are made into one value, which their settings share.

use std::borrow::Cow;
use std::collections::hash_map::Keys;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use http::HeaderName;

use super::error::{Problems, TablePath};
use crate::dialect::custom::CustomShape;
use crate::dialect::{Dialect, DialectName};
use crate::guard::auth::{self, AuthScheme, Scheme};
use crate::guard::content_type::MediaTypes;
use crate::guard::header::HeaderGuard;
use crate::page::{ErrorPage, PageTemplate};
use crate::table::suggestion::{advice_for_unknown, closest};
use crate::table::{Kind, SettingError};

/// A value that settings share, or none. Two are equal only if they are the same one.
#[derive(Debug)]
pub(crate) struct Shared<T: ?Sized>(Option<Arc<T>>);

impl<T: ?Sized> Shared<T> {
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }
}

impl<T> Deref for Shared<[T]> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<T: ?Sized> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> Default for Shared<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: ?Sized> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().map(Arc::as_ptr) == other.0.as_ref().map(Arc::as_ptr)
    }
}

impl<T: ?Sized> Eq for Shared<T> {}

/// Values by name; `None` for a name whose table has a mistake.
pub(super) type Named<T> = HashMap<String, Option<T>>;

/// What is made from each different list of words.
type Made<T> = BTreeMap<Vec<String>, Shared<T>>;

/// The values to which names refer, and the lists of them.
pub(super) struct Names {
    guards: Named<HeaderGuard>,
    schemes: Named<Arc<Scheme>>,
    shapes: Vec<(String, Option<CustomShape>)>,
    types: Made<MediaTypes>,
    pub(super) auth: Made<[Arc<Scheme>]>,
    pub(super) headers: Made<[HeaderGuard]>,
    kept: Made<[Box<str>]>,
    pages: Made<PageTemplate>,
}

impl Names {
    pub(super) fn new(
        guards: Named<HeaderGuard>,
        schemes: Named<Arc<Scheme>>,
        shapes: Vec<(String, Option<CustomShape>)>,
    ) -> Self {
        let (types, auth, headers, kept, pages) = Default::default();
        Self { guards, schemes, shapes, types, auth, headers, kept, pages }
    }

    pub(super) fn media_types(&mut self, types: &[String]) -> Result<Shared<MediaTypes>, SettingError> {
        share(&mut self.types, types, |types| MediaTypes::new(types).map(Arc::new))
    }

    /// `json` is one of two ways to set [`media_types`](Self::media_types), and has no value of its own.
    #[allow(clippy::unused_self, reason = "it has the form of the others")]
    pub(super) fn as_content_type(&self, _: &bool) -> Result<(), SettingError> {
        Ok(())
    }

    pub(super) fn headers(&mut self, names: &[String]) -> Result<Shared<[HeaderGuard]>, SettingError> {
        refuse_twice("require_headers", names)?;
        share(&mut self.headers, names, |names| resolve(names, &self.guards, unknown_header))
    }

    pub(super) fn schemes(&mut self, names: &[String]) -> Result<Shared<[Arc<Scheme>]>, SettingError> {
        refuse_twice("auth", names)?;
        share(&mut self.auth, names, |names| resolve(names, &self.schemes, unknown_scheme))
    }

    /// The shape with that name; `None` if its table has a mistake.
    pub(super) fn shape(&self, name: &str) -> Option<CustomShape> {
        self.shapes.iter().find(|(known, _)| known == name)?.1
    }

    pub(super) fn dialect(&mut self, name: &DialectName) -> Result<Dialect, SettingError> {
        if let Some(dialect) = Dialect::ALL.iter().find(|dialect| dialect.as_str() == &**name) {
            return Ok(*dialect);
        }
        match self.shapes.iter().find(|(known, _)| *known == **name) {
            None => Err(unknown_dialect(name, self.shapes.iter().map(|(name, _)| name.as_str()))),
            Some((name, Some(shape))) if !shape.is_written() => {
                let right = format!("add write = '{{…}}' to [shape.{name}]");
                Err(SettingError::new("dialect", format!("the shape {name:?} has no template"), right))
            }
            Some((_, shape)) => {
                Ok(shape.map_or(Dialect::default(), |shape| Dialect::from_place(Dialect::ALL.len(), &[shape])))
            }
        }
    }

    pub(super) fn fields(&mut self, names: &[String]) -> Result<Shared<[Box<str>]>, SettingError> {
        refuse_twice("keep_fields", names)?;
        if names.iter().any(String::is_empty) {
            let right = "write the names of fields of the body";
            return Err(SettingError::new("keep_fields", "a field name is empty", right));
        }
        share(&mut self.kept, names, |names| Ok(names.iter().map(|name| name.as_str().into()).collect()))
    }

    pub(super) fn page(&mut self, page: &ErrorPage) -> Result<Shared<PageTemplate>, SettingError> {
        let text: Vec<String> = page.text().map(str::to_owned).into_iter().collect();
        share(&mut self.pages, &text, |text| PageTemplate::parse(&text.concat()).map(Arc::new))
    }
}

/// What is made from a list, which is none from an empty one.
fn share<T: ?Sized>(
    made: &mut Made<T>,
    list: &[String],
    make: impl FnOnce(&[String]) -> Result<Arc<T>, SettingError>,
) -> Result<Shared<T>, SettingError> {
    if list.is_empty() {
        return Ok(Shared::default());
    }
    if let Some(made) = made.get(list) {
        return Ok(made.clone());
    }
    let new = Shared(Some(make(list)?));
    made.insert(list.to_vec(), new.clone());
    Ok(new)
}

/// The values to which the names refer, except for those whose own tables have a mistake.
fn resolve<'n, T: Clone>(
    names: &[String],
    known: &'n Named<T>,
    unknown: impl Fn(&str, Keys<'n, String, Option<T>>) -> SettingError,
) -> Result<Arc<[T]>, SettingError> {
    let found = |name: &String| match known.get(name) {
        None => Err(unknown(name, known.keys())),
        found => Ok(found.cloned().flatten()),
    };
    names.iter().filter_map(|name| found(name).transpose()).collect()
}

/// Refuses a name that appears twice: one of the two was probably meant to be another.
fn refuse_twice(key: &'static str, names: &[String]) -> Result<(), SettingError> {
    match (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
        Some(twice) => Err(SettingError::new(key, format!("{:?} is listed twice", names[twice]), "name each once")
            .of_kind(Kind::DefinedTwice)),
        None => Ok(()),
    }
}

fn unknown_header<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> SettingError {
    let right = format!("a table [header.{}], or in Rust .header({name:?}, RequiredHeader::new(..))", quoted(name));
    SettingError::new("require_headers", format!("there is no header named {name:?}"), advice_near(name, known, &right))
        .of_kind(Kind::UnknownName)
}

fn unknown_scheme<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> SettingError {
    let right = format!("a table [auth.{}], or in Rust .scheme({name:?}, AuthScheme::bearer())", quoted(name));
    SettingError::new("auth", format!("there is no auth scheme named {name:?}"), advice_near(name, known, &right))
        .of_kind(Kind::UnknownName)
}

fn unknown_dialect<'a>(name: &str, own: impl Iterator<Item = &'a str> + Clone) -> SettingError {
    let known = Dialect::ALL.iter().map(|dialect| dialect.as_str()).chain(own);
    SettingError::new("dialect", format!("unknown dialect {name:?}"), advice_for_unknown(name, known))
        .of_kind(Kind::UnknownName)
}

/// The name as a key in TOML: in quotes, unless it is a plain word.
fn quoted(name: &str) -> Cow<'_, str> {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_word && !name.is_empty() { name.into() } else { format!("{name:?}").into() }
}

fn advice_near<'a>(name: &str, known: impl Iterator<Item = &'a String>, table: &str) -> String {
    match closest(name, known.map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}? A new name needs {table}"),
        None => format!("add {table}"),
    }
}

/// The schemes by name, and what follows from all of them together.
pub(super) struct Schemes {
    in_order: Vec<Arc<Scheme>>,
    pub(super) by_name: Named<Arc<Scheme>>,
}

pub(super) fn compile_schemes(schemes: Vec<(String, AuthScheme)>, problems: &mut Problems) -> Schemes {
    let mut compiled = Schemes { in_order: Vec::new(), by_name: Named::new() };
    for (name, scheme) in schemes {
        let place = || TablePath::Auth(name.clone());
        let scheme = problems.make(place(), |refusals| scheme.compile(&name, refusals)).map(Arc::new);
        if compiled.by_name.insert(name.clone(), scheme.clone()).is_some() {
            problems.add(
                SettingError::new("", "the name is used twice", "rename one of them")
                    .of_kind(Kind::DefinedTwice)
                    .at_path(place()),
            );
        }
        compiled.in_order.extend(scheme);
    }
    let together = auth::refuse_together(compiled.in_order.iter().map(|scheme| &**scheme));
    problems.keep(together.map_err(|(name, refused)| refused.at_path(TablePath::Auth(name.to_owned()))));
    compiled
}

impl Schemes {
    pub(super) fn forwarded_ids(&self) -> Box<[HeaderName]> {
        distinct(self.in_order.iter().filter_map(|scheme| scheme.forward_id()))
    }

    pub(super) fn key_headers(&self) -> Box<[HeaderName]> {
        distinct(self.in_order.iter().filter_map(|scheme| scheme.key_header()))
    }

    pub(super) fn custom(&self) -> Box<[Box<str>]> {
        self.in_order.iter().filter(|scheme| scheme.is_custom()).map(|scheme| scheme.name().into()).collect()
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a HeaderName>) -> Box<[HeaderName]> {
    let mut found: Vec<HeaderName> = Vec::new();
    for name in names {
        if !found.contains(name) {
            found.push(name.clone());
        }
    }
    found.into()
}
