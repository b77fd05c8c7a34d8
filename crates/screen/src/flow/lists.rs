//! Lists and maps: what their methods put in, take out and hand to callbacks.

use super::engine::Engine;
use super::held::Fields;
use super::ir::Name;
use super::library::{Asked, FIELDS_MAX, INTO, PAIRS_MAX, PAYLOAD_LEN_MIN, objects};
use super::list::List;
use super::value::{Const, Source, Taint, Thing, Value};

impl Engine<'_> {
    pub(super) fn list_method(
        &mut self,
        asked: &Asked<'_>,
        base: &Value,
        method: &str,
        secrets: &[Taint],
    ) -> Value {
        let element = || Name::from("[]");
        if !secrets.is_empty() {
            let taints = Value::tainted(secrets.to_vec().into());
            self.set_member(base, &element(), &taints);
            let into = self.field(base, INTO);
            self.write(&into, &taints);
            self.set_member(&into, &element(), &taints);
        }
        match method {
            "append" | "push" | "add" | "insert" | "unshift" | "appendleft" | "put"
            | "put_nowait" | "file" | "addFile" | "addLocalFile" | "addLocalFolder"
            | "directory" | "write" | "writestr" | "concat" | "splice" => {
                for arg in asked.args {
                    self.set_member(base, &element(), arg);
                    let into = self.field(base, INTO);
                    let taints = Value::tainted(self.taints(arg));
                    self.write(&into, &taints);
                }
                base.clone()
            }
            "extend" | "update" | "assign" => {
                let numbers: Vec<usize> = objects(base).collect();
                for number in numbers {
                    asked.all().for_each(|arg| self.put_into(number, arg));
                }
                base.clone()
            }
            "set" | "setdefault" | "emit" => {
                let key =
                    asked.args.first().and_then(|k| k.texts().next().map(|t| Name::from(&*t)));
                for arg in asked.args.iter().skip(1) {
                    self.set_member(base, &key.clone().unwrap_or_else(element), arg);
                }
                self.field(base, &key.unwrap_or_else(element))
            }
            "get" | "pop" if !asked.args.is_empty() => {
                let key = asked.args.first().and_then(|k| k.texts().next().map(|t| t.into_owned()));
                let mut found = match key {
                    Some(key) => self.field(base, &key),
                    None => self.element(base),
                };
                if let Some(default) = asked.args.get(1) {
                    found.join(default);
                }
                found
            }
            "items" | "entries" if objects(base).count() == 1 => {
                let number = self.object(asked.at);
                let object = Value::thing(Thing::Object(number));
                let fields: Vec<(Name, Value)> = objects(base)
                    .filter_map(|n| self.object_of(n))
                    .flat_map(|fields| fields.iter())
                    .take(PAIRS_MAX)
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                for (nth, (key, field)) in fields.iter().enumerate() {
                    let at = (1 << 30 | asked.at.wrapping_mul(64))
                        .wrapping_add(u32::try_from(nth).unwrap_or(0));
                    let pair = self.object(at);
                    let pair = Value::thing(Thing::Object(pair));
                    self.set_member(&pair, &"0".into(), &Value::text(key));
                    self.set_member(&pair, &"1".into(), field);
                    self.set_member(&object, &nth.to_string().into(), &pair);
                }
                object
            }
            "map" | "flatMap" | "filter" | "sort" | "slice" | "values" | "items" | "entries"
            | "from" | "copy" | "flat" | "keys" | "forEach" => {
                let number = self.object(asked.at);
                let object = Value::thing(Thing::Object(number));
                let held = self.element(base);
                if let ("map", Some(items), [callee]) = (method, self.each_of(base), asked.args)
                    && let [Thing::Function(module, scope, _)] = callee.things[..]
                {
                    let mut all = Vec::new();
                    for (nth, item) in items.into_iter().enumerate() {
                        let nth = Value::constant(Const::Number(i64::try_from(nth).unwrap_or(0)));
                        all.push(self.inlined(module, scope, &[item, nth, base.clone()]));
                    }
                    if let Some(all) = all.into_iter().collect::<Option<Vec<Value>>>() {
                        for (nth, value) in all.iter().enumerate() {
                            self.set_member(&object, &nth.to_string().into(), value);
                        }
                        return object;
                    }
                }
                if matches!(method, "map" | "flatMap") {
                    let mut answer = Value::default();
                    for callee in asked.args {
                        let given = [held.clone(), Value::default(), base.clone()];
                        answer.join(&self.invoke(asked.at, callee, None, &given, &[], false));
                    }
                    answer.join(&Value::tainted(
                        held.taints.into_iter().filter(|t| t.source == Source::Piece).collect(),
                    ));
                    self.set_member(&object, &element(), &answer);
                } else if method != "keys" {
                    self.put_into(number, base);
                }
                object
            }
            "reverse" | "toReversed" => {
                let number = self.object(asked.at);
                let object = Value::thing(Thing::Object(number));
                for (nth, item) in self.items(base).into_iter().rev().enumerate() {
                    self.set_member(&object, &nth.to_string().into(), &item);
                }
                let rest = self.field(base, "[]");
                self.set_member(&object, &element(), &rest);
                object
            }
            "join" => {
                let between = asked.args.first().cloned().unwrap_or_else(|| Value::text(","));
                let mut joined = self.join_items(&between, base);
                joined.join(&Value::tainted(self.taints(base)));
                joined
            }
            "then" | "catch" | "finally" => base.clone(),
            "toString" | "decode" | "hex" => {
                let mut value = Value::tainted(self.taints(base));
                let numbers = base.clone();
                value.join(&self.of_numbers(asked.at, &numbers));
                value
            }
            "reduce" | "reduceRight" => {
                let held = self.element(base);
                let mut answer = asked.args.get(1).cloned().unwrap_or_default();
                if let Some(callee) = asked.args.first() {
                    let given = [held.clone(), held];
                    answer.join(&self.invoke(asked.at, callee, None, &given, &[], false));
                }
                answer
            }
            _ => self.element(base),
        }
    }

    /// Puts what a value holds, or itself, into a list or map.
    pub(super) fn put_into(&mut self, number: usize, value: &Value) {
        let object = Value::thing(Thing::Object(number));
        let mut held = false;
        for from in objects(value).collect::<Vec<_>>() {
            held = true;
            if from != number {
                let count = self.object_of(from).map_or(0, Fields::len);
                if count > FIELDS_MAX {
                    // Of a large one it is not told which member is which.
                    let any = self.element(&Value::thing(Thing::Object(from)));
                    self.set_member(&object, &"[]".into(), &any);
                    continue;
                }
                let fields = self.object_of(from).cloned().unwrap_or_default();
                for (key, field) in fields.iter().filter(|(k, _)| &***k != INTO) {
                    self.set_member(&object, key, field);
                }
            }
        }
        let mut rest = Value { things: List::NONE, ..value.clone() };
        rest.join(&Value::tainted(self.own(value)));
        if !held {
            rest.things = value.things.clone();
        }
        self.set_member(&object, &"[]".into(), &rest);
    }

    pub(super) fn join_items(&mut self, between: &Value, items: &Value) -> Value {
        let mut parts = Vec::new();
        for thing in &items.things {
            let Thing::Object(number) = thing else { continue };
            let fields = self.object_of(*number).cloned().unwrap_or_default();
            let mut places: Vec<(usize, Value)> =
                fields.iter().filter_map(|(k, v)| Some((k.parse().ok()?, v.clone()))).collect();
            places.sort_by_key(|(at, _)| *at);
            for (nth, (_, item)) in places.into_iter().enumerate() {
                if nth > 0 {
                    parts.push(between.clone());
                }
                parts.push(item);
            }
        }
        let mut all = self.joined(&parts);
        let listed = self.items(items);
        let is_letter = |v: &Value| {
            v.only().and_then(Const::text).is_some_and(|t| t.chars().count() == 1)
                && v.taints.iter().any(|t| t.source == Source::Piece)
        };
        if listed.len() >= PAYLOAD_LEN_MIN && listed.iter().all(is_letter) {
            let step = self.step(0, "puts letters together by their numbers".to_owned());
            all.join(&Value::taint(Taint::new(Source::Decoded, step)));
        }
        all.join(&Value::tainted(self.taints(items)));
        all.join(&Value::tainted(self.element(items).taints));
        all
    }
}
