//! Calls: of the tree's own functions, whose parameters get what callers give and whose answers are told apart by
//! caller where an endpoint depends on it; and what was hit in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::engine::{Engine, Hit};
use super::ir::{Call, Expr, Name, Offset, SPREAD, Scope};
use super::known::Sink;
use super::library::{Asked, has_host};
use super::value::{Const, Source, Step, Taint, Thing, Value};

impl<'a> Engine<'a> {
    pub(super) fn call(&mut self, call: &'a Call) -> Value {
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

    pub(super) fn step(&self, at: Offset, what: String) -> Step {
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
        for (name, value) in named.iter().filter(|_| !code.params.is_empty()) {
            match code.params.iter().position(|(param, _)| param == name) {
                Some(nth) => actual.entry(nth).or_default().join(value),
                // What is spread may be any of them; what has no name here is in the rest.
                None if &**name == SPREAD => {
                    let element = self.element(value);
                    for nth in bound..code.params.len() {
                        actual.entry(nth).or_default().join(&element);
                    }
                    true
                }
                None => actual.entry(last).or_default().join(value),
            };
        }
        for (nth, value) in &actual {
            let Some((name, _)) = code.params.get(*nth) else { continue };
            self.set(module, scope, name, &Value { taints: Vec::new(), ..value.clone() });
            let given = Value { things: Vec::new(), taints: self.taints(value), ..value.clone() };
            self.grown |= self.given.entry((module, scope, *nth)).or_default().join(&pass(&given));
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
        code: &'a Scope,
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
            if let Source::Given(m, s, nth) = taint.source
                && (m, s) == (module, scope)
            {
                let given = actual.get(&nth).map(|value| self.taints(value)).unwrap_or_default();
                all.join(&Value::tainted(given));
                continue;
            }
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
    pub(super) fn endpoints(&self, value: &Value) -> Vec<Source> {
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

    /// Where taints really come from: what callers gave instead of what stands for it.
    pub(super) fn origins(&self, taints: Vec<Taint>) -> Vec<Taint> {
        let mut found: Vec<Taint> = Vec::new();
        let (mut seen, mut open) = (BTreeSet::new(), taints);
        while let Some(taint) = open.pop() {
            match taint.source {
                Source::Given(m, s, n) => {
                    if seen.insert((m, s, n)) {
                        open.extend(
                            self.given.get(&(m, s, n)).iter().flat_map(|v| v.taints.clone()),
                        );
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
