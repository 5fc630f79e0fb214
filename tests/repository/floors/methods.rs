//! Finds the methods that a file defines and calls.
//!
//! A receiver's type is followed through parameters, fields, bindings and return types. A call with an unknown receiver
//! is ignored, because its name may also be a method of the standard library.

use std::collections::{BTreeMap, BTreeSet};

use syn::buffer::{Cursor, TokenBuffer};
use syn::visit::{self, Visit};

use super::modules::{Module, is_test};

/// The types that forward a call to their content.
const POINTERS: [&str; 4] = ["Arc", "Box", "Pin", "Rc"];

/// The inherent methods of a file, its calls, and the facts that are needed to follow a call's receiver.
#[derive(Clone, Default)]
pub(super) struct Methods {
    /// The structs and enums that the file defines.
    pub(super) types: BTreeSet<String>,
    /// The types of fields, by their struct and name.
    pub(super) fields: BTreeMap<(String, String), Module>,
    /// The types that functions return, by the functions' names.
    pub(super) functions: BTreeMap<String, Option<Module>>,
    /// The type and the name of each inherent method, and the type that it returns.
    pub(super) defined: BTreeMap<(Module, String), Option<Module>>,
    pub(super) calls: BTreeSet<(Value, String)>,
}

/// An expression, as far as its type can be followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// A value of this type.
    Typed(Module),
    Field(Box<Value>, String),
    /// The result of a method.
    Method(Box<Value>, String),
    /// The result of a function.
    Function(Module),
    Unknown,
}

impl Methods {
    pub(super) fn read(file: &syn::File) -> Self {
        let mut reader = Reader::default();
        reader.visit_file(file);
        reader.methods
    }
}

#[derive(Default)]
struct Reader {
    methods: Methods,
    /// The type of the `impl` around the current code.
    own: Option<Module>,
    bindings: BTreeMap<String, Value>,
}

impl Reader {
    fn call(&mut self, on: Value, name: String) {
        self.methods.calls.insert((on, name));
    }

    fn type_of(&self, of: &syn::Type) -> Option<Module> {
        match of {
            syn::Type::Reference(it) => self.type_of(&it.elem),
            syn::Type::Paren(it) => self.type_of(&it.elem),
            syn::Type::Path(it) if it.qself.is_none() => {
                let last = it.path.segments.last()?;
                let inside = match &last.arguments {
                    syn::PathArguments::AngleBracketed(it) if POINTERS.iter().any(|name| last.ident == name) => it
                        .args
                        .iter()
                        .find_map(|it| if let syn::GenericArgument::Type(it) = it { Some(it) } else { None }),
                    _ => None,
                };
                match inside {
                    Some(inside) => self.type_of(inside),
                    None => Some(self.path(&it.path)),
                }
            }
            _ => None,
        }
    }

    /// Returns a path, with the type of the `impl` for `Self`.
    fn path(&self, path: &syn::Path) -> Module {
        let names: Module = path.segments.iter().map(|it| it.ident.to_string()).collect();
        match (&self.own, names.split_first()) {
            (Some(own), Some((first, others))) if first == "Self" => [own, others].concat(),
            _ => names,
        }
    }

    fn returned(&self, signature: &syn::Signature) -> Option<Module> {
        if let syn::ReturnType::Type(_, it) = &signature.output { self.type_of(it) } else { None }
    }

    fn value(&self, expression: &syn::Expr) -> Value {
        match expression {
            syn::Expr::Path(it) if it.path.is_ident("self") => self.own.clone().map_or(Value::Unknown, Value::Typed),
            syn::Expr::Path(it) => {
                let name = it.path.get_ident().map(ToString::to_string);
                name.and_then(|name| self.bindings.get(&name).cloned()).unwrap_or(Value::Unknown)
            }
            syn::Expr::Field(it) => match &it.member {
                syn::Member::Named(name) => Value::Field(Box::new(self.value(&it.base)), name.to_string()),
                syn::Member::Unnamed(_) => Value::Unknown,
            },
            syn::Expr::MethodCall(it) => Value::Method(Box::new(self.value(&it.receiver)), it.method.to_string()),
            syn::Expr::Call(it) => match &*it.func {
                syn::Expr::Path(it) => Value::Function(self.path(&it.path)),
                _ => Value::Unknown,
            },
            syn::Expr::Struct(it) => Value::Typed(self.path(&it.path)),
            syn::Expr::Reference(it) => self.value(&it.expr),
            syn::Expr::Paren(it) => self.value(&it.expr),
            syn::Expr::Unary(syn::ExprUnary { op: syn::UnOp::Deref(_), expr, .. }) => self.value(expr),
            _ => Value::Unknown,
        }
    }

    /// Records the names that a pattern binds to this value, or to its parts.
    fn bind(&mut self, pattern: &syn::Pat, value: Value) {
        match pattern {
            syn::Pat::Ident(it) => drop(self.bindings.insert(it.ident.to_string(), value)),
            syn::Pat::Reference(it) => self.bind(&it.pat, value),
            syn::Pat::Type(it) => {
                let typed = self.type_of(&it.ty).map_or(Value::Unknown, Value::Typed);
                self.bind(&it.pat, typed);
            }
            syn::Pat::Struct(it) => {
                let whole = Value::Typed(self.path(&it.path));
                for field in &it.fields {
                    let part = match &field.member {
                        syn::Member::Named(name) => Value::Field(Box::new(whole.clone()), name.to_string()),
                        syn::Member::Unnamed(_) => Value::Unknown,
                    };
                    self.bind(&field.pat, part);
                }
            }
            _ => visit::visit_pat(self, pattern),
        }
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let around = std::mem::take(&mut self.bindings);
        for input in &signature.inputs {
            if let syn::FnArg::Typed(it) = input {
                let typed = self.type_of(&it.ty).map_or(Value::Unknown, Value::Typed);
                self.bind(&it.pat, typed);
            }
        }
        self.visit_block(block);
        self.bindings = around;
    }

    /// Finds `.name(` and `self.name(` in a macro.
    fn tokens(&mut self, mut at: Cursor<'_>) {
        let mut is_self = false;
        while !at.eof() {
            let behind_dot = at.punct().filter(|(punct, _)| punct.as_char() == '.').map(|(_, rest)| rest);
            if let Some((name, rest)) = behind_dot.and_then(Cursor::ident)
                && rest.token_tree().is_some_and(|(tree, _)| tree.to_string().starts_with('('))
            {
                let own = self.own.clone().filter(|_| is_self);
                self.call(own.map_or(Value::Unknown, Value::Typed), name.to_string());
                (at, is_self) = (rest, false);
            } else if let Some((inside, _, _, rest)) = at.any_group() {
                self.tokens(inside);
                (at, is_self) = (rest, false);
            } else if let Some((_, rest)) = at.token_tree() {
                is_self = at.ident().is_some_and(|(name, _)| name == "self");
                at = rest;
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let name = item.ident.to_string();
        for field in &item.fields {
            if let (Some(field_name), Some(of)) = (&field.ident, self.type_of(&field.ty)) {
                self.methods.fields.insert((name.clone(), field_name.to_string()), of);
            }
        }
        self.methods.types.insert(name);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.methods.types.insert(item.ident.to_string());
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        let around = self.own.take();
        visit::visit_item_trait(self, item);
        self.own = around;
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if is_test(&item.attrs) {
            return;
        }
        let around = self.own.take();
        self.own = self.type_of(&item.self_ty);
        for item_fn in item.items.iter().filter_map(|it| if let syn::ImplItem::Fn(it) = it { Some(it) } else { None }) {
            if let (Some(own), None) = (&self.own, &item.trait_)
                && !is_test(&item_fn.attrs)
            {
                let key = (own.clone(), item_fn.sig.ident.to_string());
                self.methods.defined.insert(key, self.returned(&item_fn.sig));
            }
        }
        visit::visit_item_impl(self, item);
        self.own = around;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig, &item.block);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            self.methods.functions.insert(item.sig.ident.to_string(), self.returned(&item.sig));
            self.function(&item.sig, &item.block);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        local.init.iter().for_each(|init| visit::visit_local_init(self, init));
        let value = local.init.as_ref().map_or(Value::Unknown, |init| self.value(&init.expr));
        self.bind(&local.pat, value);
    }

    fn visit_pat(&mut self, pattern: &'ast syn::Pat) {
        self.bind(pattern, Value::Unknown);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let on = self.value(&call.receiver);
        self.call(on, call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let mut of = self.path(&path.path);
        if let (Some(name), false) = (of.pop(), of.is_empty()) {
            self.call(Value::Typed(of), name);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(TokenBuffer::new2(call.tokens.clone()).begin());
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}
