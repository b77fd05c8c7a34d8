//! Which inputs belong to which change: disjoint subsets that sum to the amount plus the change less what the maker
//! earned. Subset sums are hard, so the search is bounded and says when it did not decide.

/// Subsets looked at in one transaction: a third of a second at most, and rarely met.
const SUBSETS_MAX: u64 = 150_000;
/// Candidates kept for one change.
const CANDIDATES_MAX: usize = 4_000;
/// Steps of the exact cover.
const STEPS_MAX: u32 = 50_000;

/// A maker that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Maker {
    /// How many inputs (addresses) it brought.
    pub inputs: usize,
    /// What it earned, in satoshi.
    pub earns: u64,
    /// Its change.
    pub change: u64,
}

/// What the search found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// Changes that should have a maker and have none; 0 is a whole partition.
    pub unmatched: usize,
    /// Whether every subset that could matter was looked at.
    pub decided: bool,
    /// The makers.
    pub makers: Vec<Maker>,
}

#[derive(Clone, Copy)]
struct Candidate {
    mask: u128,
    inputs: usize,
    earns: u64,
}

/// Searches. `sums` are input values by address, falling; all changes but one (the taker's, if there are as many as
/// `equal` outputs) must get disjoint subsets with `d + change - fee_max <= sum <= d + change`, and an input must be
/// left for the taker.
pub fn partition(sums: &[u64], d: u64, changes: &[u64], fee_max: u64, equal: usize) -> Partition {
    let n = sums.len();
    let free = (changes.len() + 1).saturating_sub(equal); // changes without a maker: 1 or 0
    let mut tops: Vec<u64> = changes.iter().map(|c| d + c).collect();
    tops.sort_unstable();
    let mut search = Search {
        sums,
        tops: &tops,
        fee_max,
        free,
        candidates: vec![Vec::new(); tops.len()],
        best: (changes.len() + 1, Vec::new()),
        steps: 0,
    };
    if n > 128 {
        return Partition { unmatched: equal, decided: false, makers: Vec::new() };
    }
    let mut seen = 0_u64;
    for size in 1..n {
        seen = seen.saturating_add(choose(n, size));
        if seen > SUBSETS_MAX {
            return search.result(d, false);
        }
        search.subsets(0, 0, 0, size, size);
        search.cover();
        if search.best.0 <= free || size > (n + 1).saturating_sub(equal) {
            break;
        }
    }
    search.result(d, true)
}

struct Search<'a> {
    sums: &'a [u64],
    /// Amount plus change, rising.
    tops: &'a [u64],
    fee_max: u64,
    free: usize,
    candidates: Vec<Vec<Candidate>>,
    /// Fewest changes left over, and the makers: which top, which candidate.
    best: (usize, Vec<(usize, Candidate)>),
    steps: u32,
}

impl Search<'_> {
    /// All subsets of `left` more inputs from `from` on, filed under each change whose window holds their sum.
    fn subsets(&mut self, from: usize, sum: u64, mask: u128, left: usize, size: usize) {
        if left == 0 {
            let first = self.tops.partition_point(|top| *top < sum);
            for (at, top) in self.tops.iter().enumerate().skip(first) {
                if top - sum > self.fee_max {
                    break;
                }
                if let Some(list) = self.candidates.get_mut(at).filter(|l| l.len() < CANDIDATES_MAX)
                {
                    list.push(Candidate { mask, inputs: size, earns: top - sum });
                }
            }
            return;
        }
        let top = self.tops.last().copied().unwrap_or(0);
        for (at, value) in self.sums.iter().enumerate().skip(from) {
            if at + left > self.sums.len() {
                break;
            }
            if let Some(sum) = sum.checked_add(*value).filter(|sum| *sum <= top) {
                self.subsets(at + 1, sum, mask | 1 << at, left - 1, size);
            }
        }
    }

    /// Disjoint candidates for as many changes as possible, those with the fewest candidates first.
    fn cover(&mut self) {
        for list in &mut self.candidates {
            list.sort_by_key(|c| (c.inputs, c.earns)); // fewest inputs, then the smallest fee
        }
        let mut order: Vec<usize> = (0..self.candidates.len()).collect();
        order.sort_by_key(|at| self.candidates.get(*at).map_or(0, Vec::len));
        self.steps = STEPS_MAX;
        let mut chosen = Vec::new();
        self.go(&order, 0, 0, &mut chosen);
    }

    fn go(
        &mut self,
        order: &[usize],
        used: u128,
        missed: usize,
        chosen: &mut Vec<(usize, Candidate)>,
    ) {
        self.steps = self.steps.saturating_sub(1);
        if self.steps == 0 || missed >= self.best.0 {
            return;
        }
        let Some((at, rest)) = order.split_first() else {
            let all = if self.sums.len() == 128 { u128::MAX } else { (1 << self.sums.len()) - 1 };
            if used != all {
                self.best = (missed, chosen.clone());
            }
            return;
        };
        let count = self.candidates.get(*at).map_or(0, Vec::len);
        for nth in 0..count {
            let Some(candidate) = self.candidates.get(*at).and_then(|l| l.get(nth)).copied() else {
                break;
            };
            if candidate.mask & used == 0 {
                chosen.push((*at, candidate));
                self.go(rest, used | candidate.mask, missed, chosen);
                chosen.pop();
                if self.best.0 <= self.free || self.steps == 0 {
                    return;
                }
            }
        }
        if missed <= self.free {
            self.go(rest, used, missed + 1, chosen);
        }
    }

    fn result(&self, d: u64, decided: bool) -> Partition {
        let makers = self
            .best
            .1
            .iter()
            .filter_map(|(at, c)| {
                let change = self.tops.get(*at)? - d;
                Some(Maker { inputs: c.inputs, earns: c.earns, change })
            })
            .collect();
        Partition { unmatched: self.best.0.saturating_sub(self.free), decided, makers }
    }
}

/// How many subsets of `k` of `n`; saturates.
pub fn choose(n: usize, k: usize) -> u64 {
    let k = k.min(n.saturating_sub(k));
    let mut result = 1_u128;
    for i in 0..k {
        result = result.saturating_mul((n - i) as u128) / (i as u128 + 1);
    }
    u64::try_from(result).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_found_and_the_taker_is_left() {
        // Amount 1,000,000. Makers bring 1,500,000 and (700,000 + 900,000), earn 300 and 0; the taker brings 2,000,000.
        let sums = [2_000_000, 1_500_000, 900_000, 700_000];
        let found = partition(&sums, 1_000_000, &[500_300, 600_000, 990_000], 10_000, 3);
        assert_eq!(found.unmatched, 0);
        let mut earned: Vec<u64> = found.makers.iter().map(|m| m.earns).collect();
        earned.sort_unstable();
        assert_eq!(earned, [0, 300]);
        // A maker that loses is no maker.
        let found = partition(&sums, 1_000_000, &[499_000, 600_000, 990_000], 10_000, 3);
        assert_eq!((found.unmatched, found.decided), (1, true));
    }

    #[test]
    fn a_large_search_says_that_it_did_not_decide() {
        let sums: Vec<u64> = (0..60).map(|i| 1_000_003 + 7_919 * i).collect();
        let found = partition(&sums, 50_000_000, &[10_000_000, 20_000_000, 30_000_000], 500_000, 3);
        assert!(!found.decided);
        assert_eq!(choose(60, 3), 34_220);
        assert_eq!(choose(200, 100), u64::MAX);
    }
}
