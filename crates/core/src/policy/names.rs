//! The values to which the names in tables refer. Equal lists of names are made into one value, which their settings
//! share.

use std::borrow::Borrow;
use std::ops::Deref;
use std::sync::Arc;

use http::HeaderName;

use crate::code::CodeSet;
use crate::dialect::custom::CustomShape;
use crate::dialect::{Dialect, DialectName};
use crate::guard::auth::{self, AuthScheme, Scheme};
use crate::guard::content_type::MediaTypes;
use crate::guard::header::{HeaderGuard, RequiredHeader};
use crate::page::{ErrorPage, PageTemplate};
use crate::table::{Kind, Refusals, SettingError, TablePath, advice_for_unknown, closest, dotted};

/// A value that settings share, or no value. Two values are equal only if they are the same object.
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

/// The dialects that need the feature `foreign`.
#[cfg(not(feature = "foreign"))]
const OF_FOREIGN: [&str; 6] = ["success_flag", "anthropic", "google", "error_with_meta", "status_in_error", "openai"];

/// Values by name. The value is `None` for a name whose table has a mistake.
pub(super) type Named<T> = Sorted<String, Option<T>>;

/// The values that were made from lists of words, one for each different list.
type Made<T> = Sorted<Vec<String>, Shared<T>>;

/// A map whose entries are sorted by key. Policies are built once, and each type of `BTreeMap` costs the compiler
/// twenty times as much as this map.
pub(super) struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(own, _)| own.borrow().cmp(key))
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// Returns true if the map already contained the key, whose value is then replaced.
    fn insert(&mut self, key: K, value: V) -> bool {
        let found = self.find(&key);
        match found {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
        found.is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.0.iter().map(|(_, value)| value)
    }
}

/// The values to which names refer, and the values that were made from lists of names.
pub(super) struct Names {
    pub(super) guards: Named<HeaderGuard>,
    pub(super) schemes: Named<Arc<Scheme>>,
    pub(super) shapes: Vec<(String, Option<CustomShape>)>,
    types: Made<MediaTypes>,
    pub(super) auth: Made<[Arc<Scheme>]>,
    pub(super) headers: Made<[HeaderGuard]>,
    kept: Made<[Box<str>]>,
    pages: Made<PageTemplate>,
}

impl Names {
    pub(super) fn new(
        headers: &[(String, RequiredHeader)],
        schemes: &[(String, AuthScheme)],
        codes: &CodeSet,
        problems: &mut Refusals,
    ) -> Self {
        let guards = compile_named(headers, TablePath::Header, problems, |it, _, refusals| it.compile(refusals));
        let schemes = compile_named(schemes, TablePath::Auth, problems, |it, name, all| {
            it.compile(name, codes, all).map(Arc::new)
        });
        problems.keep(auth::refuse_together(schemes.values().flatten().map(|scheme| &**scheme)));
        let (shapes, types, auth, headers, kept, pages) = Default::default();
        Self { guards, schemes, shapes, types, auth, headers, kept, pages }
    }

    /// Returns the names of headers in the schemes, without duplicates.
    pub(super) fn headers_of_schemes(&self, name: fn(&Scheme) -> Option<&HeaderName>) -> Box<[HeaderName]> {
        let mut found: Vec<HeaderName> = Vec::new();
        for name in self.schemes.values().flatten().filter_map(|scheme| name(scheme)) {
            if !found.contains(name) {
                found.push(name.clone());
            }
        }
        found.into()
    }

    pub(super) fn media_types(&mut self, types: &[String], refusals: &mut Refusals) -> Option<Shared<MediaTypes>> {
        share(&mut self.types, types, || refusals.keep(MediaTypes::new(types).map(Arc::new)))
    }

    /// Returns the empty value of `json`, which is only another way to set [`media_types`](Self::media_types).
    #[allow(clippy::unused_self, reason = "it has the same signature as its sister functions")]
    pub(super) fn as_content_type(&self, _: &bool, _: &mut Refusals) -> Option<()> {
        Some(())
    }

    pub(super) fn headers(&mut self, names: &[String], refusals: &mut Refusals) -> Option<Shared<[HeaderGuard]>> {
        let advice = |name: &str| {
            format!("a table [{}], or in Rust .header({name:?}, RequiredHeader::new(..))", dotted("header", name))
        };
        let resolve = || resolve(("require_headers", "header"), names, &self.guards, advice, refusals);
        share(&mut self.headers, names, resolve)
    }

    pub(super) fn schemes(&mut self, names: &[String], refusals: &mut Refusals) -> Option<Shared<[Arc<Scheme>]>> {
        let advice = |name: &str| {
            format!("a table [{}], or in Rust .scheme({name:?}, AuthScheme::bearer())", dotted("auth", name))
        };
        share(&mut self.auth, names, || resolve(("auth", "auth scheme"), names, &self.schemes, advice, refusals))
    }

    /// Returns the shape with that name, or `None` if its table has a mistake.
    #[cfg(feature = "foreign")]
    pub(super) fn shape(&self, name: &str) -> Option<CustomShape> {
        self.shapes.iter().find(|(known, _)| known == name)?.1
    }

    pub(super) fn dialect(&mut self, name: &DialectName, refusals: &mut Refusals) -> Option<Dialect> {
        if let Some(dialect) = Dialect::ALL.iter().find(|dialect| dialect.as_str() == &**name) {
            return Some(*dialect);
        }
        #[cfg(not(feature = "foreign"))]
        if OF_FOREIGN.contains(&&**name) {
            let right = "build tower-error-envelope with the feature \"foreign\"";
            let wrong = format!("this build has no dialect {:?}", &**name);
            return refusals.keep(Err(SettingError::new("dialect", wrong, right)));
        }
        let refused = match self.shapes.iter().find(|(known, _)| *known == **name) {
            None => {
                let own = self.shapes.iter().map(|(name, _)| name.as_str());
                let right = advice_for_unknown(name, Dialect::ALL.iter().map(|dialect| dialect.as_str()).chain(own));
                SettingError::new("dialect", format!("unknown dialect {:?}", &**name), right).of_kind(Kind::UnknownName)
            }
            Some((name, Some(shape))) if !shape.is_written() => {
                let right = format!("add write = '{{…}}' to [shape.{name}]");
                SettingError::new("dialect", format!("the shape {name:?} has no template"), right)
            }
            Some((_, shape)) => {
                return Some(shape.map_or(Dialect::default(), |it| Dialect::from_place(Dialect::ALL.len(), &[it])));
            }
        };
        refusals.keep(Err(refused))
    }

    pub(super) fn fields(&mut self, names: &[String], refusals: &mut Refusals) -> Option<Shared<[Box<str>]>> {
        if names.iter().any(String::is_empty) {
            let right = "write the names of fields of the body";
            return refusals.keep(Err(SettingError::new("keep_fields", "a field name is empty", right)));
        }
        refusals.keep(refuse_twice("keep_fields", names))?;
        share(&mut self.kept, names, || Some(names.iter().map(|name| name.as_str().into()).collect()))
    }

    pub(super) fn page(&mut self, page: &ErrorPage, refusals: &mut Refusals) -> Option<Shared<PageTemplate>> {
        let text: Vec<String> = page.text().map(str::to_owned).into_iter().collect();
        share(&mut self.pages, &text, || refusals.keep(PageTemplate::parse(&text.concat()).map(Arc::new)))
    }
}

/// Returns the values that are made from the tables with these names.
fn compile_named<S: Clone, T>(
    tables: &[(String, S)],
    place: fn(String) -> TablePath,
    problems: &mut Refusals,
    compile: impl Fn(S, &str, &mut Refusals) -> Option<T>,
) -> Named<T> {
    let mut named = Named::default();
    for (name, table) in tables {
        let made = problems.make(place(name.clone()), |refusals| compile(table.clone(), name, refusals));
        if named.insert(name.clone(), made) {
            problems.add(SettingError::used_twice(place(name.clone())));
        }
    }
    named
}

/// Returns the value that is made from a list. An empty list has no value.
fn share<T: ?Sized>(made: &mut Made<T>, list: &[String], make: impl FnOnce() -> Option<Arc<T>>) -> Option<Shared<T>> {
    if list.is_empty() {
        return Some(Shared::default());
    }
    if let Some(made) = made.get(list) {
        return Some(made.clone());
    }
    let new = Shared(Some(make()?));
    made.insert(list.to_vec(), new.clone());
    Some(new)
}

/// Returns the values to which the names refer, except for values whose own tables have a mistake. `advice` is the
/// advice on how to define a missing table.
fn resolve<T: Clone>(
    (key, what): (&'static str, &str),
    names: &[String],
    known: &Named<T>,
    advice: impl Fn(&str) -> String,
    refusals: &mut Refusals,
) -> Option<Arc<[T]>> {
    refusals.keep(refuse_twice(key, names))?;
    let unknown: Vec<_> = names.iter().enumerate().filter(|(_, name)| known.get(*name).is_none()).collect();
    for (at, name) in &unknown {
        let right = match closest(name, known.iter().map(|(name, _)| name.as_str())) {
            Some(near) => format!("did you mean {near:?}? A new name needs {}", advice(name)),
            None => format!("add {}", advice(name)),
        };
        let wrong = format!("there is no {what} named {name:?}");
        refusals.add(SettingError::new(format!("{key}[{at}]"), wrong, right).of_kind(Kind::UnknownName));
    }
    unknown.is_empty().then(|| names.iter().filter_map(|name| known.get(name).cloned().flatten()).collect())
}

/// Refuses a name that appears twice, because another name was probably meant.
fn refuse_twice(key: &'static str, names: &[String]) -> Result<(), SettingError> {
    match (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
        Some(twice) => Err(SettingError::new(key, format!("{:?} is listed twice", names[twice]), "name each once")
            .of_kind(Kind::DefinedTwice)),
        None => Ok(()),
    }
}
