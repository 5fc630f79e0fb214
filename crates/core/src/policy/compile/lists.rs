//! Stores each different list once, so that equal lists have the same index.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Keys;
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::dialect::custom::CustomShape;
use crate::guard::auth::Scheme;
use crate::guard::content_type::MediaTypes;
use crate::guard::header::HeaderGuard;
use crate::page::{ErrorPage, PageTemplate};
use crate::table::Kind;
use crate::table::SettingError;
use crate::table::suggestion::{advice_for_unknown, closest};

/// An index into one of the policy's lists. It is half a word, because the settings that every request stores must stay
/// small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Index(NonZeroU32);

impl Index {
    /// The index; `None` if there are more than 2³² entries, which no file of 4 MiB has.
    pub(in crate::policy) fn new(place: usize) -> Option<Self> {
        u32::try_from(place).ok()?.checked_add(1).and_then(NonZeroU32::new).map(Self)
    }

    pub(in crate::policy) fn get(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// An index into a list with few entries. It is a byte, because the settings of a response have one for each such list,
/// and must fit into two words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListIndex(NonZeroU8);

impl ListIndex {
    /// The most entries of such a list.
    pub(in crate::policy) const MAX: usize = u8::MAX as usize;

    pub(in crate::policy) fn new(index: Index) -> Option<Self> {
        u8::try_from(index.0.get()).ok().and_then(NonZeroU8::new).map(Self)
    }

    pub(in crate::policy) fn get(self) -> usize {
        usize::from(self.0.get()) - 1
    }
}

/// The index of a dialect, counted over the built-in ones and then the policy's own. It is a byte, so that settings
/// stay small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DialectIndex(u8);

impl DialectIndex {
    /// The index; `None` if it does not fit into a byte.
    pub(in crate::policy) fn new(place: usize) -> Option<Self> {
        u8::try_from(place).ok().map(Self)
    }

    pub(in crate::policy) fn get(self) -> usize {
        usize::from(self.0)
    }

    /// Whether the dialect is the canonical envelope, which is the first one.
    #[inline]
    pub(crate) fn is_standard(self) -> bool {
        self.0 == 0
    }
}

/// Values by name; `None` for a name whose table has a mistake.
pub(super) type Named<T> = HashMap<String, Option<T>>;

/// The lists of all tables, and the values to which the names in them refer.
pub(in crate::policy) struct Lists {
    guards: Named<HeaderGuard>,
    schemes: Named<Arc<Scheme>>,
    /// The shapes, in the order of their indices, which follow those of the built-in dialects.
    shapes: Vec<(String, Option<CustomShape>)>,
    headers: InternedList<Box<[HeaderGuard]>>,
    types: InternedList<MediaTypes>,
    auth: InternedList<Box<[Arc<Scheme>]>>,
    kept: InternedList<Box<[Box<str>]>>,
    pages: InternedList<PageTemplate>,
}

/// Different lists of words, in order, each with the value that is made from it.
struct InternedList<T> {
    places: HashMap<Vec<String>, usize>,
    made: Vec<T>,
}

/// The compiled lists, in the order of their indices.
pub(super) struct CompiledLists {
    pub(super) headers: Box<[Box<[HeaderGuard]>]>,
    pub(super) types: Box<[MediaTypes]>,
    pub(super) auth: Box<[Box<[Arc<Scheme>]>]>,
    pub(super) kept: Box<[Box<[Box<str>]>]>,
    pub(super) pages: Box<[PageTemplate]>,
}

impl Lists {
    pub(super) fn new(
        guards: Named<HeaderGuard>,
        schemes: Named<Arc<Scheme>>,
        shapes: Vec<(String, Option<CustomShape>)>,
    ) -> Self {
        Self {
            guards,
            schemes,
            shapes,
            headers: InternedList::default(),
            types: InternedList::default(),
            auth: InternedList::default(),
            kept: InternedList::default(),
            pages: InternedList::default(),
        }
    }

    pub(super) fn into_lists(self) -> CompiledLists {
        CompiledLists {
            headers: self.headers.made.into(),
            types: self.types.made.into(),
            auth: self.auth.made.into(),
            kept: self.kept.made.into(),
            pages: self.pages.made.into(),
        }
    }

    pub(in crate::policy) fn intern_types(&mut self, types: &[String]) -> Result<Option<Index>, SettingError> {
        self.types.place(types, MediaTypes::new)
    }

    pub(in crate::policy) fn intern_headers(&mut self, names: &[String]) -> Result<Option<Index>, SettingError> {
        refuse_twice("require_headers", names)?;
        self.headers.place(names, |names| resolve(names, &self.guards, unknown_header))
    }

    pub(in crate::policy) fn intern_schemes(&mut self, names: &[String]) -> Result<Option<Index>, SettingError> {
        refuse_twice("auth", names)?;
        self.auth.place(names, |names| resolve(names, &self.schemes, unknown_scheme))
    }

    /// The shape with that name; `None` if its table has a mistake.
    pub(in crate::policy) fn shape(&self, name: &str) -> Option<CustomShape> {
        self.shapes.iter().find(|(known, _)| known == name)?.1
    }

    pub(in crate::policy) fn dialect(&mut self, name: &str) -> Result<DialectIndex, SettingError> {
        if let Some(place) = Dialect::ALL.iter().position(|dialect| dialect.as_str() == name) {
            return Ok(DialectIndex::new(place).unwrap_or_default());
        }
        let Some(place) = self.shapes.iter().position(|(known, _)| known == name) else {
            return Err(unknown_dialect(name, self.shapes.iter().map(|(name, _)| name.as_str())));
        };
        if self.shapes[place].1.is_some_and(|shape| !shape.is_written()) {
            let right = format!("add write = '{{…}}' to [shape.{name}]");
            return Err(SettingError::new("dialect", format!("the shape {name:?} has no template"), right));
        }
        DialectIndex::new(Dialect::ALL.len() + place).ok_or_else(|| {
            let right = "let services with nearly the same shape share one shape";
            SettingError::new("dialect", "the policy has too many shapes", right)
        })
    }

    pub(in crate::policy) fn intern_fields(&mut self, names: &[String]) -> Result<Option<ListIndex>, SettingError> {
        refuse_twice("keep_fields", names)?;
        if names.iter().any(String::is_empty) {
            return Err(SettingError::new(
                "keep_fields",
                "a field name is empty",
                "write the names of fields of the body",
            ));
        }
        let kept = self.kept.place(names, |names| Ok(names.iter().map(|name| name.as_str().into()).collect()))?;
        let right = "let services that keep nearly the same fields share a list";
        one_of_few(kept, "keep_fields", "lists of fields", right)
    }

    pub(in crate::policy) fn intern_page(&mut self, page: &ErrorPage) -> Result<Option<ListIndex>, SettingError> {
        let text: Vec<String> = page.text().map(str::to_owned).into_iter().collect();
        let page = self.pages.place(&text, |text| PageTemplate::parse(&text.concat()))?;
        one_of_few(page, "html", "pages", "let services share one")
    }
}

impl<T> InternedList<T> {
    /// The index of a list; `None` if the list is empty.
    fn place(
        &mut self,
        list: &[String],
        make: impl FnOnce(&[String]) -> Result<T, SettingError>,
    ) -> Result<Option<Index>, SettingError> {
        if list.is_empty() {
            return Ok(None);
        }
        let place = match self.places.get(list) {
            Some(place) => *place,
            None => {
                self.made.push(make(list)?);
                self.places.insert(list.to_vec(), self.made.len() - 1);
                self.made.len() - 1
            }
        };
        Ok(Index::new(place))
    }
}

impl<T> Default for InternedList<T> {
    fn default() -> Self {
        Self { places: HashMap::new(), made: Vec::new() }
    }
}

/// The values to which the names refer, except for those whose own tables have a mistake.
fn resolve<'n, T: Clone>(
    names: &[String],
    known: &'n Named<T>,
    unknown: impl Fn(&str, Keys<'n, String, Option<T>>) -> SettingError,
) -> Result<Box<[T]>, SettingError> {
    let found = |name: &String| match known.get(name) {
        None => Err(unknown(name, known.keys())),
        found => Ok(found.cloned().flatten()),
    };
    names.iter().filter_map(|name| found(name).transpose()).collect()
}

fn one_of_few(
    place: Option<Index>,
    key: &'static str,
    what: &str,
    right: &str,
) -> Result<Option<ListIndex>, SettingError> {
    let wrong = || format!("there are more than {} different {what}", ListIndex::MAX);
    place.map(|place| ListIndex::new(place).ok_or_else(|| SettingError::new(key, wrong(), right))).transpose()
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
