//! From files to what is followed: code of every language, linked by what it imports.

use std::collections::{HashMap, HashSet};

use rustc_hash::FxHashMap;

use crate::flow::ir::{Expr, Module, Name, Stmt};
use crate::flow::{Language, Linked, Project};
use crate::tree::Tree;

/// A piece of code that is followed.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The file that it stands in, by its number.
    pub file: usize,
    /// Where in it, for code inside other text; code that is a file of its own has places of its own.
    pub at: Option<u32>,
    /// Its language.
    pub language: Language,
    /// Where lines of code came from, for code that was put together out of several places: offset here, offset there.
    pub spans: Vec<(u32, u32)>,
}

impl Unit {
    /// The offset in the file of an offset in the code.
    #[must_use]
    pub fn place(&self, at: u32) -> u32 {
        let moved = |from: &(u32, u32)| from.1.saturating_add(at.saturating_sub(from.0));
        match self.at {
            Some(place) => place,
            None => self.spans.iter().rev().find(|s| s.0 <= at).map_or(at, moved),
        }
    }
}

/// Units and the project that they make.
#[derive(Debug, Default)]
pub struct Assembly {
    /// What is followed: the modules are those of the units.
    pub project: Project,
    /// The units.
    pub units: Vec<Unit>,
}

/// Links modules by their imports.
#[must_use]
pub fn link(tree: &Tree, units: Vec<(Unit, Module)>, configs: Configs) -> Assembly {
    let is_data = |f: &&crate::tree::File| {
        let name = f.name();
        let is_code = [
            ".py", ".js", ".ts", ".mjs", ".cjs", ".sh", ".json", ".yaml", ".yml", ".toml", ".cfg",
            ".ini", ".in", ".md", ".rst", ".html",
        ];
        !is_code.iter().any(|e| name.ends_with(e)) && name.contains('.') && !name.starts_with('.')
    };
    let data = tree.files.iter().filter(is_data).map(|f| f.path.clone()).collect();
    let project = Project { modules: Vec::new(), configs, data };
    let mut assembly = Assembly { project, ..Assembly::default() };
    let mut python: HashMap<String, usize> = HashMap::new();
    let mut scripts: HashMap<&str, usize> = HashMap::new();
    let mut shells: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for (number, (unit, _)) in units.iter().enumerate() {
        let Some(file) = tree.files.get(unit.file).filter(|_| unit.at.is_none()) else { continue };
        match unit.language {
            Language::Python => {
                python.insert(module_name(&file.path), number);
            }
            Language::JavaScript => {
                scripts.insert(&file.path, number);
            }
            Language::Shell => {
                shells.insert(&file.path, number);
            }
        }
    }
    let files = Files::of(tree);
    for (unit, module) in units {
        let path = tree.files.get(unit.file).map(|f| f.path.as_str()).unwrap_or_default();
        let mut linked = Linked {
            language: unit.language,
            path: path.to_owned(),
            module,
            imports: FxHashMap::default(),
            data: FxHashMap::default(),
        };
        match unit.language {
            Language::Python => linked.imports = python_imports(&linked.module, path, &python),
            Language::JavaScript => {
                for named in modules_named(&linked.module) {
                    let Some(found) = files.script(path, &named) else { continue };
                    match scripts.get(found.as_str()) {
                        Some(number) => {
                            linked.imports.insert(named, *number);
                        }
                        None => {
                            linked.data.insert(named, found);
                        }
                    }
                }
            }
            Language::Shell => {
                for stmt in linked.module.scopes.iter().flat_map(|s| &s.body) {
                    let Stmt::ImportMember { module, .. } = stmt else { continue };
                    let named = |path: &&&str| path.rsplit('/').next() == Some(&**module);
                    if let Some(number) = shells.keys().find(named).and_then(|p| shells.get(p)) {
                        linked.imports.insert(module.clone(), *number);
                    }
                }
            }
        }
        assembly.units.push(unit);
        assembly.project.modules.push(linked);
    }
    assembly
}

/// Files of the tree that configure it, by path.
pub type Configs = std::collections::BTreeMap<String, serde_json::Value>;

/// The files of a tree, to find one by what code says of it.
#[derive(Debug)]
pub struct Files<'a> {
    paths: HashSet<&'a str>,
    /// Entries of packages, by their names.
    packages: HashMap<String, String>,
}

impl<'a> Files<'a> {
    /// All files of a tree.
    #[must_use]
    pub fn of(tree: &'a Tree) -> Self {
        let paths = tree.files.iter().map(|f| f.path.as_str()).collect();
        let mut packages = HashMap::new();
        for file in tree.files.iter().filter(|f| f.name() == "package.json") {
            let Ok(json) = serde_json::from_slice::<serde_json::Value>(&file.bytes) else {
                continue;
            };
            let folder = file.path.strip_suffix("package.json").unwrap_or_default();
            let main = json.get("main").and_then(|m| m.as_str()).unwrap_or("index.js");
            if let Some(name) = json.get("name").and_then(|n| n.as_str()) {
                packages.insert(name.to_owned(), normal(&format!("{folder}{main}")));
            }
            packages.insert(format!("/{folder}"), normal(&format!("{folder}{main}")));
        }
        Self { paths, packages }
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// A file by its path in commands: from the folder of who says it, or one above.
    #[must_use]
    pub fn from_command(&self, here: &str, named: &str) -> Option<String> {
        let named = named.trim_start_matches("file://");
        let named = [
            "${workspaceFolder}/",
            "${workspaceRoot}/",
            "$PWD/",
            "${PWD}/",
            "$PROJECT_DIR$/",
            "$(pwd)/",
            "{project}/",
        ]
        .iter()
        .find_map(|p| named.strip_prefix(p))
        .unwrap_or(named);
        let named = named.replace('\\', "/");
        if let Some((before, after)) = named.split_once('*') {
            let before = before.trim_start_matches("./");
            let after = after.rsplit('*').next().unwrap_or(after);
            let fits = |p: &&&str| {
                p.ends_with(after) && (p.starts_with(before) || p.contains(&format!("/{before}")))
            };
            let mut all: Vec<&&str> = self.paths.iter().filter(fits).collect();
            all.sort();
            return all.first().map(|p| (**p).to_owned());
        }
        let mut folder = here.rsplit_once('/').map_or("", |(folder, _)| folder);
        loop {
            let path = normal(&format!("{folder}/{named}"));
            for end in ["", ".js", ".mjs", ".cjs", ".ts", ".py", "/index.js", "/__main__.py"] {
                let full = format!("{path}{end}");
                if self.has(&full) {
                    return Some(full);
                }
            }
            if let Some(main) = self.packages.get(&format!(
                "/{}",
                if path.is_empty() { String::new() } else { format!("{path}/") }
            )) {
                return self.with_ends(main);
            }
            if folder.is_empty() {
                return None;
            }
            folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        }
    }

    fn with_ends(&self, path: &str) -> Option<String> {
        const ENDS: [&str; 18] = [
            "",
            ".js",
            ".ts",
            ".tsx",
            ".jsx",
            ".mjs",
            ".cjs",
            ".mts",
            ".cts",
            ".json",
            "/index.js",
            "/index.ts",
            "/index.tsx",
            "/index.jsx",
            "/index.mjs",
            "/index.cjs",
            ".node",
            "/package.json",
        ];
        if let Some(found) = ENDS.iter().map(|end| format!("{path}{end}")).find(|f| self.has(f)) {
            return Some(found);
        }
        // TypeScript is imported under the name that it is compiled to.
        let (stem, end) = path.rsplit_once('.')?;
        let ends = match end {
            "js" | "jsx" => ["ts", "tsx"],
            "mjs" => ["mts", "ts"],
            "cjs" => ["cts", "ts"],
            _ => return None,
        };
        ends.iter().map(|e| format!("{stem}.{e}")).find(|f| self.has(f))
    }

    /// Of what a ref of git leads to only what differs is there, as `.git!/REF/PATH`: the rest is in the working tree.
    fn beside(&self, path: &str) -> Option<String> {
        let (root, mut rest) = path.split_once(".git!/")?;
        while let Some((_, after)) = rest.split_once('/') {
            if let Some(found) = self.with_ends(&format!("{root}{after}")) {
                return Some(found);
            }
            rest = after;
        }
        None
    }

    /// A module of JavaScript by how it is imported.
    #[must_use]
    pub fn script(&self, here: &str, named: &str) -> Option<String> {
        let mut folder = here.rsplit_once('/').map_or("", |(folder, _)| folder);
        if named.starts_with('.') || named.starts_with('/') {
            let path = normal(&format!("{folder}/{named}"));
            return self.with_ends(&path).or_else(|| self.beside(&path));
        }
        if named.is_empty() || named.starts_with("node:") {
            return None;
        }
        let alias = named.trim_start_matches("@/").trim_start_matches("~/").trim_start_matches('#');
        loop {
            let above = |inner: &str| normal(&format!("{folder}/{inner}/{alias}"));
            if alias.len() != named.len() || named.contains('/') {
                let inner = [above("src"), above("."), above("app"), above("lib")];
                if let Some(found) = inner.iter().find_map(|p| self.with_ends(p)) {
                    return Some(found);
                }
            }
            let package = normal(&format!("{folder}/node_modules/{named}"));
            if let Some(main) = self.packages.get(&format!("/{package}/")) {
                return self.with_ends(main);
            }
            if let Some(found) = self.with_ends(&package) {
                return Some(found);
            }
            if folder.is_empty() {
                break;
            }
            folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        }
        self.packages.get(named).and_then(|main| self.with_ends(main))
    }
}

/// A path without `.` and `..`.
#[must_use]
pub fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// Names under which a module of JavaScript imports others.
fn modules_named(module: &Module) -> HashSet<Name> {
    let mut found = HashSet::new();
    for scope in &module.scopes {
        scope.params.iter().filter_map(|(_, d)| d.as_ref()).for_each(|d| names_in(d, &mut found));
        for stmt in &scope.body {
            match stmt {
                Stmt::Do(e) | Stmt::Return(e) | Stmt::Raise(e) => names_in(e, &mut found),
                Stmt::Assign(a, b) | Stmt::Loop(a, b) => {
                    names_in(a, &mut found);
                    names_in(b, &mut found);
                }
                Stmt::Import { .. } | Stmt::ImportMember { .. } => {}
            }
        }
    }
    found
}

fn names_in(expr: &Expr, found: &mut HashSet<Name>) {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::Module(name) => {
                found.insert(name.clone());
            }
            Expr::Member(a, _) | Expr::Reversed(a) | Expr::Spread(a) | Expr::Tried(_, a) => {
                open.push(a)
            }
            Expr::Index(a, b) | Expr::Assign(a, b) => open.extend([&**a, &**b]),
            Expr::Call(call) => {
                if let (Expr::Name(name), [Expr::Text(text)]) = (&call.callee, &call.args[..])
                    && &**name == "import"
                {
                    found.insert(text.clone());
                }
                open.push(&call.callee);
                open.extend(call.args.iter().chain(call.named.iter().map(|(_, v)| v)));
            }
            Expr::Join(all)
            | Expr::List(_, all)
            | Expr::Either(all)
            | Expr::Mixed(all)
            | Expr::Formatted(all)
            | Expr::Operation(_, _, all)
            | Expr::Class(_, all) => open.extend(all),
            Expr::Map(_, pairs) => {
                for (key, value) in pairs {
                    open.extend(key);
                    open.push(value);
                }
            }
            Expr::Each(_, binds, element) => {
                binds.iter().for_each(|(a, b)| open.extend([a, b]));
                open.push(element);
            }
            Expr::Text(_)
            | Expr::Bytes(_)
            | Expr::Number(_)
            | Expr::Name(_)
            | Expr::Function(_)
            | Expr::Nothing => {}
        }
    }
}

/// `a/b/c.py` is `a.b.c`, `a/b/__init__.py` is `a.b`.
fn module_name(path: &str) -> String {
    let path = path.trim_end_matches(".pyw").trim_end_matches(".py");
    path.strip_suffix("/__init__").unwrap_or(path).replace('/', ".")
}

/// Modules of the tree by the names that one imports.
fn python_imports(
    module: &Module,
    path: &str,
    names: &HashMap<String, usize>,
) -> FxHashMap<Name, usize> {
    let mut found = FxHashMap::default();
    let here = module_name(path);
    let is_package = path.ends_with("__init__.py");
    let mut link = |named: &str| {
        if let Some(number) = resolve(named, &here, is_package, names) {
            found.insert(Name::from(named), number);
        }
    };
    for stmt in module.scopes.iter().flat_map(|s| &s.body) {
        match stmt {
            Stmt::Import { module, .. } => link(module),
            Stmt::ImportMember { module, member, .. } => {
                link(module);
                let dot = if module.ends_with('.') { "" } else { "." };
                link(&format!("{module}{dot}{member}"));
            }
            _ => {}
        }
    }
    found
}

/// A module by the name of an import: relative to where it stands, or from any folder above it; there `src` is looked
/// into as well.
fn resolve(
    named: &str,
    here: &str,
    is_package: bool,
    names: &HashMap<String, usize>,
) -> Option<usize> {
    let plain = named.trim_start_matches('.');
    let dots = named.len() - plain.len();
    let mut parts: Vec<&str> = here.split('.').filter(|p| !p.is_empty()).collect();
    if !is_package {
        parts.pop();
    }
    let join = |parts: &[&str]| {
        let all: Vec<&str> =
            parts.iter().copied().chain(Some(plain).filter(|p| !p.is_empty())).collect();
        all.join(".")
    };
    if dots > 0 {
        let keep = parts.len().checked_sub(dots - 1)?;
        return names.get(&join(parts.get(..keep)?)).copied();
    }
    loop {
        if let Some(found) = names.get(&join(&parts)) {
            return Some(*found);
        }
        let mut inner = parts.clone();
        inner.push("src");
        if let Some(found) = names.get(&join(&inner)) {
            return Some(*found);
        }
        parts.pop()?;
    }
}
