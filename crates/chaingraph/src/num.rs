//! Numbers of things, one type each, so that a transaction's number is never taken for an output's.

use std::fmt;

/// Makes a number type over an unsigned integer.
macro_rules! number {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(pub $int);

        impl $name {
            /// As an index into a column.
            #[must_use]
            pub const fn idx(self) -> usize {
                #[allow(clippy::unnecessary_cast, clippy::cast_lossless, reason = "some are 64 bits wide already")]
                index(self.0 as u64)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// A block's place in the graph, from 0. It is the height only where the graph begins at genesis.
    BlockNum(u32)
}
number! {
    /// A transaction's place in the graph, in chain order, from 0. 2^32 transactions last until about 2040.
    TxNum(u32)
}
number! {
    /// An output's place in the graph, in chain order. 40 bits on disk: outputs pass 2^32 around 2028.
    OutputNum(u64)
}
number! {
    /// An input's place in the graph, in chain order; a coinbase has one.
    InputNum(u64)
}
number! {
    /// A script's number, by first appearance in chain order. Data outputs (`OP_RETURN`) have none.
    ScriptNum(u32)
}
number! {
    /// A coin that an input spends and whose transaction is not in the graph.
    ExternalNum(u64)
}

/// A row count or index as `usize`: columns are mapped, so they are as large as the address space at most.
#[must_use]
pub const fn index(n: u64) -> usize {
    const { assert!(size_of::<usize>() == 8) };
    #[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits, asserted above")]
    let at = n as usize;
    at
}

/// What an input spends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prevout {
    /// An output of the graph.
    Held(OutputNum),
    /// A coin made before the graph begins, or in a hole of it.
    External(ExternalNum),
    /// Nothing: new coins.
    Coinbase,
}

impl Prevout {
    /// Set in a code that counts external coins.
    const EXTERNAL: u64 = 1 << 39;
    const COINBASE: u64 = (1 << 40) - 1;

    /// The 40 bits on disk.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::Held(output) => output.0,
            Self::External(external) => Self::EXTERNAL | external.0,
            Self::Coinbase => Self::COINBASE,
        }
    }

    /// Reads a 40-bit code.
    #[must_use]
    pub const fn from_code(code: u64) -> Self {
        match code {
            Self::COINBASE => Self::Coinbase,
            code if code & Self::EXTERNAL != 0 => {
                Self::External(ExternalNum(code & !Self::EXTERNAL))
            }
            code => Self::Held(OutputNum(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back() {
        for prevout in [
            Prevout::Held(OutputNum(0)),
            Prevout::Held(OutputNum((1 << 39) - 1)),
            Prevout::External(ExternalNum(0)),
            Prevout::External(ExternalNum((1 << 39) - 2)),
            Prevout::Coinbase,
        ] {
            assert_eq!(Prevout::from_code(prevout.code()), prevout);
            assert!(prevout.code() < 1 << 40);
        }
    }
}
