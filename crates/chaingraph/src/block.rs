//! One block's bytes, taken apart into flat lists. Nothing is judged here but form, txids and the merkle root.

use bitcoin_hashes::{Hash as _, HashEngine as _, sha256d};

use crate::amount::MAX_MONEY_SAT;
use crate::header::{HEADER_LEN, Hash, Header, merkle_root};
use crate::script::{HashKey, Packed};

/// No block has more bytes: the weight limit of BIP 141 is four million, and a byte weighs one at least.
pub const MAX_BLOCK_LEN: usize = 4_000_000;

/// What is wrong with a block's bytes, and where in them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what} at byte {at} of the block")]
pub struct Fault {
    /// Bytes from the block's first.
    pub at: usize,
    /// The finding.
    pub what: &'static str,
}

/// An input as the block has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Input {
    /// The transaction whose output is spent.
    pub txid: Hash,
    /// Which of its outputs.
    pub vout: u32,
}

/// An output as the block has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Output {
    /// Amount in satoshi, at most 21 million bitcoin.
    pub value_sat: u64,
    /// The script's tag; `None` for data outputs.
    pub tag: Option<u8>,
    start: u32,
    len: u32,
    /// The script's lookup hash; 0 for data outputs.
    pub hash: u64,
}

/// A transaction's share of the lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tx {
    /// Its txid.
    pub txid: Hash,
    /// How many inputs.
    pub inputs: u32,
    /// How many outputs.
    pub outputs: u32,
    /// What tells wallets apart.
    pub traits: Traits,
}

/// Habits of the software that made a transaction, in a byte.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Traits(pub u8);

impl Traits {
    /// Version 1, 2, 3, or 0 for any other.
    #[must_use]
    pub const fn version(self) -> u8 {
        self.0 & 3
    }
    /// A lock time other than 0.
    #[must_use]
    pub const fn has_locktime(self) -> bool {
        self.0 & 4 != 0
    }
    /// 0: every sequence is `ffffffff`; 1: every one `fffffffe`; 2: every one the same and below; 3: mixed.
    #[must_use]
    pub const fn sequences(self) -> u8 {
        (self.0 >> 3) & 3
    }
    /// A witness stands on some input.
    #[must_use]
    pub const fn has_witness(self) -> bool {
        self.0 & 32 != 0
    }
    /// Two or more inputs, in the order of BIP 69.
    #[must_use]
    pub const fn sorted_inputs(self) -> bool {
        self.0 & 64 != 0
    }
    /// Two or more outputs, in the order of BIP 69.
    #[must_use]
    pub const fn sorted_outputs(self) -> bool {
        self.0 & 128 != 0
    }
}

/// A script that an input reveals: its place in the block's bytes, and that of the push before it, which is the key
/// that signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reveal {
    /// The input, counted in the block.
    pub input: u32,
    /// The key.
    pub key: std::ops::Range<usize>,
    /// The script.
    pub script: std::ops::Range<usize>,
}

/// A block, taken apart. The lists are reused from block to block.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The block's bytes.
    pub bytes: Vec<u8>,
    /// The header.
    pub header: Option<Header>,
    /// Transactions in order.
    pub txs: Vec<Tx>,
    /// Their inputs, one list after the other.
    pub inputs: Vec<Input>,
    /// Their outputs, one list after the other.
    pub outputs: Vec<Output>,
    /// Scripts that a spend reveals and that say more than their hash does.
    pub reveals: Vec<Reveal>,
}

impl Parsed {
    /// Takes apart what lies in `bytes`, all of it.
    ///
    /// # Errors
    /// The first fault of form, or a merkle root that the transactions don't give.
    pub fn parse(&mut self, key: HashKey) -> Result<(), Fault> {
        self.txs.clear();
        self.inputs.clear();
        self.outputs.clear();
        self.reveals.clear();
        let bytes = std::mem::take(&mut self.bytes);
        let result = self.parse_bytes(&bytes, key);
        self.bytes = bytes;
        result
    }

    fn parse_bytes(&mut self, bytes: &[u8], key: HashKey) -> Result<(), Fault> {
        if bytes.len() > MAX_BLOCK_LEN {
            return Err(Fault { at: MAX_BLOCK_LEN, what: "more bytes than a block may have" });
        }
        let header = Header::parse(bytes).ok_or(Fault { at: 0, what: "no whole header" })?;
        self.header = Some(header);
        let mut cursor = Cursor { bytes, at: HEADER_LEN };
        let count = cursor.count(60)?;
        for _ in 0..count {
            self.tx(&mut cursor, key)?;
        }
        if cursor.at != bytes.len() {
            return Err(Fault { at: cursor.at, what: "bytes after the last transaction" });
        }
        self.check_coinbases()?;
        let txids = self.txs.iter().map(|tx| tx.txid).collect();
        if merkle_root(txids) != Some(header.merkle_root) {
            return Err(Fault { at: 36, what: "the merkle root is not that of the transactions" });
        }
        Ok(())
    }

    /// The first transaction, and only it, spends nothing.
    fn check_coinbases(&self) -> Result<(), Fault> {
        let fault = |what| Err(Fault { at: HEADER_LEN, what });
        match self.txs.first() {
            None => return fault("no transaction"),
            Some(first) if first.inputs != 1 => return fault("a coinbase with several inputs"),
            Some(_) => {}
        }
        let is_null = |input: &Input| input.txid == [0; 32] && input.vout == u32::MAX;
        match self.inputs.split_first() {
            Some((first, rest)) if is_null(first) => {
                if rest.iter().any(is_null) {
                    fault("a second coinbase input")
                } else {
                    Ok(())
                }
            }
            _ => fault("the first transaction is not a coinbase"),
        }
    }

    fn tx(&mut self, cursor: &mut Cursor<'_>, key: HashKey) -> Result<(), Fault> {
        let start = cursor.at;
        let version = cursor.u32()?;
        let body = cursor.at;
        // BIP 144: a marker of zero where the count of inputs would stand, and a flag of one.
        let segwit = cursor.bytes.get(body..body + 2) == Some(&[0, 1]);
        if segwit {
            cursor.at += 2;
        }
        let lists = cursor.at;
        let first_input = self.inputs.len();
        let mut sequences = Sequences::default();
        let inputs = cursor.count(41)?;
        for _ in 0..inputs {
            let txid = cursor.array()?;
            let vout = cursor.u32()?;
            let script = cursor.count(1)?;
            let script_at = cursor.at;
            if let Some((key, script)) = nested_deposit(cursor.take(script)?) {
                let shift = |r: std::ops::Range<usize>| r.start + script_at..r.end + script_at;
                self.reveal(self.inputs.len(), shift(key), shift(script));
            }
            sequences.add(cursor.u32()?);
            self.inputs.push(Input { txid, vout });
        }
        let first_output = self.outputs.len();
        let outputs = cursor.count(9)?;
        for _ in 0..outputs {
            let output = self.output(cursor, key)?;
            self.outputs.push(output);
        }
        if inputs == 0 || outputs == 0 {
            return Err(Fault { at: start, what: "a transaction without inputs or outputs" });
        }
        let lists_end = cursor.at;
        let mut has_witness = false;
        if segwit {
            for input in first_input..self.inputs.len() {
                has_witness |= self.witness(cursor, input)?;
            }
            if !has_witness {
                return Err(Fault { at: body, what: "a witness flag without witnesses" });
            }
        }
        let locktime = cursor.u32()?;
        let txid = if segwit {
            let mut engine = sha256d::Hash::engine();
            engine.input(cursor.between(start, body));
            engine.input(cursor.between(lists, lists_end));
            engine.input(cursor.between(cursor.at - 4, cursor.at));
            sha256d::Hash::from_engine(engine).to_byte_array()
        } else {
            sha256d::Hash::hash(cursor.between(start, cursor.at)).to_byte_array()
        };
        let traits = u8::try_from(version).ok().filter(|v| (1..=3).contains(v)).unwrap_or(0)
            | u8::from(locktime != 0) << 2
            | sequences.code() << 3
            | u8::from(has_witness) << 5
            | u8::from(sorted_inputs(self.inputs.get(first_input..).unwrap_or_default())) << 6
            | u8::from(self.sorted_outputs(first_output, cursor.bytes)) << 7;
        self.txs.push(Tx {
            txid,
            inputs: u32::try_from(inputs).unwrap_or(u32::MAX), // a block has 4,000,000 bytes
            outputs: u32::try_from(outputs).unwrap_or(u32::MAX),
            traits: Traits(traits),
        });
        Ok(())
    }

    fn output(&self, cursor: &mut Cursor<'_>, key: HashKey) -> Result<Output, Fault> {
        let at = cursor.at;
        let value_sat = u64::from_le_bytes(cursor.array()?);
        if value_sat > MAX_MONEY_SAT {
            return Err(Fault { at, what: "an amount over 21 million bitcoin" });
        }
        let len = cursor.count(1)?;
        let script_at = cursor.at;
        let script = cursor.take(len)?;
        let (tag, hash, payload) = match Packed::of(script) {
            Some(packed) => (Some(packed.tag), packed.hash(key), packed.payload),
            None => (None, 0, script),
        };
        let skip = tag.map_or(0, Packed::payload_at);
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX); // below 4,000,000
        Ok(Output {
            value_sat,
            tag,
            start: place(script_at + skip),
            len: place(payload.len()),
            hash,
        })
    }

    /// Skips an input's witness; notes a script that the graph keeps. Returns whether there are items.
    fn witness(&mut self, cursor: &mut Cursor<'_>, input: usize) -> Result<bool, Fault> {
        let items = cursor.count(1)?;
        let (mut before, mut last) = (0..0, 0..0);
        for _ in 0..items {
            let len = cursor.count(1)?;
            before = last;
            last = cursor.at..cursor.at + len;
            cursor.take(len)?;
        }
        if items >= 2 && is_deposit(cursor.between(last.start, last.end)) {
            self.reveal(input, before, last);
        }
        Ok(items > 0)
    }

    fn reveal(
        &mut self,
        input: usize,
        key: std::ops::Range<usize>,
        script: std::ops::Range<usize>,
    ) {
        let input = u32::try_from(input).unwrap_or(u32::MAX); // a block has 4,000,000 bytes
        self.reveals.push(Reveal { input, key, script });
    }

    fn sorted_outputs(&self, first: usize, bytes: &[u8]) -> bool {
        let outputs = self.outputs.get(first..).unwrap_or_default();
        let script = |o: &Output| {
            // Payloads of one tag sort as their scripts do; different tags sort by the script's first bytes.
            let at = o.start as usize;
            (o.tag, bytes.get(at..at + o.len as usize).unwrap_or_default().to_vec())
        };
        let key = |tag: Option<u8>| match tag {
            Some(2 | 3) => 0_u8,
            Some(5 | 6) => 0x21,
            Some(7) => 0x41,
            Some(4) => 0x51,
            None => 0x6a,
            Some(0) => 0x76,
            Some(1) => 0xa9,
            Some(_) => 0xff,
        };
        outputs.len() >= 2
            && outputs.windows(2).all(|pair| match pair {
                [a, b] if a.value_sat == b.value_sat => {
                    let ((ta, a), (tb, b)) = (script(a), script(b));
                    (key(ta), a) <= (key(tb), b)
                }
                [a, b] => a.value_sat < b.value_sat,
                _ => true,
            })
    }

    /// An output's script, packed; `None` for data outputs.
    #[must_use]
    pub fn packed(&self, output: &Output) -> Option<Packed<'_>> {
        Some(Packed { tag: output.tag?, payload: self.payload(output) })
    }

    /// An output's payload; of data outputs, the whole script.
    #[must_use]
    pub fn payload(&self, output: &Output) -> &[u8] {
        let at = output.start as usize;
        self.bytes.get(at..at + output.len as usize).unwrap_or_default()
    }
}

/// A deposit to tBTC in its revealed form: `<depositor> OP_DROP <blinding factor> OP_DROP OP_DUP OP_HASH160
/// <wallet key hash> OP_EQUAL OP_IF OP_CHECKSIG OP_ELSE …` (`trace` reads the rest of it).
#[must_use]
pub fn is_deposit(script: &[u8]) -> bool {
    let after_depositor = match script {
        [20, rest @ ..] => rest.get(20..),
        _ => None,
    };
    let Some([0x75, rest @ ..]) = after_depositor else { return false };
    let rest = match rest {
        // A deposit with extra data has a third push of 32 bytes before the blinding factor.
        [32, extra @ ..] => match extra.get(32..) {
            Some([0x75, rest @ ..]) => rest,
            _ => return false,
        },
        rest => rest,
    };
    matches!(rest, [8, after @ ..] if matches!(after.get(8..12), Some([0x75, 0x76, 0xa9, 20])))
}

/// A deposit in the older form: the last push of an input script is the deposit's script, the one before it the key.
fn nested_deposit(script: &[u8]) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    [92_usize, 126].into_iter().find_map(|len| {
        let start = script.len().checked_sub(len)?;
        let pushed = script.get(start.checked_sub(2)?..start)?;
        let key = start.checked_sub(2 + 33)?..start - 2;
        let is_key = script.get(key.start.checked_sub(1)?) == Some(&33);
        let fits = *pushed == [0x4c, u8::try_from(len).ok()?]
            && is_key
            && is_deposit(script.get(start..)?);
        fits.then_some((key, start..script.len()))
    })
}

/// What the sequences of a transaction have in common.
#[derive(Default)]
struct Sequences {
    first: Option<u32>,
    mixed: bool,
}

impl Sequences {
    fn add(&mut self, sequence: u32) {
        let first = *self.first.get_or_insert(sequence);
        self.mixed |= first != sequence;
    }

    fn code(&self) -> u8 {
        match self.first {
            _ if self.mixed => 3,
            Some(u32::MAX) | None => 0,
            Some(0xffff_fffe) => 1,
            Some(_) => 2,
        }
    }
}

fn sorted_inputs(inputs: &[Input]) -> bool {
    // BIP 69 compares txids as they are shown: reversed.
    let key = |input: &Input| (input.txid.iter().rev().copied().collect::<Vec<_>>(), input.vout);
    inputs.len() >= 2
        && inputs.windows(2).all(|pair| match pair {
            [a, b] => match a.txid.iter().rev().cmp(b.txid.iter().rev()) {
                std::cmp::Ordering::Less => true,
                std::cmp::Ordering::Equal => key(a) <= key(b),
                std::cmp::Ordering::Greater => false,
            },
            _ => true,
        })
}

/// Reads forward and knows where it is.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(len);
        let piece = end.and_then(|end| self.bytes.get(self.at..end));
        let piece = piece.ok_or(Fault { at: self.at, what: "the block ends too early" })?;
        self.at += len;
        Ok(piece)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let fault = Fault { at: self.at, what: "the block ends too early" };
        self.take(N)?.first_chunk().copied().ok_or(fault)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    /// A compact size that counts things of at least `least` bytes each; more than can follow is a fault here, not later.
    fn count(&mut self, least: usize) -> Result<usize, Fault> {
        let at = self.at;
        let [first] = self.array()?;
        let (value, floor) = match first {
            0xfd => (u64::from(u16::from_le_bytes(self.array()?)), 0xfd),
            0xfe => (u64::from(u32::from_le_bytes(self.array()?)), 0x1_0000),
            0xff => (u64::from_le_bytes(self.array()?), 0x1_0000_0000),
            small => (u64::from(small), 0),
        };
        if value < floor {
            return Err(Fault { at, what: "a number that is longer than it needs to be" });
        }
        let left = self.bytes.len() - self.at;
        match usize::try_from(value).ok().filter(|n| n.saturating_mul(least) <= left) {
            Some(count) => Ok(count),
            None => Err(Fault { at, what: "more is announced than the block has" }),
        }
    }

    fn between(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }
}

/// The height that a coinbase names (BIP 34), read from a block's first bytes. `None` where there is none to trust:
/// blocks of version 1 have none.
#[must_use]
pub fn coinbase_height(bytes: &[u8]) -> Option<u32> {
    let header = Header::parse(bytes)?;
    if header.version < 2 {
        return None;
    }
    let mut cursor = Cursor { bytes, at: HEADER_LEN };
    cursor.count(0).ok()?;
    cursor.u32().ok()?;
    if cursor.bytes.get(cursor.at..cursor.at + 2) == Some(&[0, 1]) {
        cursor.at += 2;
    }
    if cursor.count(0).ok()? != 1 || cursor.array::<32>().ok()? != [0; 32] {
        return None;
    }
    cursor.u32().ok()?;
    cursor.count(0).ok()?;
    let [first] = cursor.array().ok()?;
    match first {
        0 => Some(0),
        op @ 0x51..=0x60 => Some(u32::from(op - 0x50)),
        len @ 1..=4 => {
            let digits = cursor.take(usize::from(len)).ok()?;
            let height = digits.iter().rev().fold(0_u32, |n, d| n << 8 | u32::from(*d));
            // A script number: minimal, and its sign bit is not set. 500,000,000 and more are times (BIP 65).
            let minimal = match digits {
                [.., before, 0] => before & 0x80 != 0,
                [.., last] => *last != 0,
                [] => false,
            };
            let positive = digits.last().is_some_and(|last| last & 0x80 == 0);
            (minimal && positive && height < 500_000_000).then_some(height)
        }
        _ => None,
    }
}
