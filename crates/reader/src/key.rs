//! Extended public keys (BIP-32): parsing and unhardened derivation.

use bitcoin_hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, hash160, sha512};
use secp256k1::{PublicKey, Scalar, Secp256k1, VerifyOnly};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Xpub {
    pub(crate) point: PublicKey,
    pub(crate) chain: [u8; 32],
    pub(crate) main_net: bool,
}

impl Xpub {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let raw = base58ck::decode_check(text).ok()?;
        let (version, rest) = raw.split_at_checked(4)?;
        let main_net = match version {
            [0x04, 0x88, 0xb2, 0x1e] => true,
            [0x04, 0x35, 0x87, 0xcf] => false,
            _ => return None,
        };
        if rest.len() != 74 {
            return None;
        }
        let chain = rest.get(9..41)?.try_into().ok()?;
        let point = PublicKey::from_slice(rest.get(41..74)?).ok()?;
        Some(Self { point, chain, main_net })
    }

    pub(crate) fn fingerprint(&self) -> [u8; 4] {
        let hash = hash160::Hash::hash(&self.point.serialize()).to_byte_array();
        hash.first_chunk().copied().unwrap_or_default()
    }

    /// The child with an unhardened index.
    pub(crate) fn child(&self, index: u32, secp: &Secp256k1<VerifyOnly>) -> Option<Self> {
        if index >= 1 << 31 {
            return None;
        }
        let mut engine = HmacEngine::<sha512::Hash>::new(&self.chain);
        engine.input(&self.point.serialize());
        engine.input(&index.to_be_bytes());
        let mac = Hmac::<sha512::Hash>::from_engine(engine).to_byte_array();
        let (left, right) = mac.split_at(32);
        let tweak = Scalar::from_be_bytes(left.try_into().ok()?).ok()?;
        let point = self.point.add_exp_tweak(secp, &tweak).ok()?;
        Some(Self { point, chain: right.try_into().ok()?, main_net: self.main_net })
    }
}
