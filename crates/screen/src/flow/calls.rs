//! Calls: of the tree's own functions, whose parameters get what callers give and whose answers are told apart by
//! caller where an endpoint depends on it; and what was hit in the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::agenda::Place;
use super::engine::{Engine, Hit, Language};
use super::ir::{CONSTRUCTOR, Call, Expr, Name, Offset, SPREAD, Scope};
use super::known::{Deed, Sink};
use super::library::{Asked, has_host};
use super::list::List;
use super::value::{Const, Growth, Source, Step, Taint, Thing, Value};

/// Methods that are there to call what they are given.
const CALLERS: [&str; 10] = [
    ".then", ".catch", ".finally", ".map", ".forEach", ".filter", ".reduce", ".flatMap", ".apply",
    ".call",
];
/// Callbacks in the options of a call that are followed.
const HOOKS_MAX: usize = 16;

/// An endpoint that the code keeps in a coded form which is not folded here.
pub(super) const HIDDEN: &str = "hidden://an address that the code decodes";

impl<'a> Engine<'a> {
    pub(super) fn call(&mut self, call: &'a Call) -> Value {
        let base = match &call.callee {
            Expr::Member(base, _) | Expr::Index(base, _) => Some(self.value(base)),
            _ => None,
        };
        let callee = match (&call.callee, &base) {
            (Expr::Member(_, name), Some(base)) => self.member(base, name),
            (other, _) => self.value(other),
        };
        let args: Vec<Value> = call.args.iter().map(|a| self.value(a)).collect();
        let named: Vec<(Name, Value)> =
            call.named.iter().map(|(n, v)| (n.clone(), self.value(v))).collect();
        if self.language() == Language::Shell && callee.things.is_empty() {
            return self.spoken(call.at, &callee, &args, &named);
        }
        if let (Expr::Member(_, method), Some(base)) = (&call.callee, &base)
            && self.language() == Language::JavaScript
            && let Some(value) = self.called_by(call.at, method, base, &args, &named)
        {
            return value;
        }
        self.invoke(call.at, &callee, base.as_ref(), &args, &named, call.new)
    }

    /// A command whose name is what a variable holds: its words, then those that stand there.
    fn spoken(
        &mut self,
        at: Offset,
        callee: &Value,
        args: &[Value],
        named: &[(Name, Value)],
    ) -> Value {
        let mut answer = Value::default();
        let lines: Vec<String> = callee.texts().map(|t| t.into_owned()).collect();
        for line in lines {
            let mut words = line.split_whitespace();
            let Some(path) = words.next().map(Name::from) else { continue };
            let all: Vec<Value> = words.map(Value::text).chain(args.iter().cloned()).collect();
            let asked = Asked { at, path: &path, base: None, args: &all, named };
            answer.join(&self.shell(&asked));
        }
        if callee.consts.is_empty() {
            let path = Name::from("");
            let asked = Asked { at, path: &path, base: None, args, named };
            let taints = self.taints(callee);
            self.feed_taints(&asked, Sink::Shell, taints);
        }
        answer
    }

    /// `f.call(this, …)`, `f.apply(this, […])`, `f.bind(this, …)`.
    fn called_by(
        &mut self,
        at: Offset,
        method: &str,
        base: &Value,
        args: &[Value],
        named: &[(Name, Value)],
    ) -> Option<Value> {
        let runs = |t: &Thing| match t {
            Thing::Function(..) | Thing::Class(..) => true,
            Thing::Path(path) => self.deed(path).is_some(),
            _ => false,
        };
        if !base.things.iter().any(runs) {
            return None;
        }
        let rest = args.get(1..).unwrap_or_default();
        match method {
            "call" => Some(self.invoke(at, base, None, rest, named, false)),
            "apply" => {
                let list = rest.first().cloned().unwrap_or_default();
                let mut spread = self.items(&list);
                if spread.is_empty() {
                    spread.push(self.element(&list));
                }
                Some(self.invoke(at, base, None, &spread, named, false))
            }
            "bind" => {
                if !rest.is_empty() {
                    self.invoke(at, base, None, rest, named, false);
                }
                Some(base.clone())
            }
            _ => None,
        }
    }

    /// Calls what a value may be.
    pub(super) fn invoke(
        &mut self,
        at: Offset,
        callee: &Value,
        base: Option<&Value>,
        args: &[Value],
        named: &[(Name, Value)],
        new: bool,
    ) -> Value {
        let mut answer = Value::default();
        for thing in &callee.things {
            let one = match thing {
                Thing::Function(module, scope, bound) => {
                    let one = self.enter(at, *module, *scope, usize::from(*bound), args, named);
                    if new {
                        answer.join(&Value::thing(Thing::Instance(*module, *scope)));
                    }
                    one
                }
                Thing::Class(module, class) => {
                    let init = self.member(
                        &Value::thing(Thing::Instance(*module, *class)),
                        &CONSTRUCTOR.into(),
                    );
                    for thing in &init.things {
                        if let Thing::Function(module, scope, _) = thing {
                            self.enter(at, *module, *scope, 1, args, named);
                        }
                    }
                    let mut made = Value::thing(Thing::Instance(*module, *class));
                    let bases = self.bases_of(*module, *class);
                    if bases.is_some_and(|b| b.paths().next().is_some()) {
                        // A class of a library keeps what it is given.
                        let mut given: List<Taint> =
                            args.iter().flat_map(|a| self.taints(a)).collect();
                        given.retain(Taint::is_fetched);
                        made.join(&Value::tainted(given));
                    }
                    made
                }
                Thing::Path(path) => {
                    // What was made by a call before is its own base.
                    let base = base.or(Some(callee));
                    let asked = Asked { at, path, base, args, named };
                    self.library(&asked)
                }
                Thing::Instance(module, class) => {
                    // An instance that can be called.
                    let called = self.member(
                        &Value::thing(Thing::Instance(*module, *class)),
                        &"__call__".into(),
                    );
                    let mut one = Value::default();
                    for thing in &called.things {
                        if let Thing::Function(module, scope, _) = thing {
                            one.join(&self.enter(at, *module, *scope, 1, args, named));
                        }
                    }
                    one
                }
                Thing::Module(_) | Thing::Object(_) | Thing::Param(..) => Value::default(),
            };
            answer.join(&one);
        }
        answer.join(&Value::tainted(callee.taints.clone()));
        let is_own = |t: &Thing| matches!(t, Thing::Function(..) | Thing::Class(..));
        let calls_back = |t: &Thing| match t {
            Thing::Path(path) => matches!(
                self.deed(path),
                None | Some(
                    Deed::Fetch(_)
                        | Deed::FetchFile(_)
                        | Deed::Connect
                        | Deed::Keep
                        | Deed::Open
                        | Deed::Container
                        | Deed::Decode(_)
                        | Deed::Decrypt
                        | Deed::FeedAll(Sink::Shell)
                        | Deed::Write
                )
            ),
            other => !is_own(other),
        };
        if callee.things.is_empty() || callee.things.iter().any(calls_back) {
            self.call_back(at, callee, base, args, named, &mut answer);
        }
        answer
    }

    /// A callback gets whatever the call was given or calls up, and what it answers may be answered.
    fn call_back(
        &mut self,
        at: Offset,
        callee: &Value,
        base: Option<&Value>,
        args: &[Value],
        named: &[(Name, Value)],
        answer: &mut Value,
    ) {
        let mut all: Option<Vec<Value>> = None;
        let mut inner: Vec<Value> = Vec::new();
        for value in args.iter().chain(named.iter().map(|(_, v)| v)) {
            for thing in &value.things {
                let Thing::Object(number) = thing else { continue };
                let fields =
                    self.object_of(*number).into_iter().flat_map(|o| o.iter().map(|(_, v)| v));
                let runs = |v: &&Value| v.things.iter().any(|t| matches!(t, Thing::Function(..)));
                inner.extend(fields.filter(runs).take(HOOKS_MAX).cloned());
            }
        }
        for value in args.iter().chain(named.iter().map(|(_, v)| v)).chain(&inner) {
            for thing in &value.things {
                let runs = match thing {
                    Thing::Function(..) => true,
                    // Whatever has a type has a constructor; it is looked at, not called, but by what calls what it gets.
                    Thing::Path(path) if &**path == "Function.constructor" => {
                        callee.paths().any(|p| CALLERS.iter().any(|c| p.ends_with(c)))
                    }
                    Thing::Path(path) => matches!(
                        self.deed(path),
                        Some(Deed::Feed(_) | Deed::FeedAll(_) | Deed::Characters | Deed::Decode(_))
                    ),
                    _ => false,
                };
                if !runs {
                    continue;
                }
                let given = match &all {
                    Some(given) => given.clone(),
                    None => {
                        let given = self.given_back(callee, base, args, answer);
                        all = Some(given.clone());
                        given
                    }
                };
                let one = Value::thing(thing.clone());
                let back = self.invoke_back(at, &one, &given);
                answer.join(&back);
            }
        }
    }

    fn invoke_back(&mut self, at: Offset, callee: &Value, given: &[Value]) -> Value {
        let mut answer = Value::default();
        for thing in &callee.things {
            let one = match thing {
                Thing::Function(module, scope, bound) => {
                    self.enter(at, *module, *scope, usize::from(*bound), given, &[])
                }
                Thing::Path(path) => {
                    let asked = Asked { at, path, base: None, args: given, named: &[] };
                    self.library(&asked)
                }
                _ => Value::default(),
            };
            answer.join(&one);
        }
        answer
    }

    /// What a callback is given: first what the call calls up, or is called on, then what else went in.
    fn given_back(
        &mut self,
        callee: &Value,
        base: Option<&Value>,
        args: &[Value],
        answer: &Value,
    ) -> Vec<Value> {
        let mut first = Value::tainted(answer.taints.clone());
        let method = |name: &str| callee.paths().any(|p| p.rsplit('.').next() == Some(name));
        if let Some(base) = base {
            if method("then") || method("catch") || method("finally") {
                first.join(&Value { taints: List::NONE, ..base.clone() });
            }
            if callee.paths().any(|p| p.starts_with("[].")) {
                let element = self.element(base);
                first.join(&element);
            }
        }
        let mut all = vec![first.clone()];
        for nth in 0..args.len().max(2) {
            let mut one = Value::tainted(answer.taints.clone());
            if let Some(arg) = args.get(nth) {
                one.join(&Value::tainted(arg.taints.clone()));
            }
            if callee.paths().any(|p| p.starts_with("[].")) {
                one.join(&first);
            }
            all.push(one);
        }
        all
    }

    /// The language of the code at hand.
    pub(super) fn language(&self) -> Language {
        self.project.modules.get(self.here.0).map_or(Language::Python, |m| m.language)
    }

    pub(super) fn step(&self, at: Offset, what: String) -> Step {
        Step { module: self.here.0, at, what }
    }

    pub(super) fn enter(
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
            let grown = on_load && !state.on_load;
            state.on_load |= on_load;
            self.agenda.grow(Place::Loaded(module, scope), Growth::any(grown));
        }
        // Where the language gives the instance itself, it is no parameter.
        let bound = if code.has_this { 0 } else { bound };
        let last = code.params.len().saturating_sub(1);
        let mut actual: BTreeMap<usize, Value> = BTreeMap::new();
        for (nth, value) in args.iter().enumerate().filter(|_| !code.params.is_empty()) {
            let to = (nth + bound).min(last);
            match code.rest {
                Some(rest) if to == rest => {
                    let list = self.rest_of(module, scope);
                    let nth: Name = (nth + bound - rest).to_string().into();
                    self.set_member(&list, &nth, value);
                    actual.entry(to).or_default().join(&list);
                    actual.entry(to).or_default().join(&Value::tainted(self.taints(value)));
                }
                _ => {
                    actual.entry(to).or_default().join(value);
                }
            }
        }
        for (name, value) in named.iter().filter(|_| !code.params.is_empty()) {
            match code.params.iter().position(|(param, _)| param == name) {
                Some(nth) => {
                    actual.entry(nth).or_default().join(value);
                }
                // What is spread may be any of them; what has no name here is in the rest.
                None if &**name == SPREAD => {
                    let element = self.element(value);
                    for nth in bound..code.params.len() {
                        actual.entry(nth).or_default().join(&element);
                    }
                }
                None => {
                    actual.entry(last).or_default().join(value);
                }
            };
        }
        for (nth, value) in &actual {
            let Some((name, _)) = code.params.get(*nth) else { continue };
            self.set(module, scope, name, &Value { taints: List::NONE, ..value.clone() });
            let mut given =
                Value { things: List::NONE, taints: self.taints(value), ..value.clone() };
            if !given.taints.is_empty() {
                let into = self.step(at, format!("handed to `{}`", code.name));
                given.taints = given.taints.iter().map(|t| t.over(into.clone())).collect();
            }
            let grown = self.given.entry((module, scope, *nth)).or_default().join(&given);
            self.agenda.grow(Place::Given(module, scope), grown);
        }
        let answer = self.answer_of(module, scope).cloned().unwrap_or_default();
        self.answered(answer, (module, scope), code, &actual)
    }

    /// The list that takes the arguments which are left.
    fn rest_of(&mut self, module: usize, scope: usize) -> Value {
        let here = std::mem::replace(&mut self.here, (module, scope));
        let at = u32::MAX - 1 - u32::try_from(scope).unwrap_or(0);
        let number = self.object(at);
        self.here = here;
        Value::thing(Thing::Object(number))
    }

    /// An answer to one caller: fetched from the endpoint that this one gave.
    fn answered(
        &mut self,
        answer: Value,
        (module, scope): (usize, usize),
        code: &'a Scope,
        actual: &BTreeMap<usize, Value>,
    ) -> Value {
        let mut all = Value { taints: List::NONE, things: List::NONE, ..answer.clone() };
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
            if let Source::Given(m, s, nth) = taint.source
                && (m, s) == (module, scope)
            {
                let given = actual.get(&nth).map(|value| self.taints(value)).unwrap_or_default();
                all.join(&Value::tainted(given));
                continue;
            }
            let Source::NetworkOf(m, s, nth) = taint.source else {
                all.join(&Value::taint(taint));
                continue;
            };
            let given = match actual.get(&nth) {
                Some(value) if (m, s) == (module, scope) => value.clone(),
                None if (m, s) == (module, scope) => {
                    let default = code.params.get(nth).and_then(|(_, d)| d.as_ref());
                    default.map(|d| self.value(d)).unwrap_or_default()
                }
                _ => {
                    all.join(&Value::taint(taint));
                    continue;
                }
            };
            for source in self.endpoints(&given) {
                all.join(&Value::taint(taint.from(source)));
            }
        }
        all
    }

    /// Endpoints that a value names: its constants but those that callers gave, and the parameters that it is.
    pub(super) fn endpoints(&self, value: &Value) -> Vec<Source> {
        let params = value.things.iter().filter_map(|t| match t {
            Thing::Param(m, s, n) => Some((*m, *s, *n)),
            _ => None,
        });
        let given: Vec<&Const> =
            params.clone().filter_map(|p| self.given_of(&p)).flat_map(|v| &v.consts).collect();
        let mut found: Vec<Source> = params.map(|(m, s, n)| Source::NetworkOf(m, s, n)).collect();
        for constant in value.consts.iter().filter(|c| !given.contains(c)) {
            if let Some(text) = constant.text().filter(|t| has_host(t)) {
                found.push(Source::Network(Some(Name::from(&*text))));
            }
        }
        let hidden = |t: &Taint| t.source == Source::Decoded;
        if found.is_empty() && value.taints.iter().any(hidden) {
            found.push(Source::Network(Some(HIDDEN.into())));
        }
        if found.is_empty() {
            found.push(Source::Network(None));
        }
        found
    }

    /// Where taints really come from: what callers gave instead of what stands for it, with the way from there. The
    /// shortest way counts.
    pub(super) fn origins(&self, taints: List<Taint>) -> List<Taint> {
        let mut found: List<Taint> = List::NONE;
        let (mut seen, mut open) = (BTreeSet::new(), taints.into_iter().collect::<VecDeque<_>>());
        while let Some(taint) = open.pop_front() {
            match taint.source {
                Source::Given(m, s, n) => {
                    if seen.insert((m, s, n)) {
                        let given = self.given_of(&(m, s, n));
                        open.extend(given.iter().flat_map(|v| &v.taints).map(|t| t.before(&taint)));
                    }
                }
                _ => found.push(taint),
            }
        }
        found
    }

    /// The hits, with the endpoints that any caller gives where only callers know them.
    pub(super) fn resolved(self) -> Vec<Hit> {
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

    pub(super) fn is_on_load(&self) -> bool {
        let (module, scope) = self.here;
        self.agenda.touch(Place::Loaded(module, scope));
        self.scopes.get(module).and_then(|s| s.get(scope)).is_some_and(|s| s.on_load)
    }

    pub(super) fn hit(
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
