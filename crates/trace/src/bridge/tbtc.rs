//! tBTC v2 deposits (`keep-network/tbtc-v2`, `Deposit.sol`): a script that only a spend reveals. The key that spends it
//! tells whether the wallet swept the deposit (it is Ethereum's now) or the depositor took it back.

use bitcoin_hashes::{Hash as _, hash160};

/// A deposit's script, taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deposit {
    /// The depositor on Ethereum.
    pub depositor: [u8; 20],
    /// Extra data: another chain's depositor.
    pub extra: Option<[u8; 32]>,
    /// Hash of the wallet's key.
    pub wallet: [u8; 20],
    /// Hash of the refund key.
    pub refund: [u8; 20],
}

/// Who spent a deposit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spent {
    /// The wallet: handed over.
    Swept,
    /// The depositor: taken back.
    Refunded,
    /// Neither key: no deposit of that form.
    Neither,
}

/// Takes a script apart; `None` if it is not exactly a deposit's.
#[must_use]
pub fn parse(script: &[u8]) -> Option<Deposit> {
    let mut rest = Rest(script);
    rest.expect(&[20])?;
    let depositor = rest.take()?;
    rest.expect(&[0x75])?;
    let extra = if rest.0.first() == Some(&32) {
        rest.expect(&[32])?;
        let extra = rest.take()?;
        rest.expect(&[0x75])?;
        Some(extra)
    } else {
        None
    };
    rest.expect(&[8])?;
    let _blinding: [u8; 8] = rest.take()?;
    rest.expect(&[0x75, 0x76, 0xa9, 20])?;
    let wallet = rest.take()?;
    rest.expect(&[0x87, 0x63, 0xac, 0x67, 0x76, 0xa9, 20])?;
    let refund = rest.take()?;
    rest.expect(&[0x88, 4])?;
    let _time: [u8; 4] = rest.take()?;
    rest.expect(&[0xb1, 0x75, 0xac, 0x68])?;
    rest.0.is_empty().then_some(Deposit { depositor, extra, wallet, refund })
}

impl Deposit {
    /// Who spent it, by the key that signed.
    #[must_use]
    pub fn spent_by(&self, key: &[u8]) -> Spent {
        let hash = hash160::Hash::hash(key).to_byte_array();
        if hash == self.wallet {
            Spent::Swept
        } else if hash == self.refund {
            Spent::Refunded
        } else {
            Spent::Neither
        }
    }

    /// The depositor's address on Ethereum.
    #[must_use]
    pub fn address(&self) -> String {
        let hex: String = self.depositor.iter().map(|b| format!("{b:02x}")).collect();
        format!("0x{hex}")
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn expect(&mut self, bytes: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(bytes)?;
        Some(())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn deposits_are_taken_apart_and_nothing_else_is() {
        let all: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/data/tbtc_vectors.json")).unwrap();
        for case in &all {
            let text = case["script"].as_str().unwrap();
            let script: Vec<u8> = (0..text.len() / 2)
                .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
                .collect();
            let deposit = parse(&script).unwrap();
            assert_eq!(deposit.address(), "0x934b98637ca318a4d6e7ca6ffd1690b8e77df637");
            assert_eq!(deposit.extra.is_some(), !case["extra"].is_null());
            assert!(chaingraph::block::is_deposit(&script));
            assert_eq!(deposit.spent_by(&[2; 33]), Spent::Neither);
            for cut in 0..script.len() {
                assert_eq!(parse(&script[..cut]), None);
            }
            assert_eq!(parse(&[&script[..], &[0]].concat()), None);
        }
        assert_eq!(all.len(), 2);
    }
}
