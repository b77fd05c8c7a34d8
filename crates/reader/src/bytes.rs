//! Bytes one after the other.

use crate::{ReadError, fail};

pub(crate) struct Bytes<'a> {
    all: &'a [u8],
    pos: usize,
}

impl<'a> Bytes<'a> {
    pub(crate) const fn new(all: &'a [u8]) -> Self {
        Self { all, pos: 0 }
    }

    pub(crate) const fn pos(&self) -> usize {
        self.pos
    }

    pub(crate) const fn left(&self) -> usize {
        self.all.len() - self.pos
    }

    pub(crate) const fn is_end(&self) -> bool {
        self.left() == 0
    }

    pub(crate) fn next(&mut self, n: usize) -> Result<&'a [u8], ReadError> {
        if n > self.left() {
            return fail(self.pos, format!("{n} bytes expected, {} left", self.left()));
        }
        let part = self.all.get(self.pos..self.pos + n).unwrap_or_default();
        self.pos += n;
        Ok(part)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, ReadError> {
        Ok(self.next(1)?.iter().fold(0, |_, b| *b))
    }

    /// A little-endian number of `n` bytes, at most eight.
    pub(crate) fn number(&mut self, n: usize) -> Result<u64, ReadError> {
        Ok(self.next(n)?.iter().rev().fold(0, |value, b| value << 8 | u64::from(*b)))
    }

    pub(crate) fn hash(&mut self) -> Result<[u8; 32], ReadError> {
        let mut out = [0; 32];
        out.copy_from_slice(self.next(32)?);
        Ok(out)
    }

    /// Bitcoin's compact size, in its shortest form only.
    pub(crate) fn size(&mut self) -> Result<usize, ReadError> {
        let at = self.pos;
        let (value, low) = match self.byte()? {
            0xfd => (self.number(2)?, 0xfd),
            0xfe => (self.number(4)?, 1 << 16),
            0xff => (self.number(8)?, 1 << 32),
            n => (u64::from(n), 0),
        };
        if value < low {
            return fail(at, "length is not in its shortest form");
        }
        match usize::try_from(value) {
            Ok(size) => Ok(size),
            Err(_) => fail(at, "length"),
        }
    }

    /// Bytes after their length.
    pub(crate) fn sized(&mut self) -> Result<&'a [u8], ReadError> {
        let n = self.size()?;
        self.next(n)
    }
}

pub(crate) fn put_size(n: usize, out: &mut Vec<u8>) {
    let n = n as u64;
    let le = n.to_le_bytes();
    let width = match n {
        0..=0xfc => 1,
        0xfd..=0xffff => {
            out.push(0xfd);
            2
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xfe);
            4
        }
        _ => {
            out.push(0xff);
            8
        }
    };
    out.extend(le.iter().take(width));
}
