//! The settings in the files of a policy, table by table: [`PolicyFile::outline`](crate::loader::PolicyFile::outline).

use super::chain;
use super::effective::Setting;
use super::file::PolicyFile;
use crate::policy::error::TablePath;
use crate::policy::keys::TableSettings;

/// One table of defaults, or one route, with all keys that it sets, and the file and line of each.
///
/// ```
/// use tower_error_envelope::policy::PolicyLoader;
///
/// let text = "version = 1\n[[route]]\nmatch = \"/a\"\nmode = \"own\"\n";
/// let file = PolicyLoader::new().parse("policy.toml", text)?;
/// let route = file.outline().into_iter().find(|table| table.pattern() == Some("/a")).unwrap();
/// let mode = &route.settings()[0];
/// assert_eq!(route.from(), Some("policy.toml:3"));
/// assert_eq!((mode.key(), mode.value(), mode.from()), ("mode", "\"own\"", Some("policy.toml:4")));
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct OutlineTable {
    scope: Option<String>,
    pattern: Option<String>,
    from: Option<String>,
    settings: Vec<Setting>,
    /// The overridden keys, each with the value in the base, and with the `FILE:LINE` of that value.
    overridden: Vec<(String, (String, String))>,
}

impl OutlineTable {
    /// The scope of the table, and where the scope is set; `None` for the policy itself.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// The route's pattern; `None` for a table of defaults.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// Where the route's pattern is, as `FILE:LINE`; `None` for a table of defaults.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        self.from.as_deref()
    }

    /// The keys that the table sets, in the order of the manual.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The value that a base has for a key, and its `FILE:LINE`, if this table sets the key instead.
    #[must_use]
    pub fn overridden(&self, key: &str) -> Option<(&str, &str)> {
        let base = self.overridden.iter().find(|(known, _)| known == key);
        base.map(|(_, (text, from))| (text.as_str(), from.as_str()))
    }
}

impl PolicyFile {
    /// All tables of defaults and all routes, with their keys and the lines of these. They are in the order of the
    /// policy's routes, and the defaults of each part come before its routes. Defaults that set nothing are left out.
    #[must_use]
    pub fn outline(&self) -> Vec<OutlineTable> {
        let defaults = |part| self.table(part, TablePath::Defaults(part), None, &self.part(part).keys);
        let routes = |part| {
            let routes = self.part(part).routes.iter().enumerate();
            routes.map(move |(at, route)| {
                self.table(part, TablePath::Route(part, at), Some(route.pattern.clone()), &route.keys)
            })
        };
        let tables = (0..self.policy.parts.len()).flat_map(|part| std::iter::once(defaults(part)).chain(routes(part)));
        tables.filter(|table| table.pattern.is_some() || !table.settings.is_empty()).collect()
    }

    fn table(&self, part: usize, path: TablePath, pattern: Option<String>, keys: &TableSettings) -> OutlineTable {
        let set = chain::keys().filter_map(|key| chain::value_of(keys, key));
        let settings = set.map(|(key, value)| Setting::new(key, value, Some(self.place(&path, key))));
        let overrides = self.sources.overrides.iter().filter(|it| it.place == path);
        let overridden = overrides.map(|it| (it.key.clone(), it.base.clone()));
        OutlineTable {
            scope: (part > 0).then(|| self.scope_name(part)),
            settings: settings.collect(),
            from: pattern.as_ref().map(|_| self.place(&path, "match")),
            overridden: overridden.collect(),
            pattern,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::loader::PolicyLoader;

    #[test]
    fn m2_each_table_has_what_it_sets_with_its_line() {
        let text = "version = 1\n[defaults]\nmode = \"own\"\n[[route]]\nmatch = \"GET /b\"\n[[route]]\nmatch = \"/a\"\n\
                    auth = []\nbody_limit = 7\n";
        let file = PolicyLoader::new().parse("policy.toml", text).unwrap();
        let shown: Vec<_> = file
            .outline()
            .iter()
            .map(|table| {
                let set = |setting: &crate::loader::Setting| {
                    format!("{} = {} ({})", setting.key(), setting.value(), setting.from().unwrap_or_default())
                };
                let set: Vec<_> = table.settings().iter().map(set).collect();
                format!("{:?} {:?} {:?} {}", table.scope(), table.pattern(), table.from(), set.join(", "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "None None None mode = \"own\" (policy.toml:3)",
                "None Some(\"GET /b\") Some(\"policy.toml:5\") ",
                "None Some(\"/a\") Some(\"policy.toml:7\") body_limit = 7 (policy.toml:9), auth = [] (policy.toml:8)",
            ]
        );
        let patterns: Vec<_> = file.policy().routes().map(|route| route.pattern().to_owned()).collect();
        let outlined: Vec<_> = file.outline().iter().filter_map(|table| table.pattern().map(str::to_owned)).collect();
        assert_eq!(patterns, outlined, "in the same order");
    }
}
