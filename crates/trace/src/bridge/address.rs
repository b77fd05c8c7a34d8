//! Whether a text is an address of a chain: enough to tell a destination from a name or a slip, by checksum where the
//! chain has one.

use base58ck::{decode, decode_check};

/// Chains whose addresses are Ethereum's.
const EVM: [&str; 5] = ["ETH", "AVAX", "BSC", "BASE", "ARB"];

/// Chains that a hand-over may name.
const CHAINS: [&str; 21] = [
    "BTC", "LTC", "BCH", "DOGE", "THOR", "GAIA", "XRP", "TRON", "SOL", "BNB", "MAYA", "DASH",
    "KUJI", "ZEC", "XRD", "ADA", "ETH", "AVAX", "BSC", "BASE", "ARB",
];

/// Whether a chain is one that THORChain or Maya serve.
pub fn is_chain(chain: &str) -> bool {
    CHAINS.contains(&chain)
}

/// Whether a text is an address of the chain.
pub fn is_address(chain: &str, text: &str) -> bool {
    if EVM.contains(&chain) {
        return is_evm(text);
    }
    let prefix = match chain {
        "THOR" => Some("thor"),
        "GAIA" => Some("cosmos"),
        "MAYA" => Some("maya"),
        "BTC" => Some("bc"),
        "LTC" => Some("ltc"),
        "BNB" => Some("bnb"),
        "KUJI" => Some("kujira"),
        _ => None,
    };
    if prefix.is_some_and(|prefix| is_bech32(prefix, text)) {
        return true;
    }
    match chain {
        "BTC" => is_base58(text, &[0x00, 0x05]),
        "LTC" => is_base58(text, &[0x30, 0x32, 0x05]),
        "DOGE" => is_base58(text, &[0x1e, 0x16]),
        "DASH" => is_base58(text, &[0x4c, 0x10]),
        "TRON" => is_base58(text, &[0x41]),
        "SOL" => decode(text).is_ok_and(|key| key.len() == 32),
        "BCH" => is_cash(text),
        "XRP" => text.starts_with('r') && (25..=35).contains(&text.len()),
        _ => false,
    }
}

fn is_evm(text: &str) -> bool {
    let hex = text.strip_prefix("0x");
    hex.is_some_and(|hex| hex.len() == 40 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_bech32(prefix: &str, text: &str) -> bool {
    // Segwit addresses carry a version; the others are plain Bech32 (BIP 173).
    let (hrp, ok) = match bech32::segwit::decode(text) {
        Ok((hrp, ..)) => (hrp, true),
        Err(_) => match bech32::decode(text) {
            Ok((hrp, data)) => {
                (hrp, (20..=65).contains(&data.len()) && !["bc", "ltc"].contains(&prefix))
            }
            Err(_) => return false,
        },
    };
    ok && hrp.as_str().eq_ignore_ascii_case(prefix)
}

fn is_base58(text: &str, versions: &[u8]) -> bool {
    decode_check(text).is_ok_and(|bytes| {
        bytes.len() == 21 && bytes.first().is_some_and(|version| versions.contains(version))
    })
}

/// Bitcoin Cash without its prefix, by form: a memo's colon leaves no room for one.
fn is_cash(text: &str) -> bool {
    const DIGITS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    text.len() == 42 && text.starts_with(['q', 'p']) && text.chars().all(|c| DIGITS.contains(c))
}
