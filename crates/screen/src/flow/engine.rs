//! The flow engine: every scope is evaluated again until no variable, field or answer grows. It does not know in which
//! order or whether lines run: what may flow, flows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap as HashMap;

use super::agenda::{Agenda, Place};
use super::commands::Runs;
use super::held::Object;
use super::ir::{EXPORTS, Expr, Module, Name, Offset, Stmt, THIS};
use super::known::{self, Deed, Sink};
use super::value::{Const, Growth, Source, Step, Taint, Thing, Value};

/// Rounds after which it is given up, and said so: each is one more step of a way that runs against the order of the text.
const ROUNDS: usize = 100;
/// Modules from which on a project is a large one: so much is mixed up in it that some way leads from anything to anything.
pub const LARGE: usize = 150;
/// Evaluations of one scope in a large project after which only what counts is followed through it: what else arrives then
/// is mostly what was mixed up.
const EVALUATIONS_LARGE: u32 = 5;
/// Nesting of expressions that is followed.
pub(super) const DEPTH_MAX: usize = 200;
/// Constants that are as long, or longer, may be a payload.
const PIECE_LEN_MIN: usize = 16;
/// Elements that are gone through one by one.
pub(super) const UNROLLED_MAX: usize = 4_096;
/// Names that are bound at once.
pub(super) const BOUND_MAX: usize = 16;
/// Classes above one another that are followed.
pub(super) const BASES_MAX: usize = 8;
/// Parts of a path of a library that are kept.
pub(super) const PATH_LEN_MAX: usize = 160;
/// Texts that are put together out of alternatives.
pub(super) const JOINED_MAX: usize = 16;
/// Stands for what is not known in a text that was put together.
pub const UNKNOWN: &str = "…";

/// Bytes of a file within which code stands together.
const NEAR: Offset = 2_000;

/// A language that is followed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript or TypeScript.
    JavaScript,
    /// The language of shells.
    Shell,
}

/// A module in its project.
#[derive(Debug)]
pub struct Linked {
    /// Its language.
    pub language: Language,
    /// Its file's path in the tree.
    pub path: String,
    /// Its code.
    pub module: Module,
    /// Modules of the tree by the names that it imports.
    pub imports: HashMap<Name, usize>,
    /// Files of data by the names that it imports.
    pub data: HashMap<Name, String>,
}

/// What is followed.
#[derive(Debug, Default)]
pub struct Project {
    /// Its modules.
    pub modules: Vec<Linked>,
    /// Files of the tree that configure it, by path: what a program reads from them is known.
    pub configs: BTreeMap<String, serde_json::Value>,
    /// Files of the tree that are data, by path, but those that configure it.
    pub data: BTreeSet<String>,
}

/// Bytes that arrived at what runs them, or secrets that leave.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hit {
    /// The module.
    pub module: usize,
    /// Where in it.
    pub at: Offset,
    /// What runs them; `None` for secrets that leave.
    pub sink: Option<Sink>,
    /// Where they come from.
    pub source: Source,
    /// Where secrets go.
    pub endpoint: Option<Name>,
    /// The way, source first, this place last.
    pub steps: Vec<Step>,
    /// It happens when the module is loaded, not only when something calls it.
    pub on_load: bool,
}

impl Hit {
    /// Whether all of its way stands together in one file.
    #[must_use]
    pub fn is_near(&self) -> bool {
        self.steps.iter().all(|s| s.module == self.module && s.at.abs_diff(self.at) < NEAR)
    }
}

/// How a command is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command {
    /// When its module is loaded, not only when something calls it.
    pub on_load: bool,
    /// It goes on when who started it is gone.
    pub detached: bool,
}

/// What following a project found.
#[derive(Debug, Default)]
pub struct Followed {
    /// Hits, in the order of modules and places.
    pub hits: Vec<Hit>,
    /// Commands that are started: module, place, line.
    pub commands: BTreeMap<(usize, Offset, String), Command>,
    /// Files and code that commands run: module, place, what; and whether that is when the module is loaded.
    pub runs: BTreeMap<(usize, Offset, Runs), bool>,
    /// Files that are written: module, place, path.
    pub written: BTreeSet<(usize, Offset, String)>,
    /// Files that are taken away: module, place, path.
    pub deleted: BTreeSet<(usize, Offset, String)>,
    /// Whether anything is fetched.
    pub fetches: bool,
    /// Modules with code that is nested too deeply to be followed.
    pub too_deep: BTreeSet<usize>,
    /// Whether it was given up before nothing grew any more.
    pub cut: bool,
}

/// Follows a project, and evaluates at most so many expressions.
#[must_use]
pub fn follow(project: &Project, work_max: u64) -> Followed {
    let mut engine = Engine::new(project, work_max);
    // What runs when modules are loaded comes first: what has a name there is known to everything else then.
    let all = in_order(project);
    let is_loaded = |(module, scope): &&(usize, usize)| {
        let scopes = project.modules.get(*module).map(|l| &l.module.scopes);
        *scope == 0 || scopes.and_then(|s| s.get(*scope)).is_some_and(|s| s.is_class)
    };
    let loaded: Vec<(usize, usize)> = all.iter().filter(is_loaded).copied().collect();
    engine.rounds(&loaded);
    engine.rounds(&all);
    let open = !engine.agenda.is_done();
    let too_deep = std::mem::take(&mut engine.too_deep);
    let cut = open || engine.work >= work_max;
    let commands = std::mem::take(&mut engine.commands);
    let written = std::mem::take(&mut engine.written);
    let runs = std::mem::take(&mut engine.runs);
    let deleted = std::mem::take(&mut engine.deleted);
    let fetches = engine.fetches;
    Followed { hits: engine.resolved(), commands, runs, written, deleted, fetches, too_deep, cut }
}

/// All scopes, by module and number: those of a module after those of the modules that it imports.
fn in_order(project: &Project) -> Vec<(usize, usize)> {
    let mut order = Vec::new();
    let mut seen = vec![false; project.modules.len()];
    for first in 0..project.modules.len() {
        let mut open = vec![(first, false)];
        while let Some((module, is_done)) = open.pop() {
            let Some(linked) = project.modules.get(module) else { continue };
            if is_done {
                order.extend((0..linked.module.scopes.len()).map(|scope| (module, scope)));
            } else if seen.get_mut(module).is_some_and(|s| !std::mem::replace(s, true)) {
                open.push((module, true));
                let mut imports: Vec<usize> = linked.imports.values().copied().collect();
                imports.sort_unstable();
                open.extend(imports.into_iter().rev().map(|import| (import, false)));
            }
        }
    }
    order
}

#[derive(Default)]
pub(super) struct State {
    pub(super) vars: HashMap<Name, Value>,
    pub(super) answer: Value,
    pub(super) on_load: bool,
}

pub(super) struct Engine<'a> {
    pub(super) project: &'a Project,
    pub(super) scopes: Vec<Vec<State>>,
    pub(super) fields: HashMap<(usize, usize, Name), Value>,
    pub(super) objects: Vec<Object>,
    pub(super) object_at: HashMap<(usize, Offset), usize>,
    pub(super) files: HashMap<String, Value>,
    /// Members that code puts on things of libraries: `global.x = …`, `console.log = …`.
    pub(super) patched: HashMap<Name, Value>,
    /// What classes are made from.
    pub(super) bases: HashMap<(usize, usize), Value>,
    /// Constants that callers give, by module, scope and parameter.
    pub(super) given: HashMap<(usize, usize, usize), Value>,
    pub(super) commands: BTreeMap<(usize, Offset, String), Command>,
    pub(super) runs: BTreeMap<(usize, Offset, Runs), bool>,
    pub(super) written: BTreeSet<(usize, Offset, String)>,
    pub(super) deleted: BTreeSet<(usize, Offset, String)>,
    pub(super) fetches: bool,
    pub(super) hits: BTreeMap<(usize, Offset, Option<Sink>, Source), Hit>,
    pub(super) agenda: Agenda,
    /// Where it is: module, scope.
    pub(super) here: (usize, usize),
    pub(super) depth: usize,
    /// What names do, as far as it was asked.
    deeds: RefCell<HashMap<(Language, Name), Option<Deed>>>,
    /// Names that are bound for the expression at hand.
    pub(super) bound: Vec<(Name, Value)>,
    pub(super) too_deep: BTreeSet<usize>,
    /// Expressions that were evaluated, and how many may be.
    pub(super) work: u64,
    pub(super) work_max: u64,
}

impl<'a> Engine<'a> {
    fn new(project: &'a Project, work_max: u64) -> Self {
        let scopes = project
            .modules
            .iter()
            .map(|linked| linked.module.scopes.iter().map(|_| State::default()).collect())
            .collect();
        let mut engine = Self {
            project,
            scopes,
            fields: HashMap::default(),
            objects: Vec::new(),
            object_at: HashMap::default(),
            files: HashMap::default(),
            patched: HashMap::default(),
            bases: HashMap::default(),
            given: HashMap::default(),
            commands: BTreeMap::new(),
            runs: BTreeMap::new(),
            written: BTreeSet::new(),
            deleted: BTreeSet::new(),
            fetches: false,
            hits: BTreeMap::new(),
            agenda: Agenda::new(
                project.modules.iter().map(|l| l.module.scopes.len()),
                if project.modules.len() >= LARGE { EVALUATIONS_LARGE } else { u32::MAX },
            ),
            here: (0, 0),
            depth: 0,
            deeds: RefCell::default(),
            bound: Vec::new(),
            too_deep: BTreeSet::new(),
            work: 0,
            work_max,
        };
        engine.environment();
        for (number, linked) in project.modules.iter().enumerate() {
            for (at, scope) in linked.module.scopes.iter().enumerate() {
                engine.prepare(number, at, scope);
            }
        }
        engine
    }

    /// Variables that files of the tree set in the environment.
    fn environment(&mut self) {
        let is_env = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path);
            name.starts_with(".env") || name.ends_with(".env")
        };
        for (_, json) in self.project.configs.iter().filter(|(path, _)| is_env(path)) {
            for (key, value) in json.as_object().into_iter().flatten() {
                let Some(text) = value.as_str().filter(|t| !t.is_empty()) else { continue };
                for all in ["os.environ", "process.env", "import.meta.env", "Bun.env"] {
                    let path = format!("{all}.{key}").into();
                    self.patched.entry(path).or_default().join(&Value::text(text));
                }
                let path = format!("${key}").into();
                self.patched.entry(path).or_default().join(&Value::text(text));
            }
        }
    }

    /// What is known before anything is run: modules and class bodies run when they are loaded, methods have an instance.
    fn prepare(&mut self, module: usize, at: usize, scope: &super::ir::Scope) {
        let class = scope.parent.filter(|parent| {
            let scopes = self.project.modules.get(module).map(|l| &l.module.scopes);
            scopes.and_then(|s| s.get(*parent)).is_some_and(|s| s.is_class)
        });
        let Some(state) = self.scopes.get_mut(module).and_then(|s| s.get_mut(at)) else { return };
        state.on_load = at == 0;
        if let (0, Some(linked)) = (at, self.project.modules.get(module)) {
            let folder = linked.path.rsplit_once('/').map_or(".", |(folder, _)| folder);
            let own = match linked.language {
                Language::Python => vec![("__file__", linked.path.as_str())],
                Language::JavaScript => {
                    vec![("__dirname", folder), ("__filename", linked.path.as_str())]
                }
                Language::Shell => {
                    vec![("$0", linked.path.as_str()), ("$BASH_SOURCE", linked.path.as_str())]
                }
            };
            for (name, text) in own {
                state.vars.insert(name.into(), Value::text(text));
            }
        }
        for (nth, (name, _)) in scope.params.iter().enumerate() {
            let mut value = Value::thing(Thing::Param(module, at, nth));
            let step = Step { module, at: 0, what: String::new() };
            value.taints.push(Taint::new(Source::Given(module, at, nth), step));
            state.vars.insert(name.clone(), value);
        }
        if scope.has_this || scope.is_class {
            // A plain function may be used to make instances.
            let this = Thing::Instance(module, class.filter(|_| !scope.is_class).unwrap_or(at));
            state.vars.insert(THIS.into(), Value::thing(this));
        } else if let (Some(class), Some((this, _))) = (class, scope.params.first())
            && self.project.modules.get(module).is_some_and(|l| l.language == Language::Python)
        {
            state.vars.insert(this.clone(), Value::thing(Thing::Instance(module, class)));
        }
    }

    /// Evaluates those of some scopes that are due, until none is: forth, so that answers get to who asks, and back, so
    /// that what is given gets to who takes it.
    fn rounds(&mut self, scopes: &[(usize, usize)]) {
        for round in 0..ROUNDS {
            let mut any = false;
            for nth in 0..scopes.len() {
                let at = if round % 2 == 0 { nth } else { scopes.len() - 1 - nth };
                let Some((module, scope)) = scopes.get(at) else { continue };
                if self.agenda.is_due(*module, *scope) {
                    any = true;
                    self.evaluate(*module, *scope);
                }
            }
            if !any || self.work >= self.work_max {
                break;
            }
        }
    }

    /// Evaluates a scope.
    fn evaluate(&mut self, module: usize, scope: usize) {
        let scopes = self.project.modules.get(module).map(|l| &l.module.scopes);
        let Some(code) = scopes.and_then(|s| s.get(scope)) else { return };
        self.here = (module, scope);
        self.agenda.begin(module, scope);
        for (nth, (name, default)) in code.params.iter().enumerate() {
            if let Some(default) = default {
                let value = self.value(default);
                self.set(module, scope, name, &value);
                let grown = self.given.entry((module, scope, nth)).or_default().join(&value);
                self.agenda.grow(Place::Given(module, scope), grown);
            }
        }
        for stmt in &code.body {
            self.statement(stmt);
        }
    }

    pub(super) fn set(&mut self, module: usize, scope: usize, name: &Name, value: &Value) {
        let state = self.scopes.get_mut(module).and_then(|s| s.get_mut(scope));
        if let Some(state) = state {
            let grown = match state.vars.get_mut(name) {
                Some(known) => known.join(value),
                None => {
                    let mut own = Value::default();
                    let grown = own.join(value).max(Growth::Plain);
                    state.vars.insert(name.clone(), own);
                    grown
                }
            };
            self.agenda.grow(Place::Vars(module, scope), grown);
            self.agenda.grow(Place::of(module, scope, name), grown);
        }
    }

    /// A variable of a scope.
    pub(super) fn var_of(&self, module: usize, scope: usize, name: &str) -> Option<&Value> {
        self.agenda.touch(Place::of(module, scope, name));
        self.scopes.get(module)?.get(scope)?.vars.get(name)
    }

    /// What a scope answers.
    pub(super) fn answer_of(&self, module: usize, scope: usize) -> Option<&Value> {
        self.agenda.touch(Place::Answer(module, scope));
        self.scopes.get(module).and_then(|s| s.get(scope)).map(|s| &s.answer)
    }

    /// The variables of a scope.
    pub(super) fn vars_of(&self, module: usize, scope: usize) -> Option<&HashMap<Name, Value>> {
        self.agenda.touch(Place::Vars(module, scope));
        self.scopes.get(module).and_then(|s| s.get(scope)).map(|s| &s.vars)
    }

    /// A field of a class, its instances, or a function.
    pub(super) fn field_of(&self, module: usize, scope: usize, name: &Name) -> Option<&Value> {
        self.agenda.touch(Place::of(module, scope, name));
        self.fields.get(&(module, scope, name.clone()))
    }

    /// What a class is made from.
    pub(super) fn bases_of(&self, module: usize, class: usize) -> Option<&Value> {
        self.agenda.touch(Place::Bases(module, class));
        self.bases.get(&(module, class))
    }

    /// What a scope is given in one of its parameters.
    pub(super) fn given_of(&self, key: &(usize, usize, usize)) -> Option<&Value> {
        self.agenda.touch(Place::Given(key.0, key.1));
        self.given.get(key)
    }

    /// What a file holds.
    pub(super) fn file_of(&self, path: &str) -> Option<&Value> {
        self.agenda.touch(Place::named(path));
        self.files.get(path)
    }

    /// A member that was put on something of a library.
    pub(super) fn patch_of(&self, path: &str) -> Option<&Value> {
        self.agenda.touch(Place::named(path));
        self.patched.get(path)
    }

    /// Puts a member on something of a library. What says nothing is not kept.
    pub(super) fn patch(&mut self, path: Name, value: &Value) {
        if *value != Value::default() {
            let place = Place::named(&path);
            let grown = self.patched.entry(path).or_default().join(value);
            self.agenda.grow(place, grown);
        }
    }

    fn statement(&mut self, stmt: &'a Stmt) {
        let (module, scope) = self.here;
        match stmt {
            Stmt::Do(expr) => {
                self.value(expr);
            }
            Stmt::Assign(target, expr) => {
                let value = self.value(expr);
                self.assign(target, &value);
            }
            Stmt::Loop(target, over) => {
                let value = self.value(over);
                let element = self.element(&value);
                self.assign(target, &element);
            }
            Stmt::Return(expr) => {
                let value = self.value(expr);
                self.loads(&value);
                let state = self.scopes.get_mut(module).and_then(|s| s.get_mut(scope));
                if let Some(state) = state {
                    let grown = state.answer.join(&value);
                    self.agenda.grow(Place::Answer(module, scope), grown);
                }
            }
            Stmt::Raise(expr) => {
                let mut value = self.value(expr);
                value.taints.retain(Taint::is_fetched);
                let state = self.scopes.get_mut(module).and_then(|s| s.get_mut(scope));
                if let Some(state) = state {
                    let grown = state.answer.join(&Value::tainted(value.taints));
                    self.agenda.grow(Place::Answer(module, scope), grown);
                }
            }
            Stmt::Import { module: named, name } => {
                let value = self.imported(named);
                self.set(module, scope, name, &value);
            }
            Stmt::ImportMember { module: named, member, name } => {
                let from = self.imported(named);
                if &**member == "*" {
                    return self.import_all(&from);
                }
                // A member may be a module of the tree itself.
                let full: Name = if named.ends_with('.') {
                    format!("{named}{member}").into()
                } else {
                    format!("{named}.{member}").into()
                };
                let value =
                    match self.project.modules.get(module).and_then(|m| m.imports.get(&full)) {
                        Some(inner) => Value::thing(Thing::Module(*inner)),
                        None => self.member(&from, member),
                    };
                self.set(module, scope, name, &value);
            }
        }
    }

    /// The scope whose variable a name is where it is assigned.
    fn home(&self, name: &Name) -> usize {
        let (module, first) = self.here;
        let scopes =
            self.project.modules.get(module).map(|l| &l.module.scopes[..]).unwrap_or_default();
        let mut at = first;
        while let Some(scope) = scopes.get(at) {
            let is_own = match &scope.declared {
                Some(declared) => declared.contains(name) || scope.parent.is_none(),
                // Elsewhere a scope that was named as the outer one has assigned it.
                None if at == first => !scope.outer.contains(name),
                None => !scope.is_class && self.var_of(module, at, name).is_some(),
            };
            match scope.parent {
                Some(parent) if !is_own => at = parent,
                _ => break,
            }
        }
        at
    }

    /// What a method of an importer answers is run by the interpreter.
    fn loads(&mut self, value: &Value) {
        const SOURCES: [&str; 5] =
            ["get_source", "get_code", "get_data", "source_to_code", "exec_module"];
        let (module, scope) = self.here;
        let scopes = self.project.modules.get(module).map(|l| &l.module.scopes);
        let Some(code) = scopes.and_then(|s| s.get(scope)).filter(|c| SOURCES.contains(&&*c.name))
        else {
            return;
        };
        let class =
            code.parent.filter(|p| scopes.and_then(|s| s.get(*p)).is_some_and(|c| c.is_class));
        let bases = class.and_then(|c| self.bases_of(module, c));
        if class.is_some()
            && bases.is_none_or(|b| {
                b.paths().any(|p| p.starts_with("importlib.") || p.contains("Loader"))
            })
        {
            let taints = self.taints(value);
            let name: Name = "import".into();
            let at = value.taints.first().and_then(|t| t.steps.last()).map_or(0, |s| s.at);
            let asked =
                super::library::Asked { at, path: &name, base: None, args: &[], named: &[] };
            self.feed_taints(&asked, Sink::Interpreter, taints);
        }
    }

    pub(super) fn imported(&self, named: &Name) -> Value {
        let known = self.project.modules.get(self.here.0).and_then(|m| m.imports.get(named));
        match known {
            Some(number) => Value::thing(Thing::Module(*number)),
            None => Value::path(named.trim_start_matches('.')),
        }
    }

    /// What a module exports as one value: of the tree, a file of data in it, or a library.
    pub(super) fn exported(&mut self, named: &Name) -> Value {
        let linked = self.project.modules.get(self.here.0);
        if let Some(number) = linked.and_then(|m| m.imports.get(named)) {
            return match self.var_of(*number, 0, EXPORTS) {
                Some(exports) => exports.clone(),
                None => Value::thing(Thing::Module(*number)),
            };
        }
        if let Some(path) = linked.and_then(|m| m.data.get(named)) {
            let json = self.project.configs.get(path);
            return json.map(|json| self.json_of(path, json)).unwrap_or_default();
        }
        let has_dot = named.split('/').nth(2).is_some_and(|host| host.contains(['.', ':']));
        if has_dot && super::library::has_host(named) && self.language() == Language::JavaScript {
            let step = self.step(0, "imports code".to_owned());
            let taint = Taint::new(Source::Network(Some(named.clone())), step);
            let at = 0;
            self.hit(at, Some(Sink::Interpreter), &taint, None, format!("imports `{named}`"));
        }
        let plain = named.strip_prefix("node:").unwrap_or(named);
        Value::path(&plain.replace('/', "."))
    }

    /// Copies what a value holds into a list or map.
    pub(super) fn spread_into(&mut self, number: usize, value: &Value) {
        let object = Value::thing(Thing::Object(number));
        let from = value.things.iter().filter_map(|t| match t {
            Thing::Object(from) if *from != number => self.object_of(*from),
            _ => None,
        });
        let fields: Vec<(Name, Value)> =
            from.flat_map(|fields| fields.iter()).map(|(k, v)| (k.clone(), v.clone())).collect();
        for (key, field) in fields {
            self.set_member(&object, &key, &field);
        }
        let mut taints = value.taints.clone();
        taints.extend(self.own(value));
        if !taints.is_empty() {
            self.set_member(&object, &"[]".into(), &Value::tainted(taints));
        }
    }

    fn import_all(&mut self, from: &Value) {
        let (module, scope) = self.here;
        for thing in &from.things {
            let Thing::Module(number) = thing else { continue };
            let vars = self.vars_of(*number, 0).cloned();
            for (name, value) in vars.into_iter().flatten() {
                self.set(module, scope, &name, &value);
            }
        }
    }

    pub(super) fn assign(&mut self, target: &'a Expr, value: &Value) {
        match target {
            Expr::Name(name) => {
                let home = self.home(name);
                self.set(self.here.0, home, name, value);
            }
            Expr::Member(base, name) => {
                let base = self.value(base);
                self.set_member(&base, name, value);
            }
            Expr::Index(base, key) => {
                let (base, key) = (self.value(base), self.value(key));
                let name = key.texts().next().map_or_else(|| Name::from("[]"), |t| Name::from(&*t));
                self.set_member(&base, &name, value);
            }
            Expr::List(_, targets) => {
                for (at, target) in targets.iter().enumerate() {
                    if let Expr::Spread(target) = target {
                        self.assign(target, value);
                        continue;
                    }
                    let mut part = self.field(value, &at.to_string());
                    part.join(&Value::tainted(value.taints.clone()));
                    self.assign(target, &part);
                }
            }
            Expr::Map(_, targets) => {
                for (key, target) in targets {
                    let key = key.as_ref().map(|k| self.value(k));
                    let part = match key.as_ref().and_then(|k| k.texts().next()) {
                        Some(key) => self.member(value, &Name::from(&*key)),
                        None => value.clone(),
                    };
                    self.assign(target, &part);
                }
            }
            // A default.
            Expr::Assign(target, default) => {
                self.assign(target, value);
                let default = self.value(default);
                self.assign(target, &default);
            }
            Expr::Spread(target) => self.assign(target, value),
            _ => {}
        }
    }

    /// What a name does in the language at hand.
    pub(super) fn deed(&self, path: &Name) -> Option<Deed> {
        let language = self.language();
        if let Some(deed) = self.deeds.borrow().get(&(language, path.clone())) {
            return *deed;
        }
        let deed = known::deed(language, path);
        self.deeds.borrow_mut().insert((language, path.clone()), deed);
        deed
    }

    /// Remembers something that a command runs.
    pub(super) fn note_run(&mut self, at: Offset, runs: Runs) {
        let on_load = self.is_on_load();
        *self.runs.entry((self.here.0, at, runs)).or_insert(on_load) |= on_load;
    }

    /// Remembers a file that is written, by its path.
    pub(super) fn note_file(&mut self, at: Offset, path: &str) {
        self.written.insert((self.here.0, at, path.to_owned()));
    }

    /// Long constants of which something is made that is not followed: whoever decodes that decodes a constant.
    pub(super) fn pieces<'v>(&self, values: impl IntoIterator<Item = &'v Value>) -> Value {
        let is_long = |c: &Const| match c {
            Const::Text(text) => text.len() >= PIECE_LEN_MIN,
            Const::Bytes(bytes) => bytes.len() >= PIECE_LEN_MIN,
            Const::Number(_) => false,
        };
        let any = values.into_iter().any(|v| v.consts.iter().any(is_long));
        match any {
            true => {
                let step = self.step(0, String::new());
                Value::taint(Taint::new(Source::Piece, step))
            }
            false => Value::default(),
        }
    }

    /// Texts that a value or an element of it may be.
    pub(super) fn texts(&self, value: &Value) -> Vec<String> {
        let mut all: Vec<String> = value.texts().map(|t| t.into_owned()).collect();
        all.extend(self.element(value).texts().map(|t| t.into_owned()));
        all
    }
}
