//! Finds the files whose methods a file calls.

use std::collections::{BTreeMap, BTreeSet};

use super::methods::Value;
use super::modules::{File, Module, place_of};

/// A type: the file that defines it, and its name.
type Type<'f> = (&'f Module, &'f str);

/// The inherent methods of a crate.
pub(super) struct Calls<'f> {
    files: &'f BTreeMap<Module, File>,
    /// The file of each method, and the type that it returns.
    methods: BTreeMap<(Type<'f>, &'f str), (&'f Module, Option<&'f Module>)>,
}

impl<'f> Calls<'f> {
    pub(super) fn new(files: &'f BTreeMap<Module, File>) -> Self {
        let mut calls = Self { files, methods: BTreeMap::new() };
        for (module, file) in files {
            for ((of, name), returned) in &file.methods.defined {
                if let Some(of) = calls.type_at(module, of) {
                    calls.methods.insert((of, name), (module, returned.as_ref()));
                }
            }
        }
        calls
    }

    /// Returns the files that define the methods that a file calls.
    pub(super) fn called(&self, module: &Module) -> BTreeSet<Module> {
        let calls = self.files[module].methods.calls.iter();
        let files = calls.filter_map(|(on, name)| self.defining(module, on, name));
        files.filter(|file| *file != module).cloned().collect()
    }

    fn defining(&self, module: &Module, on: &Value, name: &str) -> Option<&'f Module> {
        let of = self.followed(module, on)?;
        self.methods.get(&(of, name)).map(|(file, _)| *file)
    }

    /// Returns the type of a value in a file if the crate defines it.
    fn followed(&self, module: &Module, value: &Value) -> Option<Type<'f>> {
        let (file, path) = match value {
            Value::Typed(path) => return self.type_at(module, path),
            Value::Field(whole, name) => {
                let (file, of) = self.followed(module, whole)?;
                (file, self.files[file].methods.fields.get(&(of.to_owned(), name.clone())))
            }
            Value::Method(on, name) => *self.methods.get(&(self.followed(module, on)?, name))?,
            Value::Function(path) => self.function(module, path)?,
            Value::Unknown => return None,
        };
        self.type_at(file, path?)
    }

    fn function<'s>(&'s self, module: &Module, path: &'s [String]) -> Option<(&'f Module, Option<&'s Module>)> {
        let (name, of) = path.split_last()?;
        if let Some(of) = self.type_at(module, of) {
            return self.methods.get(&(of, name)).copied();
        }
        let file = place_of(self.files, module, path, 0).or(self.files.get_key_value(module).map(|it| it.0))?;
        self.files[file].methods.functions.get(name).map(|returned| (file, returned.as_ref()))
    }

    /// Returns the type that a path names in a file, or `None` if no file of the crate defines it.
    fn type_at(&self, module: &Module, path: &[String]) -> Option<Type<'f>> {
        let name = path.last()?;
        let place = place_of(self.files, module, path, 0).or(self.files.get_key_value(module).map(|it| it.0))?;
        self.files[place].methods.types.get(name).map(|name| (place, &**name))
    }
}
