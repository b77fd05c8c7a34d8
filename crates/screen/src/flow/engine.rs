//! The flow engine: every scope is evaluated again until no variable, field or answer grows. It does not know in which
//! order or whether lines run: what may flow, flows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fold;
use super::ir::{Call, Expr, Module, Name, Offset, Stmt};
use super::known::{self, Deed, Sink};
use super::value::{Const, Source, Step, Taint, Thing, Value};

/// Rounds after which no more is looked for: each is one more step of a way over calls.
const ROUNDS: usize = 8;
/// Nesting of expressions that is followed.
const DEPTH_MAX: usize = 200;
/// Parts of a path of a library that are kept.
const PATH_LEN_MAX: usize = 160;
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

/// Follows a project. The hits are in the order of modules and places.
#[must_use]
pub fn follow(project: &Project) -> Vec<Hit> {
    let mut engine = Engine::new(project);
    for _ in 0..ROUNDS {
        engine.grown = false;
        for module in 0..project.modules.len() {
            engine.module(module);
        }
        if !engine.grown {
            break;
        }
    }
    engine.resolved()
}

#[derive(Default)]
struct State {
    vars: HashMap<Name, Value>,
    answer: Value,
    on_load: bool,
}

struct Engine<'a> {
    project: &'a Project,
    scopes: Vec<Vec<State>>,
    fields: HashMap<(usize, usize, Name), Value>,
    objects: Vec<BTreeMap<Name, Value>>,
    object_at: HashMap<(usize, Offset), usize>,
    files: HashMap<String, Value>,
    /// Constants that callers give, by module, scope and parameter.
    given: HashMap<(usize, usize, usize), Value>,
    hits: BTreeMap<(usize, Offset, Option<Sink>, Source), Hit>,
    grown: bool,
    /// Where it is: module, scope.
    here: (usize, usize),
    depth: usize,
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
            state.vars.insert(name.clone(), Value::thing(Thing::Param(module, at, nth)));
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

    fn set(&mut self, module: usize, scope: usize, name: &Name, value: &Value) {
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

    fn imported(&self, named: &Name) -> Value {
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

    fn set_member(&mut self, base: &Value, name: &Name, value: &Value) {
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
    fn object(&mut self, at: Offset) -> usize {
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
    fn element(&self, value: &Value) -> Value {
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
    fn taints(&self, value: &Value) -> Vec<Taint> {
        let mut found = Value::tainted(value.taints.clone());
        let mut open = vec![(value, 0)];
        while let Some((value, depth)) = open.pop() {
            found.join(&Value::tainted(value.taints.clone()));
            for text in value.texts() {
                if let Some(file) = self.files.get(&*text) {
                    found.join(&Value::tainted(file.taints.clone()));
                }
            }
            for thing in &value.things {
                let Thing::Object(number) = thing else { continue };
                if depth < 4 {
                    let fields = self.objects.get(*number).into_iter().flat_map(BTreeMap::values);
                    open.extend(fields.map(|field| (field, depth + 1)));
                }
            }
        }
        found.taints
    }

    /// Texts that a value or an element of it may be.
    fn texts(&self, value: &Value) -> Vec<String> {
        let mut all: Vec<String> = value.texts().map(|t| t.into_owned()).collect();
        all.extend(self.element(value).texts().map(|t| t.into_owned()));
        all
    }

    fn member(&mut self, base: &Value, name: &Name) -> Value {
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

    fn value(&mut self, expr: &'a Expr) -> Value {
        if self.depth >= DEPTH_MAX {
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
    fn joined(&mut self, values: &[Value]) -> Value {
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

    fn call(&mut self, call: &'a Call) -> Value {
        let base = match &call.callee {
            Expr::Member(base, _) => Some(self.value(base)),
            _ => None,
        };
        let callee = match (&call.callee, &base) {
            (Expr::Member(_, name), Some(base)) => self.member(base, name),
            (other, _) => self.value(other),
        };
        let args: Vec<Value> = call.args.iter().map(|a| self.value(a)).collect();
        let named: Vec<(Name, Value)> =
            call.named.iter().map(|(n, v)| (n.clone(), self.value(v))).collect();
        let mut answer = Value::default();
        for thing in &callee.things {
            let one = match thing {
                Thing::Function(module, scope, bound) => {
                    self.enter(call.at, *module, *scope, usize::from(*bound), &args, &named)
                }
                Thing::Class(module, class) => {
                    let init = self.member(
                        &Value::thing(Thing::Instance(*module, *class)),
                        &"__init__".into(),
                    );
                    for thing in &init.things {
                        if let Thing::Function(module, scope, _) = thing {
                            self.enter(call.at, *module, *scope, 1, &args, &named);
                        }
                    }
                    Value::thing(Thing::Instance(*module, *class))
                }
                Thing::Path(path) => {
                    let asked = Asked {
                        at: call.at,
                        path,
                        base: base.as_ref(),
                        args: &args,
                        named: &named,
                    };
                    self.library(&asked)
                }
                Thing::Module(_) | Thing::Instance(..) | Thing::Object(_) | Thing::Param(..) => {
                    Value::default()
                }
            };
            answer.join(&one);
        }
        // A callback gets whatever the call was given or calls up.
        for value in args.iter().chain(named.iter().map(|(_, v)| v)) {
            for thing in &value.things {
                if let Thing::Function(module, scope, bound) = thing {
                    let given = Value::tainted(answer.taints.clone());
                    let mut all = vec![given];
                    all.extend(args.iter().map(|a| Value::tainted(a.taints.clone())));
                    self.enter(call.at, *module, *scope, usize::from(*bound), &all, &[]);
                }
            }
        }
        answer.join(&Value::tainted(callee.taints.clone()));
        answer
    }

    fn step(&self, at: Offset, what: String) -> Step {
        Step { module: self.here.0, at, what }
    }

    fn enter(
        &mut self,
        at: Offset,
        module: usize,
        scope: usize,
        bound: usize,
        args: &[Value],
        named: &[(Name, Value)],
    ) -> Value {
        let on_load = self.is_on_load();
        let Some(code) = self.project.modules.get(module).and_then(|m| m.module.scopes.get(scope))
        else {
            return Value::default();
        };
        if let Some(state) = self.scopes.get_mut(module).and_then(|s| s.get_mut(scope)) {
            self.grown |= on_load && !state.on_load;
            state.on_load |= on_load;
        }
        let into = self.step(at, format!("handed to `{}`", code.name));
        let pass = |value: &Value| {
            let taints = value.taints.iter().map(|t| t.over(into.clone())).collect();
            Value { taints, ..value.clone() }
        };
        let last = code.params.len().saturating_sub(1);
        let mut actual: BTreeMap<usize, Value> = BTreeMap::new();
        for (nth, value) in args.iter().enumerate().filter(|_| !code.params.is_empty()) {
            actual.entry((nth + bound).min(last)).or_default().join(value);
        }
        for (name, value) in named {
            if let Some(nth) = code.params.iter().position(|(param, _)| param == name) {
                actual.entry(nth).or_default().join(value);
            }
        }
        for (nth, value) in &actual {
            let Some((name, _)) = code.params.get(*nth) else { continue };
            self.set(module, scope, name, &pass(value));
            let consts = Value { consts: value.consts.clone(), ..Value::default() };
            self.grown |= self.given.entry((module, scope, *nth)).or_default().join(&consts);
        }
        let state = self.scopes.get(module).and_then(|s| s.get(scope));
        let answer = state.map(|s| s.answer.clone()).unwrap_or_default();
        self.answered(answer, (module, scope), code, &actual)
    }

    /// An answer to one caller: fetched from the endpoint that this one gave.
    fn answered(
        &mut self,
        answer: Value,
        (module, scope): (usize, usize),
        code: &'a super::ir::Scope,
        actual: &BTreeMap<usize, Value>,
    ) -> Value {
        let mut all = Value { taints: Vec::new(), things: Vec::new(), ..answer.clone() };
        for thing in answer.things {
            match thing {
                // A parameter that is handed back is what was given.
                Thing::Param(m, s, nth) if (m, s) == (module, scope) => {
                    if let Some(value) = actual.get(&nth) {
                        all.join(value);
                    }
                }
                other => {
                    all.join(&Value::thing(other));
                }
            }
        }
        for taint in answer.taints {
            let Source::NetworkOf(m, s, nth) = taint.source else {
                all.join(&Value::tainted(vec![taint]));
                continue;
            };
            let given = match actual.get(&nth) {
                Some(value) if (m, s) == (module, scope) => value.clone(),
                None if (m, s) == (module, scope) => {
                    let default = code.params.get(nth).and_then(|(_, d)| d.as_ref());
                    default.map(|d| self.value(d)).unwrap_or_default()
                }
                _ => {
                    all.join(&Value::tainted(vec![taint]));
                    continue;
                }
            };
            for source in self.endpoints(&given) {
                all.join(&Value::tainted(vec![taint.from(source)]));
            }
        }
        all
    }

    /// Endpoints that a value names: its constants but those that callers gave, and the parameters that it is.
    fn endpoints(&self, value: &Value) -> Vec<Source> {
        let params = value.things.iter().filter_map(|t| match t {
            Thing::Param(m, s, n) => Some((*m, *s, *n)),
            _ => None,
        });
        let given: Vec<&Const> =
            params.clone().filter_map(|p| self.given.get(&p)).flat_map(|v| &v.consts).collect();
        let mut found: Vec<Source> = params.map(|(m, s, n)| Source::NetworkOf(m, s, n)).collect();
        for constant in value.consts.iter().filter(|c| !given.contains(c)) {
            if let Some(text) = constant.text().filter(|t| has_host(t)) {
                found.push(Source::Network(Some(Name::from(&*text))));
            }
        }
        if found.is_empty() {
            found.push(Source::Network(None));
        }
        found
    }

    /// The hits, with the endpoints that any caller gives where only callers know them.
    fn resolved(self) -> Vec<Hit> {
        let mut all: BTreeMap<(usize, Offset, Option<Sink>, Source), Hit> = BTreeMap::new();
        for hit in self.hits.into_values() {
            let sources: Vec<Source> = match &hit.source {
                Source::NetworkOf(m, s, n) => {
                    let given = self.given.get(&(*m, *s, *n));
                    let texts = given.iter().flat_map(|v| v.texts()).filter(|t| has_host(t));
                    let known: Vec<Source> =
                        texts.map(|t| Source::Network(Some(Name::from(&*t)))).collect();
                    if known.is_empty() { vec![Source::Network(None)] } else { known }
                }
                other => vec![other.clone()],
            };
            for source in sources {
                let key = (hit.module, hit.at, hit.sink, source.clone());
                all.entry(key).or_insert(Hit { source, ..hit.clone() });
            }
        }
        // Where an endpoint is known, that others may be given says no more.
        let known: BTreeSet<(usize, Offset, Option<Sink>)> = all
            .values()
            .filter(|h| h.source != Source::Network(None))
            .map(|h| (h.module, h.at, h.sink))
            .collect();
        let says_more = |h: &Hit| {
            h.source != Source::Network(None) || !known.contains(&(h.module, h.at, h.sink))
        };
        all.into_values().filter(says_more).collect()
    }

    fn is_on_load(&self) -> bool {
        let (module, scope) = self.here;
        self.scopes.get(module).and_then(|s| s.get(scope)).is_some_and(|s| s.on_load)
    }

    fn hit(
        &mut self,
        at: Offset,
        sink: Option<Sink>,
        taint: &Taint,
        endpoint: Option<Name>,
        what: String,
    ) {
        let on_load = self.is_on_load();
        let key = (self.here.0, at, sink, taint.source.clone());
        let steps: Vec<Step> = taint.over(self.step(at, what)).steps.to_vec();
        let module = self.here.0;
        let hit = self.hits.entry(key).or_insert_with(|| Hit {
            module,
            at,
            sink,
            source: taint.source.clone(),
            endpoint,
            steps,
            on_load,
        });
        hit.on_load |= on_load;
    }
}

/// A call of something of a library.
struct Asked<'b> {
    at: Offset,
    path: &'b Name,
    base: Option<&'b Value>,
    args: &'b [Value],
    named: &'b [(Name, Value)],
}

impl Asked<'_> {
    fn named(&self, name: &str) -> Option<&Value> {
        self.named.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.args.iter().chain(self.named.iter().map(|(_, v)| v))
    }

    /// What says the endpoint: an argument, and what the client was made with where that names no host.
    fn endpoint(&self, place: usize) -> Value {
        let given = self.args.get(place).or_else(|| self.named("url")).cloned().unwrap_or_default();
        let is_known = given.texts().any(|t| has_host(&t))
            || given.things.iter().any(|t| matches!(t, Thing::Param(..)));
        let base = self.base.filter(|_| !is_known);
        base.map_or(given, |base| Value { taints: Vec::new(), things: Vec::new(), ..base.clone() })
    }
}

/// Whether a text names a host: `https://host/…`, or a bare host of a connection.
fn has_host(text: &str) -> bool {
    let host = match text.split_once("://") {
        Some((_, rest)) => rest,
        None if text.contains('.') && !text.contains([' ', '/', '\\', '\n']) => text,
        None => return false,
    };
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && !host.contains(UNKNOWN)
}

impl Engine<'_> {
    fn library(&mut self, asked: &Asked<'_>) -> Value {
        let made = || {
            let fits = asked.path.len() + 2 < PATH_LEN_MAX;
            if fits { Value::path(&format!("{}()", asked.path)) } else { Value::default() }
        };
        let Some(deed) = known::deed(asked.path) else { return self.unknown_call(asked) };
        match deed {
            Deed::Fetch(place) => {
                let sources = self.endpoints(&asked.endpoint(place));
                self.leaves(asked, &sources);
                let mut value = made();
                value.taints = self.fetched(asked, sources);
                value
            }
            Deed::FetchFile(place) => {
                let sources = self.endpoints(&asked.endpoint(place));
                let value = Value::tainted(self.fetched(asked, sources));
                if let Some(file) = asked.args.get(place + 1) {
                    self.write(file, &value);
                }
                value
            }
            Deed::Decode(coding) => self.decoded(asked, coding),
            Deed::Feed(sink) => {
                self.feed(asked, sink);
                let mut value = made();
                value.taints = asked.all().flat_map(|v| v.taints.clone()).collect();
                value
            }
            Deed::Open => {
                let mut value = made();
                let file = asked.args.first().or(asked.base);
                for text in file.iter().flat_map(|f| f.texts()) {
                    value.join(&Value::text(&text));
                    if let Some(kind) = known::secret_of_path(&text) {
                        let step = self.step(asked.at, format!("opens `{text}` ({kind})"));
                        value.taints.push(Taint::new(Source::Secret(kind), step));
                    }
                    if let Some(written) = self.files.get(&*text) {
                        value.join(&Value::tainted(written.taints.clone()));
                    }
                }
                value
            }
            Deed::JoinPath => {
                let slash = Value::text("/");
                let parts: Vec<Value> = asked
                    .args
                    .iter()
                    .enumerate()
                    .flat_map(|(nth, arg)| {
                        (nth > 0).then(|| slash.clone()).into_iter().chain([arg.clone()])
                    })
                    .collect();
                self.joined(&parts)
            }
            Deed::Keep => {
                let mut value = asked.args.first().cloned().unwrap_or_default();
                if let Some(config) = self.config(asked) {
                    value.join(&config);
                }
                value.join(&made());
                value
            }
            Deed::Characters => {
                let number = asked.args.first().and_then(|a| a.only());
                match number {
                    Some(Const::Number(n)) => u32::try_from(*n)
                        .ok()
                        .and_then(char::from_u32)
                        .map_or_else(Value::default, |c| Value::text(&c.to_string())),
                    _ => Value::default(),
                }
            }
            Deed::Import => {
                let mut value = Value::default();
                for text in asked.args.first().iter().flat_map(|a| a.texts()) {
                    value.join(&self.imported(&Name::from(&*text)));
                }
                for taint in asked.args.first().map(|a| self.taints(a)).unwrap_or_default() {
                    self.hit(
                        asked.at,
                        Some(Sink::Interpreter),
                        &taint,
                        None,
                        "imports it".to_owned(),
                    );
                }
                value
            }
            Deed::Member => {
                let (Some(base), Some(name)) = (asked.args.first(), asked.args.get(1)) else {
                    return Value::default();
                };
                let names: Vec<Name> = name.texts().map(|t| Name::from(&*t)).collect();
                let mut value = Value::default();
                for name in names {
                    let member = self.member(base, &name);
                    value.join(&member);
                }
                value
            }
            Deed::Forget => Value::default(),
        }
    }

    /// Something that is not known keeps what went in; methods of texts and files are told by their names.
    fn unknown_call(&mut self, asked: &Asked<'_>) -> Value {
        let method = asked.path.rsplit('.').next().unwrap_or_default();
        let base = asked.base.cloned().unwrap_or_default();
        let mut value = Value::default();
        match method {
            "write" | "write_bytes" | "write_text" | "writelines" => {
                let given: Vec<Taint> = asked.args.iter().flat_map(|a| self.taints(a)).collect();
                self.write(&base, &Value::tainted(given));
            }
            "join" if !base.consts.is_empty() => {
                let items = asked.args.first().cloned().unwrap_or_default();
                value = self.join_items(&base, &items);
            }
            "decode" | "encode" | "strip" | "lower" | "upper" | "lstrip" | "rstrip"
                if !base.consts.is_empty() =>
            {
                let rot13 =
                    asked.args.first().is_some_and(|a| a.texts().any(|t| t.contains("rot")));
                value.consts = match rot13 {
                    true => base
                        .consts
                        .iter()
                        .filter_map(|c| fold::decode(fold::Coding::Rot13, c))
                        .collect(),
                    false => base.consts.clone(),
                };
            }
            "decode" if asked.path.starts_with("codecs.") => {
                let rot13 = asked.args.get(1).is_some_and(|a| a.texts().any(|t| t.contains("rot")));
                let coding = if rot13 { fold::Coding::Rot13 } else { fold::Coding::Base64 };
                return self.decoded(asked, coding);
            }
            "format" if !base.consts.is_empty() => {
                value.join(&Value { things: Vec::new(), ..base.clone() });
            }
            "append" | "extend" | "add" | "update" | "insert" => {
                for arg in asked.args {
                    self.set_member(&base, &"[]".into(), arg);
                }
            }
            "get" | "setdefault" | "pop"
                if !base.taints.is_empty() || asked.path.contains("environ") =>
            {
                // A default is a constant like any other.
                if let Some(default) = asked.args.get(1) {
                    value.join(default);
                }
            }
            _ => {}
        }
        for arg in asked.all() {
            value.join(&Value::tainted(self.taints(arg)));
        }
        value.join(&Value::tainted(base.taints));
        if asked.path.len() + 2 < PATH_LEN_MAX && !asked.path.starts_with("str.") {
            let mut made = Value::path(&format!("{}()", asked.path));
            // What a client or a path was made with stays with it.
            for arg in asked.all() {
                made.consts.extend(arg.consts.iter().filter(|c| c.text().is_some()).cloned());
            }
            made.consts.truncate(4);
            value.join(&made);
        }
        value
    }

    fn join_items(&mut self, between: &Value, items: &Value) -> Value {
        let mut parts = Vec::new();
        for thing in &items.things {
            let Thing::Object(number) = thing else { continue };
            let fields = self.objects.get(*number).cloned().unwrap_or_default();
            let mut places: Vec<(usize, Value)> =
                fields.into_iter().filter_map(|(k, v)| Some((k.parse().ok()?, v))).collect();
            places.sort_by_key(|(at, _)| *at);
            for (nth, (_, item)) in places.into_iter().enumerate() {
                if nth > 0 {
                    parts.push(between.clone());
                }
                parts.push(item);
            }
        }
        self.joined(&parts)
    }

    fn write(&mut self, file: &Value, value: &Value) {
        for text in file.texts().map(|t| t.into_owned()).collect::<Vec<_>>() {
            self.grown |= self.files.entry(text).or_default().join(value);
        }
    }

    fn decoded(&mut self, asked: &Asked<'_>, coding: fold::Coding) -> Value {
        let Some(from) = asked.args.first() else { return Value::default() };
        let mut value = Value::tainted(from.taints.clone());
        value.consts = from.consts.iter().filter_map(|c| fold::decode(coding, c)).collect();
        if !value.consts.is_empty() {
            let step = self.step(asked.at, format!("`{}` decodes a constant", asked.path));
            value.join(&Value::tainted(vec![Taint::new(Source::Decoded, step)]));
        }
        value
    }

    /// Bytes arrive at what runs them.
    fn feed(&mut self, asked: &Asked<'_>, sink: Sink) {
        if sink == Sink::Deserialiser {
            let loader = asked.named("Loader").or_else(|| asked.args.get(1));
            if asked.path.starts_with("yaml.")
                && loader.is_some_and(|l| l.paths().any(known::is_safe_loader))
            {
                return;
            }
            let weights_only = asked.named("weights_only");
            if weights_only.is_some_and(|v| v.only() == Some(&Const::Number(1))) {
                return;
            }
        }
        let given: Vec<Taint> = match sink {
            Sink::Shell => asked.all().flat_map(|a| self.taints(a)).collect(),
            _ => asked
                .args
                .first()
                .or_else(|| asked.all().next())
                .map(|a| self.taints(a))
                .unwrap_or_default(),
        };
        for taint in given {
            if !matches!(taint.source, Source::Secret(_)) {
                self.hit(
                    asked.at,
                    Some(sink),
                    &taint,
                    None,
                    format!("`{}` runs what it says", asked.path),
                );
            }
        }
    }

    /// What a request brings in.
    fn fetched(&self, asked: &Asked<'_>, sources: Vec<Source>) -> Vec<Taint> {
        let step = self.step(asked.at, format!("`{}` fetches", asked.path));
        sources.into_iter().map(|source| Taint::new(source, step.clone())).collect()
    }

    /// Secrets that leave with a request.
    fn leaves(&mut self, asked: &Asked<'_>, sources: &[Source]) {
        let given: Vec<Taint> = asked.all().flat_map(|a| self.taints(a)).collect();
        let endpoint = sources.iter().find_map(|s| match s {
            Source::Network(endpoint) => endpoint.clone(),
            Source::NetworkOf(m, s, n) => {
                let given = self.given.get(&(*m, *s, *n))?;
                given.texts().find(|t| has_host(t)).map(|t| Name::from(&*t))
            }
            _ => None,
        });
        for taint in given {
            if matches!(taint.source, Source::Secret(_)) {
                let what = format!("`{}` sends it to {}", asked.path, shown(endpoint.as_ref()));
                self.hit(asked.at, None, &taint, endpoint.clone(), what);
            }
        }
    }

    /// What a program reads from a configuration file of the tree.
    fn config(&mut self, asked: &Asked<'_>) -> Option<Value> {
        if !matches!(&**asked.path, "json.load" | "json.loads") {
            return None;
        }
        let texts = self.texts(asked.args.first()?);
        let json = texts.iter().find_map(|text| {
            let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
            self.project.configs.iter().find(|(path, _)| path.rsplit('/').next() == Some(name))
        });
        let (_, json) = json?;
        Some(self.json(asked.at, json, 0))
    }

    fn json(&mut self, at: Offset, json: &serde_json::Value, depth: u32) -> Value {
        use serde_json::Value as Json;
        match json {
            Json::String(text) => Value::text(text),
            Json::Number(number) => {
                number.as_i64().map_or_else(Value::default, |n| Value::constant(Const::Number(n)))
            }
            Json::Array(_) | Json::Object(_) if depth < 8 => {
                // Objects of a file are told apart by their depth and order only as far as their keys differ.
                let number =
                    self.object(u32::MAX - at.wrapping_mul(16).wrapping_add(depth) % (1 << 30));
                let object = Value::thing(Thing::Object(number));
                let pairs: Vec<(Name, &Json)> = match json {
                    Json::Array(items) => {
                        items.iter().enumerate().map(|(n, v)| (n.to_string().into(), v)).collect()
                    }
                    Json::Object(map) => map.iter().map(|(k, v)| (k.as_str().into(), v)).collect(),
                    _ => Vec::new(),
                };
                for (key, inner) in pairs {
                    let value = self.json(at, inner, depth + 1);
                    self.set_member(&object, &key, &value);
                }
                object
            }
            _ => Value::default(),
        }
    }
}

fn shown(endpoint: Option<&Name>) -> String {
    endpoint.map_or_else(|| "an endpoint given from outside".to_owned(), |e| format!("`{e}`"))
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
