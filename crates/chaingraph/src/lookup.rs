//! Lookup by hash: numbers sorted into buckets by the first bits of a 64-bit key. A bucket holds 8 to 16 numbers,
//! and every candidate is checked against the cold column, so the table itself can't give a wrong answer.

use crate::num::index;

/// Buckets for `rows` keys: a power of two, 8 to 16 keys each; and one bound more.
#[must_use]
pub fn bucket_rows(rows: u64) -> u64 {
    (1 << bucket_bits(rows)) + 1
}

fn bucket_bits(rows: u64) -> u32 {
    (rows / 8).max(1).ilog2()
}

/// Sorts `rows` numbers into buckets: returns the bounds of the buckets and the numbers. Numbers rise in each bucket.
///
/// `keys` tells the keys of all rows in order, each time that it is called.
pub fn sort(rows: u32, keys: impl Fn(&mut dyn FnMut(u64))) -> (Vec<u32>, Vec<u32>) {
    let bits = bucket_bits(u64::from(rows));
    let bucket = |key: u64| index(if bits == 0 { 0 } else { key >> (64 - bits) });
    let mut bounds = vec![0_u32; index(bucket_rows(u64::from(rows)))];
    keys(&mut |key| {
        if let Some(n) = bounds.get_mut(bucket(key) + 1) {
            *n += 1;
        }
    });
    let mut sum = 0;
    for bound in &mut bounds {
        sum += *bound;
        *bound = sum;
    }
    let mut numbers = vec![0_u32; rows as usize];
    let mut next = bounds.clone();
    let mut row = 0;
    keys(&mut |key| {
        if let Some(at) = next.get_mut(bucket(key)) {
            if let Some(cell) = numbers.get_mut(*at as usize) {
                *cell = row;
            }
            *at += 1;
        }
        row += 1;
    });
    (bounds, numbers)
}

/// The numbers that may have this key; none where the table is damaged.
#[must_use]
#[inline]
pub fn candidates<'a>(rows: u64, bounds: &[u32], numbers: &'a [u32], key: u64) -> &'a [u32] {
    let bits = bucket_bits(rows);
    let bucket = index(if bits == 0 { 0 } else { key >> (64 - bits) });
    let (Some(start), Some(end)) = (bounds.get(bucket), bounds.get(bucket + 1)) else {
        return &[];
    };
    numbers.get(*start as usize..*end as usize).unwrap_or_default()
}

/// The key of a txid: its first eight bytes on the wire, as good as random.
#[must_use]
pub fn txid_key(txid: &crate::header::Hash) -> u64 {
    txid.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_among_its_candidates() {
        for rows in [0_u32, 1, 7, 8, 9, 100, 5000] {
            let key = |row: u32| u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (bounds, numbers) = sort(rows, |tell| (0..rows).for_each(|r| tell(key(r))));
            assert_eq!(bounds.len() as u64, bucket_rows(u64::from(rows)));
            for row in 0..rows {
                let found = candidates(u64::from(rows), &bounds, &numbers, key(row));
                assert!(found.contains(&row) && found.len() < 60, "{rows}: {row}: {found:?}");
            }
        }
    }
}
