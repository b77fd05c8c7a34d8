//! Which scopes have to be evaluated: those that were not yet, and those that read something which has grown since. Every
//! place where values are kept knows who read it.

use std::cell::RefCell;
use std::hash::{Hash as _, Hasher as _};

use rustc_hash::{FxHashMap, FxHasher};

use super::value::Growth;

/// A place where values are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Any variable of a scope.
    Vars(usize, usize),
    /// What a scope answers.
    Answer(usize, usize),
    /// What a scope is given.
    Given(usize, usize),
    /// Whether a scope runs when its module is loaded.
    Loaded(usize, usize),
    /// What the class of a scope is made from.
    Bases(usize, usize),
    /// A list or map.
    Object(usize),
    /// Any file.
    Files,
    /// What has a name of this hash: a variable, a field, a file, a member of something of a library. Who makes two names
    /// with the same one makes more work, no more.
    Named(u64),
}

impl Place {
    /// A file, or a member of something of a library.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut hasher = FxHasher::default();
        name.hash(&mut hasher);
        Self::Named(hasher.finish())
    }

    /// A variable of a scope, or a field of its class.
    #[must_use]
    pub fn of(module: usize, scope: usize, name: &str) -> Self {
        let mut hasher = FxHasher::default();
        (module, scope).hash(&mut hasher);
        name.hash(&mut hasher);
        Self::Named(hasher.finish())
    }
}

/// Places of each scope.
const KINDS: usize = 5;

/// Lists and maps that are told apart; the work that is allowed makes fewer.
const OBJECTS_MAX: usize = 1 << 27;
/// Readers of a place from which on those that are there twice are looked for.
const READERS_MAX: usize = 64;

/// Who has read a place since it last grew. There are millions, most of them with one reader.
#[derive(Clone, Debug)]
struct Readers {
    /// The evaluation that read it last.
    turn: u32,
    /// The last one, or `NOBODY`.
    last: u32,
    /// Those before.
    #[expect(
        clippy::box_collection,
        reason = "three times as large otherwise, and mostly not there"
    )]
    others: Option<Box<Vec<u32>>>,
}

/// No scope.
const NOBODY: u32 = u32::MAX;

impl Default for Readers {
    fn default() -> Self {
        Self { turn: 0, last: NOBODY, others: None }
    }
}

impl Readers {
    fn add(&mut self, scope: u32) {
        if self.last == scope {
            return;
        }
        let before = std::mem::replace(&mut self.last, scope);
        if before == NOBODY {
            return;
        }
        let others = self.others.get_or_insert_default();
        if others.len() >= READERS_MAX && others.len() == others.capacity() {
            others.sort_unstable();
            others.dedup();
        }
        others.push(before);
    }

    /// All of them; none is left.
    fn take(&mut self) -> impl Iterator<Item = u32> + use<> {
        let Self { last, others, .. } = std::mem::take(self);
        let others = others.map(|others| *others).unwrap_or_default();
        others.into_iter().chain((last != NOBODY).then_some(last))
    }
}

/// Places, who read them, and who is due.
#[derive(Debug, Default)]
pub struct Agenda {
    /// Number of the first scope of each module.
    first: Vec<usize>,
    due: Vec<bool>,
    /// Evaluations of a scope after which only news that count are news to it.
    most: u32,
    left: usize,
    evaluations: Vec<u32>,
    /// The scope that is being evaluated, and which evaluation that is.
    current: u32,
    turn: u32,
    places: RefCell<Vec<Readers>>,
    named: RefCell<FxHashMap<u64, Readers>>,
    objects: RefCell<Vec<Readers>>,
}

impl Agenda {
    /// For modules with so many scopes: all of them are due. After so many evaluations of a scope only news that count are
    /// news to it.
    #[must_use]
    pub fn new(scopes: impl Iterator<Item = usize>, most: u32) -> Self {
        let (mut first, mut all) = (Vec::new(), 0);
        for count in scopes {
            first.push(all);
            all += count;
        }
        let places = RefCell::new(vec![Readers::default(); all * KINDS + 1]);
        let (due, evaluations) = (vec![true; all], vec![0; all]);
        Self { first, due, left: all, evaluations, most, places, ..Self::default() }
    }

    fn scope(&self, module: usize, scope: usize) -> usize {
        self.first.get(module).copied().unwrap_or(0) + scope
    }

    /// Goes to the readers of a place.
    fn at<T>(&self, place: Place, go: impl FnOnce(&mut Readers) -> T) -> Option<T> {
        let of = |m: usize, s: usize, kind: usize| 1 + self.scope(m, s) * KINDS + kind;
        let number = match place {
            Place::Files => 0,
            Place::Named(hash) => {
                return Some(go(self.named.borrow_mut().entry(hash).or_default()));
            }
            Place::Vars(m, s) => of(m, s, 0),
            Place::Answer(m, s) => of(m, s, 1),
            Place::Given(m, s) => of(m, s, 2),
            Place::Loaded(m, s) => of(m, s, 3),
            Place::Bases(m, s) => of(m, s, 4),
            Place::Object(number) if number >= OBJECTS_MAX => return None,
            Place::Object(number) => {
                let mut objects = self.objects.borrow_mut();
                if objects.len() <= number {
                    objects.resize(number + 1, Readers::default());
                }
                return objects.get_mut(number).map(go);
            }
        };
        self.places.borrow_mut().get_mut(number).map(go)
    }

    /// A place has grown, or not: who read it is due. What the scope at hand wrote before it reads it is no news to it.
    pub fn grow(&mut self, place: Place, grown: Growth) {
        if grown == Growth::No {
            return;
        }
        let (current, turn) = (self.current, self.turn);
        let readers = self.at(place, |readers| {
            let news = readers.turn == turn;
            readers.take().filter(move |scope| *scope != current || news)
        });
        for scope in readers.into_iter().flatten() {
            let is_over = self.evaluations.get(scope as usize).is_some_and(|e| *e >= self.most);
            if is_over && grown == Growth::Plain {
                // It stays a reader: what counts may come later.
                self.at(place, |readers| readers.add(scope));
                continue;
            }
            if let Some(due) = self.due.get_mut(scope as usize).filter(|due| !**due) {
                *due = true;
                self.left += 1;
            }
        }
    }

    /// A place is read by the scope at hand.
    pub fn touch(&self, place: Place) {
        let (current, turn) = (self.current, self.turn);
        self.at(place, |readers| {
            if readers.turn != turn {
                readers.turn = turn;
                readers.add(current);
            }
        });
    }

    /// Whether a scope has to be evaluated: never yet, or something that it read has grown since.
    #[must_use]
    pub fn is_due(&self, module: usize, scope: usize) -> bool {
        self.due.get(self.scope(module, scope)).copied().unwrap_or(false)
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.left == 0
    }

    /// A scope is evaluated from now on.
    pub fn begin(&mut self, module: usize, scope: usize) {
        let number = self.scope(module, scope);
        if let Some(due) = self.due.get_mut(number).filter(|due| **due) {
            *due = false;
            self.left -= 1;
        }
        if let Some(evaluations) = self.evaluations.get_mut(number) {
            *evaluations += 1;
        }
        self.current = u32::try_from(number).unwrap_or(u32::MAX);
        self.turn += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_read_what_has_grown_is_due() {
        let mut agenda = Agenda::new([2, 1].into_iter(), u32::MAX);
        for (module, scope, reads) in
            [(0, 0, Place::Vars(0, 0)), (0, 1, Place::Object(3)), (1, 0, Place::Answer(0, 1))]
        {
            assert!(agenda.is_due(module, scope) && !agenda.is_done());
            agenda.begin(module, scope);
            agenda.touch(reads);
            assert!(!agenda.is_due(module, scope));
        }
        assert!(agenda.is_done());
        agenda.grow(Place::Answer(0, 1), Growth::No);
        assert!(!agenda.is_due(1, 0));
        agenda.grow(Place::Object(3), Growth::Plain);
        assert!(agenda.is_due(0, 1) && !agenda.is_due(0, 0) && !agenda.is_due(1, 0));
        agenda.begin(0, 1);
        agenda.grow(Place::Answer(0, 1), Growth::Plain);
        assert!(agenda.is_due(1, 0) && !agenda.is_due(0, 1) && !agenda.is_due(0, 0));
        assert!(!agenda.is_done());
    }

    #[test]
    fn a_scope_is_due_for_what_it_wrote_only_where_it_read_it_before() {
        let mut agenda = Agenda::new([2].into_iter(), u32::MAX);
        let x = Place::of(0, 0, "x");
        // Writes, then reads, twice.
        for _ in 0..2 {
            agenda.begin(0, 0);
            agenda.grow(x, Growth::Plain);
            agenda.touch(x);
            assert!(!agenda.is_due(0, 0));
        }
        // Another one's news are news.
        agenda.begin(0, 1);
        agenda.grow(x, Growth::Plain);
        assert!(agenda.is_due(0, 0));
        // Reads, then writes: what it read has grown.
        agenda.begin(0, 0);
        agenda.touch(x);
        agenda.grow(x, Growth::Plain);
        assert!(agenda.is_due(0, 0));
        // Reads, writes, reads: the first of them did not see it.
        agenda.begin(0, 1);
        agenda.touch(x);
        agenda.grow(x, Growth::Plain);
        agenda.touch(x);
        assert!(agenda.is_due(0, 1));
    }

    #[test]
    fn a_scope_that_was_evaluated_often_hears_only_what_counts() {
        let mut agenda = Agenda::new([2].into_iter(), 2);
        let x = Place::of(0, 0, "x");
        for _ in 0..2 {
            agenda.begin(0, 1);
            agenda.touch(x);
        }
        agenda.begin(0, 0);
        agenda.grow(x, Growth::Plain);
        agenda.grow(x, Growth::Plain);
        assert!(!agenda.is_due(0, 1) && agenda.is_done());
        agenda.grow(x, Growth::Counts);
        assert!(agenda.is_due(0, 1) && !agenda.is_done());
    }
}
