//! No circles within a room: whoever reads a file can read what it stands on first.
//!
//! A file stands on another where it names something that is defined there. Names are followed through imports and
//! re-exports to where they are: a `mod.rs` that declares its children and hands on what they define stands on none of
//! them, and a child that names a sibling through it stands on the sibling. What is called as a method, and what a macro
//! makes, is not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::{code_alone, name, room_of, sources};

/// Rooms that still have some, and why.
const ALLOWED: [(&str, &str); 2] = [
    ("exchange", "its types lie in the files of what is done with them: an error's body asks the whole exchange"),
    ("middleware", "the future and the bodies of a response are states of each other"),
];

#[test]
fn no_files_of_a_room_stand_on_each_other() {
    let house = House::of(sources().into_iter());
    let (allowed, circles): (Vec<_>, Vec<_>) =
        house.circles().into_iter().partition(|circle| ALLOWED.iter().any(|(room, _)| *room == room_of(circle[0])));
    let told: Vec<_> = circles.iter().map(|circle| house.told(circle)).collect();
    assert_eq!(told, [] as [String; 0]);
    for (room, _) in ALLOWED {
        assert!(allowed.iter().any(|circle| room_of(circle[0]) == room), "no circle any more, take it off: {room}");
    }
}

/// The files of `src/` by their modules.
struct House(BTreeMap<Module, File>);

/// The way to a module, from the crate.
type Module = Vec<String>;

struct File {
    path: String,
    /// What it imports, by the name that it has here.
    imports: BTreeMap<String, Module>,
    /// Of these, what it only hands on.
    handed_on: BTreeSet<String>,
    /// Every other path that it names.
    named: BTreeSet<Module>,
}

impl House {
    fn of(sources: impl Iterator<Item = (String, String)>) -> Self {
        Self(sources.map(|(path, text)| (module_of(&path), File::read(path, &text))).collect())
    }

    /// The circles: files each of which stands on all others of them, by whatever way.
    fn circles(&self) -> Vec<Vec<&str>> {
        let reached: BTreeMap<_, _> = self.0.keys().map(|from| (from, self.reached(from))).collect();
        let mut circles = BTreeSet::new();
        for from in self.0.keys().filter(|from| reached[from].contains(*from)) {
            let both = |other: &&Module| reached[from].contains(*other) && reached[other].contains(from);
            circles.insert(self.0.keys().filter(both).map(|it| &*self.0[it].path).collect::<Vec<_>>());
        }
        circles.into_iter().collect()
    }

    fn reached(&self, from: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut next = self.stands_on(from);
        while let Some(file) = next.pop() {
            if reached.insert(file) {
                next.extend(self.stands_on(file));
            }
        }
        reached
    }

    /// The files of its room that it names.
    fn stands_on(&self, module: &Module) -> Vec<&Module> {
        let file = &self.0[module];
        let imported = file.imports.iter().filter(|(name, _)| !file.handed_on.contains(*name));
        let imported = imported.map(|(_, path)| path);
        let targets = imported.chain(&file.named).filter_map(|path| self.place_of(module, path, 0));
        targets.filter(|target| *target != module && target[0] == module[0]).collect()
    }

    /// The file in which the last name of a path is defined, as seen from a module.
    fn place_of(&self, from: &Module, path: &[String], steps: u8) -> Option<&Module> {
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
            let child = [&at[..], std::slice::from_ref(first)].concat();
            if !self.0.contains_key(&child) {
                break;
            }
            (at, rest) = (child, others);
        }
        let (here, file) = self.0.get_key_value(&at)?;
        let Some((first, others)) = rest.split_first() else { return Some(here) };
        match file.imports.get(first) {
            Some(import) if steps < 8 => self.place_of(here, &[&import[..], others].concat(), steps + 1),
            // A word that is no import, from inside the file, is its own or a foreign crate's.
            _ if at == *from => None,
            _ => Some(here),
        }
    }

    fn told(&self, circle: &[&str]) -> String {
        let inside = |module: &Module| circle.contains(&&*self.0[module].path);
        let edges = self.0.iter().filter(|(module, _)| inside(module)).map(|(module, file)| {
            let on: BTreeSet<_> = self.stands_on(module).into_iter().filter(|it| inside(it)).collect();
            let on: Vec<_> = on.into_iter().map(|it| &*self.0[it].path).collect();
            format!("{} stands on {}", file.path, on.join(", "))
        });
        edges.collect::<Vec<_>>().join("; ")
    }
}

/// `guard/auth/mod.rs` and `guard/auth.rs` are the module `guard::auth`.
fn module_of(path: &str) -> Module {
    path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').map(str::to_owned).collect()
}

impl File {
    fn read(path: String, text: &str) -> Self {
        let code = without_inner_modules(&code_alone(text));
        let (mut imports, mut public) = (BTreeMap::new(), BTreeMap::new());
        let mut rest = code.as_str();
        let mut body = String::new();
        while let Some(at) = word_at(rest, "use ") {
            let end = rest[at..].find(';').map_or(rest.len(), |end| at + end);
            body.push_str(&rest[..at]);
            let is_public = line_before(rest, at).starts_with("pub");
            let list = if is_public { &mut public } else { &mut imports };
            tree(&rest[at + "use ".len()..end], &Module::new(), list);
            rest = &rest[end..];
        }
        body.push_str(rest);
        let (words, named) = names_of(&body);
        let handed_on = public.keys().filter(|name| !words.contains(*name)).cloned().collect();
        imports.extend(public);
        Self { path, imports, handed_on, named }
    }
}

/// The words and the paths in a piece of code.
fn names_of(code: &str) -> (BTreeSet<String>, BTreeSet<Module>) {
    let (mut words, mut paths) = (BTreeSet::new(), BTreeSet::new());
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    let mut from = 0;
    while let Some(start) = code[from..].find(is_word).map(|at| from + at) {
        let path = &code[start..];
        let end = path.find(|it| !is_word(it) && it != ':').unwrap_or(path.len());
        from = start + end;
        // A field or a method is nobody's name, nor is how far something is seen.
        if code[..start].ends_with(['.', '\'']) || ["pub(", "pub(in "].iter().any(|it| code[..start].ends_with(it)) {
            continue;
        }
        let segments = path[..end].split("::").map(|it| it.trim_matches(':').to_owned());
        let segments: Module = segments.take_while(|it| !it.is_empty()).collect();
        words.extend(segments.first().cloned());
        if segments.len() > 1 {
            paths.insert(segments);
        }
    }
    (words, paths)
}

/// `a::{self, b as c, d::E}` as the names that it gives and what each stands for.
fn tree(text: &str, before: &Module, imports: &mut BTreeMap<String, Module>) {
    let text = text.trim();
    if let Some((head, list)) = text.split_once('{') {
        let mut path = before.clone();
        path.extend(head.split("::").map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned));
        let list = list.rsplit_once('}').map_or(list, |(list, _)| list);
        for item in items(list) {
            tree(item, &path, imports);
        }
        return;
    }
    let (path, alias) = text.split_once(" as ").map_or((text, None), |(path, alias)| (path, Some(alias.trim())));
    let mut whole = before.clone();
    whole.extend(path.split("::").map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()));
    if whole.len() > 1 && whole.last().is_some_and(|it| it == "self") {
        whole.pop();
    }
    let Some(last) = whole.last() else { return };
    imports.insert(alias.map_or_else(|| last.clone(), str::to_owned), whole);
}

/// The items of a list, with the lists inside them.
fn items(list: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&list[start..]);
    items.into_iter().filter(|item| !item.trim().is_empty()).collect()
}

/// The code with what stands in modules of its own taken as the file's.
fn without_inner_modules(code: &str) -> String {
    let mut whole = String::new();
    let mut rest = code;
    while let Some((start, open)) = inner_module(rest) {
        let mut depth = 0;
        let end = rest[open..].char_indices().find_map(|(at, character)| {
            depth += i32::from(character == '{') - i32::from(character == '}');
            (depth == 0).then_some(open + at + 1)
        });
        let end = end.unwrap_or(rest.len());
        whole.push_str(&rest[..start]);
        whole.push_str(&rest[open..end].replace("super::", "self::"));
        rest = &rest[end..];
    }
    whole + rest
}

/// Where a module with a body begins, and its body.
fn inner_module(code: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(at) = word_at(&code[from..], "mod ").map(|at| from + at) {
        let after = at + "mod ".len();
        let named = after + name(&code[after..]).len();
        if code[named..].trim_start().starts_with('{') {
            return Some((at, named + code[named..].find('{')?));
        }
        from = named;
    }
    None
}

/// Where a line has that word, with nothing before it but how far it is seen.
fn word_at(code: &str, word: &str) -> Option<usize> {
    let begins = |at: usize| match line_before(code, at) {
        "" | "pub" => true,
        line => line.starts_with("pub(") && line.ends_with(')') || line.starts_with("#[") && line.ends_with(']'),
    };
    code.match_indices(word).map(|(at, _)| at).find(|at| begins(*at))
}

fn line_before(code: &str, at: usize) -> &str {
    code[..at].rsplit('\n').next().unwrap_or_default().trim()
}

#[test]
fn circles_are_told_from_what_only_looks_like_them() {
    const ALL: &[&str] = &["room/a.rs", "room/b.rs"];
    for (files, circle) in [
        (&[("room/a.rs", "use super::b::B;\nfn f(_: B) {}"), ("room/b.rs", "use super::a::A;\nstruct B(A);")][..], ALL),
        (&[("room/a.rs", "use super::b::B;\nfn f(_: B) {}"), ("room/b.rs", "struct B;")], &[]),
        // By a path, and by a module's name.
        (&[("room/a.rs", "fn f(_: super::b::B) {}"), ("room/b.rs", "use super::a;\nfn g() { a::f(); }")], ALL),
        // What is imported through the room's own file.
        (
            &[
                ("room/mod.rs", "mod a;\nmod b;\npub use a::A;\npub(crate) use self::b::{B, C as D};"),
                ("room/a.rs", "use super::D;\nstruct A(D);"),
                ("room/b.rs", "use super::{A, a};\nstruct B(A);"),
            ],
            ALL,
        ),
        // A room's own file that hands on what its children define, and what it defines itself.
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
        // Three in a ring.
        (
            &[
                ("room/a.rs", "fn f() { super::b::f() }"),
                ("room/b.rs", "fn f() { super::c::f() }"),
                ("room/c.rs", "use super::a;\nfn f() { a::f() }"),
            ],
            &["room/a.rs", "room/b.rs", "room/c.rs"],
        ),
        // Words of a comment, of a test, of a method, of a module inside, of another room.
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
        (&[("room/a.rs", "fn f() { crate::other::f() }"), ("other.rs", "fn f() { crate::room::a::f() }")], &[]),
    ] {
        let house = House::of(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        let circles = house.circles();
        assert_eq!(circles.len(), usize::from(!circle.is_empty()), "{files:?}: {circles:?}");
        assert!(circles.iter().all(|it| it == circle), "{files:?}: {circles:?}");
    }
}
