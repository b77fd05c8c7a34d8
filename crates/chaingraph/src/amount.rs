//! Amounts in 32 bits. Bitcoin Core's amount compression (`src/compressor.cpp`, `CompressAmount`) takes the zeros off
//! round amounts; what then fits in 32 bits stands in the column, the rest in a second one.

/// Twenty-one million bitcoin in satoshi: no output may have more.
pub const MAX_MONEY_SAT: u64 = 2_100_000_000_000_000;

/// Codes from here on are places in the column of wide values.
pub const WIDE_FROM: u32 = 0xf000_0000;

/// Core's compression: decimal exponent up to nine, last digit, the rest.
#[must_use]
pub const fn compress(sat: u64) -> u64 {
    if sat == 0 {
        return 0;
    }
    let (mut n, mut e) = (sat, 0);
    while n.is_multiple_of(10) && e < 9 {
        n /= 10;
        e += 1;
    }
    if e < 9 {
        let d = n % 10; // 1 to 9
        1 + (n / 10 * 9 + d - 1) * 10 + e
    } else {
        1 + (n - 1) * 10 + 9
    }
}

/// What [`compress`] was given; wraps on codes that it never makes (they are bounded before: below 2^32).
#[must_use]
pub const fn decompress(code: u64) -> u64 {
    if code == 0 {
        return 0;
    }
    let code = code - 1;
    let (e, rest) = (code % 10, code / 10);
    let n = if e < 9 { rest / 9 * 10 + rest % 9 + 1 } else { rest + 1 };
    // From a table: nine dependent multiplications would be felt in every trace.
    const TENS: [u64; 10] =
        [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
    #[expect(clippy::indexing_slicing, reason = "e is a remainder of ten")]
    n.wrapping_mul(TENS[crate::num::index(e)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_of_core() {
        // From Core's src/test/compress_tests.cpp.
        for (sat, code) in [
            (0, 0x0),
            (1, 0x1),
            (1_000_000, 0x7),
            (100_000_000, 0x9),
            (5_000_000_000, 0x32),
            (MAX_MONEY_SAT, 0x1406f40),
        ] {
            assert_eq!(compress(sat), code, "{sat}");
            assert_eq!(decompress(code), sat, "{code}");
        }
    }

    #[test]
    fn every_amount_comes_back() {
        let mut sat = 1;
        while sat < MAX_MONEY_SAT {
            for near in [sat - 1, sat, sat + 1, sat + 9] {
                assert_eq!(decompress(compress(near)), near);
            }
            sat = sat * 7 / 3 + 1;
        }
    }
}
