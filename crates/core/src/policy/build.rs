//! Turns the settings of a builder into a policy, or reports the first mistake with its key.

use super::error::{Problem, TablePath};
use super::scope::PolicyPart;
use super::{Policy, PolicyBuilder};
use crate::code::ErrorCode;
use crate::table::PolicyError;
use crate::table::SettingError;

impl PolicyBuilder {
    /// Returns the policy if it is valid.
    ///
    /// # Errors
    ///
    /// The first mistake, with its key.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let names = self.names();
        self.compile().map_err(|problem| {
            let Problem { place, refused, .. } = *problem;
            let SettingError { key, wrong, right, kind } = refused;
            let table = names.name(&place);
            let key = if key.is_empty() { table } else { format!("{table}: {key}") };
            PolicyError::new(Some(key), wrong, right).of_kind(kind)
        })
    }

    /// The policy itself, and then its scopes.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &PolicyPart> {
        std::iter::once(&self.part).chain(self.scopes.iter().map(|scope| &scope.part))
    }

    /// The names of tables, for the errors of [`PolicyBuilder::build`].
    fn names(&self) -> BuilderNames {
        let scopes = self.scopes.iter().map(|scope| {
            format!("scope {:?}: ", format!("{}{}", scope.hosts().join(","), scope.path_prefix().unwrap_or_default()))
        });
        BuilderNames {
            codes: self.codes.iter().map(|code| code.as_str().to_owned()).collect(),
            parts: std::iter::once(String::new()).chain(scopes).collect(),
            rules: self
                .parts()
                .map(|part| {
                    part.rules.iter().map(|it| it.to.as_ref().map(ErrorCode::to_string).unwrap_or_default()).collect()
                })
                .collect(),
            routes: self.parts().map(|part| part.routes.iter().map(|it| it.pattern.clone()).collect()).collect(),
        }
    }
}

struct BuilderNames {
    codes: Vec<String>,
    parts: Vec<String>,
    rules: Vec<Vec<String>>,
    routes: Vec<Vec<String>>,
}

impl BuilderNames {
    fn name(&self, place: &TablePath) -> String {
        let part = |part: usize| self.parts.get(part).map_or("", String::as_str);
        let of = |names: &[Vec<String>], part: usize, index: usize| {
            names.get(part).and_then(|names| names.get(index)).cloned().unwrap_or_default()
        };
        match place {
            TablePath::Defaults(0) => "defaults".to_owned(),
            TablePath::Defaults(at) | TablePath::Scope(at) => part(*at).trim_end_matches(": ").to_owned(),
            TablePath::Rpc => "rpc".to_owned(),
            TablePath::RequestId => "request_id".to_owned(),
            TablePath::Inspect => "inspect".to_owned(),
            TablePath::Observe => "observe".to_owned(),
            TablePath::Drain => "drain".to_owned(),
            TablePath::Advice => "advice".to_owned(),
            TablePath::Cors => "cors".to_owned(),
            TablePath::Proxy => "proxy".to_owned(),
            TablePath::Header(name) => format!("header {name:?}"),
            TablePath::Auth(name) => format!("scheme {name:?}"),
            TablePath::Shape(name) => format!("shape {name:?}"),
            TablePath::Code(index) => format!("code {:?}", self.codes.get(*index).map_or("", String::as_str)),
            TablePath::Map(at, index) => {
                format!("{}map[{index}] to {:?}", part(*at), of(&self.rules, *at, *index))
            }
            TablePath::Outward(at, index) => format!("{}outward[{index}]", part(*at)),
            TablePath::Route(at, index) => format!("{}route {:?}", part(*at), of(&self.routes, *at, *index)),
        }
    }
}
