//! Runs as a bit vector with rank and select: one bit an output (or input), set where a transaction begins.
//!
//! It answers both ways in about one cache line: which transaction has output *o* (rank), and where the outputs of
//! transaction *t* begin (select). Lines are 64 bytes: a count of the ones before the line, then 448 bits.
#![expect(
    clippy::indexing_slicing,
    reason = "hot path; places are checked by `View::new` and by the callers' counts"
)]

use crate::num::index;

/// Bits in a line.
pub const LINE_BITS: u64 = 448;
/// Words in a line.
pub const LINE_WORDS: usize = 8;
/// Every how many ones a sample tells the line.
pub const SAMPLE: u64 = 256;

/// Makes lines as bits come.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    /// Bits so far.
    len: u64,
    /// Ones so far.
    ones: u64,
    line: [u64; LINE_WORDS],
}

impl Writer {
    /// Goes on after `len` bits with `ones` ones, of which the last line, if it is not full, is given.
    #[must_use]
    pub const fn resume(len: u64, ones: u64, line: [u64; LINE_WORDS]) -> Self {
        Self { len, ones, line }
    }

    /// Adds a run of `n` bits of which the first is set. Full lines go to `out`.
    pub fn run(&mut self, n: u64, out: &mut impl FnMut([u64; LINE_WORDS])) {
        if n == 0 {
            return;
        }
        let at = self.len % LINE_BITS;
        if at == 0 {
            self.line = [0; LINE_WORDS];
            self.line[0] = self.ones;
        }
        self.line[1 + index(at / 64)] |= 1 << (at % 64);
        self.ones += 1;
        let mut left = n;
        loop {
            let room = LINE_BITS - self.len % LINE_BITS;
            let step = left.min(room);
            self.len += step;
            left -= step;
            if step == room {
                out(self.line);
            }
            if left == 0 {
                return;
            }
            self.line = [0; LINE_WORDS];
            self.line[0] = self.ones;
        }
    }

    /// The last line, if it is not full.
    #[must_use]
    pub fn tail(&self) -> Option<[u64; LINE_WORDS]> {
        (!self.len.is_multiple_of(LINE_BITS)).then_some(self.line)
    }
}

/// Cuts lines to `len` bits.
pub fn cut(lines: &mut Vec<u64>, len: u64) {
    lines.truncate(index(len.div_ceil(LINE_BITS)) * LINE_WORDS);
    let over = len % LINE_BITS;
    if over == 0 || lines.len() < LINE_WORDS {
        return;
    }
    let last = lines.len() - LINE_WORDS + 1;
    for (at, word) in lines[last..].iter_mut().enumerate() {
        let keep = over.saturating_sub(at as u64 * 64).min(64);
        if keep < 64 {
            *word &= (1 << keep) - 1;
        }
    }
}

/// Lines, to ask.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    lines: &'a [u64],
    len: u64,
    ones: u64,
    samples: &'a [u32],
}

impl<'a> View<'a> {
    /// Over lines with `len` bits and `ones` ones; `None` if sizes don't fit together.
    #[must_use]
    pub fn new(lines: &'a [u64], len: u64, ones: u64, samples: &'a [u32]) -> Option<Self> {
        let wanted = index(len.div_ceil(LINE_BITS)) * LINE_WORDS;
        let sampled = index(ones.div_ceil(SAMPLE));
        (lines.len() == wanted && samples.len() == sampled).then_some(Self {
            lines,
            len,
            ones,
            samples,
        })
    }

    /// Which run has bit `at`, counted from 0. `at` is below the length.
    #[must_use]
    #[inline]
    pub fn run_of(&self, at: u64) -> u64 {
        let line = index(at / LINE_BITS) * LINE_WORDS;
        let in_line = at % LINE_BITS;
        let (word, bit) = (index(in_line / 64), in_line % 64);
        let line = &self.lines[line..line + LINE_WORDS];
        let mut ones = line[0];
        for full in &line[1..=word] {
            ones = ones.wrapping_add(u64::from(full.count_ones()));
        }
        ones =
            ones.wrapping_add(u64::from((line[1 + word] & (u64::MAX >> (63 - bit))).count_ones()));
        ones.wrapping_sub(1) // a damaged count gives a run that does not exist, never a panic
    }

    /// The bits of run `run`: from its first to the next one's.
    #[must_use]
    #[inline]
    pub fn range(&self, run: u64) -> std::ops::Range<u64> {
        let start = self.select(run);
        let end = self.next_one(start + 1); // nearly always in the same line
        start..end
    }

    /// The place of one number `run`.
    fn select(&self, run: u64) -> u64 {
        let lines = self.lines.len() / LINE_WORDS;
        // A damaged sample must not lead outside.
        let mut line = (self.samples[index(run / SAMPLE)] as usize).min(lines.saturating_sub(1));
        // INVARIANT: the sampled line holds the one sampled, so its count is at most `run`.
        while line + 1 < lines && self.lines[(line + 1) * LINE_WORDS] <= run {
            line += 1;
        }
        let words = &self.lines[line * LINE_WORDS..(line + 1) * LINE_WORDS];
        let mut left = run.wrapping_sub(words[0]);
        for (at, word) in words[1..].iter().enumerate() {
            let ones = u64::from(word.count_ones());
            if left < ones {
                let bit = select_in_word(*word, left);
                return line as u64 * LINE_BITS + at as u64 * 64 + bit;
            }
            left -= ones;
        }
        self.len // only in a damaged file: an empty range
    }

    fn next_one(&self, from: u64) -> u64 {
        let mut at = from;
        while at < self.len {
            let in_line = at % LINE_BITS;
            let word = self.lines[index(at / LINE_BITS) * LINE_WORDS + 1 + index(in_line / 64)];
            let rest = word >> (in_line % 64);
            if rest != 0 {
                return at + u64::from(rest.trailing_zeros());
            }
            at += 64 - in_line % 64;
        }
        self.len
    }

    /// Makes the samples of lines: the line of every 256th one.
    #[must_use]
    pub fn samples(lines: &[u64], ones: u64) -> Vec<u32> {
        let mut samples = Vec::with_capacity(index(ones.div_ceil(SAMPLE)));
        let mut next = 0;
        for (at, line) in lines.chunks_exact(LINE_WORDS).enumerate() {
            let here: u64 = line[1..].iter().map(|w| u64::from(w.count_ones())).sum();
            while next < line[0] + here && next < ones {
                samples.push(u32::try_from(at).unwrap_or(u32::MAX)); // 2^32 lines are 1.9e12 outputs
                next += SAMPLE;
            }
        }
        samples
    }

    /// Whether every line counts right. For verification; a wrong count would answer wrongly.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let mut ones = 0;
        for line in self.lines.chunks_exact(LINE_WORDS) {
            if line[0] != ones {
                return false;
            }
            ones += line[1..].iter().map(|w| u64::from(w.count_ones())).sum::<u64>();
        }
        ones == self.ones
            && (self.len == 0 || self.lines[1] & 1 == 1)
            && Self::samples(self.lines, self.ones) == self.samples
    }
}

/// Runs asked in rising order: from one to a near one it is a short walk over words at hand instead of a search.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    view: View<'a>,
    /// A run, and where it begins.
    run: u64,
    bit: u64,
    /// The word that has this bit, by its place in the lines; the ones in it that are later; the bit it begins with.
    at: usize,
    later: u64,
    base: u64,
}

/// Runs further ahead are searched for.
const NEAR: u64 = 256;

impl<'a> Cursor<'a> {
    /// At the first run.
    #[must_use]
    pub fn new(view: View<'a>) -> Self {
        let mut cursor = Self { view, run: 0, bit: 0, at: 0, later: 0, base: 0 };
        cursor.seat(0, 0);
        cursor
    }

    /// The bits of run `run`, as [`View::range`].
    #[inline]
    pub fn range(&mut self, run: u64) -> std::ops::Range<u64> {
        match run.wrapping_sub(self.run) {
            0 => {}
            ahead @ 1..NEAR => self.skip(ahead),
            _ => self.seat(run, self.view.select(run)),
        }
        let start = self.bit;
        self.skip(1);
        self.run = run + 1;
        start..self.bit
    }

    /// Stands at run `run`, which begins with `bit`.
    fn seat(&mut self, run: u64, bit: u64) {
        let in_line = bit % LINE_BITS;
        (self.run, self.bit) = (run, bit);
        self.at = index(bit / LINE_BITS) * LINE_WORDS + 1 + index(in_line / 64);
        self.base = bit - bit % LINE_BITS % 64;
        let word = self.view.lines.get(self.at).copied().unwrap_or(0);
        self.later = word & (u64::MAX << (in_line % 64)) & !(1 << (in_line % 64));
    }

    /// Goes on to the `n`th later one, 1 for the next; past the last one to the end.
    #[inline]
    fn skip(&mut self, n: u64) {
        let mut left = n - 1;
        loop {
            let ones = u64::from(self.later.count_ones());
            if left < ones {
                for _ in 0..left {
                    self.later &= self.later - 1;
                }
                let bit = self.base + u64::from(self.later.trailing_zeros());
                self.later &= self.later - 1;
                self.bit = bit.min(self.view.len); // beyond it only in a damaged file
                return;
            }
            left -= ones;
            self.at += 1;
            self.at += usize::from(self.at.is_multiple_of(LINE_WORDS)); // a line begins with its count
            self.base += 64;
            let Some(word) = self.view.lines.get(self.at) else {
                (self.later, self.bit) = (0, self.view.len);
                return;
            };
            self.later = *word;
        }
    }
}

/// The place of the `n`th one of a word, `n` below its count.
fn select_in_word(mut word: u64, n: u64) -> u64 {
    for _ in 0..n {
        word &= word - 1;
    }
    u64::from(word.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back_as_a_plain_list_has_them() {
        // Lengths that end before, at and after lines, and one longer than several lines.
        let mut state = 7_u64;
        let mut runs = vec![448, 1, 447, 449, 2000, 1, 1, 64, 63, 65];
        for _ in 0..5000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            runs.push(1 + (state >> 60));
        }
        let mut lines = Vec::new();
        let mut writer = Writer::default();
        for run in &runs {
            writer.run(*run, &mut |line| lines.extend_from_slice(&line));
        }
        lines.extend(writer.tail().into_iter().flatten());
        let len = runs.iter().sum();
        let samples = View::samples(&lines, runs.len() as u64);
        let view = View::new(&lines, len, runs.len() as u64, &samples).unwrap();
        assert!(view.is_sound());
        let mut start = 0;
        for (at, run) in runs.iter().enumerate() {
            assert_eq!(view.range(at as u64), start..start + run, "run {at}");
            for bit in [start, start + run - 1, start + run / 2] {
                assert_eq!(view.run_of(bit), at as u64, "bit {bit}");
            }
            start += run;
        }
        // In rising order by steps of any size, and back again.
        for step in [1, 2, 3, 17, 300, 1000] {
            let mut cursor = Cursor::new(view);
            for run in (0..runs.len() as u64).step_by(step).chain([0, 5]) {
                assert_eq!(cursor.range(run), view.range(run), "step {step}, run {run}");
            }
        }
        assert!(View::new(&lines, len + 448, runs.len() as u64, &samples).is_none());
    }
}
