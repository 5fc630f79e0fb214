//! Reads with `syn` what a file names.

use std::collections::{BTreeMap, BTreeSet};

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};

use super::methods::Methods;

/// The path to a module, from the crate.
pub(super) type Module = Vec<String>;

/// Returns the module of a path: `guard/auth/mod.rs` and `guard/auth.rs` are the module `guard::auth`.
pub(super) fn module_of(path: &str) -> Module {
    let path = path.trim_end_matches(".rs");
    let path = if path == "lib" || path == "main" { "" } else { path.trim_end_matches("/mod") };
    path.split('/').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// A file without its tests. The content of its inline modules belongs to the file.
#[derive(Clone, Default)]
pub(super) struct File {
    pub(super) path: String,
    /// What the file imports, by the local name.
    pub(super) imports: BTreeMap<String, Module>,
    /// The imports that the file only re-exports.
    pub(super) handed_on: BTreeSet<String>,
    /// Every other path that the file names, in macros too.
    pub(super) named: BTreeSet<Module>,
    /// Children that are tests.
    pub(super) tests: BTreeSet<String>,
    pub(super) methods: Methods,
}

impl File {
    pub(super) fn read(path: &str, text: &str) -> Self {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut reader = Reader::default();
        reader.visit_file(&parsed);
        let Reader { mut file, public, words, .. } = reader;
        file.path = path.to_owned();
        file.methods = Methods::read(&parsed);
        file.handed_on = public.keys().filter(|name| !words.contains(*name)).cloned().collect();
        file.imports.extend(public);
        file
    }
}

/// Returns the file that defines the last name of a path, as seen from a module.
pub(super) fn place_of<'f>(
    files: &'f BTreeMap<Module, File>,
    from: &Module,
    path: &[String],
    steps: u8,
) -> Option<&'f Module> {
    let (mut at, mut rest) = (from.clone(), path);
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "crate" => at.clear(),
            "super" => drop(at.pop()),
            "self" => {}
            _ => break,
        }
        rest = others;
    }
    while let Some((first, others)) = rest.split_first() {
        at.push(first.clone());
        if !files.contains_key(&at) {
            at.pop();
            break;
        }
        rest = others;
    }
    let (here, file) = files.get_key_value(&at)?;
    let Some((first, others)) = rest.split_first() else { return Some(here) };
    match file.imports.get(first) {
        Some(import) if steps < 8 => place_of(files, here, &[&import[..], others].concat(), steps + 1),
        // Inside the file, a word that is no import belongs to the file or to a foreign crate.
        _ if at == *from => None,
        _ => Some(here),
    }
}

#[derive(Default)]
struct Reader {
    file: File,
    public: BTreeMap<String, Module>,
    /// The first words of paths.
    words: BTreeSet<String>,
    /// The number of inline modules around the current code.
    depth: usize,
}

impl Reader {
    fn name(&mut self, path: Module) {
        self.words.extend(path.first().cloned());
        if path.len() > 1 {
            let path = self.path_in_file(path);
            self.file.named.insert(path);
        }
    }

    /// Returns a path as the file itself would write it.
    fn path_in_file(&self, path: Module) -> Module {
        let above = path.iter().take(self.depth).take_while(|it| *it == "super").count();
        if above == 0 { path } else { [&["self".to_owned()], &path[above..]].concat() }
    }

    /// Records the names of `a::{self, b as c, d::E}`, and what each of them means.
    fn import(&mut self, tree: &syn::UseTree, mut path: Module, is_public: bool) {
        let name = match tree {
            syn::UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.import(&tree.tree, path, is_public);
            }
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, path.clone(), is_public));
            }
            syn::UseTree::Glob(_) => format!("{}::*", path.join("::")),
            syn::UseTree::Name(tree) if tree.ident == "self" => path[path.len() - 1].clone(),
            syn::UseTree::Rename(tree) if tree.ident == "self" => tree.rename.to_string(),
            syn::UseTree::Name(tree) => {
                path.push(tree.ident.to_string());
                tree.ident.to_string()
            }
            syn::UseTree::Rename(tree) => {
                path.push(tree.ident.to_string());
                tree.rename.to_string()
            }
        };
        let path = self.path_in_file(path);
        if is_public { &mut self.public } else { &mut self.file.imports }.insert(name, path);
    }

    fn tokens(&mut self, mut at: Cursor<'_>) {
        let mut is_module = false;
        while !at.eof() {
            if let Some((first, rest)) = at.ident() {
                is_module |= first == "mod";
                let mut path = vec![first.to_string()];
                at = rest;
                while let Some((next, rest)) = behind_colons(at) {
                    path.push(next);
                    at = rest;
                }
                self.name(path);
            } else if let Some((inside, _, _, rest)) = at.any_group() {
                self.depth += usize::from(is_module);
                self.tokens(inside);
                self.depth -= usize::from(is_module);
                is_module = false;
                at = rest;
            } else if let Some((_, rest)) = at.token_tree() {
                at = rest;
            }
        }
    }
}

fn behind_colons(at: Cursor<'_>) -> Option<(String, Cursor<'_>)> {
    let (_, at) = at.punct().filter(|(punct, _)| punct.as_char() == ':')?;
    let (_, at) = at.punct().filter(|(punct, _)| punct.as_char() == ':')?;
    at.ident().map(|(ident, rest)| (ident.to_string(), rest))
}

macro_rules! without_tests {
    ($($visit:ident($node:ident);)*) => {$(
        fn $visit(&mut self, node: &'ast syn::$node) {
            if !is_test(&node.attrs) {
                visit::$visit(self, node);
            }
        }
    )*};
}

impl<'ast> Visit<'ast> for Reader {
    without_tests! {
        visit_field(Field);
        visit_field_value(FieldValue);
        visit_impl_item_fn(ImplItemFn);
        visit_item_const(ItemConst);
        visit_item_fn(ItemFn);
        visit_item_impl(ItemImpl);
        visit_item_static(ItemStatic);
        visit_item_struct(ItemStruct);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        match &item.content {
            _ if is_test(&item.attrs) => drop(self.file.tests.insert(item.ident.to_string())),
            Some((_, items)) => {
                self.depth += 1;
                items.iter().for_each(|item| self.visit_item(item));
                self.depth -= 1;
            }
            None => {}
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.leading_colon.is_none() && !is_test(&item.attrs) {
            let is_public = !matches!(item.vis, syn::Visibility::Inherited);
            self.import(&item.tree, Module::new(), is_public);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.name(path.segments.iter().map(|it| it.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(TokenBuffer::new2(call.tokens.clone()).begin());
    }

    /// The path in a visibility is no use of that place.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}

pub(super) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|it| it.path().is_ident("cfg")).filter_map(|it| it.meta.require_list().ok()).any(|list| {
        let condition = list.tokens.to_string().replace(' ', "");
        condition == "test" || condition.starts_with("all(test,")
    })
}
