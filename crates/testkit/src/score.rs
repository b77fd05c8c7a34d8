//! How right the claims are: CoinJoin classes on labelled transactions, clusters on chains whose owners are known, a
//! trace whose truth was written down. `cargo run -p testkit --release --bin score` prints it, tests assert it.
#![allow(clippy::cast_precision_loss, reason = "shares for people")]

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;

use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash as _;
use bitcoin::hex::FromHex as _;
use chaingraph::{Graph, ScriptNum};
use serde_json::Value;

use crate::shared;

/// How often a label met a class.
pub type Matrix = BTreeMap<(String, String), usize>;

/// Right, missed, called wrongly, of one class.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Score {
    /// Labelled so and called so.
    pub right: usize,
    /// Labelled so and not called so.
    pub missed: usize,
    /// Called so and labelled otherwise.
    pub wrong: usize,
}

impl Score {
    /// Of a class in a matrix.
    #[must_use]
    pub fn of(matrix: &Matrix, class: &str) -> Self {
        let sum = |test: &dyn Fn(&str, &str) -> bool| {
            matrix.iter().filter(|((label, found), _)| test(label, found)).map(|(_, n)| n).sum()
        };
        Self {
            right: sum(&|l, f| l == class && f == class),
            missed: sum(&|l, f| l == class && f != class),
            wrong: sum(&|l, f| l != class && f == class),
        }
    }

    /// The share of those labelled that were called.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.right as f64 / (self.right + self.missed).max(1) as f64
    }

    /// The share of those called that are labelled.
    #[must_use]
    pub fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong).max(1) as f64
    }
}

fn gunzip(path: &Path) -> impl Iterator<Item = String> + use<> {
    let file = std::fs::File::open(path).unwrap();
    BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines().map(Result::unwrap)
}

fn lines(exe: &Path, args: &[&std::ffi::OsStr]) -> Vec<Value> {
    let output = Command::new(exe).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The labelled transactions of the shared data, judged by the executable; `None` where the data is absent.
pub fn labelled(exe: &Path) -> Option<Matrix> {
    let file = shared::file("data/coinjoin/dev.jsonl.gz")?;
    let args = ["coinjoin".as_ref(), "classify".as_ref(), "--txs".as_ref(), file.as_os_str()];
    let found = lines(exe, &args);
    let mut matrix = Matrix::new();
    let mut count = 0;
    for (line, found) in gunzip(&file).zip(&found) {
        let labelled: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(labelled["tx"]["txid"], found["txid"], "one line a transaction, in order");
        let note = found["note"].as_str();
        let class = note.or(found["class"].as_str()).unwrap().to_owned();
        let label = labelled["label"].as_str().unwrap().to_owned();
        *matrix.entry((label, class)).or_default() += 1;
        count += 1;
    }
    assert_eq!(count, found.len());
    Some(matrix)
}

/// Clusters against owners.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Clusters {
    /// Pairs of scripts that are joined.
    pub joined: u64,
    /// Pairs of them that have one owner.
    pub right: u64,
    /// Pairs that joining the inputs of every transaction of one owner would give.
    pub possible: u64,
}

impl Clusters {
    /// The share of joined pairs that are right.
    #[must_use]
    pub fn precision(&self) -> f64 {
        if self.joined == 0 { 1.0 } else { self.right as f64 / self.joined as f64 }
    }

    /// The share of what joining by inputs can give.
    #[must_use]
    pub fn recall(&self) -> f64 {
        if self.possible == 0 { 1.0 } else { self.right as f64 / self.possible as f64 }
    }
}

/// Compares a graph's clusters with owners. `owner` knows whose a script is; unknown ones are left out.
pub fn clusters(graph: &Graph, owner: &dyn Fn(ScriptNum) -> Option<u32>) -> Clusters {
    let scripts = u32::try_from(graph.counts().scripts).unwrap();
    let pairs = |n: u64| n * n.saturating_sub(1) / 2;
    let (mut by_cluster, mut by_both): (HashMap<u32, u64>, HashMap<(u32, u32), u64>) =
        Default::default();
    for script in (0..scripts).map(ScriptNum) {
        let Some(owner) = owner(script) else { continue };
        let cluster = graph.cluster(script).0;
        *by_cluster.entry(cluster).or_default() += 1;
        *by_both.entry((cluster, owner)).or_default() += 1;
    }
    Clusters {
        joined: by_cluster.values().map(|n| pairs(*n)).sum(),
        right: by_both.values().map(|n| pairs(*n)).sum(),
        possible: possible(graph, owner),
    }
}

/// Change links that the second layer would use, and how many of them go back to the payer.
pub fn change(graph: &Graph, owner: &dyn Fn(ScriptNum) -> Option<u32>) -> (u64, u64) {
    let mut finder = trace::change::Finder::new(graph);
    let (mut links, mut right) = (0, 0);
    for tx in graph.txs() {
        let Some(change) = finder.of(tx).filter(trace::change::Change::is_link) else { continue };
        let payer = graph.prevouts(tx).find_map(|p| graph.prevout_script(p)).and_then(owner);
        let payee = graph.script(change.output).and_then(owner);
        if payer.is_some() && payee.is_some() {
            links += 1;
            right += u64::from(payer == payee);
        }
    }
    (links, right)
}

/// Pairs that joining inputs gives where all inputs of a transaction have one owner: in mixes nobody can tell who
/// brought what.
fn possible(graph: &Graph, owner: &dyn Fn(ScriptNum) -> Option<u32>) -> u64 {
    let mut of: Vec<u32> = (0..u32::try_from(graph.counts().scripts).unwrap()).collect();
    fn root(of: &mut [u32], mut at: u32) -> u32 {
        while of[at as usize] != at {
            of[at as usize] = of[of[at as usize] as usize];
            at = of[at as usize];
        }
        at
    }
    for tx in graph.txs() {
        let inputs: Vec<ScriptNum> =
            graph.prevouts(tx).filter_map(|p| graph.prevout_script(p)).collect();
        let owners: Vec<Option<u32>> = inputs.iter().map(|s| owner(*s)).collect();
        if owners.windows(2).all(|pair| pair[0].is_some() && pair[0] == pair[1]) {
            for pair in inputs.windows(2) {
                let (a, b) = (root(&mut of, pair[0].0), root(&mut of, pair[1].0));
                of[a as usize] = b;
            }
        }
    }
    let mut sizes: HashMap<u32, u64> = HashMap::new();
    for at in 0..of.len() {
        let at = u32::try_from(at).unwrap();
        if owner(ScriptNum(at)).is_some() {
            *sizes.entry(root(&mut of, at)).or_default() += 1;
        }
    }
    sizes.values().map(|n| n * (n - 1) / 2).sum()
}

/// The emulated chain of the shared data as a node's file: its blocks rebuilt from headers and transactions. Returns
/// the owner of each address.
pub fn emulated(file: &Path) -> Option<HashMap<Vec<u8>, u32>> {
    let blocks = shared::file("data/emulated/wasabi2/blocks.jsonl.gz")?;
    let wallets = shared::file("data/emulated/wasabi2/wallets_info.json.gz")?;
    let mut framed = Vec::new();
    for line in gunzip(&blocks) {
        let block: Value = serde_json::from_str(&line).unwrap();
        let number = |name: &str| u32::try_from(block[name].as_u64().unwrap()).unwrap();
        let hash = |name: &str| {
            let text = block[name]
                .as_str()
                .unwrap_or("0000000000000000000000000000000000000000000000000000000000000000");
            let mut bytes = <[u8; 32]>::from_hex(text).unwrap();
            bytes.reverse();
            bytes
        };
        let txdata: Vec<bitcoin::Transaction> = block["tx"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tx| deserialize(&Vec::from_hex(tx["hex"].as_str().unwrap()).unwrap()).unwrap())
            .collect();
        let header = bitcoin::block::Header {
            version: bitcoin::block::Version::from_consensus(
                i32::try_from(block["version"].as_i64().unwrap()).unwrap(),
            ),
            prev_blockhash: bitcoin::BlockHash::from_byte_array(hash("previousblockhash")),
            merkle_root: bitcoin::TxMerkleNode::from_byte_array(hash("merkleroot")),
            time: number("time"),
            bits: bitcoin::CompactTarget::from_consensus(
                u32::from_str_radix(block["bits"].as_str().unwrap(), 16).unwrap(),
            ),
            nonce: number("nonce"),
        };
        assert_eq!(header.block_hash().to_string(), block["hash"].as_str().unwrap());
        framed.extend(crate::randchain::framed(&[bitcoin::Block { header, txdata }]));
    }
    std::fs::write(file, framed).unwrap();
    let info: Value = serde_json::from_str(&gunzip(&wallets).collect::<String>()).unwrap();
    let mut owners = HashMap::new();
    for (owner, (_, addresses)) in info.as_object().unwrap().iter().enumerate() {
        for address in addresses.as_object().unwrap().keys() {
            let address: bitcoin::Address<bitcoin::address::NetworkUnchecked> =
                address.parse().unwrap();
            let script = address.assume_checked().script_pubkey().into_bytes();
            owners.insert(script, u32::try_from(owner).unwrap());
        }
    }
    Some(owners)
}

/// The owners of a generated chain, by script number.
pub fn owners(truth: &Path) -> Vec<u32> {
    let bytes = std::fs::read(truth.join("owners.u32")).unwrap();
    bytes.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// The mixes of a generated chain against what the executable calls; everything else is `none`.
pub fn mixes(exe: &Path, graph: &Path, truth: &Path) -> Matrix {
    let text = std::fs::read_to_string(truth.join("mixes.jsonl")).unwrap();
    let mut classes: HashMap<String, String> = text
        .lines()
        .map(|line| {
            let mix: Value = serde_json::from_str(line).unwrap();
            (mix["txid"].as_str().unwrap().to_owned(), mix["class"].as_str().unwrap().to_owned())
        })
        .collect();
    let args = [
        "coinjoin".as_ref(),
        "classify".as_ref(),
        "--found".as_ref(),
        "--graph".as_ref(),
        graph.as_os_str(),
    ];
    let mut matrix = Matrix::new();
    for found in lines(exe, &args) {
        let label =
            classes.remove(found["txid"].as_str().unwrap()).unwrap_or_else(|| "none".to_owned());
        let class = found["class"].as_str().unwrap().to_owned();
        *matrix.entry((label, class)).or_default() += 1;
    }
    for label in classes.into_values() {
        *matrix.entry((label, "none".to_owned())).or_default() += 1;
    }
    matrix
}
