//! Which scopes have to be evaluated again: those that read something which has grown since. Every place where values are
//! kept has a time at which it last grew; every scope knows the places that it read.

use std::cell::RefCell;
use std::hash::{Hash as _, Hasher as _};

use rustc_hash::FxHasher;

/// A place where values are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Any variable of a scope, what its class is made from, whether it runs when it is loaded.
    Vars(usize, usize),
    /// What a scope answers.
    Answer(usize, usize),
    /// What a scope is given.
    Given(usize, usize),
    /// A list or map.
    Object(usize),
    /// Any file.
    Files,
    /// What has this name: a variable, a field, a file, a member of something of a library; of those that share a
    /// number, any.
    Named(usize),
}

/// Numbers under which names are told apart.
const NAMED: usize = 1 << 16;

impl Place {
    /// A file, or a member of something of a library.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut hasher = FxHasher::default();
        name.hash(&mut hasher);
        Self::Named(usize::try_from(hasher.finish() >> 20).unwrap_or(0) % NAMED)
    }

    /// A variable of a scope, or a field of its class.
    #[must_use]
    pub fn of(module: usize, scope: usize, name: &str) -> Self {
        let mut hasher = FxHasher::default();
        (module, scope).hash(&mut hasher);
        name.hash(&mut hasher);
        Self::Named(usize::try_from(hasher.finish() >> 20).unwrap_or(0) % NAMED)
    }
}

/// Places of each scope.
const KINDS: usize = 3;

/// Times of places, and who read them.
#[derive(Debug, Default)]
pub struct Clock {
    /// Number of the first scope of each module.
    first: Vec<usize>,
    now: u64,
    /// When each place of a scope grew; files and members of libraries come last.
    scopes: Vec<u64>,
    objects: Vec<u64>,
    /// What each scope read when it was last evaluated, and when that was.
    reads: Vec<Vec<u32>>,
    evaluated: Vec<u64>,
    touched: RefCell<Touched>,
}

/// What the scope at hand has read so far.
#[derive(Debug, Default)]
struct Touched {
    list: Vec<u32>,
    turn: u32,
    scopes: Vec<u32>,
    objects: Vec<u32>,
}

/// Marks numbers of objects among those of places.
const OBJECT: u32 = 1 << 31;

impl Clock {
    /// For modules with so many scopes.
    #[must_use]
    pub fn new(scopes: impl Iterator<Item = usize>) -> Self {
        let (mut first, mut all) = (Vec::new(), 0);
        for count in scopes {
            first.push(all);
            all += count;
        }
        let places = all * KINDS + 1 + NAMED;
        let touched = Touched { scopes: vec![0; places], ..Touched::default() };
        Self {
            first,
            now: 1,
            scopes: vec![0; places],
            objects: Vec::new(),
            reads: vec![Vec::new(); all],
            evaluated: vec![0; all],
            touched: RefCell::new(touched),
        }
    }

    fn scope(&self, module: usize, scope: usize) -> usize {
        self.first.get(module).copied().unwrap_or(0) + scope
    }

    fn id(&self, place: Place) -> u32 {
        let number = match place {
            Place::Vars(m, s) => self.scope(m, s) * KINDS,
            Place::Answer(m, s) => self.scope(m, s) * KINDS + 1,
            Place::Given(m, s) => self.scope(m, s) * KINDS + 2,
            Place::Files => self.scopes.len().saturating_sub(1),
            Place::Named(number) => self.scopes.len().saturating_sub(2 + number),
            Place::Object(number) => return u32::try_from(number).unwrap_or(0) | OBJECT,
        };
        u32::try_from(number).unwrap_or(0)
    }

    /// A place has grown, or not.
    pub fn grow(&mut self, place: Place, grown: bool) {
        if !grown {
            return;
        }
        self.now += 1;
        let id = self.id(place);
        let number = (id & !OBJECT) as usize;
        let times = if id & OBJECT == 0 { &mut self.scopes } else { &mut self.objects };
        if times.len() <= number {
            times.resize(number + 1, 0);
        }
        if let Some(time) = times.get_mut(number) {
            *time = self.now;
        }
    }

    /// A place is read by the scope at hand.
    pub fn touch(&self, place: Place) {
        let id = self.id(place);
        let number = (id & !OBJECT) as usize;
        let touched = &mut *self.touched.borrow_mut();
        let turn = touched.turn;
        let marks = if id & OBJECT == 0 { &mut touched.scopes } else { &mut touched.objects };
        if marks.len() <= number {
            marks.resize(number + 1, 0);
        }
        if let Some(mark) = marks.get_mut(number).filter(|m| **m != turn) {
            *mark = turn;
            touched.list.push(id);
        }
    }

    /// Whether a scope has to be evaluated: never yet, or something that it read has grown since.
    #[must_use]
    pub fn is_due(&self, module: usize, scope: usize) -> bool {
        let number = self.scope(module, scope);
        let (Some(evaluated), Some(reads)) = (self.evaluated.get(number), self.reads.get(number))
        else {
            return false;
        };
        let time = |id: &u32| {
            let place = (id & !OBJECT) as usize;
            let times = if id & OBJECT == 0 { &self.scopes } else { &self.objects };
            times.get(place).copied().unwrap_or(0)
        };
        *evaluated == 0 || reads.iter().any(|id| time(id) > *evaluated)
    }

    /// A scope is evaluated from now on.
    pub fn begin(&mut self, module: usize, scope: usize) {
        let number = self.scope(module, scope);
        if let Some(evaluated) = self.evaluated.get_mut(number) {
            *evaluated = self.now;
        }
        let touched = self.touched.get_mut();
        touched.turn += 1;
        touched.list.clear();
    }

    /// A scope was evaluated.
    pub fn end(&mut self, module: usize, scope: usize) {
        let number = self.scope(module, scope);
        let list = std::mem::take(&mut self.touched.get_mut().list);
        if let Some(reads) = self.reads.get_mut(number) {
            *reads = list;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_read_what_has_grown_is_due() {
        let mut clock = Clock::new([2, 1].into_iter());
        for (module, scope, reads) in
            [(0, 0, Place::Vars(0, 0)), (0, 1, Place::Object(3)), (1, 0, Place::Answer(0, 1))]
        {
            assert!(clock.is_due(module, scope));
            clock.begin(module, scope);
            clock.touch(reads);
            clock.end(module, scope);
            assert!(!clock.is_due(module, scope));
        }
        clock.grow(Place::Answer(0, 1), false);
        assert!(!clock.is_due(1, 0));
        clock.grow(Place::Answer(0, 1), true);
        assert!(clock.is_due(1, 0) && !clock.is_due(0, 1) && !clock.is_due(0, 0));
        clock.grow(Place::Object(3), true);
        assert!(clock.is_due(0, 1) && !clock.is_due(0, 0));
        // What grows while a scope is evaluated counts for it too.
        clock.begin(0, 0);
        clock.touch(Place::Vars(0, 0));
        clock.grow(Place::Vars(0, 0), true);
        clock.end(0, 0);
        assert!(clock.is_due(0, 0));
    }
}
