//! The rooms of the house: what each may use stands in ARCHITECTURE.md, and no file imports in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A module's path from the crate's root: `["insn", "parse"]`.
type Module = Vec<String>;

/// What a module's file has.
#[derive(Default)]
struct Source {
    file: PathBuf,
    /// Names that it takes from elsewhere, and from where.
    imports: BTreeMap<String, Vec<String>>,
    /// Paths that its code names, resolved from the crate's root.
    paths: BTreeSet<Vec<String>>,
}

/// The crate's modules, tests left out.
struct Crate(BTreeMap<Module, Source>);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl Crate {
    fn read() -> Crate {
        let mut all = Crate(BTreeMap::new());
        all.add(vec![], root().join("src/lib.rs"));
        all
    }

    fn add(&mut self, module: Module, file: PathBuf) {
        let text = fs::read_to_string(&file).unwrap();
        let parsed = syn::parse_file(&text).unwrap();
        let mut reader =
            Reader { module: module.clone(), source: Source::default(), files: vec![] };
        reader.source.file = file.strip_prefix(root()).unwrap().to_owned();
        reader.visit_file(&parsed);
        for (name, given) in std::mem::take(&mut reader.files) {
            let folder = match file.file_name().unwrap().to_str() {
                Some("mod.rs" | "lib.rs") => file.parent().unwrap().to_owned(),
                _ => file.with_extension(""),
            };
            let found = match given {
                Some(path) => file.parent().unwrap().join(path).canonicalize().unwrap(),
                None => [format!("{name}.rs"), format!("{name}/mod.rs")]
                    .map(|name| folder.join(name))
                    .into_iter()
                    .find(|path| path.exists())
                    .unwrap_or_else(|| panic!("{}: mod {name}", file.display())),
            };
            self.add([&module[..], &[name]].concat(), found);
        }
        self.0.insert(module, reader.source);
    }

    /// The module where this path leads, through what modules import.
    fn find(&self, path: &[String]) -> Option<&Module> {
        let mut path = path.to_vec();
        for _ in 0..20 {
            let depth =
                (0..=path.len()).rev().find(|depth| self.0.contains_key(&path[..*depth]))?;
            let (module, source) = self.0.get_key_value(&path[..depth])?;
            let elsewhere = path.get(depth).and_then(|name| source.imports.get(name));
            match elsewhere.filter(|elsewhere| **elsewhere != path) {
                Some(elsewhere) => path.splice(..=depth, elsewhere.iter().cloned()),
                None => return Some(module),
            };
        }
        None
    }

    /// Each file with the files that it uses.
    fn uses(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let files = self.0.values().map(|source| {
            let used = source.paths.iter().filter_map(|path| self.find(path));
            let used = used.map(|module| &*self.0[module].file).filter(|file| *file != source.file);
            (&*source.file, used.collect())
        });
        files.collect()
    }
}

struct Reader {
    module: Module,
    source: Source,
    /// Modules in files of their own: the name, and the path if one is given.
    files: Vec<(String, Option<String>)>,
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("cfg") && list.is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let value = &attribute.meta.require_name_value().ok()?.value;
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = value else { return None };
    Some(text.value())
}

impl Reader {
    /// The path from the crate's root; None for what is of another crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = self.module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (vec![], &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while let [first, more @ ..] = rest
                    && first == "super"
                {
                    base.pop();
                    rest = more;
                }
            }
            // A module of this one, or another crate: no module has that name then.
            _ => {}
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn import(&mut self, tree: &UseTree, before: &[String], public: bool) {
        let with = |name: &dyn ToString| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(&path.ident), public),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, before, public));
            }
            UseTree::Name(name) if name.ident == "self" => {
                let name = before.last().cloned().unwrap_or_default();
                self.bind(name, before, public);
            }
            UseTree::Name(name) => self.bind(name.ident.to_string(), &with(&name.ident), public),
            UseTree::Rename(name) => self.bind(name.rename.to_string(), &with(&name.ident), public),
            UseTree::Glob(_) => self.bind(String::new(), before, public),
        }
    }

    /// A name for a path. What is only handed on is not used here.
    fn bind(&mut self, name: String, path: &[String], public: bool) {
        let Some(path) = self.absolute(path) else { return };
        if !public {
            self.source.paths.insert(path.clone());
        }
        self.source.imports.insert(name, path);
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            _ => return syn::visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            syn::visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        match &item.content {
            None => self.files.push((item.ident.to_string(), path_attribute(&item.attrs))),
            Some(_) => {
                self.module.push(item.ident.to_string());
                syn::visit::visit_item_mod(self, item);
                self.module.pop();
            }
        }
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        let public = !matches!(item.vis, Visibility::Inherited);
        self.import(&item.tree, &[], public);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        // Of one name it may be anything; what another crate has leads to no module.
        if names.len() > 1
            && let Some(path) = self.absolute(&names)
        {
            self.source.paths.insert(path);
        }
        syn::visit::visit_path(self, path);
    }
}

/// The room of a file: the name of its folder in src/, or of the file there.
fn room(file: &Path) -> String {
    let inside = file.strip_prefix("src").unwrap_or(file);
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The rows of the table in ARCHITECTURE.md: each room with those that it may use.
fn allowed() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| room |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let words = |cell: &str| {
        let words = cell.split('`').skip(1).step_by(2).map(str::to_owned);
        words.collect::<Vec<_>>()
    };
    let rows = rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").collect();
        let [room, _, uses] = cells[..] else { panic!("three cells: {row}") };
        let room = words(room).remove(0);
        let room = room.trim_start_matches("src/").trim_end_matches('/').trim_end_matches(".rs");
        (room.to_owned(), words(uses).into_iter().collect())
    });
    rows.collect()
}

#[test]
fn each_room_uses_only_what_the_table_says() {
    let (house, allowed) = (Crate::read(), allowed());
    let mut wrong = vec![];
    let mut used = BTreeMap::<String, BTreeSet<String>>::new();
    for (file, uses) in house.uses() {
        let from = room(file);
        // It only names the modules.
        if from == "lib" {
            continue;
        }
        let Some(may) = allowed.get(&from) else {
            wrong.push(format!("{}: the table has no room {from}", file.display()));
            continue;
        };
        for to in uses {
            let other = room(to);
            if other == from || other == "lib" {
                continue;
            }
            if !may.contains(&other) {
                wrong.push(format!("{} uses {}", file.display(), to.display()));
            }
            used.entry(from.clone()).or_default().insert(other);
        }
    }
    for (room, may) in &allowed {
        for other in may {
            if !used.get(room).is_some_and(|used| used.contains(other)) {
                wrong.push(format!("the table lets {room} use {other}, and nothing there does"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_file_imports_in_a_circle() {
    let house = Crate::read();
    let uses = house.uses();
    // What uses nothing that is left is taken away, until all that is left is in circles or uses them.
    let mut left: BTreeSet<&Path> = uses.keys().copied().collect();
    loop {
        let free = |file: &&Path| uses[*file].iter().all(|used| !left.contains(used));
        let gone: Vec<_> = left.iter().copied().filter(free).collect();
        if gone.is_empty() {
            break;
        }
        gone.iter().for_each(|file| _ = left.remove(file));
    }
    // And what nothing uses that is left.
    loop {
        let used = |file: &&Path| left.iter().any(|other| uses[other].contains(*file));
        let gone: Vec<_> = left.iter().copied().filter(|file| !used(file)).collect();
        if gone.is_empty() {
            break;
        }
        gone.iter().for_each(|file| _ = left.remove(file));
    }
    let arrows = left.iter().flat_map(|file| {
        let used = uses[file].iter().filter(|used| left.contains(*used));
        used.map(move |used| format!("{} -> {}", file.display(), used.display()))
    });
    let arrows: Vec<_> = arrows.collect();
    assert!(arrows.is_empty(), "\n{}", arrows.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_them() {
    let house = Crate::read();
    assert!(house.0.len() > 150, "{}", house.0.len());
    let uses = house.uses();
    let sees = |file: &str, other: &str| uses[Path::new(file)].contains(Path::new(other));
    assert!(sees("src/tools/bitehist.rs", "programs/bitehist.rs"));
    assert!(sees("src/tools/bitehist.rs", "src/sample/histogram.rs"));
    assert!(sees("src/sys/map.rs", "src/sys/call.rs"));
    assert!(!sees("src/insn/asm.rs", "src/sys/map.rs"));
}
