//! Time, from witnesses' cosignatures only. The wall clock decides nothing.

use tlog::Cosignature;

use crate::time::Timestamp;
use crate::wire::wire_struct;

/// How far apart the times of one set may be.
pub const SPREAD_SECS_MAX: u64 = 5 * 60;

/// Now, between the lowest and the highest time of an accepted set of witnesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// It is at least this late.
    pub low: Timestamp,
    /// It is at most this late.
    pub high: Timestamp,
}
wire_struct!(Now { low, high });

impl Now {
    /// The newest set of any `k` cosignatures at most five minutes apart.
    pub fn from_cosignatures(cosignatures: &[Cosignature], k: usize) -> Option<Self> {
        let mut times: Vec<u64> = cosignatures.iter().map(|c| c.time_secs).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        let set = times.windows(k.max(1)).find(|set| match (set.first(), set.last()) {
            (Some(high), Some(low)) => high - low <= SPREAD_SECS_MAX,
            _ => false,
        })?;
        let low = Timestamp::from_secs(*set.last()?)?;
        let high = Timestamp::from_secs(*set.first()?)?;
        Some(Self { low, high })
    }

    /// One moment exactly; for offline questions of the form "what if it were then".
    pub const fn at(time: Timestamp) -> Self {
        Self { low: time, high: time }
    }

    /// Seconds that have passed for certain since something first seen no later than `high`.
    pub fn age_secs(&self, first_seen_high: Timestamp) -> u64 {
        self.low.secs().saturating_sub(first_seen_high.secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(times: &[u64], k: usize) -> Option<(u64, u64)> {
        let cosignatures: Vec<_> = times
            .iter()
            .enumerate()
            .map(|(witness, time_secs)| Cosignature { witness, time_secs: *time_secs })
            .collect();
        Now::from_cosignatures(&cosignatures, k).map(|n| (n.low.secs(), n.high.secs()))
    }

    #[test]
    fn d06_one_hostile_clock_of_four_moves_nothing() {
        let honest = [1000, 1003, 1007];
        assert_eq!(now(&[honest[0], honest[1], honest[2], 999_999], 3), Some((1000, 1007)));
        assert_eq!(now(&[honest[0], honest[1], honest[2], 1], 3), Some((1000, 1007)));
        assert_eq!(now(&[1000, 1003, 999_999], 3), None, "no three agree");
        assert_eq!(now(&[1000, 1301], 2), None, "five minutes at most");
        assert_eq!(now(&[1000, 1300], 2), Some((1000, 1300)));
        assert_eq!(now(&[], 2), None);
        assert_eq!(now(&[1000, 1000, u64::MAX], 3), None);
    }
}
