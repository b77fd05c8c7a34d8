//! The networks that a vault can live on.

use std::fmt;
use std::str::FromStr;

use crate::wire::wire_enum;

/// One of the four networks; a vault belongs to exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Network {
    /// Real money.
    Bitcoin,
    /// Test network 4 (BIP-94).
    Testnet4,
    /// Signet (BIP-325).
    Signet,
    /// A private chain; the only one where recovery may be shorter than half a year.
    Regtest,
}

wire_enum!(Network { Bitcoin = 0, Testnet4 = 1, Signet = 2, Regtest = 3 });

impl Network {
    /// The same in `bitcoin`'s words.
    pub const fn to_bitcoin(self) -> bitcoin::Network {
        match self {
            Self::Bitcoin => bitcoin::Network::Bitcoin,
            // Addresses and extended keys are the same as on the older test network.
            Self::Testnet4 => bitcoin::Network::Testnet,
            Self::Signet => bitcoin::Network::Signet,
            Self::Regtest => bitcoin::Network::Regtest,
        }
    }

    /// The name used in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitcoin => "bitcoin",
            Self::Testnet4 => "testnet4",
            Self::Signet => "signet",
            Self::Regtest => "regtest",
        }
    }

    /// Address of a script on this network, or the script in hex where it has none.
    pub fn show(self, script: &bitcoin::Script) -> String {
        self.address(script).unwrap_or_else(|| format!("script:{script:x}"))
    }

    /// Address of a script on this network.
    pub fn address(self, script: &bitcoin::Script) -> Option<String> {
        let address = bitcoin::Address::from_script(script, self.to_bitcoin());
        address.ok().map(|a| a.to_string())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Bitcoin, Self::Testnet4, Self::Signet, Self::Regtest]
            .into_iter()
            .find(|n| n.name() == text)
            .ok_or_else(|| format!("`{text}` is none of bitcoin, testnet4, signet, regtest"))
    }
}
