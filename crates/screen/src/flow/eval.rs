//! Expressions: what they may be.

use super::agenda::Place;
use super::engine::{
    BASES_MAX, BOUND_MAX, DEPTH_MAX, Engine, JOINED_MAX, PATH_LEN_MAX, UNKNOWN, UNROLLED_MAX,
};
use super::fold;
use super::ir::{Expr, Name, Offset, Stmt};
use super::list::List;
use super::value::{Const, Growth, Source, Taint, Thing, Value};

impl<'a> Engine<'a> {
    pub(super) fn member(&mut self, base: &Value, name: &Name) -> Value {
        // What is read of bytes from somewhere is from there too.
        let mut found = Value::tainted(base.taints.clone());
        self.members(&mut found, &base.things, name, 0);
        if matches!(&**name, "name" | "path" | "href" | "parent" | "parents" | "value")
            && !base.things.is_empty()
        {
            // What a file or an address was made with stays with it.
            found.join(&Value { things: List::NONE, ..base.clone() });
        }
        if let Some(word) = super::library::program_word(&found) {
            found.join(&Value::text(&word));
        }
        if !base.consts.is_empty() && base.things.is_empty() {
            // A method of a text.
            found.join(&Value::path(&format!("str.{name}")));
        }
        found
    }

    fn members(&mut self, found: &mut Value, things: &[Thing], name: &Name, depth: usize) {
        for thing in things {
            match thing {
                Thing::Path(path) => {
                    if path.len() + name.len() < PATH_LEN_MAX {
                        let full: Name = format!("{path}.{name}").into();
                        if let Some(value) = self.patch_of(&full) {
                            found.join(value);
                        }
                        found.join(&Value::thing(Thing::Path(full)));
                    }
                }
                Thing::Module(number) => {
                    if let Some(value) = self.var_of(*number, 0, name) {
                        found.join(value);
                    }
                }
                Thing::Class(module, class) | Thing::Instance(module, class) => {
                    let is_instance = matches!(thing, Thing::Instance(..));
                    if let Some(value) = self.field_of(*module, *class, name) {
                        found.join(value);
                    }
                    let var = self.var_of(*module, *class, name);
                    for thing in var.iter().flat_map(|v| &v.things) {
                        found.join(&Value::thing(match thing {
                            Thing::Function(m, s, _) if is_instance => {
                                Thing::Function(*m, *s, true)
                            }
                            other => other.clone(),
                        }));
                    }
                    if let Some(value) = var {
                        let plain = Value { things: List::NONE, ..value.clone() };
                        found.join(&plain);
                    }
                    let catch_all = self.var_of(*module, *class, "__getattr__").cloned();
                    for thing in catch_all
                        .iter()
                        .filter(|_| is_instance && **name != *"__getattr__")
                        .flat_map(|v| &v.things)
                    {
                        if let Thing::Function(m, s, _) = thing {
                            let answer = self.enter(0, *m, *s, 1, &[Value::text(name)], &[]);
                            found.join(&answer);
                        }
                    }
                    if &**name == "constructor" && is_instance {
                        found.join(&Value::thing(Thing::Class(*module, *class)));
                    }
                    let bases = self.bases_of(*module, *class).map(|b| b.things.clone());
                    for base in bases.into_iter().flatten().filter(|_| depth < BASES_MAX) {
                        let base = match base {
                            Thing::Class(m, c) | Thing::Function(m, c, _) if is_instance => {
                                Thing::Instance(m, c)
                            }
                            // What a library's class gives its instances.
                            Thing::Path(path) if path.len() + 2 < PATH_LEN_MAX => {
                                Thing::Path(format!("{path}()").into())
                            }
                            other => other,
                        };
                        self.members(found, &[base], name, depth + 1);
                    }
                }
                Thing::Object(_) => {
                    let field = self.field(&Value::thing(thing.clone()), name);
                    if field == Value::default() {
                        // A method of lists and maps.
                        found.join(&Value::path(&format!("[].{name}")));
                    }
                    found.join(&field);
                }
                Thing::Function(module, scope, _) => {
                    if let Some(value) = self.field_of(*module, *scope, name) {
                        found.join(value);
                    }
                    match &**name {
                        "constructor" => {
                            found.join(&Value::path("Function.constructor"));
                        }
                        "prototype" => {
                            found.join(&Value::thing(Thing::Class(*module, *scope)));
                        }
                        _ => {}
                    }
                }
                Thing::Param(..) => {}
            }
        }
    }

    fn name(&self, name: &Name) -> Value {
        if let Some((_, value)) = self.bound.iter().rev().find(|(n, _)| n == name) {
            return value.clone();
        }
        let (module, mut scope) = self.here;
        let scopes =
            self.project.modules.get(module).map(|l| &l.module.scopes[..]).unwrap_or_default();
        loop {
            if let Some(value) = self.var_of(module, scope, name) {
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
        if self.work >= self.work_max {
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
                let negative = name.as_deref().is_some_and(|n| n.starts_with('-'));
                let Some(name) = name.filter(|_| !negative) else { return self.element(&base) };
                let paths = Value { consts: List::NONE, ..base.clone() };
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
                    match item {
                        Expr::Spread(_) => {
                            let element = self.element(&value);
                            self.set_member(&object, &"[]".into(), &element);
                        }
                        _ => self.set_member(&object, &nth.to_string().into(), &value),
                    }
                }
                Value::thing(Thing::Object(number))
            }
            Expr::Map(at, pairs) => {
                let number = self.object(*at);
                for (key, item) in pairs {
                    let value = self.value(item);
                    let object = Value::thing(Thing::Object(number));
                    let Some(key) = key else {
                        self.spread_into(number, &value);
                        continue;
                    };
                    let key = self.value(key);
                    let name = key.texts().next().map(|t| Name::from(&*t));
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
                let values: Vec<Value> = parts.iter().map(|p| self.value(p)).collect();
                // A part of one is a piece of it; a comparison of several is not.
                let mut all = match &values[..] {
                    [one] => self.pieces([one]),
                    _ => Value::default(),
                };
                for value in values {
                    all.join(&Value::tainted(value.taints));
                }
                all
            }
            Expr::Formatted(parts) => {
                let values: Vec<Value> = parts.iter().map(|p| self.value(p)).collect();
                self.formatted(&values)
            }
            Expr::Operation(at, sign, parts) => self.operation(*at, *sign, parts),
            Expr::Spread(inner) => self.value(inner),
            Expr::Class(body, bases) => {
                let module = self.here.0;
                let all = bases.iter().map(|b| self.value(b)).reduce(|mut all, b| {
                    all.join(&b);
                    all
                });
                let key = (module, *body);
                if let Some(all) = all {
                    let plain = Value { things: all.things, ..Value::default() };
                    let grown = self.bases.entry(key).or_default().join(&plain);
                    self.agenda.grow(Place::Bases(module, *body), grown);
                }
                let state = self.scopes.get_mut(module).and_then(|s| s.get_mut(*body));
                if let Some(state) = state {
                    let grown = !std::mem::replace(&mut state.on_load, true);
                    self.agenda.grow(Place::Loaded(module, *body), Growth::any(grown));
                }
                Value::thing(Thing::Class(module, *body))
            }
            Expr::Module(name) => self.exported(name),
            Expr::Function(scope) => Value::thing(Thing::Function(self.here.0, *scope, false)),
            Expr::Tried(name, inner) => {
                let value = self.value(inner);
                let mut caught = value.taints.clone();
                caught.retain(Taint::is_fetched);
                if !caught.is_empty() {
                    let (module, scope) = self.here;
                    self.set(module, scope, name, &Value::tainted(caught));
                }
                value
            }
            Expr::Assign(target, inner) => {
                let value = self.value(inner);
                self.assign(target, &value);
                value
            }
            Expr::Each(at, binds, element) => self.each(*at, binds, element),
            Expr::Nothing => Value::default(),
        }
    }

    /// Numbers that are known make a number. A mask that is taken off something that is not known is told.
    fn operation(&mut self, at: Offset, sign: char, parts: &'a [Expr]) -> Value {
        let values: Vec<Value> = parts.iter().map(|p| self.value(p)).collect();
        if let [left, right] = &values[..]
            && let (Some(Const::Number(a)), Some(Const::Number(b))) = (left.only(), right.only())
            && left.taints.is_empty()
            && right.taints.is_empty()
        {
            let small = |n: i64| u32::try_from(n).ok().filter(|n| *n < 64);
            let number = match sign {
                '^' => Some(a ^ b),
                '-' => a.checked_sub(*b),
                '*' => a.checked_mul(*b),
                '%' => a.checked_rem_euclid(*b),
                '&' => Some(a & b),
                '|' => Some(a | b),
                '<' => small(*b).and_then(|b| a.checked_shl(b)),
                '>' => small(*b).and_then(|b| a.checked_shr(b)),
                _ => None,
            };
            return number.map_or_else(Value::default, |n| Value::constant(Const::Number(n)));
        }
        if let ('*', [text, count]) = (sign, &values[..])
            && let (Some(Const::Text(text)), Some(Const::Number(n))) = (text.only(), count.only())
            && let Ok(n) = usize::try_from(*n)
            && text.len().saturating_mul(n) <= fold::LEN_MAX
        {
            return Value::text(&text.repeat(n));
        }
        let mut all = self.pieces(&values);
        // Something that is known, and a mask that is known.
        // A yes or no is no mask.
        let counts = |c: &Const| !matches!(c, Const::Number(0 | 1));
        let is_known = |v: &Value| v.consts.iter().any(counts) || self.is_made(v);
        if sign == '^' && values.iter().all(is_known) {
            let step = self.step(at, "takes a mask off".to_owned());
            all.join(&Value::taint(Taint::new(Source::Decoded, step)));
        }
        for value in &values {
            all.join(&Value::tainted(value.taints.clone()));
            if sign == '|' {
                // Sets and flags that are put together.
                all.join(&Value { taints: List::NONE, consts: List::NONE, ..value.clone() });
            }
        }
        all
    }

    /// What a value runs over, one after the other, if that is known.
    pub(super) fn each_of(&mut self, over: &Value) -> Option<Vec<Value>> {
        if let Some(Const::Text(text)) = over.only().filter(|_| over.things.is_empty()) {
            let known = text.len() <= UNROLLED_MAX && over.taints.is_empty();
            return known.then(|| text.chars().map(|c| Value::text(&c.to_string())).collect());
        }
        if let Some(Const::Bytes(bytes)) = over.only() {
            let number = |b: &u8| Value::constant(Const::Number(i64::from(*b)));
            return (bytes.len() <= UNROLLED_MAX).then(|| bytes.iter().map(number).collect());
        }
        let mut things = over.things.iter().filter(|t| !matches!(t, Thing::Param(..)));
        let (Some(Thing::Object(number)), None) = (things.next(), things.next()) else {
            return None;
        };
        let held = self.object_of(*number)?;
        let plain = held.len() > 0
            && held.len() <= UNROLLED_MAX
            && held.iter().all(|(k, _)| k.bytes().all(|b| b.is_ascii_digit()));
        plain.then(|| self.items(over))
    }

    /// An element for every element: one after the other where they are known, any of them elsewhere.
    fn each(&mut self, at: Offset, binds: &'a [(Expr, Expr)], element: &'a Expr) -> Value {
        let number = self.object(at);
        let list = Value::thing(Thing::Object(number));
        if let [(target, over)] = binds {
            let over = self.value(over);
            if let Some(items) = self.each_of(&over).filter(|_| self.bound.len() < BOUND_MAX) {
                for (nth, item) in items.iter().enumerate() {
                    let before = self.bound.len();
                    self.bind_names(target, item);
                    let value = self.value(element);
                    self.bound.truncate(before);
                    self.set_member(&list, &nth.to_string().into(), &value);
                }
                return list;
            }
            let one = self.element(&over);
            self.assign(target, &one);
        } else {
            for (target, over) in binds {
                let value = self.value(over);
                let one = self.element(&value);
                self.assign(target, &one);
            }
        }
        let value = self.value(element);
        self.set_member(&list, &"[]".into(), &value);
        list
    }

    /// Binds the names of a target for what is evaluated next.
    fn bind_names(&mut self, target: &'a Expr, value: &Value) {
        match target {
            Expr::Name(name) => self.bound.push((name.clone(), value.clone())),
            Expr::List(_, targets) => {
                for (nth, target) in targets.iter().enumerate() {
                    let part = self.field(value, &nth.to_string());
                    self.bind_names(target, &part);
                }
            }
            _ => {}
        }
    }

    /// The answer of a function that is one expression, for arguments that are known.
    pub(super) fn inlined(&mut self, module: usize, scope: usize, args: &[Value]) -> Option<Value> {
        let code = self.project.modules.get(module)?.module.scopes.get(scope)?;
        let [Stmt::Return(answer)] = &code.body[..] else { return None };
        if self.bound.len() >= BOUND_MAX || code.rest.is_some() {
            return None;
        }
        let before = self.bound.len();
        for (nth, (name, _)) in code.params.iter().enumerate() {
            self.bound.push((name.clone(), args.get(nth).cloned().unwrap_or_default()));
        }
        let here = std::mem::replace(&mut self.here, (module, scope));
        let value = self.value(answer);
        self.here = here;
        self.bound.truncate(before);
        Some(value)
    }

    /// A format with `%s` and what is put into it; where it is none, the remainder of numbers.
    fn formatted(&mut self, values: &[Value]) -> Value {
        let mut all = self.pieces(values);
        for value in values {
            all.join(&Value::tainted(self.taints(value)));
        }
        let [format, given] = values else { return all };
        let mut given: Vec<Value> = match self.items(given) {
            items if items.is_empty() => vec![given.clone()],
            items => items,
        };
        given.reverse();
        for text in format.texts().take(JOINED_MAX) {
            let text = text.replace("%d", "%s").replace("%i", "%s").replace("%r", "%s");
            let (mut parts, mut given) = (Vec::new(), given.clone());
            for (nth, piece) in text.split("%s").enumerate() {
                if nth > 0 {
                    parts.push(given.pop().unwrap_or_default());
                }
                parts.push(Value::text(piece));
            }
            let joined = self.joined(&parts);
            all.join(&Value { taints: List::NONE, ..joined });
        }
        all
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
        if values.first().is_some_and(|v| v.paths().any(|p| p.starts_with("pathlib."))) {
            found.join(&Value::path("pathlib.Path()"));
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
