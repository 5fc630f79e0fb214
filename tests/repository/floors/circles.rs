//! Tests that no crate has circles: a reader of a file can first read the files that it stands on.
//!
//! A file stands on another if it names something that is defined there ([`File`] has what a file names). Names are
//! followed through imports and re-exports to their definition. A `mod.rs` that declares its children and re-exports
//! their items stands on none of them, and a child that names a sibling through it stands on the sibling. A parent that
//! uses an item of a child stands on the child, and a child that names an item of its parent stands on the parent. Both
//! together are a circle. A file and its tests are one.
//!
//! A file also stands on the files that define the inherent methods that it calls, if the receiver's type can be
//! followed. So a type with methods in several files can be read in one direction too.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::Calls;
use super::crates::{members, sources};
use super::modules::{File, Module, module_of, place_of};

#[test]
fn no_files_of_a_crate_stand_on_each_other() {
    let circles_of = |member: String| {
        let house = House::from_sources(&sources(&member));
        house.circles().iter().map(|it| format!("{member}: {}", house.describe(it))).collect::<Vec<_>>()
    };
    let found: Vec<_> = members().into_iter().flat_map(circles_of).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// A file at the bottom names the file that reaches most others.
#[test]
fn a_circle_is_found_where_it_is_planted_in_each_crate() {
    for member in members() {
        let files = sources(&member);
        let house = House::from_sources(&files);
        let top = house.files.keys().max_by_key(|module| house.reached(module).len()).expect("a crate has files");
        let bottom = house.reached(top).into_iter().find(|module| house.stands_on[*module].is_empty());
        let (top, bottom) = (house.path(top), house.path(bottom.expect("a file that names no other")));
        let planted = ["crate".to_owned()].into_iter().chain(module_of(top)).collect::<Vec<_>>().join("::");
        let with_planted = files.iter().map(|(path, text)| match &**path == bottom {
            true => (path.clone(), format!("{text}\nuse {planted}::Planted;")),
            false => (path.clone(), text.clone()),
        });
        let house = House::from_sources(&with_planted.collect::<Vec<_>>());
        let is_planted = |circle: &Vec<&str>| circle.contains(&top) && circle.contains(&bottom);
        assert!(house.circles().iter().any(is_planted), "{member}: {bottom} names {planted}");
    }
}

/// The files of a crate by their modules, without tests.
pub(super) struct House {
    files: BTreeMap<Module, File>,
    /// The files that each file names.
    named: BTreeMap<Module, BTreeSet<Module>>,
    /// The files that each file names, and those whose methods it calls.
    stands_on: BTreeMap<Module, BTreeSet<Module>>,
}

impl House {
    pub(super) fn from_sources(sources: &[(String, String)]) -> Self {
        let read = |(path, text): &(String, String)| (module_of(path), File::read(path, text));
        let mut files: BTreeMap<_, _> = sources.iter().map(read).collect();
        let tests = |(module, file): (&Module, &File)| {
            file.tests.iter().map(|test| [&module[..], std::slice::from_ref(test)].concat()).collect::<Vec<_>>()
        };
        let tests: Vec<Module> = files.iter().flat_map(tests).collect();
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        let calls = Calls::new(&files);
        let named: BTreeMap<_, _> = files.keys().map(|module| (module.clone(), named(&files, module))).collect();
        let below = |(module, named): (&Module, &BTreeSet<Module>)| (module.clone(), named | &calls.called(module));
        let stands_on = named.iter().map(below).collect();
        Self { files, named, stands_on }
    }

    /// Returns each file by its module, with the modules of the files that it names.
    pub(super) fn named_by_module(&self) -> &BTreeMap<Module, BTreeSet<Module>> {
        &self.named
    }

    /// Returns the circles, which are files that all stand on each other, directly or through others.
    fn circles(&self) -> Vec<Vec<&str>> {
        let reached: BTreeMap<_, _> = self.files.keys().map(|from| (from, self.reached(from))).collect();
        let mut circles = BTreeSet::new();
        for from in self.files.keys().filter(|from| reached[from].contains(*from)) {
            let both = |other: &&Module| reached[from].contains(*other) && reached[other].contains(from);
            circles.insert(self.files.keys().filter(both).map(|it| self.path(it)).collect::<Vec<_>>());
        }
        circles.into_iter().collect()
    }

    fn reached(&self, from: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<_> = self.stands_on[from].iter().collect();
        while let Some(file) = next.pop() {
            if reached.insert(file) {
                next.extend(&self.stands_on[file]);
            }
        }
        reached
    }

    fn path(&self, module: &Module) -> &str {
        &self.files[module].path
    }

    fn describe(&self, circle: &[&str]) -> String {
        let inside = |module: &&Module| circle.contains(&self.path(module));
        let edges = self.files.keys().filter(inside).map(|module| {
            let on = self.stands_on[module].iter().filter(inside).map(|it| self.path(it));
            format!("{} stands on {}", self.path(module), on.collect::<Vec<_>>().join(", "))
        });
        edges.collect::<Vec<_>>().join("; ")
    }
}

/// Returns the files that a file names.
fn named(files: &BTreeMap<Module, File>, module: &Module) -> BTreeSet<Module> {
    let file = &files[module];
    let imported = file.imports.iter().filter(|(name, _)| !file.handed_on.contains(*name));
    let imported = imported.map(|(_, path)| path);
    let targets = imported.chain(&file.named).filter_map(|path| place_of(files, module, path, 0));
    targets.filter(|target| *target != module).cloned().collect()
}

#[test]
fn circles_are_told_from_what_only_looks_like_them() {
    const ALL: &[&str] = &["room/a.rs", "room/b.rs"];
    for (files, circle) in [
        (&[("room/a.rs", "use super::b::B;\nfn f(_: B) {}"), ("room/b.rs", "use super::a::A;\nstruct B(A);")][..], ALL),
        (&[("room/a.rs", "use super::b::B;\nfn f(_: B) {}"), ("room/b.rs", "struct B;")], &[]),
        // A circle by a path, and by a module's name.
        (&[("room/a.rs", "fn f(_: super::b::B) {}"), ("room/b.rs", "use super::a;\nfn g() { a::f(); }")], ALL),
        // A circle by imports through the room's own file.
        (
            &[
                ("room/mod.rs", "mod a;\nmod b;\npub use a::A;\npub(crate) use self::b::{B, C as D};"),
                ("room/a.rs", "use super::D;\nstruct A(D);"),
                ("room/b.rs", "use super::{A, a};\nstruct B(A);"),
            ],
            ALL,
        ),
        // A room's own file re-exports items of its children, and has its own items.
        (
            &[
                ("room/mod.rs", "mod a;\nmod b;\npub use a::A;\npub struct Own;"),
                ("room/a.rs", "use super::Own;\npub struct A(Own);"),
                ("room/b.rs", "use super::{A, Own};\nfn f(_: A, _: Own) {}"),
            ],
            &[],
        ),
        (
            &[
                ("room/mod.rs", "mod a;\npub use a::A;\npub struct Own(A);"),
                ("room/a.rs", "use super::Own;\npub struct A(Option<Box<Own>>);"),
            ],
            &["room/mod.rs", "room/a.rs"],
        ),
        (
            &[("room/mod.rs", "mod a;\npub fn f() { a::g() }"), ("room/a.rs", "use super::f;\npub fn g() { f() }")],
            &["room/mod.rs", "room/a.rs"],
        ),
        (
            &[("room.rs", "mod a;\nfn f() { g(a::A) }\nfn g<T>(_: T) {}"), ("room/a.rs", "fn h() { super::f() }")],
            &["room.rs", "room/a.rs"],
        ),
        // A ring of three files.
        (
            &[
                ("room/a.rs", "fn f() { super::b::f() }"),
                ("room/b.rs", "fn f() { super::c::f() }"),
                ("room/c.rs", "use super::a;\nfn f() { a::f() }"),
            ],
            &["room/a.rs", "room/b.rs", "room/c.rs"],
        ),
        // Names in a comment, in a test, of a method, or of an inner module make no circle.
        (
            &[
                ("room/a.rs", "use super::b::B;\nfn f(_: B) {}"),
                ("room/b.rs", "//! See super::a::f.\nstruct B;\n#[cfg(test)]\nmod tests { use super::super::a; }"),
            ],
            &[],
        ),
        (
            &[
                ("room/mod.rs", "mod a;\nfn f() { a::f() }"),
                ("room/a.rs", "fn f() {}\nmod undo {\n    use super::f;\n    fn g() { f() }\n}"),
            ],
            &[],
        ),
        // Circles of two rooms, and with a crate's own file.
        (
            &[
                ("other.rs", "fn f() { crate::room::a::f() }"),
                ("room/mod.rs", "mod a;"),
                ("room/a.rs", "fn f() { crate::other::f() }"),
            ],
            &["other.rs", "room/a.rs"],
        ),
        (&[("main.rs", "mod a;\nfn f() { a::f() }"), ("a.rs", "fn f() { crate::f() }")], &["main.rs", "a.rs"]),
        // A circle in a macro, and in a module that a macro makes.
        (
            &[
                ("a.rs", "fn f() { println!(\"{}\", crate::b::F) }"),
                ("b.rs", "use {crate::a::f as g};\nconst F: u8 = 0;"),
            ],
            &["a.rs", "b.rs"],
        ),
        (
            &[
                ("room/mod.rs", "mod a;\nuse a::f;"),
                ("room/a.rs", "macro_rules! m { () => { mod rows { static R: u8 = super::f(); } } }"),
            ],
            &[],
        ),
        // Methods of one type in several files, which are called in both directions, and in one.
        (
            &[
                ("room/mod.rs", "mod a;\nmod b;\nmod c;\npub use c::C;"),
                ("room/a.rs", "use super::C;\nimpl C { fn f(&self) { self.g() } }"),
                ("room/b.rs", "use super::C;\nimpl C { fn g(self) { let Self { next } = self; next.f() } }"),
                ("room/c.rs", "pub struct C { next: Box<C> }"),
            ],
            ALL,
        ),
        (
            &[
                ("room/a.rs", "use super::c::C;\nimpl C { fn f(&self) { self.g(); Self::new().n() } fn n(&self) {} }"),
                ("room/b.rs", "use super::c::C;\nimpl C { fn g(&self) {} }"),
                ("room/c.rs", "pub struct C;\nimpl C { fn new() -> Self { Self } }"),
            ],
            &[],
        ),
        // The types of a field, of a parameter, and of the result of a method and of a function, and a function's path.
        (
            &[
                (
                    "room/a.rs",
                    "pub struct A { b: super::b::B }\nimpl A { fn f(&self) { self.b.c().g() } fn h(_: ()) {} }",
                ),
                ("room/b.rs", "use super::c::C;\npub struct B;\nimpl B { fn c(&self) -> &C { &C } }"),
                ("room/c.rs", "pub struct C;"),
                ("room/d.rs", "use super::{a::A, c::C};\nimpl C { fn g(&self) {} fn h() { [()].map(A::h) } }"),
            ],
            &["room/a.rs", "room/d.rs"],
        ),
        (
            &[
                ("room/a.rs", "use super::c;\npub struct A;\nimpl A { fn f() { let it = c::new(); it.g() } }"),
                ("room/b.rs", "impl super::c::C { fn g(&self) { println!(\"{}\", self.h()) } }"),
                ("room/c.rs", "pub struct C;\npub fn new() -> C { C }"),
                ("room/d.rs", "use super::{a, c::C};\nimpl C { fn h(&self) { a::A::f() } }"),
            ],
            &["room/a.rs", "room/b.rs", "room/d.rs"],
        ),
        // A method of a trait, of another type with the same name, and of a value with an unknown type.
        (
            &[
                (
                    "room/a.rs",
                    "use super::c::C;\nimpl C { fn f(&self, it: &str) { it.g(); C.b(); D.g(); } }\nstruct D;",
                ),
                (
                    "room/b.rs",
                    "use super::c::C;\nimpl C { fn g(&self) { self.f(\"\") } }\nimpl B for C { fn b(&self) {} }",
                ),
                ("room/c.rs", "pub struct C;"),
            ],
            &[],
        ),
        // Tests in their own file, and in a folder below it.
        (
            &[
                ("a.rs", "fn f() {}\n#[cfg(test)]\nuse crate::b::B;\n#[cfg(test)]\nmod tests;"),
                ("a/tests.rs", "use crate::b::B;\nmod more;"),
                ("a/tests/more.rs", "use crate::b::B;"),
                ("b.rs", "struct B;\nfn g() { crate::a::f(); crate::a::tests::f() }"),
            ],
            &[],
        ),
    ] {
        let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let house = House::from_sources(&files);
        let circles = house.circles();
        assert_eq!(circles.len(), usize::from(!circle.is_empty()), "{files:?}: {circles:?}");
        assert!(circles.iter().all(|it| it == circle), "{files:?}: {circles:?}");
    }
}
