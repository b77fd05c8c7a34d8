//! How a transaction passes taint on, by method: arithmetic to the satoshi, as CONTRACT defines it.

/// A way to pass taint on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Method {
    /// In proportion to value.
    Haircut,
    /// First in, first out.
    Fifo,
    /// Last in, first out.
    Lifo,
    /// Taint into the highest outputs.
    Tiho,
    /// Everything that it touches, whole.
    Poison,
}

impl Method {
    /// All, in the order of the documents.
    pub const ALL: [Self; 5] = [Self::Haircut, Self::Fifo, Self::Lifo, Self::Tiho, Self::Poison];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Haircut => "haircut",
            Self::Fifo => "fifo",
            Self::Lifo => "lifo",
            Self::Tiho => "tiho",
            Self::Poison => "poison",
        }
    }

    /// Whether it keeps the order of satoshi.
    #[must_use]
    pub const fn is_ordered(self) -> bool {
        matches!(self, Self::Fifo | Self::Lifo)
    }
}

/// Splits `tainted` over parts in proportion: `floor(tainted x part / total)` each, and the rest one satoshi each to the
/// largest remainders, ties to the lower index. `total` is the sum of the parts and at least `tainted`.
pub fn haircut(parts: &[u64], total: u128, tainted: u128, shares: &mut Vec<u64>) {
    shares.clear();
    if total == 0 || tainted == 0 {
        shares.resize(parts.len(), 0);
        return;
    }
    let mut given = 0_u128;
    for part in parts {
        let share = tainted * u128::from(*part) / total;
        given += share;
        shares.push(u64::try_from(share).unwrap_or(u64::MAX)); // at most the part
    }
    let rest = usize::try_from(tainted.saturating_sub(given)).unwrap_or(usize::MAX);
    if rest == 0 {
        return;
    }
    let mut order: Vec<usize> = (0..parts.len()).collect();
    let remainder =
        |at: &usize| parts.get(*at).map_or(0, |part| tainted * u128::from(*part) % total);
    order.sort_by_key(|at| (std::cmp::Reverse(remainder(at)), *at));
    for at in order.into_iter().take(rest) {
        if let Some(share) = shares.get_mut(at) {
            *share += 1;
        }
    }
}

/// Fills the highest parts first, ties to the lower index; what is left over is returned.
pub fn tiho(parts: &[u64], tainted: u128, shares: &mut Vec<u64>) -> u128 {
    shares.clear();
    shares.resize(parts.len(), 0);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(parts.get(*at).copied()), *at));
    let mut left = tainted;
    for at in order {
        if let (Some(part), Some(share)) = (parts.get(at), shares.get_mut(at)) {
            *share = u64::try_from(left).unwrap_or(u64::MAX).min(*part);
            left -= u128::from(*share);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_go_to_the_largest_remainders() {
        let mut shares = Vec::new();
        // V 10, T 5: 1.5, 1.5, 2.0: the two halves tie for one satoshi, the lower index has it.
        haircut(&[3, 3, 4], 10, 5, &mut shares);
        assert_eq!(shares, [2, 1, 2]);
        // The fee is the last part: of V 4, T 1 it has the largest remainder.
        haircut(&[1, 1, 2], 4, 1, &mut shares);
        assert_eq!(shares, [0, 0, 1]);
        haircut(&[0, 7], 7, 7, &mut shares);
        assert_eq!(shares, [0, 7]);
        let huge = 2_100_000_000_000_000;
        haircut(&[huge, huge - 1], u128::from(huge) * 2 - 1, u128::from(huge), &mut shares);
        assert_eq!(shares.iter().sum::<u64>(), huge);
    }

    #[test]
    fn the_highest_are_filled_first() {
        let mut shares = Vec::new();
        assert_eq!(tiho(&[5, 9, 9, 1], 20, &mut shares), 0);
        assert_eq!(shares, [2, 9, 9, 0]);
        assert_eq!(tiho(&[5], 7, &mut shares), 2);
    }
}
