//! Small chains made by hand, one scene each: bridges that answer and bridges that give back, deposit addresses, labels
//! in a service's cluster, traces that are cut.

use std::path::Path;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::{Hash as _, hash160};
use bitcoin::{
    Address, Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxOut, Txid, WPubkeyHash, Witness, transaction,
};
use serde_json::{Value, json};

use crate::command::Desk;

/// A regtest chain without work: a coinbase a block, and at most one payment.
struct Scene {
    desk: Desk,
    blocks: Vec<Block>,
}

impl Scene {
    fn new() -> Self {
        Self { desk: Desk::new(), blocks: Vec::new() }
    }

    fn height(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap() + 1
    }

    /// Mines a block with a coinbase to `to` and a payment; the coin.
    fn mine(&mut self, sat: u64, to: &ScriptBuf, payment: Option<Transaction>) -> OutPoint {
        let height = self.height();
        let mut push = bitcoin::script::Builder::new().push_int(i64::from(height)).into_bytes();
        push.extend(b"/scene/");
        let coinbase = transaction_of(
            vec![(OutPoint::null(), Witness::new(), ScriptBuf::from_bytes(push))],
            vec![(to.clone(), sat)],
        );
        let coin = OutPoint::new(coinbase.compute_txid(), 0);
        let genesis = || bitcoin::constants::genesis_block(Network::Regtest).block_hash();
        let prev: BlockHash = self.blocks.last().map_or_else(genesis, Block::block_hash);
        let txdata = std::iter::once(coinbase).chain(payment).collect();
        let block = testkit::randchain::block(prev, height, txdata);
        self.blocks.push(block);
        coin
    }

    fn coin(&mut self, sat: u64, to: &ScriptBuf) -> OutPoint {
        self.mine(sat, to, None)
    }

    fn pay(&mut self, from: &[OutPoint], to: &[(ScriptBuf, u64)]) -> Txid {
        let signed = Witness::from_slice(&[vec![0x30; 71], vec![2; 33]]);
        self.spend(from.iter().map(|point| (*point, signed.clone())).collect(), to)
    }

    fn spend(&mut self, from: Vec<(OutPoint, Witness)>, to: &[(ScriptBuf, u64)]) -> Txid {
        let inputs = from.into_iter().map(|(p, w)| (p, w, ScriptBuf::new())).collect();
        let tx = transaction_of(inputs, to.to_vec());
        let txid = tx.compute_txid();
        self.mine(5_000_000_000, &script(250), Some(tx));
        txid
    }

    /// Writes the blocks from `first` on and builds the graph.
    fn build(&self, first: usize) -> Value {
        let framed = testkit::randchain::framed(&self.blocks[first..]);
        std::fs::write(self.desk.dir.join("blocks.dat"), framed).unwrap();
        self.desk.ok("graph build --blocks blocks.dat --out g")
    }

    fn labels(&self, rows: &[(&ScriptBuf, &str, &str)]) {
        let mut text = "address,label,kind,source,confidence\n".to_owned();
        for (script, label, kind) in rows {
            text.push_str(&format!("{},{label},{kind},here,0.9\n", address(script)));
        }
        std::fs::write(self.desk.dir.join("labels.csv"), text).unwrap();
    }
}

fn transaction_of(
    inputs: Vec<(OutPoint, Witness, ScriptBuf)>,
    outputs: Vec<(ScriptBuf, u64)>,
) -> Transaction {
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: inputs
            .into_iter()
            .map(|(previous_output, witness, script_sig)| TxIn {
                previous_output,
                script_sig,
                sequence: Sequence::MAX,
                witness,
            })
            .collect(),
        output: outputs
            .into_iter()
            .map(|(script_pubkey, sat)| TxOut { value: Amount::from_sat(sat), script_pubkey })
            .collect(),
    }
}

fn script(n: u8) -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([n; 20]))
}

fn address(script: &ScriptBuf) -> String {
    Address::from_script(script, Network::Regtest).unwrap().to_string()
}

fn memo(text: &str) -> (ScriptBuf, u64) {
    let push = bitcoin::script::PushBytesBuf::try_from(text.as_bytes().to_vec()).unwrap();
    (ScriptBuf::new_op_return(push), 0)
}

fn point(txid: Txid, vout: u32) -> OutPoint {
    OutPoint::new(txid, vout)
}

/// Checks a result against its schema, and that the example beside the schema is this very result. With
/// `COUNTERSIGN_WRITE_EXAMPLES` set, the example is written.
fn is_example(name: &str, value: &Value) {
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schemas"));
    let read = |path: &str| -> Value {
        serde_json::from_slice(&std::fs::read(docs.join(path)).unwrap()).unwrap()
    };
    testkit::schema::fits(&read(&format!("{name}.json")), value, name);
    let example = format!("examples/{name}.json");
    if std::env::var_os("COUNTERSIGN_WRITE_EXAMPLES").is_some() {
        let text = serde_json::to_string_pretty(value).unwrap() + "\n";
        std::fs::write(docs.join(&example), text).unwrap();
    }
    assert_eq!(&read(&example), value, "docs/schemas/{example} is not what the program says today");
}

/// A key, and the script of a deposit to tBTC that the wallet's or the refund's key spends.
fn tbtc(depositor: u8, wallet: &[u8; 33], refund: &[u8; 33]) -> ScriptBuf {
    let hash = |key: &[u8; 33]| hash160::Hash::hash(key).to_byte_array();
    let parts: [&[u8]; 9] = [
        &[&[20][..], &[depositor; 20], &[0x75, 8], &[7; 8]].concat(),
        &[0x75, 0x76, 0xa9, 20],
        &hash(wallet),
        &[0x87, 0x63, 0xac, 0x67, 0x76, 0xa9, 20],
        &hash(refund),
        &[0x88, 4],
        &1_800_000_000_u32.to_le_bytes(),
        &[0xb1, 0x75, 0xac],
        &[0x68],
    ];
    ScriptBuf::from_bytes(parts.concat())
}

const DEPOSITOR: &str = "0x1111111111111111111111111111111111111111";
const ETHER: &str = "0x00000000000000000000000000000000deadbeef";

#[test]
fn bridges_are_named_by_what_they_reveal_and_answer() {
    let mut s = Scene::new();
    let (wallet, refund) = ([3; 33], [2; 33]);
    let (mine, back, others) =
        (tbtc(0x11, &wallet, &refund), tbtc(0x22, &wallet, &refund), tbtc(0x33, &wallet, &refund));
    let vault = script(9);
    let coin = s.coin(100_000_000, &script(1));
    let clean = s.coin(50_000_000, &script(2));
    let theft = s.pay(
        &[coin],
        &[
            (mine.to_p2wsh(), 30_000_000),
            (back.to_p2wsh(), 20_000_000),
            (script(3), 25_000_000),
            (script(4), 24_000_000),
        ],
    );
    let other = s.pay(&[clean], &[(others.to_p2wsh(), 49_000_000)]);
    let reveal = |key: &[u8; 33], script: &ScriptBuf| {
        Witness::from_slice(&[vec![0x30; 71], key.to_vec(), script.to_bytes()])
    };
    let sweep = s.spend(
        vec![
            (point(theft, 0), reveal(&wallet, &mine)),
            (point(other, 0), reveal(&wallet, &others)),
        ],
        &[(script(20), 78_000_000)],
    );
    s.spend(vec![(point(theft, 1), reveal(&refund, &back))], &[(script(5), 19_900_000)]);
    let ether = memo(&format!("=:e:{ETHER}"));
    let swap = s.pay(&[point(theft, 2)], &[(vault.clone(), 24_900_000), ether.clone()]);
    let failed = s.pay(&[point(theft, 3)], &[(vault.clone(), 23_900_000), ether]);
    let out = memo(&format!("OUT:{}", swap.to_string().to_uppercase()));
    s.pay(&[point(swap, 0)], &[(script(6), 20_000_000), (vault.clone(), 4_800_000), out]);
    let given_back = memo(&format!("REFUND:{}", failed.to_string().to_uppercase()));
    s.pay(&[point(failed, 0)], &[(script(7), 23_800_000), given_back]);
    s.build(0);
    let found = s.desk.ok(&format!("trace forward {theft} --graph g"));
    let told: Vec<Value> = found["handovers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| {
            json!([
                h["bridge"],
                h["address"],
                h["tainted_sat"],
                h["refunded"],
                h["confidence"],
                h["txid"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            // Swept with somebody else's deposit, which is not told; the one taken back is no hand-over.
            json!(["tbtc", DEPOSITOR, 30_000_000, false, 0.98, sweep.to_string()]),
            json!(["thorchain", ETHER, 24_900_000, false, 0.93, swap.to_string()]),
            json!(["thorchain", ETHER, 23_900_000, true, 0.93, failed.to_string()]),
        ]
    );
    // A labelled vault ends the trace, but not where it gave the coins back.
    s.labels(&[(&vault, "a bridge", "bridge")]);
    let found = s.desk.ok(&format!("trace forward {theft} --graph g --labels labels.csv"));
    is_example("trace", &found);
    s.desk.ok(&format!("trace forward {theft} --graph g --labels labels.csv --case k"));
    let json = |path: &str| -> Value {
        let text = std::fs::read_to_string(s.desk.dir.join(path)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    is_example("case", &json("k/case.json"));
    s.desk.ok("labels import csv labels.csv --out labels.json");
    is_example("label", &json("labels.json"));
    let told = found["handovers"].as_array().unwrap();
    assert_eq!((&told[1]["refunded"], &told[1]["confidence"]), (&false.into(), &0.95.into()));
    assert_eq!((&told[2]["refunded"], &told[2]["confidence"]), (&true.into(), &0.95.into()));
}

#[test]
fn a_deposit_address_is_one_that_always_hands_all_on() {
    let mut s = Scene::new();
    let (deposit, thiefs, hot) = (script(10), script(11), script(12));
    let theft = s.coin(100_000_000, &script(1));
    let earlier = s.coin(5_000_000, &script(2));
    let earlier = s.pay(&[earlier], &[(deposit.clone(), 4_900_000)]);
    s.pay(&[point(earlier, 0)], &[(hot.clone(), 4_800_000)]);
    let split = s.pay(
        &[theft],
        &[
            (deposit.clone(), 40_000_000),
            (thiefs.clone(), 30_000_000),
            (thiefs.clone(), 20_000_000),
        ],
    );
    s.pay(&[point(split, 0)], &[(hot.clone(), 39_900_000)]);
    // The thief's own address pays the service too, but keeps some.
    s.pay(&[point(split, 1)], &[(hot.clone(), 20_000_000), (script(13), 9_900_000)]);
    s.pay(&[point(split, 2)], &[(hot.clone(), 19_900_000)]);
    s.build(0);
    s.labels(&[(&hot, "an exchange", "exchange")]);
    let found = s.desk.ok(&format!("trace forward {theft} --graph g --labels labels.csv"));
    let told = found["deposits"].as_array().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["address"], address(&deposit));
    assert_eq!(
        (&told[0]["label"], &told[0]["tainted_sat"]),
        (&"an exchange".into(), &40_000_000.into())
    );
}

#[test]
fn a_services_cluster_carries_the_services_name_alone() {
    let mut s = Scene::new();
    let (hot, customers, third) = (script(10), script(11), script(12));
    let coins = [&hot, &customers, &third].map(|to| s.coin(10_000_000, to));
    // One sweep: hot wallet, a customer's deposit address with a label of its own, and one nobody knows.
    s.pay(&coins, &[(hot.clone(), 29_000_000)]);
    let theft = s.coin(50_000_000, &script(1));
    let paid = s.pay(&[theft], &[(third.clone(), 30_000_000), (customers.clone(), 19_000_000)]);
    s.build(0);
    s.labels(&[(&hot, "an exchange", "exchange"), (&customers, "a person", "person")]);
    let found = s.desk.ok(&format!("trace forward {theft} --graph g --labels labels.csv"));
    let names = |list: &str| -> Vec<Value> {
        let list = found[list].as_array().unwrap().iter();
        list.map(|m| json!([m["label"], m["outpoint"], m["via_cluster"], m["confidence"]]))
            .collect()
    };
    assert_eq!(
        names("resolved"),
        [
            json!(["an exchange", format!("{paid}:0"), true, 0.81]),
            json!(["an exchange", format!("{paid}:1"), true, 0.81]),
        ]
    );
    // What is said of the customer's address is said there and nowhere else.
    assert_eq!(names("passed"), [json!(["a person", format!("{paid}:1"), false, 0.9])]);
}

#[test]
fn two_services_in_one_cluster_carry_nothing() {
    let mut s = Scene::new();
    let (one, two, third) = (script(10), script(11), script(12));
    let coins = [&one, &two, &third].map(|to| s.coin(10_000_000, to));
    s.pay(&coins, &[(one.clone(), 29_000_000)]);
    let theft = s.coin(50_000_000, &script(1));
    let paid = s.pay(&[theft], &[(third.clone(), 49_000_000)]);
    s.build(0);
    s.labels(&[(&one, "Bitcoin Fog", "mixer"), (&two, "Bitcoin.de", "exchange")]);
    let found = s.desk.ok(&format!("trace forward {theft} --graph g --labels labels.csv"));
    assert_eq!(found["resolved"], json!([]));
    assert_eq!(found["unspent"][0]["outpoint"], format!("{paid}:0"));
}

#[test]
fn a_trace_is_cut_by_time_and_by_budget_and_still_adds_up() {
    let mut s = Scene::new();
    let theft = s.coin(100_000_000, &script(1));
    let outputs: Vec<_> = (2..12).map(|n| (script(n), 9_000_000)).collect();
    let split = s.pay(&[theft], &outputs); // at height 2, 1_700_001_200
    for vout in 0..10_u8 {
        s.pay(&[point(split, vout.into())], &[(script(100 + vout), 8_900_000)]);
    }
    s.build(0);
    let sum = |list: &Value| -> u64 {
        list.as_array().unwrap().iter().map(|row| row["tainted_sat"].as_u64().unwrap()).sum()
    };
    // The block of height 6 has the time 1_700_003_600, 2023-11-14T23:13:20Z.
    for until in ["2023-11-14T23:13:20Z", "2023-11-14T23:23:19Z", "6"] {
        let found = s.desk.ok(&format!("trace forward {theft} --graph g --until {until}"));
        assert_eq!(
            (&found["as_of"]["height"], &found["fees_sat"]),
            (&6.into(), &10_400_000.into())
        );
        let spent_by_then = |row: &&Value| row["tainted_sat"] == 8_900_000;
        let unspent = found["unspent"].as_array().unwrap();
        assert_eq!(
            (unspent.len(), unspent.iter().filter(spent_by_then).count()),
            (10, 4),
            "{until}"
        );
    }
    for method in ["haircut", "fifo", "lifo", "tiho"] {
        let line = format!("trace forward {theft} --graph g --method {method} --budget 4");
        let found = s.desk.ok(&line);
        let cut = found["cut"].as_array().unwrap();
        assert!(
            !cut.is_empty() && cut.iter().all(|c| c["reason"] == "budget"),
            "{method}: {cut:?}"
        );
        assert_eq!(
            sum(&found["cut"]) + sum(&found["unspent"]) + found["fees_sat"].as_u64().unwrap(),
            100_000_000,
            "{method}"
        );
    }
}

#[test]
fn risk_says_what_it_could_not_follow() {
    let mut s = Scene::new();
    let (thief, next) = (script(10), script(11));
    let unknown = s.coin(10_000_000, &script(1));
    let stolen = s.coin(20_000_000, &thief);
    s.pay(&[stolen, unknown], &[(next.clone(), 29_000_000)]);
    // Without the first block, what one input brought is unknown.
    s.build(1);
    s.labels(&[(&thief, "the theft", "theft")]);
    let line = format!("risk {} {} --graph g --labels labels.csv", address(&thief), address(&next));
    let found = s.desk.ok(&line);
    assert_eq!(
        (&found["complete"], &found["not_followed_sat"]),
        (&false.into(), &20_000_000.into())
    );
    assert_eq!(found["risks"][0]["score"], 0.9);
}

#[test]
fn change_is_listed_beside_the_cluster() {
    let mut s = Scene::new();
    let payer = script(1);
    let coins = [10_000_000, 30_000_000].map(|sat| s.coin(sat, &payer));
    s.coin(1_000, &script(3));
    let paid = s.pay(&coins, &[(script(3), 35_000_000), (script(2), 4_987_654)]);
    s.build(0);
    let found = s.desk.ok(&format!("cluster show {} --graph g", address(&payer)));
    assert_eq!(found["addresses"], json!([address(&payer)]));
    assert_eq!(found["alarms"], json!({"large": false, "seams": []}));
    let change = found["change"].as_array().unwrap();
    assert_eq!(change.len(), 1, "{change:?}");
    assert_eq!(
        (&change[0]["address"], &change[0]["txid"]),
        (&address(&script(2)).into(), &paid.to_string().into())
    );
    assert_eq!(change[0]["signs"], json!(["fresh", "others_round", "smaller_than_inputs"]));
}
