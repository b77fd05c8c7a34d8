//! What an expression may be: constants, things that have a name, and where its bytes may come from.

use std::rc::Rc;

use super::ir::Name;

/// Alternatives that are kept of each sort.
const ALTERNATIVES: usize = 8;

/// A constant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Const {
    /// Text.
    Text(Rc<str>),
    /// Bytes.
    Bytes(Rc<[u8]>),
    /// A whole number.
    Number(i64),
}

impl Const {
    /// As text, if it is some.
    #[must_use]
    pub fn text(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self {
            Self::Text(text) => Some((&**text).into()),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(Into::into),
            Self::Number(_) => None,
        }
    }
}

/// A thing that code can name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Thing {
    /// Something of a library or of the language: `requests.get`, `exec`.
    Path(Name),
    /// A module of the tree, by its number.
    Module(usize),
    /// A function of the tree: module, scope; whether its first parameter is bound.
    Function(usize, usize, bool),
    /// A class of the tree: module, scope.
    Class(usize, usize),
    /// An instance of a class of the tree.
    Instance(usize, usize),
    /// A list or map, by its number.
    Object(usize),
    /// What a function is given: module, scope, which parameter.
    Param(usize, usize, usize),
}

/// Where bytes come from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// The network, from an endpoint that is known, or one that somebody else gives.
    Network(Option<Name>),
    /// The network, from an endpoint that a function is given: module, scope, which parameter.
    NetworkOf(usize, usize, usize),
    /// Whatever a function is given: module, scope, which parameter. It stands for what callers give, so that an answer
    /// to one caller does not have what another gave.
    Given(usize, usize, usize),
    /// A constant that was encoded.
    Decoded,
    /// A secret, by its kind.
    Secret(&'static str),
}

/// A place in the tree.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Step {
    /// The module's number.
    pub module: usize,
    /// Offset in its file.
    pub at: u32,
    /// What happens there.
    pub what: String,
}

/// Bytes from somewhere, and their way so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taint {
    /// Where from.
    pub source: Source,
    /// The way, the source first.
    pub steps: Rc<Vec<Step>>,
}

/// Steps of a way that are kept.
const STEPS_MAX: usize = 8;

impl Taint {
    /// Begins at a place.
    #[must_use]
    pub fn new(source: Source, step: Step) -> Self {
        Self { source, steps: Rc::new(vec![step]) }
    }

    /// Goes on over a place.
    #[must_use]
    pub fn over(&self, step: Step) -> Self {
        if self.steps.len() >= STEPS_MAX || self.steps.contains(&step) {
            return self.clone();
        }
        let steps = self.steps.iter().cloned().chain([step]).collect();
        Self { source: self.source.clone(), steps: Rc::new(steps) }
    }

    /// The same way from another source.
    #[must_use]
    pub fn from(&self, source: Source) -> Self {
        Self { source, steps: Rc::clone(&self.steps) }
    }

    fn same_origin(&self, other: &Self) -> bool {
        self.source == other.source && self.steps.first() == other.steps.first()
    }
}

/// What an expression may be.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Value {
    /// Constants that it may be.
    pub consts: Vec<Const>,
    /// Things that it may be.
    pub things: Vec<Thing>,
    /// Where its bytes may come from.
    pub taints: Vec<Taint>,
}

impl Value {
    /// A constant.
    #[must_use]
    pub fn constant(constant: Const) -> Self {
        Self { consts: vec![constant], ..Self::default() }
    }

    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::constant(Const::Text(text.into()))
    }

    /// A thing.
    #[must_use]
    pub fn thing(thing: Thing) -> Self {
        Self { things: vec![thing], ..Self::default() }
    }

    /// Something of a library.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self::thing(Thing::Path(path.into()))
    }

    /// Only where its bytes come from.
    #[must_use]
    pub fn tainted(taints: Vec<Taint>) -> Self {
        Self { taints, ..Self::default() }
    }

    /// May be the other too. Whether that is new.
    pub fn join(&mut self, other: &Self) -> bool {
        let mut grown = false;
        for constant in &other.consts {
            if self.consts.len() < ALTERNATIVES && !self.consts.contains(constant) {
                self.consts.push(constant.clone());
                grown = true;
            }
        }
        for thing in &other.things {
            if self.things.len() < ALTERNATIVES && !self.things.contains(thing) {
                self.things.push(thing.clone());
                grown = true;
            }
        }
        for taint in &other.taints {
            let known = self.taints.iter().any(|t| t.same_origin(taint));
            if self.taints.len() < ALTERNATIVES && !known {
                self.taints.push(taint.clone());
                grown = true;
            }
        }
        grown
    }

    /// The only constant that it may be, if there is one.
    #[must_use]
    pub fn only(&self) -> Option<&Const> {
        match &self.consts[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Texts that it may be.
    pub fn texts(&self) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
        self.consts.iter().filter_map(Const::text)
    }

    /// Paths that it may be.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.things.iter().filter_map(|t| match t {
            Thing::Path(path) => Some(&**path),
            _ => None,
        })
    }
}
