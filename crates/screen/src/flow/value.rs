//! What an expression may be: constants, things that have a name, and where its bytes may come from.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::ir::Name;
use super::list::List;

/// Alternatives that are kept of each sort.
const ALTERNATIVES: usize = 4;

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
    /// Something made of a long constant in a way that is not followed: if it is decoded, it is `Decoded`.
    Piece,
    /// A file of the tree that is data, by its path.
    Stored(Name),
    /// A secret, by its kind.
    Secret(&'static str),
}

impl Source {
    /// How much it says: a known origin more than one that somebody else decides.
    #[must_use]
    pub const fn strength(&self) -> u8 {
        match self {
            Self::Network(None) | Self::Piece => 0,
            Self::NetworkOf(..) | Self::Given(..) => 1,
            Self::Network(Some(_)) | Self::Decoded | Self::Secret(_) => 2,
            Self::Stored(_) => 1,
        }
    }
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
    pub steps: Rc<[Step]>,
}

/// Steps after which what was fetched is no longer what an error carries.
const FRESH_MAX: usize = 2;
/// Steps of a way that are kept.
const STEPS_MAX: usize = 8;

impl Taint {
    /// Begins at a place.
    #[must_use]
    pub fn new(source: Source, step: Step) -> Self {
        Self { source, steps: Rc::new([step]) }
    }

    /// Goes on over a place.
    #[must_use]
    pub fn over(&self, step: Step) -> Self {
        if self.steps.len() >= STEPS_MAX || self.steps.contains(&step) {
            return self.clone();
        }
        let steps = self.steps.iter().cloned().chain([step]).collect();
        Self { source: self.source.clone(), steps }
    }

    /// The way up to where something was given, and from there on.
    #[must_use]
    pub fn before(&self, rest: &Self) -> Self {
        let mut steps = self.steps.to_vec();
        for step in rest.steps.iter().filter(|s| !s.what.is_empty()) {
            if steps.len() < STEPS_MAX && !steps.contains(step) {
                steps.push(step.clone());
            }
        }
        Self { source: self.source.clone(), steps: steps.into() }
    }

    /// The same way from another source.
    #[must_use]
    pub fn from(&self, source: Source) -> Self {
        Self { source, steps: Rc::clone(&self.steps) }
    }

    /// Whether it was fetched, and not long ago: what an error may carry.
    #[must_use]
    pub fn is_fetched(&self) -> bool {
        matches!(self.source, Source::Network(_) | Source::NetworkOf(..))
            && self.steps.len() <= FRESH_MAX
    }

    fn same_origin(&self, other: &Self) -> bool {
        // Of pieces of constants one is as good as another.
        if self.source == Source::Piece && other.source == Source::Piece {
            return true;
        }
        self.source == other.source && self.steps.first() == other.steps.first()
    }
}

/// Whether a value has become more than it was, from no to yes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Growth {
    /// It has not.
    No,
    /// It may be one more of what most code is full of.
    Plain,
    /// Bytes may be in it that come from somewhere, or something that does something with them.
    Counts,
}

impl Growth {
    /// Something that is not told by what it is.
    #[must_use]
    pub const fn any(grown: bool) -> Self {
        if grown { Self::Counts } else { Self::No }
    }
}

/// Adds what is new; where there is no room, in the place of something that counts for less.
fn add<T: Clone>(
    list: &mut List<T>,
    more: &List<T>,
    same: impl Fn(&T, &T) -> bool,
    rank: impl Fn(&T) -> u8,
    weighs: impl Fn(&T) -> bool,
) -> Growth {
    let mut grown = Growth::No;
    if more.is_empty() || list.is(more) {
        return grown;
    }
    let grows = |item: &T| if weighs(item) { Growth::Counts } else { Growth::Plain };
    if let ([], [one]) = (&**list, &**more) {
        grown = grows(one);
        list.clone_from(more);
        return grown;
    }
    for item in more {
        if list.iter().any(|known| same(known, item)) {
            continue;
        }
        if list.len() < ALTERNATIVES {
            list.push(item.clone());
            grown = grown.max(grows(item));
        } else {
            // To rank is dear, and most count for nothing.
            let own = rank(item);
            if own > 0
                && let Some(lesser) = list.iter().position(|known| rank(known) < own)
            {
                list.replace(lesser, item.clone());
                grown = grown.max(grows(item));
            }
        }
    }
    grown
}

thread_local! {
    /// Whether names do something, as far as it was asked: it is asked often, and of the same names.
    static COUNTS: RefCell<FxHashMap<Name, bool>> = RefCell::default();
}

fn counts(path: &Name) -> bool {
    COUNTS.with_borrow_mut(|known| match known.get(path) {
        Some(counts) => *counts,
        None => {
            let counts = super::known::does_something(path);
            known.insert(path.clone(), counts);
            counts
        }
    })
}

/// What an expression may be.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Value {
    /// Constants that it may be.
    pub consts: List<Const>,
    /// Things that it may be.
    pub things: List<Thing>,
    /// Where its bytes may come from.
    pub taints: List<Taint>,
}

impl Value {
    /// A constant.
    #[must_use]
    pub fn constant(constant: Const) -> Self {
        Self { consts: List::one(constant), ..Self::default() }
    }

    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::constant(Const::Text(text.into()))
    }

    /// A thing.
    #[must_use]
    pub fn thing(thing: Thing) -> Self {
        Self { things: List::one(thing), ..Self::default() }
    }

    /// Something of a library.
    #[must_use]
    pub fn path(path: &str) -> Self {
        Self::thing(Thing::Path(path.into()))
    }

    /// Only where its bytes come from.
    #[must_use]
    pub fn tainted(taints: List<Taint>) -> Self {
        Self { taints, ..Self::default() }
    }

    /// Only one place that its bytes come from.
    #[must_use]
    pub fn taint(taint: Taint) -> Self {
        Self::tainted(List::one(taint))
    }

    /// May be the other too. Whether that is new. Of too many alternatives those stay that matter: who hides the one
    /// that counts behind many others gains nothing.
    pub fn join(&mut self, other: &Self) -> Growth {
        let host = |c: &Const| {
            let says = |t: &str| t.contains("://") || super::known::secret_of_path(t).is_some();
            u8::from(c.text().is_some_and(|t| says(&t)))
        };
        let deed = |t: &Thing| match t {
            Thing::Path(path) => u8::from(counts(path)),
            _ => 2,
        };
        let strength = |t: &Taint| t.source.strength();
        let same_origin = |a: &Taint, b: &Taint| a.same_origin(b);
        let says = |c: &Const| host(c) > 0;
        let does = |t: &Thing| matches!(t, Thing::Path(path) if counts(path));
        let is_known = |t: &Taint| strength(t) > 0 && !matches!(t.source, Source::Given(..));
        add(&mut self.consts, &other.consts, PartialEq::eq, host, says)
            .max(add(&mut self.things, &other.things, PartialEq::eq, deed, does))
            .max(add(&mut self.taints, &other.taints, same_origin, strength, is_known))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_not_crowded_out() {
        let mut value = Value::default();
        for n in 0..20 {
            value.join(&Value::text(&format!("dummy {n}")));
            value.join(&Value::path(&format!("dummy{n}")));
            let step = Step { module: 0, at: n, what: String::new() };
            value.join(&Value::taint(Taint::new(Source::Network(None), step)));
        }
        let step = Step { module: 1, at: 0, what: String::new() };
        let taint = Taint::new(Source::Network(Some("https://a.invalid".into())), step);
        assert_eq!(value.join(&Value::text("https://a.invalid/x")), Growth::Counts);
        assert_eq!(value.join(&Value::path("exec")), Growth::Counts);
        assert_eq!(value.join(&Value::taint(taint.clone())), Growth::Counts);
        assert_eq!(value.join(&Value::taint(taint.clone())), Growth::No);
        assert_eq!(Value::default().join(&Value::text("plain")), Growth::Plain);
        assert!(value.texts().any(|t| t == "https://a.invalid/x"));
        assert!(value.paths().any(|p| p == "exec") && value.taints.contains(&taint));
        assert_eq!(value.join(&Value::text("another dummy")), Growth::No);
        assert_eq!(value.consts.len(), ALTERNATIVES);
    }
}
