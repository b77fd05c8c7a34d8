//! Scripts as the graph keeps them: a tag and what the tag does not say already.

/// The common shapes of an output script.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ScriptKind {
    /// Pay to public key hash.
    P2pkh,
    /// Pay to script hash (BIP 16).
    P2sh,
    /// Version 0, 20 bytes (BIP 141).
    P2wpkh,
    /// Version 0, 32 bytes (BIP 141).
    P2wsh,
    /// Version 1, 32 bytes (BIP 341).
    P2tr,
    /// Pay to public key, of either length.
    P2pk,
    /// `OP_m key… OP_n OP_CHECKMULTISIG`, not hashed.
    BareMultisig,
    /// Another witness program.
    Witness,
    /// `OP_RETURN`: data, never spent.
    Data,
    /// Everything else.
    Other,
}

impl ScriptKind {
    /// The word for it in JSON and text.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::P2pkh => "p2pkh",
            Self::P2sh => "p2sh",
            Self::P2wpkh => "p2wpkh",
            Self::P2wsh => "p2wsh",
            Self::P2tr => "p2tr",
            Self::P2pk => "p2pk",
            Self::BareMultisig => "multisig",
            Self::Witness => "witness",
            Self::Data => "op_return",
            Self::Other => "other",
        }
    }

    /// The kind of a whole script.
    #[must_use]
    pub fn of(script: &[u8]) -> Self {
        match Packed::of(script) {
            None => Self::Data,
            Some(packed) => packed.kind(),
        }
    }
}

const TAG_P2PKH: u8 = 0;
const TAG_P2SH: u8 = 1;
const TAG_P2WPKH: u8 = 2;
const TAG_P2WSH: u8 = 3;
const TAG_P2TR: u8 = 4;
const TAG_P2PK_EVEN: u8 = 5;
const TAG_P2PK_ODD: u8 = 6;
const TAG_P2PK_FULL: u8 = 7;
/// Any other script: its length as a compact size follows, then all of it.
const TAG_RAW: u8 = 8;

const OP_RETURN: u8 = 0x6a;
const OP_CHECKMULTISIG: u8 = 0xae;

/// A script as it stands in the column: the tag, and a piece of the script itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packed<'a> {
    /// Which shape.
    pub tag: u8,
    /// What the shape leaves open: a hash, a key, or all of the script.
    pub payload: &'a [u8],
}

impl<'a> Packed<'a> {
    /// Packs a script; `None` for data outputs (they begin with `OP_RETURN`), which have no number.
    #[must_use]
    pub fn of(script: &'a [u8]) -> Option<Self> {
        let (tag, payload) = match script {
            [OP_RETURN, ..] => return None,
            [0x76, 0xa9, 20, hash @ .., 0x88, 0xac] if hash.len() == 20 => (TAG_P2PKH, hash),
            [0xa9, 20, hash @ .., 0x87] if hash.len() == 20 => (TAG_P2SH, hash),
            [0x00, 20, hash @ ..] if hash.len() == 20 => (TAG_P2WPKH, hash),
            [0x00, 32, hash @ ..] if hash.len() == 32 => (TAG_P2WSH, hash),
            [0x51, 32, key @ ..] if key.len() == 32 => (TAG_P2TR, key),
            [33, 2, x @ .., 0xac] if x.len() == 32 => (TAG_P2PK_EVEN, x),
            [33, 3, x @ .., 0xac] if x.len() == 32 => (TAG_P2PK_ODD, x),
            [65, 4, xy @ .., 0xac] if xy.len() == 64 => (TAG_P2PK_FULL, xy),
            _ => (TAG_RAW, script),
        };
        Some(Self { tag, payload })
    }

    /// Bytes of payload that a tag has; `None` where a length follows.
    const fn payload_len(tag: u8) -> Option<usize> {
        match tag {
            TAG_P2PKH | TAG_P2SH | TAG_P2WPKH => Some(20),
            TAG_P2WSH | TAG_P2TR | TAG_P2PK_EVEN | TAG_P2PK_ODD => Some(32),
            TAG_P2PK_FULL => Some(64),
            _ => None,
        }
    }

    /// Where in the script its payload begins.
    #[must_use]
    pub const fn payload_at(tag: u8) -> usize {
        match tag {
            TAG_P2PKH => 3,
            TAG_RAW => 0,
            _ => 2,
        }
    }

    /// Appends it as it stands in the column; the length of a raw one as LEB128.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.tag);
        if self.tag == TAG_RAW {
            write_len(self.payload.len(), out);
        }
        out.extend_from_slice(self.payload);
    }

    /// Reads the first of the column's bytes: the script and what comes after it. `None` if the bytes are damaged.
    #[must_use]
    #[inline]
    pub fn read(column: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = column.split_first()?;
        let (len, rest) = match Self::payload_len(tag) {
            Some(len) => (len, rest),
            None if tag == TAG_RAW => read_len(rest)?,
            None => return None,
        };
        let (payload, rest) = rest.split_at_checked(len)?;
        Some((Self { tag, payload }, rest))
    }

    /// The whole script.
    #[must_use]
    pub fn script(&self) -> Vec<u8> {
        let (before, after): (&[u8], &[u8]) = match self.tag {
            TAG_P2PKH => (&[0x76, 0xa9, 20], &[0x88, 0xac]),
            TAG_P2SH => (&[0xa9, 20], &[0x87]),
            TAG_P2WPKH => (&[0x00, 20], &[]),
            TAG_P2WSH => (&[0x00, 32], &[]),
            TAG_P2TR => (&[0x51, 32], &[]),
            TAG_P2PK_EVEN => (&[33, 2], &[0xac]),
            TAG_P2PK_ODD => (&[33, 3], &[0xac]),
            TAG_P2PK_FULL => (&[65, 4], &[0xac]),
            _ => (&[], &[]),
        };
        [before, self.payload, after].concat()
    }

    /// The shape.
    #[must_use]
    pub fn kind(&self) -> ScriptKind {
        match self.tag {
            TAG_P2PKH => ScriptKind::P2pkh,
            TAG_P2SH => ScriptKind::P2sh,
            TAG_P2WPKH => ScriptKind::P2wpkh,
            TAG_P2WSH => ScriptKind::P2wsh,
            TAG_P2TR => ScriptKind::P2tr,
            TAG_P2PK_EVEN | TAG_P2PK_ODD | TAG_P2PK_FULL => ScriptKind::P2pk,
            _ if is_bare_multisig(self.payload) => ScriptKind::BareMultisig,
            _ if is_witness_program(self.payload) => ScriptKind::Witness,
            _ => ScriptKind::Other,
        }
    }

    /// The number by which the lookup table finds it: SipHash-2-4 of tag and payload.
    #[must_use]
    #[inline]
    pub fn hash(&self, key: HashKey) -> u64 {
        let mut bytes = [0_u8; 66];
        match bytes.get_mut(..=self.payload.len()) {
            Some(place) => {
                if let Some((tag, rest)) = place.split_first_mut() {
                    *tag = self.tag;
                    rest.copy_from_slice(self.payload);
                }
                siphash(key, place)
            }
            None => siphash(key, &[&[self.tag], self.payload].concat()),
        }
    }
}

/// Key of the script lookup's hash: from the graph's first block, so that equal blocks give equal files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HashKey(pub u64, pub u64);

/// Appends a length as LEB128.
fn write_len(mut len: usize, out: &mut Vec<u8>) {
    while len >= 0x80 {
        out.push(len.to_le_bytes()[0] | 0x80);
        len >>= 7;
    }
    out.push(len.to_le_bytes()[0]);
}

/// Reads a length as LEB128, and what comes after it.
#[inline]
fn read_len(mut rest: &[u8]) -> Option<(usize, &[u8])> {
    let (mut len, mut shift) = (0_usize, 0);
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        len |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some((len, rest));
        }
        if shift > 21 {
            return None; // over 2^28 bytes: no block is so large
        }
    }
}

/// A data output's script as it stands in its column: its length as LEB128, then all of it.
pub fn write_data(script: &[u8], out: &mut Vec<u8>) {
    write_len(script.len(), out);
    out.extend_from_slice(script);
}

/// Reads the first data output's script of a column, and what comes after it. `None` if the bytes are damaged.
#[must_use]
#[inline]
pub fn read_data(column: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = read_len(column)?;
    rest.split_at_checked(len)
}

fn siphash(key: HashKey, bytes: &[u8]) -> u64 {
    bitcoin_hashes::siphash24::Hash::hash_to_u64_with_keys(key.0, key.1, bytes)
}

fn is_bare_multisig(script: &[u8]) -> bool {
    let [m @ 0x51..=0x60, keys @ .., n @ 0x51..=0x60, OP_CHECKMULTISIG] = script else {
        return false;
    };
    let (mut rest, mut count) = (keys, 0_u8);
    while let [len @ (33 | 65), after @ ..] = rest {
        let Some((_, after)) = after.split_at_checked(usize::from(*len)) else { return false };
        rest = after;
        count = count.saturating_add(1);
    }
    rest.is_empty() && count == n - 0x50 && m <= n
}

fn is_witness_program(script: &[u8]) -> bool {
    // BIP 141: a version opcode and one push of 2 to 40 bytes.
    matches!(script, [0x00 | 0x51..=0x60, len @ 2..=40, program @ ..] if program.len() == usize::from(*len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(len: u8, first: u8) -> Vec<u8> {
        let mut push = vec![len, first];
        push.resize(usize::from(len) + 1, 9);
        push
    }

    #[test]
    fn every_shape_comes_back() {
        let h20 = [7_u8; 20];
        let h32 = [8_u8; 32];
        let multisig = [vec![0x51], key(33, 2), key(65, 4), vec![0x52, 0xae]].concat();
        let cases: Vec<(Vec<u8>, ScriptKind)> = vec![
            ([&[0x76, 0xa9, 20], &h20[..], &[0x88, 0xac]].concat(), ScriptKind::P2pkh),
            ([&[0xa9, 20], &h20[..], &[0x87]].concat(), ScriptKind::P2sh),
            ([&[0, 20], &h20[..]].concat(), ScriptKind::P2wpkh),
            ([&[0, 32], &h32[..]].concat(), ScriptKind::P2wsh),
            ([&[0x51, 32], &h32[..]].concat(), ScriptKind::P2tr),
            ([key(33, 2), vec![0xac]].concat(), ScriptKind::P2pk),
            ([key(33, 3), vec![0xac]].concat(), ScriptKind::P2pk),
            ([key(65, 4), vec![0xac]].concat(), ScriptKind::P2pk),
            ([key(65, 6), vec![0xac]].concat(), ScriptKind::Other), // a hybrid key
            (multisig.clone(), ScriptKind::BareMultisig),
            (multisig[..multisig.len() - 2].to_vec(), ScriptKind::Other),
            (vec![0x51, 0x02, 0x4e, 0x73], ScriptKind::Witness),
            (vec![], ScriptKind::Other),
            (vec![0xff; 300], ScriptKind::Other),
            (vec![0xff; 20_000], ScriptKind::Other),
        ];
        let mut column = Vec::new();
        for (script, kind) in &cases {
            let packed = Packed::of(script).unwrap();
            assert_eq!(packed.kind(), *kind, "{script:02x?}");
            assert_eq!(ScriptKind::of(script), *kind);
            packed.write(&mut column);
        }
        let mut rest = &column[..];
        for (script, _) in &cases {
            let (packed, after) = Packed::read(rest).unwrap();
            assert_eq!(packed.script(), *script);
            rest = after;
        }
        assert!(rest.is_empty());
        assert_eq!(ScriptKind::of(&[0x6a, 1, 1]), ScriptKind::Data);
        for cut in [0, 1, 20] {
            assert!(Packed::read(&column[..cut]).is_none());
        }
        assert!(Packed::read(&[9, 0]).is_none());
        assert!(Packed::read(&[8, 0xff, 0xff, 0xff, 0xff, 1]).is_none());
    }
}
