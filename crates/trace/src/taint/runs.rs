//! Satoshi in order: an output as runs of clean and tainted ones, for fifo and lifo. Never merged with loss.

/// Lengths of runs in turn: clean, tainted, clean, … The first may be 0, no other is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Runs(Vec<u64>);

impl Runs {
    /// `tainted` satoshi and then clean ones, `value` in all.
    #[must_use]
    pub fn front(value: u64, tainted: u64) -> Self {
        let mut runs = Self::default();
        runs.push(tainted, true);
        runs.push(value - tainted.min(value), false);
        runs
    }

    /// Appends a run.
    pub fn push(&mut self, len: u64, tainted: bool) {
        if len == 0 {
            return;
        }
        // The last run is tainted if there is an even number of them.
        let last_is_tainted = self.0.len().is_multiple_of(2);
        match self.0.last_mut() {
            Some(last) if last_is_tainted == tainted => *last += len,
            Some(_) => self.0.push(len),
            None if tainted => self.0.extend([0, len]),
            None => self.0.push(len),
        }
    }

    /// The runs, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, bool)> + '_ {
        self.0.iter().enumerate().map(|(at, len)| (*len, at % 2 == 1))
    }

    /// How many tainted satoshi.
    #[must_use]
    pub fn tainted(&self) -> u64 {
        self.iter().filter(|(_, tainted)| *tainted).map(|(len, _)| len).sum()
    }

    /// How many runs, for the memory budget.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// A list of runs from which outputs are filled.
#[derive(Debug, Default)]
pub struct Supply {
    runs: Vec<(u64, bool)>,
    next: usize,
}

impl Supply {
    /// Empties it.
    pub fn clear(&mut self) {
        self.runs.clear();
        self.next = 0;
    }

    /// Adds an input's satoshi, in order.
    pub fn add(&mut self, runs: &Runs) {
        self.runs.extend(runs.iter().filter(|(len, _)| *len > 0));
    }

    /// Adds clean satoshi.
    pub fn add_clean(&mut self, len: u64) {
        if len > 0 {
            self.runs.push((len, false));
        }
    }

    /// Turns the whole list round, satoshi by satoshi.
    pub fn reverse(&mut self) {
        self.runs.reverse();
    }

    /// Takes the next `value` satoshi; where the supply ends (an unknown input follows), the rest is clean.
    pub fn take(&mut self, value: u64) -> Runs {
        let mut taken = Runs::default();
        let mut left = value;
        while left > 0 {
            let Some((len, tainted)) = self.runs.get_mut(self.next) else {
                taken.push(left, false);
                break;
            };
            let step = left.min(*len);
            taken.push(step, *tainted);
            *len -= step;
            left -= step;
            if *len == 0 {
                self.next += 1;
            }
        }
        taken
    }

    /// Tainted satoshi that no output took: the fee's.
    #[must_use]
    pub fn tainted_left(&self) -> u128 {
        let left = self.runs.get(self.next..).unwrap_or_default();
        left.iter().filter(|(_, tainted)| *tainted).map(|(len, _)| u128::from(*len)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(list: &[(u64, bool)]) -> Runs {
        let mut runs = Runs::default();
        list.iter().for_each(|(len, tainted)| runs.push(*len, *tainted));
        runs
    }

    #[test]
    fn equal_neighbours_are_one_run_and_nothing_is_lost() {
        let r = runs(&[(0, true), (3, true), (2, true), (0, false), (1, true), (4, false)]);
        assert_eq!(r.iter().collect::<Vec<_>>(), [(0, false), (6, true), (4, false)]);
        assert_eq!((r.tainted(), r.len()), (6, 3));
        assert_eq!(Runs::front(5, 5).iter().collect::<Vec<_>>(), [(0, false), (5, true)]);
        assert_eq!(Runs::front(5, 0).tainted(), 0);
    }

    #[test]
    fn a_supply_gives_satoshi_in_order() {
        let mut supply = Supply::default();
        supply.add(&runs(&[(2, false), (3, true)]));
        supply.add_clean(4);
        supply.add(&runs(&[(1, true)]));
        assert_eq!(supply.take(3), runs(&[(2, false), (1, true)]));
        assert_eq!(supply.take(4), runs(&[(2, true), (2, false)]));
        assert_eq!(supply.tainted_left(), 1);
        supply.clear();
        supply.add(&runs(&[(2, false), (3, true)]));
        supply.add(&runs(&[(1, true), (1, false)]));
        supply.reverse();
        assert_eq!(supply.take(3), runs(&[(1, false), (2, true)]));
        assert_eq!(supply.take(9), runs(&[(2, true), (7, false)]));
    }
}
