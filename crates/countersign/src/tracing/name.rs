//! Names that people use for things of the chain, read and shown: txids, outpoints, addresses, heights.

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Script};
use chaingraph::row::BlockRow;
use chaingraph::{Graph, OutputNum, ScriptNum, TxNum, header};

use crate::fail::Fail;

/// The address form of a graph's network.
pub fn network(graph: &Graph) -> bitcoin::Network {
    match graph.manifest().network.as_str() {
        "bitcoin" => bitcoin::Network::Bitcoin,
        "signet" => bitcoin::Network::Signet,
        "regtest" => bitcoin::Network::Regtest,
        "testnet4" => bitcoin::Network::Testnet4,
        _ => bitcoin::Network::Testnet,
    }
}

/// The prefix of witness addresses (BIP 173).
const fn hrp(network: bitcoin::Network) -> bitcoin::bech32::Hrp {
    match network {
        bitcoin::Network::Bitcoin => bitcoin::bech32::hrp::BC,
        bitcoin::Network::Regtest => bitcoin::bech32::hrp::BCRT,
        _ => bitcoin::bech32::hrp::TB,
    }
}

/// A script's address. Scripts without one (bare keys and multisigs, data) have none; a taproot key that is no point of
/// the curve still has one, since the script has.
pub fn address(graph: &Graph, script: &[u8]) -> Option<String> {
    let network = network(graph);
    if let Ok(address) = Address::from_script(Script::from_bytes(script), network) {
        return Some(address.to_string());
    }
    match script {
        [0x51, 32, key @ ..] if key.len() == 32 => {
            bitcoin::bech32::segwit::encode_v1(hrp(network), key).ok()
        }
        _ => None,
    }
}

/// An output's address; data outputs have none.
pub fn address_of(graph: &Graph, output: OutputNum) -> Option<String> {
    address(graph, &graph.packed(graph.script(output)?)?.script())
}

/// A sum of satoshi. Invented blocks may hold more than there is: then the largest number, not a panic.
pub fn sum(amounts: impl Iterator<Item = u64>) -> u64 {
    amounts.fold(0, u64::saturating_add)
}

/// A script number's address, or its script in hex.
pub fn show_script(graph: &Graph, script: ScriptNum) -> String {
    let bytes = graph.packed(script).map(|p| p.script()).unwrap_or_default();
    address(graph, &bytes).unwrap_or_else(|| withdrawal::digest::hex(&bytes))
}

/// An outpoint as is custom.
pub fn outpoint(graph: &Graph, output: OutputNum) -> String {
    let Some(tx) = graph.tx_of(output) else { return String::new() };
    let first = graph.outputs_of(tx).0.start;
    format!("{}:{}", header::show(&graph.txid(tx)), output.0.saturating_sub(first))
}

/// A time as RFC 3339 in UTC.
pub fn time(secs: u32) -> String {
    withdrawal::time::Timestamp::clamped(u64::from(secs)).to_string()
}

/// Reads an address of the graph's network: its script.
pub fn script_of_address(graph: &Graph, text: &str) -> Result<Vec<u8>, Fail> {
    let malformed = |detail: String| Fail::malformed("address", text, detail);
    let parsed: Result<Address<NetworkUnchecked>, _> = text.parse();
    match parsed {
        Ok(address) => {
            let address = address
                .require_network(network(graph))
                .map_err(|_| malformed(format!("it is not of {}", graph.manifest().network)))?;
            Ok(address.script_pubkey().into_bytes())
        }
        Err(error) => match bitcoin::bech32::segwit::decode(text) {
            // A taproot address whose key is no point.
            Ok((hrp, version, program))
                if hrp == self::hrp(network(graph))
                    && version.to_u8() == 1
                    && program.len() == 32 =>
            {
                Ok([&[0x51, 32], &program[..]].concat())
            }
            _ => Err(malformed(why_no_address(text, &error.to_string()))),
        },
    }
}

/// What is probably wrong with what is no address.
fn why_no_address(text: &str, error: &str) -> String {
    let hex = text.chars().all(|c| c.is_ascii_hexdigit());
    match text.len() {
        40.. if hex => format!("{} hex digits; a txid has 64", text.len()),
        _ if text.starts_with("0x") => "an address of another chain than Bitcoin".to_owned(),
        _ => format!("no address of Bitcoin, or one with a character wrong ({error})"),
    }
}

/// Something that a person named.
pub enum Named {
    /// A transaction: usually one, two for the repeated coinbases of 2010.
    Txs(Vec<TxNum>),
    /// An output.
    Output(OutputNum),
    /// An address, and its script's number if it was ever paid.
    Address(String, Option<ScriptNum>),
    /// A height.
    Height(u32),
    /// A block, by its hash.
    Block(BlockRow),
}

/// Reads what a person named.
pub fn read(graph: &Graph, text: &str) -> Result<Named, Fail> {
    if let Some(txid) = header::read(text) {
        let txs = graph.find_txs(&txid);
        if let (true, Some(row)) = (txs.is_empty(), graph.blocks().find(|row| row.hash == txid)) {
            return Ok(Named::Block(row));
        }
        if txs.is_empty() {
            return Err(Fail::malformed("txid", text, "the graph has no such transaction"));
        }
        return Ok(Named::Txs(txs));
    }
    if let Some((txid, vout)) = text.split_once(':')
        && let Some(txid) = header::read(txid)
    {
        let vout: u64 = vout
            .parse()
            .map_err(|_| Fail::malformed("outpoint", text, "after the colon a number stands"))?;
        let Some(tx) = graph.find_tx(&txid) else {
            return Err(Fail::malformed("outpoint", text, "the graph has no such transaction"));
        };
        let outputs = graph.outputs_of(tx).0;
        return match outputs.start.checked_add(vout).filter(|o| *o < outputs.end) {
            Some(output) => Ok(Named::Output(OutputNum(output))),
            None => Err(Fail::malformed("outpoint", text, "the transaction has no such output")),
        };
    }
    if let Ok(height) = text.parse() {
        return Ok(Named::Height(height));
    }
    let script = script_of_address(graph, text)?;
    Ok(Named::Address(text.to_owned(), graph.find_script(&script)))
}
