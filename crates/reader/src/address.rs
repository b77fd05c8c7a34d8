//! Addresses of scripts.

use bech32::{Fe32, Hrp};

/// Which chain an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The real one.
    Main,
    /// Test networks.
    Test,
    /// A private chain.
    Regtest,
}

/// The address of an output script, if it has one.
pub fn address(script: &[u8], chain: Chain) -> Option<String> {
    let legacy = |main: u8, test: u8, hash: &[u8]| {
        let mut raw = vec![if chain == Chain::Main { main } else { test }];
        raw.extend(hash);
        base58ck::encode_check(&raw)
    };
    match script {
        [0x76, 0xa9, 20, hash @ .., 0x88, 0xac] if hash.len() == 20 => Some(legacy(0, 111, hash)),
        [0xa9, 20, hash @ .., 0x87] if hash.len() == 20 => Some(legacy(5, 196, hash)),
        [version @ (0 | 0x51..=0x60), length, program @ ..]
            if program.len() == usize::from(*length) && (2..=40).contains(&program.len()) =>
        {
            let hrp = Hrp::parse(match chain {
                Chain::Main => "bc",
                Chain::Test => "tb",
                Chain::Regtest => "bcrt",
            });
            let version = Fe32::try_from(if *version == 0 { 0 } else { version - 0x50 }).ok()?;
            bech32::segwit::encode(hrp.ok()?, version, program).ok()
        }
        _ => None,
    }
}
