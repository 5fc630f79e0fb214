//! Compiles the auth schemes of a policy.

use std::sync::Arc;

use http::HeaderName;

use super::error::{Problems, TablePath};
use super::names::Named;
use crate::guard::auth::{self, AuthScheme, Scheme};
use crate::table::Kind;
use crate::table::SettingError;

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
