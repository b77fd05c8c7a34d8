//! THORChain's memos, as its observer reads them from a Bitcoin transaction (bifrost `utxo/client_internal.go`) and as
//! its chain understands them (`x/thorchain/memo/memo_parser.go`). Maya, a fork, has the same grammar.

use super::address::{is_address, is_chain};

/// Longer memos are ignored by the network.
const MEMO_BYTES_MAX: usize = 250;
/// From this many bytes on a memo may go on in the hashes of outputs.
const CONTINUES_FROM: usize = 79;

/// What a memo asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Memo {
    /// Value is to go to another chain, or back to this one.
    Swap(Swap),
    /// Value enters the bridge for the sender's account there.
    Deposit {
        /// The word for it: `add`, `trade+`, …
        action: &'static str,
        /// Where the account is.
        chain: &'static str,
        /// The account, where it is named.
        address: Option<String>,
    },
    /// A stored memo by number: where the value goes is not on this chain.
    Reference(String),
    /// The vault pays out for a transaction of this or another chain.
    Out {
        /// It gives back what it could not swap.
        refund: bool,
        /// The transaction, in lower case.
        txid: String,
    },
    /// Between vaults.
    Internal,
    /// Well-formed, but no value goes elsewhere; or not well-formed: the network would refund it.
    Nothing(&'static str),
}

/// A swap.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Swap {
    /// The chain where the value arrives.
    pub chain: String,
    /// The asset as it is known in full: `ETH.ETH`.
    pub asset: String,
    /// The address there; `None` where a name stands for it.
    pub address: Option<String>,
    /// A name that resolves on THORChain alone.
    pub name: Option<String>,
    /// Where a refund goes.
    pub refund: Option<String>,
}

/// The memo of a transaction, from its output scripts in order; empty if there is none.
#[must_use]
pub fn of_outputs<'a>(scripts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut memo = String::new();
    for script in scripts {
        if script.first() == Some(&0x6a) {
            let Some(push) = first_push(script) else { continue };
            match printable(push) {
                Some(text) => memo.push_str(text),
                None => return String::new(),
            }
            continue;
        }
        let continues =
            memo.rfind('^').is_some_and(|at| at >= CONTINUES_FROM) && memo.len() > CONTINUES_FROM;
        let hash = match script {
            [0x00, 20, hash @ ..] if hash.len() == 20 => hash,
            [0x76, 0xa9, 20, hash @ .., 0x88, 0xac] if hash.len() == 20 => hash,
            _ => continue,
        };
        if !continues {
            continue;
        }
        let used = hash.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        match hash.get(..used).and_then(printable) {
            Some(text) => memo.push_str(text),
            None => return String::new(),
        }
        if used < 20 || memo.len() >= MEMO_BYTES_MAX {
            break;
        }
    }
    if memo.rfind('^').is_some_and(|at| at >= CONTINUES_FROM) {
        memo = memo.replacen('^', "", 1); // as the source does: the first one
    }
    memo
}

/// The first push of a data script that is not empty; `None` if it runs past the end.
fn first_push(script: &[u8]) -> Option<&[u8]> {
    let (len, rest) = match script.get(1..)? {
        [len @ 1..=75, rest @ ..] => (usize::from(*len), rest),
        [0x4c, len, rest @ ..] => (usize::from(*len), rest),
        [0x4d, low, high, rest @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        _ => return None,
    };
    rest.get(..len).filter(|push| !push.is_empty())
}

fn printable(bytes: &[u8]) -> Option<&str> {
    let ok = bytes.iter().all(|b| (0x20..=0x7e).contains(b));
    std::str::from_utf8(bytes).ok().filter(|_| ok)
}

/// Understands a memo.
#[must_use]
pub fn parse(memo: &str) -> Memo {
    if memo.is_empty() || memo.len() > MEMO_BYTES_MAX || printable(memo.as_bytes()).is_none() {
        return Memo::Nothing("empty, too long or not printable");
    }
    let memo = memo.split('|').next().unwrap_or_default();
    let fields: Vec<&str> = memo.split(':').collect();
    let field = |at: usize| fields.get(at).copied().unwrap_or_default();
    match field(0).to_ascii_lowercase().as_str() {
        "swap" | "s" | "=" | "=<" | "=>" | "limito" | "lo" | "loan+" | "$+" => swap(&field),
        "add" | "+" | "a" => add(&field),
        "trade+" => account("trade+", field(1)),
        "secure+" => account("secure+", field(1)),
        "switch" => account("switch", field(1)),
        "x" | "exec" => account("exec", field(1)),
        "r" => {
            let number = field(1);
            let ok = (1..=19).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
            if ok { Memo::Reference(number.to_owned()) } else { Memo::Nothing("no number") }
        }
        word @ ("out" | "refund") => {
            let txid = field(1);
            let ok = txid.len() == 64 && txid.bytes().all(|b| b.is_ascii_hexdigit());
            if ok {
                Memo::Out { refund: word == "refund", txid: txid.to_ascii_lowercase() }
            } else {
                Memo::Nothing("no txid")
            }
        }
        "migrate" | "ragnarok" | "consolidate" | "yggdrasil+" | "yggdrasil-" => Memo::Internal,
        "withdraw" | "wd" | "-" | "loan-" | "$-" | "donate" | "d" | "%" | "trade-" | "secure-"
        | "name" | "n" | "~" | "bond" | "unbond" | "rebond" | "leave" | "reserve" | "noop"
        | "reference" | "pool+" | "pool-" | "tcy" | "tcy+" | "tcy-" | "m=<" | "operator"
        | "maint" => Memo::Nothing("no value goes to another chain"),
        _ => Memo::Nothing("no such word"),
    }
}

fn swap<'a>(field: &impl Fn(usize) -> &'a str) -> Memo {
    let Some((chain, asset)) = asset(field(1)) else { return Memo::Nothing("no such asset") };
    if !is_limit(field(3)) {
        return Memo::Nothing("no such limit");
    }
    let (destination, refund) = match field(2).split_once('/') {
        Some((destination, refund)) => (destination, Some(refund.to_owned())),
        None => (field(2), None),
    };
    let mut swap =
        Swap { chain, asset, address: None, name: None, refund: refund.filter(|r| !r.is_empty()) };
    if destination.is_empty() {
        return Memo::Nothing("no destination"); // to the sender: impossible across chains
    }
    if is_address(&swap.chain, destination) {
        swap.address = Some(destination.to_owned());
    } else if is_name(destination) {
        swap.name = Some(destination.to_owned());
    } else {
        return Memo::Nothing("the destination is no address of that chain");
    }
    Memo::Swap(swap)
}

fn add<'a>(field: &impl Fn(usize) -> &'a str) -> Memo {
    if asset(field(1)).is_none() {
        return Memo::Nothing("no such asset");
    }
    let paired = field(2);
    let chain = if is_address("MAYA", paired) { "MAYA" } else { "THOR" };
    let address = (is_address("THOR", paired) || chain == "MAYA").then(|| paired.to_owned());
    Memo::Deposit { action: "add", chain, address }
}

fn account(action: &'static str, address: &str) -> Memo {
    if is_address("THOR", address) {
        Memo::Deposit { action, chain: "THOR", address: Some(address.to_owned()) }
    } else {
        Memo::Nothing("no account of THORChain")
    }
}

/// The chain where an asset arrives, and its full name. Short names are lower case only (`common/asset.go`).
fn asset(text: &str) -> Option<(String, String)> {
    let full = match text {
        "r" | "rune" => "THOR.RUNE",
        "a" => "AVAX.AVAX",
        "b" => "BTC.BTC",
        "c" => "BCH.BCH",
        "e" => "ETH.ETH",
        "g" => "GAIA.ATOM",
        "s" => "BSC.BNB",
        "d" => "DOGE.DOGE",
        "l" => "LTC.LTC",
        "f" => "BASE.ETH",
        "x" => "XRP.XRP",
        "tr" => "TRON.TRX",
        "o" => "SOL.SOL",
        "n" => "BNB.BNB",
        other => other,
    };
    let at = full.find(['~', '.', '/', '-'])?;
    let (chain, symbol) = (full.get(..at)?.to_ascii_uppercase(), full.get(at + 1..)?);
    let is_symbol = (1..=60).contains(&symbol.len())
        && symbol.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    if !is_chain(&chain) || !is_symbol {
        return None;
    }
    // Synthetic, traded and secured assets lie on THORChain itself.
    let is_native = full.as_bytes().get(at) == Some(&b'.');
    let arrives = if is_native { chain } else { "THOR".to_owned() };
    Some((arrives, full.to_owned()))
}

/// `LIM[/INTERVAL[/QUANTITY]]`: an integer, a decimal or `5e8`; parts may be empty.
fn is_limit(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let is_number = |s: &str| {
        let (mantissa, exponent) = match s.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (s, None),
        };
        let whole = match mantissa.split_once('.') {
            Some((whole, fraction)) => digits(whole) && digits(fraction),
            None => digits(mantissa),
        };
        whole && exponent.is_none_or(digits)
    };
    let (first, rest) =
        (parts.first().copied().unwrap_or_default(), parts.get(1..).unwrap_or_default());
    parts.len() <= 3
        && (first.is_empty() || is_number(first))
        && rest.iter().all(|part| part.is_empty() || (digits(part) && part.len() <= 19))
}

/// A THORName: up to 30 characters, perhaps with a chain.
fn is_name(text: &str) -> bool {
    let (name, chain) = text.split_once('.').unwrap_or((text, "ANY"));
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+_-".contains(&b));
    (1..=30).contains(&text.len())
        && !name.is_empty()
        && !text.starts_with("0x")
        && is_name
        && (3..=10).contains(&chain.len())
        && chain.bytes().all(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn check(memo: &str, expect: &Value) {
        let handover = expect["handover"] == true;
        let parsed = parse(memo);
        let (chain, address) = match &parsed {
            Memo::Swap(swap) => {
                assert_eq!(swap.asset, expect["asset"].as_str().unwrap(), "{memo}");
                assert_eq!(swap.name.as_deref(), expect["name"].as_str(), "{memo}");
                assert_eq!(swap.refund.as_deref(), expect["refund"].as_str(), "{memo}");
                (Some(swap.chain.as_str()), swap.address.as_deref())
            }
            Memo::Deposit { chain, address, .. } => (Some(*chain), address.as_deref()),
            Memo::Reference(number) => {
                assert_eq!(Some(number.as_str()), expect["reference"].as_str());
                (None, None)
            }
            Memo::Out { txid, .. } => {
                assert_eq!(Some(txid.as_str()), expect["ref"].as_str());
                assert!(!handover);
                return;
            }
            Memo::Internal | Memo::Nothing(_) => {
                assert!(!handover, "{memo}: {parsed:?}");
                return;
            }
        };
        assert!(handover, "{memo}: {parsed:?}");
        assert_eq!(
            (chain, address),
            (expect["chain"].as_str(), expect["address"].as_str()),
            "{memo}"
        );
    }

    #[test]
    fn memos_mean_what_the_protocol_says() {
        let all: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/data/memo_examples.json")).unwrap();
        assert_eq!(all.len(), 70);
        for case in all {
            check(case["memo"].as_str().unwrap(), &case["expect"]);
        }
    }

    #[test]
    fn memos_are_read_from_outputs_as_the_observer_does() {
        let all: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/data/script_examples.json")).unwrap();
        assert_eq!(all.len(), 12);
        for case in all {
            let scripts: Vec<Vec<u8>> = case["outs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|s| unhex(s.as_str().unwrap()))
                .collect();
            let memo = of_outputs(scripts.iter().map(Vec::as_slice));
            assert_eq!(memo, case["memo"].as_str().unwrap(), "{}", case["name"]);
            check(&memo, &case["parsed"]);
        }
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    }
}
