//! What lists, maps, instances and modules hold, and what comes with them when they are handed over.

use std::collections::{BTreeMap, BTreeSet};

use super::agenda::Place;
use super::engine::{Engine, PATH_LEN_MAX};
use super::ir::{Name, Offset, THIS};
use super::list::List;
use super::value::{Growth, Taint, Thing, Value};

/// How deep a value is looked into when all of it is handed over: registries of programs lead to everything else.
const NESTING_MAX: usize = 3;
/// Lists and maps in one another that are looked into for one value.
const OBJECTS_MAX: usize = 40;

/// Members from which on they are kept in a tree.
const FEW: usize = 16;

/// The members of a list or map, by name. There are very many of them, and most are small.
#[derive(Clone, Default, Debug)]
pub(super) struct Fields {
    few: Vec<(Name, Value)>,
    /// All of them, where they are many.
    many: Option<BTreeMap<Name, Value>>,
}

impl Fields {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.few.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    /// A member.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        match &self.many {
            Some(many) => many.get(name),
            None => self.few.get(self.place(name).ok()?).map(|(_, value)| value),
        }
    }

    /// A member may be this too.
    fn join(&mut self, name: &Name, value: &Value) -> Growth {
        if let Some(many) = &mut self.many {
            return match many.get_mut(name) {
                Some(known) => known.join(value),
                None => many.entry(name.clone()).or_default().join(value),
            };
        }
        let at = self.place(name).unwrap_or_else(|at| {
            self.few.insert(at, (name.clone(), Value::default()));
            at
        });
        let grown = self.few.get_mut(at).map_or(Growth::No, |(_, known)| known.join(value));
        if self.few.len() > FEW {
            self.many = Some(std::mem::take(&mut self.few).into_iter().collect());
        }
        grown
    }

    /// Names and members, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Name, &Value)> {
        let few = self.few.iter().map(|(name, value)| (name, value));
        few.chain(self.many.iter().flat_map(|many| many.iter()))
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.many.as_ref().map_or(self.few.len(), |many| many.len())
    }
}

/// A list or map.
#[derive(Default)]
pub(super) struct Object {
    fields: Fields,
    /// What any of them may be.
    all: Value,
    /// Lists and maps in it.
    inner: Vec<usize>,
}

impl Object {
    fn set(&mut self, name: &Name, value: &Value) -> Growth {
        let grown = self.fields.join(name, value);
        if grown > Growth::No {
            self.all.join(value);
            for thing in &value.things {
                if let Thing::Object(number) = thing
                    && self.inner.len() < OBJECTS_MAX
                    && !self.inner.contains(number)
                {
                    self.inner.push(*number);
                }
            }
        }
        grown
    }
}

impl Engine<'_> {
    /// A list or map by its number.
    pub(super) fn object_of(&self, number: usize) -> Option<&Fields> {
        self.agenda.touch(Place::Object(number));
        self.objects.get(number).map(|object| &object.fields)
    }

    /// All that a list or map holds, as one value.
    fn all_of(&self, number: usize) -> Option<&Value> {
        self.agenda.touch(Place::Object(number));
        self.objects.get(number).map(|object| &object.all)
    }

    pub(super) fn set_member(&mut self, base: &Value, name: &Name, value: &Value) {
        for thing in &base.things {
            self.bind(thing, value);
            match thing {
                Thing::Instance(module, class)
                | Thing::Class(module, class)
                | Thing::Function(module, class, _) => {
                    let key = (*module, *class, name.clone());
                    let grown = self.fields.entry(key).or_default().join(value);
                    self.agenda.grow(Place::of(*module, *class, name), grown);
                }
                Thing::Object(number) => {
                    if let Some(object) = self.objects.get_mut(*number) {
                        let grown = object.set(name, value);
                        self.agenda.grow(Place::Object(*number), grown);
                    }
                }
                Thing::Module(number) => self.set(*number, 0, name, value),
                Thing::Path(path) => {
                    if path.len() + name.len() < PATH_LEN_MAX {
                        let path = format!("{path}.{name}").into();
                        self.patch(path, value);
                    }
                }
                Thing::Param(..) => {}
            }
        }
    }

    /// A function that is put on something has that as its instance.
    fn bind(&mut self, to: &Thing, value: &Value) {
        if matches!(to, Thing::Path(_) | Thing::Param(..) | Thing::Module(_)) {
            return;
        }
        for thing in &value.things {
            let Thing::Function(module, scope, _) = thing else { continue };
            let code = self.project.modules.get(*module).and_then(|m| m.module.scopes.get(*scope));
            if code.is_some_and(|c| c.has_this) {
                let to = match to {
                    Thing::Class(m, s) | Thing::Function(m, s, _) => Thing::Instance(*m, *s),
                    other => other.clone(),
                };
                self.set(*module, *scope, &THIS.into(), &Value::thing(to));
            }
        }
    }

    /// A list or map that is made at a place: the same one each time.
    pub(super) fn object(&mut self, at: Offset) -> usize {
        let next = self.objects.len();
        let number = *self.object_at.entry((self.here.0, at)).or_insert(next);
        if number == next {
            self.objects.push(Object::default());
        }
        number
    }

    /// A field of lists and maps; what stands under no known key is in all of them.
    pub(super) fn field(&self, value: &Value, key: &str) -> Value {
        let mut found = Value::default();
        for thing in &value.things {
            let Thing::Object(number) = thing else { continue };
            let Some(object) = self.object_of(*number) else { continue };
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
            if let Some(all) = self.all_of(*number) {
                found.join(all);
            }
        }
        // What an instance gives when it is run over.
        for thing in &value.things {
            let Thing::Instance(module, class) = thing else { continue };
            for name in ["__iter__", "__next__", "__aiter__", "__anext__", "__getitem__"] {
                let method = self.var_of(*module, *class, name);
                for thing in method.iter().flat_map(|m| &m.things) {
                    let Thing::Function(m, s, _) = thing else { continue };
                    if let Some(answer) = self.answer_of(*m, *s) {
                        found.join(&Value { things: List::NONE, ..answer.clone() });
                    }
                }
            }
        }
        found.join(&Value::tainted(self.own(value)));
        found.join(&self.pieces([value]));
        found
    }

    /// The taints of a value and of what it holds.
    pub(super) fn taints(&self, value: &Value) -> List<Taint> {
        let mut found = Value::tainted(value.taints.clone());
        let mut seen = BTreeSet::new();
        if self.files.is_empty() {
            self.agenda.touch(Place::Files);
        }
        let mut inner: Vec<(usize, usize)> = Vec::new();
        let objects = |value: &Value, depth: usize, inner: &mut Vec<(usize, usize)>| {
            inner.extend(value.things.iter().filter_map(|thing| match thing {
                Thing::Object(number) if depth < NESTING_MAX => Some((*number, depth)),
                _ => None,
            }));
        };
        self.files_named(value, &mut found);
        objects(value, 0, &mut inner);
        while let Some((number, depth)) = inner.pop() {
            if seen.len() >= OBJECTS_MAX || !seen.insert(number) {
                continue;
            }
            let Some(all) = self.all_of(number) else { continue };
            found.join(&Value::tainted(all.taints.clone()));
            let Some(object) = self.objects.get(number) else { continue };
            if !self.files.is_empty() {
                object.fields.iter().for_each(|(_, field)| self.files_named(field, &mut found));
            }
            if depth + 1 < NESTING_MAX {
                inner.extend(object.inner.iter().map(|number| (*number, depth + 1)));
            }
        }
        found.taints
    }

    /// What the files hold that a value names.
    fn files_named(&self, value: &Value, found: &mut Value) {
        if self.files.is_empty() {
            return;
        }
        for text in value.texts() {
            if let Some(file) = self.file_of(&text) {
                found.join(&Value::tainted(file.taints.clone()));
            }
        }
    }
}
