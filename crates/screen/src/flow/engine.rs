//! The flow engine: every scope is evaluated again until no variable, field or answer grows. It does not know in which
//! order or whether lines run: what may flow, flows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fold;
use super::ir::{Expr, Module, Name, Offset, Stmt};
use super::known::Sink;
use super::value::{Const, Source, Step, Taint, Thing, Value};

/// Rounds after which it is given up, and said so: each is one more step of a way that runs against the order of the text.
const ROUNDS: usize = 100;
/// Nesting of expressions that is followed.
const DEPTH_MAX: usize = 200;
/// Expressions that are evaluated in all: some tens of seconds. Honest trees of ten thousand modules need a tenth.
const WORK_MAX: u64 = 200_000_000;
/// How deep a value is looked into when all of it is handed over: registries of programs lead to everything else.
const NESTING_MAX: usize = 4;
/// Lists and maps in one another that are looked into for one value.
const OBJECTS_MAX: usize = 1_000;
/// Parts of a path of a library that are kept.
pub(super) const PATH_LEN_MAX: usize = 160;
/// Texts that are put together out of alternatives.
const JOINED_MAX: usize = 16;
/// Stands for what is not known in a text that was put together.
pub const UNKNOWN: &str = "…";

/// A module in its project.
#[derive(Debug)]
pub struct Linked {
    /// Its code.
    pub module: Module,
    /// Modules of the tree by the names that it imports.
    pub imports: HashMap<Name, usize>,
}

/// What is followed.
#[derive(Debug, Default)]
pub struct Project {
    /// Its modules.
    pub modules: Vec<Linked>,
    /// Files of the tree that configure it, by path: what a program reads from them is known.
    pub configs: BTreeMap<String, serde_json::Value>,
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

/// What following a project found.
#[derive(Debug, Default)]
pub struct Followed {
    /// Hits, in the order of modules and places.
    pub hits: Vec<Hit>,
    /// Modules with code that is nested too deeply to be followed.
    pub too_deep: BTreeSet<usize>,
    /// Whether it was given up before nothing grew any more.
    pub cut: bool,
}

/// Follows a project.
#[must_use]
pub fn follow(project: &Project) -> Followed {
    let mut engine = Engine::new(project);
    for _ in 0..ROUNDS {
        engine.grown = false;
        for module in 0..project.modules.len() {
            engine.module(module);
        }
        if !engine.grown || engine.work >= WORK_MAX {
            break;
        }
    }
    let too_deep = std::mem::take(&mut engine.too_deep);
    let cut = engine.grown || engine.work >= WORK_MAX;
    Followed { hits: engine.resolved(), too_deep, cut }
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
    pub(super) objects: Vec<BTreeMap<Name, Value>>,
    pub(super) object_at: HashMap<(usize, Offset), usize>,
    pub(super) files: HashMap<String, Value>,
    /// Constants that callers give, by module, scope and parameter.
    pub(super) given: HashMap<(usize, usize, usize), Value>,
    pub(super) hits: BTreeMap<(usize, Offset, Option<Sink>, Source), Hit>,
    pub(super) grown: bool,
    /// Where it is: module, scope.
    pub(super) here: (usize, usize),
    pub(super) depth: usize,
    pub(super) too_deep: BTreeSet<usize>,
    work: u64,
}

impl<'a> Engine<'a> {
    fn new(project: &'a Project) -> Self {
        let scopes = project
            .modules
            .iter()
            .map(|linked| linked.module.scopes.iter().map(|_| State::default()).collect())
            .collect();
        let mut engine = Self {
            project,
            scopes,
            fields: HashMap::new(),
            objects: Vec::new(),
            object_at: HashMap::new(),
            files: HashMap::new(),
            given: HashMap::new(),
            hits: BTreeMap::new(),
            grown: true,
            here: (0, 0),
            depth: 0,
            too_deep: BTreeSet::new(),
            work: 0,
        };
        for (number, linked) in project.modules.iter().enumerate() {
            for (at, scope) in linked.module.scopes.iter().enumerate() {
                engine.prepare(number, at, scope);
            }
        }
        engine
    }

    /// What is known before anything is run: modules and class bodies run when they are loaded, methods have an instance.
    fn prepare(&mut self, module: usize, at: usize, scope: &super::ir::Scope) {
        let class = scope.parent.filter(|parent| {
            let scopes = self.project.modules.get(module).map(|l| &l.module.scopes);
            scopes.and_then(|s| s.get(*parent)).is_some_and(|s| s.is_class)
        });
        let Some(state) = self.scopes.get_mut(module).and_then(|s| s.get_mut(at)) else { return };
        state.on_load = at == 0;
        for (nth, (name, _)) in scope.params.iter().enumerate() {
            let mut value = Value::thing(Thing::Param(module, at, nth));
            let step = Step { module, at: 0, what: String::new() };
            value.taints.push(Taint::new(Source::Given(module, at, nth), step));
            state.vars.insert(name.clone(), value);
        }
        if let (Some(class), Some((this, _))) = (class, scope.params.first()) {
            state.vars.insert(this.clone(), Value::thing(Thing::Instance(module, class)));
        }
    }

    fn module(&mut self, number: usize) {
        let Some(linked) = self.project.modules.get(number) else { return };
        for (at, scope) in linked.module.scopes.iter().enumerate() {
            self.here = (number, at);
            for (nth, (name, default)) in scope.params.iter().enumerate() {
                if let Some(default) = default {
                    let value = self.value(default);
                    self.set(number, at, name, &value);
                    self.grown |= self.given.entry((number, at, nth)).or_default().join(&value);
                }
            }
            for stmt in &scope.body {
                self.statement(stmt);
            }
        }
    }

    pub(super) fn set(&mut self, module: usize, scope: usize, name: &Name, value: &Value) {
        let state = self.scopes.get_mut(module).and_then(|s| s.get_mut(scope));
        if let Some(state) = state {
            self.grown |= state.vars.entry(name.clone()).or_default().join(value);
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
                let state = self.scopes.get_mut(module).and_then(|s| s.get_mut(scope));
                if let Some(state) = state {
                    self.grown |= state.answer.join(&value);
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
            Stmt::Class(name, body) => {
                let state = self.scopes.get_mut(module).and_then(|s| s.get_mut(*body));
                if let Some(state) = state {
                    state.on_load = true;
                }
                self.set(module, scope, name, &Value::thing(Thing::Class(module, *body)));
            }
        }
    }

    pub(super) fn imported(&self, named: &Name) -> Value {
        let known = self.project.modules.get(self.here.0).and_then(|m| m.imports.get(named));
        match known {
            Some(number) => Value::thing(Thing::Module(*number)),
            None => Value::path(named.trim_start_matches('.')),
        }
    }

    fn import_all(&mut self, from: &Value) {
        let (module, scope) = self.here;
        for thing in &from.things {
            let Thing::Module(number) = thing else { continue };
            let vars = self.scopes.get(*number).and_then(|s| s.first()).map(|s| s.vars.clone());
            for (name, value) in vars.into_iter().flatten() {
                self.set(module, scope, &name, &value);
            }
        }
    }

    fn assign(&mut self, target: &'a Expr, value: &Value) {
        let (module, scope) = self.here;
        match target {
            Expr::Name(name) => self.set(module, scope, name, value),
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
                    let mut part = self.field(value, &at.to_string());
                    part.join(&Value::tainted(value.taints.clone()));
                    self.assign(target, &part);
                }
            }
            _ => {}
        }
    }

    pub(super) fn set_member(&mut self, base: &Value, name: &Name, value: &Value) {
        for thing in &base.things {
            match thing {
                Thing::Instance(module, class) | Thing::Class(module, class) => {
                    let key = (*module, *class, name.clone());
                    self.grown |= self.fields.entry(key).or_default().join(value);
                }
                Thing::Object(number) => {
                    if let Some(object) = self.objects.get_mut(*number) {
                        self.grown |= object.entry(name.clone()).or_default().join(value);
                    }
                }
                Thing::Module(number) => self.set(*number, 0, name, value),
                Thing::Path(_) | Thing::Function(..) | Thing::Param(..) => {}
            }
        }
    }

    /// A list or map that is made at a place: the same one each time.
    pub(super) fn object(&mut self, at: Offset) -> usize {
        let next = self.objects.len();
        let number = *self.object_at.entry((self.here.0, at)).or_insert(next);
        if number == next {
            self.objects.push(BTreeMap::new());
        }
        number
    }

    /// A field of lists and maps; what stands under no known key is in all of them.
    fn field(&self, value: &Value, key: &str) -> Value {
        let mut found = Value::default();
        for thing in &value.things {
            let Thing::Object(number) = thing else { continue };
            let Some(object) = self.objects.get(*number) else { continue };
            for key in [key, "[]"] {
                object.get(key).iter().for_each(|v| {
                    found.join(v);
                });
            }
        }
        found
    }

    /// Any element of a value.
    pub(super) fn element(&self, value: &Value) -> Value {
        let mut found = Value::tainted(value.taints.clone());
        for thing in &value.things {
            let Thing::Object(number) = thing else { continue };
            for field in self.objects.get(*number).into_iter().flat_map(BTreeMap::values) {
                found.join(field);
            }
        }
        found
    }

    /// The taints of a value and of what it holds.
    pub(super) fn taints(&self, value: &Value) -> Vec<Taint> {
        let mut found = Value::tainted(value.taints.clone());
        let (mut open, mut seen) = (vec![(value, 0)], BTreeSet::new());
        while let Some((value, depth)) = open.pop() {
            found.join(&Value::tainted(value.taints.clone()));
            for text in value.texts() {
                if let Some(file) = self.files.get(&*text) {
                    found.join(&Value::tainted(file.taints.clone()));
                }
            }
            for thing in &value.things {
                let Thing::Object(number) = thing else { continue };
                if depth < NESTING_MAX && seen.len() < OBJECTS_MAX && seen.insert(*number) {
                    let fields = self.objects.get(*number).into_iter().flat_map(BTreeMap::values);
                    open.extend(fields.map(|field| (field, depth + 1)));
                }
            }
        }
        found.taints
    }

    /// Texts that a value or an element of it may be.
    pub(super) fn texts(&self, value: &Value) -> Vec<String> {
        let mut all: Vec<String> = value.texts().map(|t| t.into_owned()).collect();
        all.extend(self.element(value).texts().map(|t| t.into_owned()));
        all
    }

    pub(super) fn member(&mut self, base: &Value, name: &Name) -> Value {
        // What is read of bytes from somewhere is from there too.
        let mut found = Value::tainted(base.taints.clone());
        for thing in &base.things {
            match thing {
                Thing::Path(path) => {
                    if path.len() + name.len() < PATH_LEN_MAX {
                        found.join(&Value::path(&format!("{path}.{name}")));
                    }
                }
                Thing::Module(number) => {
                    let var = self.scopes.get(*number).and_then(|s| s.first());
                    if let Some(value) = var.and_then(|s| s.vars.get(name)) {
                        found.join(value);
                    }
                }
                Thing::Class(module, class) | Thing::Instance(module, class) => {
                    let is_instance = matches!(thing, Thing::Instance(..));
                    if let Some(value) = self.fields.get(&(*module, *class, name.clone())) {
                        found.join(value);
                    }
                    let var = self.scopes.get(*module).and_then(|s| s.get(*class));
                    for thing in var.and_then(|s| s.vars.get(name)).iter().flat_map(|v| &v.things) {
                        found.join(&Value::thing(match thing {
                            Thing::Function(m, s, _) if is_instance => {
                                Thing::Function(*m, *s, true)
                            }
                            other => other.clone(),
                        }));
                    }
                    if let Some(value) = var.and_then(|s| s.vars.get(name)) {
                        let plain = Value { things: Vec::new(), ..value.clone() };
                        found.join(&plain);
                    }
                }
                Thing::Object(_) => {
                    let field = self.field(base, name);
                    found.join(&field);
                }
                Thing::Function(..) | Thing::Param(..) => {}
            }
        }
        if !base.consts.is_empty() && base.things.is_empty() {
            // A method of a text.
            found.join(&Value::path(&format!("str.{name}")));
        }
        found
    }

    fn name(&self, name: &Name) -> Value {
        let (module, mut scope) = self.here;
        let scopes =
            self.project.modules.get(module).map(|l| &l.module.scopes[..]).unwrap_or_default();
        loop {
            let state = self.scopes.get(module).and_then(|s| s.get(scope));
            if let Some(value) = state.and_then(|s| s.vars.get(name)) {
                return value.clone();
            }
            match scopes.get(scope).and_then(|s| s.parent) {
                Some(parent) => scope = parent,
                None => return Value::path(name),
            }
        }
    }

    pub(super) fn value(&mut self, expr: &'a Expr) -> Value {
        self.work += 1;
        if self.work >= WORK_MAX {
            return Value::default();
        }
        if self.depth >= DEPTH_MAX {
            self.too_deep.insert(self.here.0);
            return Value::default();
        }
        self.depth += 1;
        let value = self.value_of(expr);
        self.depth -= 1;
        value
    }

    fn value_of(&mut self, expr: &'a Expr) -> Value {
        match expr {
            Expr::Text(text) => Value::constant(Const::Text(text.clone())),
            Expr::Bytes(bytes) => Value::constant(Const::Bytes(bytes.clone())),
            Expr::Number(number) => Value::constant(Const::Number(*number)),
            Expr::Name(name) => self.name(name),
            Expr::Member(base, name) => {
                let base = self.value(base);
                self.member(&base, name)
            }
            Expr::Index(base, key) => {
                let (base, key) = (self.value(base), self.value(key));
                let name = key.texts().next().map(|t| t.into_owned());
                let name = name.or_else(|| match key.only() {
                    Some(Const::Number(n)) => Some(n.to_string()),
                    _ => None,
                });
                let Some(name) = name else { return self.element(&base) };
                let paths = Value { consts: Vec::new(), ..base.clone() };
                self.member(&paths, &name.into())
            }
            Expr::Reversed(inner) => {
                let mut value = self.value(inner);
                value.consts = value.consts.iter().filter_map(fold::reversed).collect();
                value
            }
            Expr::Call(call) => self.call(call),
            Expr::Join(parts) => {
                let values: Vec<Value> = parts.iter().map(|p| self.value(p)).collect();
                self.joined(&values)
            }
            Expr::List(at, items) => {
                let number = self.object(*at);
                for (nth, item) in items.iter().enumerate() {
                    let value = self.value(item);
                    let object = Value::thing(Thing::Object(number));
                    self.set_member(&object, &nth.to_string().into(), &value);
                }
                Value::thing(Thing::Object(number))
            }
            Expr::Map(at, pairs) => {
                let number = self.object(*at);
                for (key, item) in pairs {
                    let value = self.value(item);
                    let key = key.as_ref().map(|k| self.value(k));
                    let name = key.and_then(|k| k.texts().next().map(|t| Name::from(&*t)));
                    let object = Value::thing(Thing::Object(number));
                    self.set_member(&object, &name.unwrap_or_else(|| "[]".into()), &value);
                }
                Value::thing(Thing::Object(number))
            }
            Expr::Either(parts) => {
                let mut all = Value::default();
                for part in parts {
                    let value = self.value(part);
                    all.join(&value);
                }
                all
            }
            Expr::Mixed(parts) => {
                let mut all = Value::default();
                for part in parts {
                    let value = self.value(part);
                    all.join(&Value::tainted(value.taints));
                }
                all
            }
            Expr::Function(scope) => Value::thing(Thing::Function(self.here.0, *scope, false)),
            Expr::Assign(target, inner) => {
                let value = self.value(inner);
                self.assign(target, &value);
                value
            }
            Expr::Each(binds, element) => {
                for (target, over) in binds {
                    let value = self.value(over);
                    let one = self.element(&value);
                    self.assign(target, &one);
                }
                self.value(element)
            }
            Expr::Nothing => Value::default(),
        }
    }

    /// Parts one after the other: a constant, with a mark where a part is not known.
    pub(super) fn joined(&mut self, values: &[Value]) -> Value {
        let mut found = Value::default();
        for value in values {
            found.join(&Value::tainted(value.taints.clone()));
        }
        // Each alternative of each part with each of the others, as far as that are few.
        let unknown = Const::Text(UNKNOWN.into());
        let mut ways: Vec<Vec<&Const>> = vec![Vec::new()];
        for value in values {
            let parts: Vec<&Const> = match value.consts.len() {
                0 => vec![&unknown],
                n if n * ways.len() <= JOINED_MAX => value.consts.iter().collect(),
                _ => vec![&unknown],
            };
            ways = ways
                .iter()
                .flat_map(|way| parts.iter().map(|p| way.iter().copied().chain([*p]).collect()))
                .collect();
        }
        if values.iter().any(|v| !v.consts.is_empty()) {
            let folded = ways.iter().filter_map(|way| fold::join(way));
            folded.for_each(|c| {
                found.join(&Value::constant(c));
            });
        }
        // What it begins with decides about its host.
        let first = values.first().iter().flat_map(|v| v.things.clone()).collect::<Vec<_>>();
        for thing in first.into_iter().filter(|t| matches!(t, Thing::Param(..))) {
            found.join(&Value::thing(thing));
        }
        // Lists joined hold what both hold.
        let things: Vec<Thing> = values.iter().flat_map(|v| v.things.clone()).collect();
        let lists = things.into_iter().filter(|t| matches!(t, Thing::Object(_)));
        lists.for_each(|t| {
            found.join(&Value::thing(t));
        });
        found
    }
}

/// Modules whose code runs when one is loaded: itself, and what it imports, over and over.
#[must_use]
pub fn loaded_by(project: &Project, first: usize) -> BTreeSet<usize> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![first]);
    while let Some(at) = open.pop() {
        if seen.insert(at) {
            open.extend(project.modules.get(at).iter().flat_map(|m| m.imports.values()));
        }
    }
    seen
}
