//! The graph on generated chains: the same bytes whatever happens on the way, and no fault passes.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bitcoin::hashes::Hash as _;
use chaingraph::source::Bad;
use chaingraph::{BuildError, Built, Graph, Notice, Options, OutputNum, Prevout, Progress, build};
use testkit::bench::temp_dir;
use testkit::chaingen::{Plan, generate};
use testkit::randchain::framed;

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Dir {
    fn new() -> Self {
        Self(temp_dir("graph"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn options(blocks: &Path, out: &Path) -> Options {
    Options {
        blocks: blocks.to_owned(),
        out: out.to_owned(),
        until: None,
        bad: Bad::Refuse,
        seal_outputs: 1_500,
    }
}

fn make(blocks: &Path, out: &Path) -> Result<Built, BuildError> {
    build(&options(blocks, out), &mut |_| {}, &mut trace::cluster::build)
}

fn chain(dir: &Path, seed: u64) {
    let plan = Plan { blocks: 90, txs: 3_000, seed, out: dir.to_owned() };
    generate(&plan, &mut |_| {}).unwrap();
}

/// Every file of a graph but the lock; equal graphs have equal files.
fn files(graph: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(graph)
        .unwrap()
        .map(|e| e.unwrap())
        .filter(|e| e.file_name() != "lock")
        .map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read(e.path()).unwrap()))
        .collect()
}

fn assert_equal(a: &Path, b: &Path) {
    let (a, b) = (files(a), files(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in a {
        assert!(bytes == b[&name], "{name} differs");
    }
}

#[test]
fn a_graph_verifies_and_answers_as_the_blocks_do() {
    let dir = Dir::new();
    chain(&dir.at("c"), 3);
    let built = make(&dir.at("c"), &dir.at("g")).unwrap();
    assert!(built.manifest.complete && built.notices.is_empty(), "{:?}", built.notices);
    assert_eq!(chaingraph::verify::verify(&dir.at("g"), &mut |_, _| {}).unwrap(), []);
    let graph = Graph::open(&dir.at("g")).unwrap();
    // The same blocks through the `bitcoin` crate.
    let bytes = std::fs::read(dir.at("c/blk00000.dat")).unwrap();
    let mut rest = &bytes[..];
    let mut number = 0;
    while !rest.is_empty() {
        rest = &rest[8..];
        let block: bitcoin::Block =
            bitcoin::consensus::Decodable::consensus_decode(&mut rest).unwrap();
        for tx in &block.txdata {
            let txid = tx.compute_txid().to_byte_array();
            let found = graph.find_tx(&txid).unwrap();
            assert_eq!((found.0, graph.txid(found)), (number, txid));
            let outputs: Vec<OutputNum> = graph.outputs_of(found).collect();
            assert_eq!(outputs.len(), tx.output.len());
            for (at, output) in outputs.iter().zip(&tx.output) {
                assert_eq!(graph.value(*at), output.value.to_sat());
                assert_eq!(graph.script_of(*at), output.script_pubkey.as_bytes());
                assert_eq!(graph.tx_of(*at), Some(found));
                if let Some(script) = graph.script(*at) {
                    assert_eq!(graph.find_script(output.script_pubkey.as_bytes()), Some(script));
                }
            }
            for (prevout, input) in graph.prevouts(found).zip(&tx.input) {
                match prevout {
                    Prevout::Held(output) => {
                        let from = graph.tx_of(output).unwrap();
                        let vout = output.0 - graph.outputs_of(from).0.start;
                        assert_eq!(graph.txid(from), input.previous_output.txid.to_byte_array());
                        assert_eq!(vout, u64::from(input.previous_output.vout));
                        assert_eq!(graph.spender(output), Some(found));
                    }
                    other => assert!(other == Prevout::Coinbase && tx.is_coinbase()),
                }
            }
            number += 1;
        }
    }
    assert_eq!(u64::from(number), graph.counts().txs);
    assert!(graph.find_tx(&[7; 32]).is_none() && graph.find_script(&[0x51]).is_none());
}

#[test]
fn a_build_that_was_stopped_anywhere_ends_in_the_same_bytes() {
    let dir = Dir::new();
    chain(&dir.at("c"), 4);
    make(&dir.at("c"), &dir.at("whole")).unwrap();
    for stop_at in [1_u32, 7, 23, 48, 90, 91, 92, 93] {
        let out = dir.at(&format!("g{stop_at}"));
        let mut steps = 0;
        let stopped = catch_unwind(AssertUnwindSafe(|| {
            build(
                &options(&dir.at("c"), &out),
                &mut |progress| {
                    steps += u32::from(!matches!(progress, Progress::Scanning(..)));
                    assert!(steps < stop_at, "stopped as asked");
                },
                &mut trace::cluster::build,
            )
        }));
        assert!(stopped.is_err(), "{stop_at}");
        assert!(Graph::open(&out).is_err(), "an unfinished graph must not open");
        make(&dir.at("c"), &out).unwrap();
        assert_equal(&dir.at("whole"), &out);
        // And in steps of heights, with everything finished between.
        let out = dir.at(&format!("u{stop_at}"));
        for until in [stop_at / 2, stop_at, 60, u32::MAX] {
            let part = Options { until: Some(until), ..options(&dir.at("c"), &out) };
            build(&part, &mut |_| {}, &mut trace::cluster::build).unwrap();
        }
        assert_equal(&dir.at("whole"), &out);
        std::fs::remove_dir_all(&out).unwrap();
    }
}

/// Coinbase-only blocks; a branch pays with its salt.
fn branch(
    prev: bitcoin::BlockHash,
    heights: std::ops::Range<u32>,
    salt: u8,
) -> Vec<bitcoin::Block> {
    let mut prev = prev;
    heights
        .map(|height| {
            let mut script_sig = vec![4];
            script_sig.extend(height.to_le_bytes());
            script_sig[4] = 0; // minimal for heights of three bytes
            let script_sig = [vec![2, height as u8, (height >> 8) as u8], vec![salt; 8]].concat();
            let tx = bitcoin::Transaction {
                version: bitcoin::transaction::Version::TWO,
                lock_time: bitcoin::absolute::LockTime::ZERO,
                input: vec![bitcoin::TxIn {
                    previous_output: bitcoin::OutPoint::null(),
                    script_sig: script_sig.into(),
                    sequence: bitcoin::Sequence::MAX,
                    witness: bitcoin::Witness::new(),
                }],
                output: vec![bitcoin::TxOut {
                    value: bitcoin::Amount::from_sat(u64::from(height)),
                    script_pubkey: vec![0x51, salt, height as u8].into(),
                }],
            };
            let block = testkit::randchain::block(prev, height, vec![tx]);
            prev = block.block_hash();
            block
        })
        .collect()
}

#[test]
fn the_branch_with_more_work_takes_the_place_of_the_other() {
    let dir = Dir::new();
    let common = branch(bitcoin::BlockHash::all_zeros(), 300..312, 1);
    let tip = common.last().unwrap().block_hash();
    let (a, b) = (branch(tip, 312..315, 2), branch(tip, 312..317, 3));
    let file = dir.at("blocks.dat");
    std::fs::write(&file, framed(&[&common[..], &a[..]].concat())).unwrap();
    make(&file, &dir.at("g")).unwrap();
    // Out of order, as a node writes them, and one block twice.
    let mut all = [&common[..], &a[..], &b[..], &common[3..4]].concat();
    all.swap(1, 16);
    all.reverse();
    std::fs::write(&file, framed(&all)).unwrap();
    let built = make(&file, &dir.at("g")).unwrap();
    assert!(built.notices.contains(&Notice::RolledBack(3)), "{:?}", built.notices);
    assert!(built.notices.contains(&Notice::Stale(3)), "{:?}", built.notices);
    std::fs::write(&file, framed(&[&common[..], &b[..]].concat())).unwrap();
    make(&file, &dir.at("fresh")).unwrap();
    assert_equal(&dir.at("fresh"), &dir.at("g"));
    assert_eq!(chaingraph::verify::verify(&dir.at("g"), &mut |_, _| {}).unwrap(), []);
}

#[test]
fn masked_files_are_read_as_a_node_writes_them() {
    let dir = Dir::new();
    chain(&dir.at("c"), 5);
    make(&dir.at("c"), &dir.at("plain")).unwrap();
    let key = [9, 8, 7, 6, 5, 4, 3, 0xff];
    let mut bytes = std::fs::read(dir.at("c/blk00000.dat")).unwrap();
    bytes.iter_mut().enumerate().for_each(|(at, b)| *b ^= key[at % 8]);
    bytes.extend([0; 5_000]); // a node lengthens its files ahead, unmasked
    std::fs::write(dir.at("c/blk00000.dat"), bytes).unwrap();
    std::fs::write(dir.at("c/xor.dat"), key).unwrap();
    let built = make(&dir.at("c"), &dir.at("masked")).unwrap();
    assert!(matches!(built.notices[..], [Notice::ZeroTail(..)]), "{:?}", built.notices);
    assert_equal(&dir.at("plain"), &dir.at("masked"));
}

#[test]
fn every_flipped_bit_is_refused_with_its_place() {
    let dir = Dir::new();
    chain(&dir.at("c"), 6);
    let good = std::fs::read(dir.at("c/blk00000.dat")).unwrap();
    let mut rng = testkit::chaingen::rng::Rng::new(1);
    for round in 0..120 {
        let at = rng.index(good.len());
        let mut bytes = good.clone();
        bytes[at] ^= 1 << rng.index(8);
        std::fs::write(dir.at("c/blk00000.dat"), &bytes).unwrap();
        let out = dir.at(&format!("g{round}"));
        match make(&dir.at("c"), &out) {
            Err(BuildError::BadBlock { path, offset, .. }) => {
                assert!(path.ends_with("blk00000.dat") && offset <= good.len() as u64);
            }
            // A magic number that became another network's.
            Err(BuildError::MixedNetworks { .. }) => {}
            // Witnesses are under no txid and no merkle root of ours; what is read is right all the same.
            Ok(built) => {
                assert!(built.manifest.complete);
                make_plain(&dir, &good);
                let (mine, plain) = (files(&out), files(&dir.at("plain")));
                let differing: Vec<_> = mine
                    .keys()
                    .filter(|k| mine[*k] != plain[*k] && *k != "manifest.json")
                    .collect();
                assert!(differing.is_empty(), "byte {at} passed and changed {differing:?}");
            }
            Err(other) => panic!("byte {at}: {other}"),
        }
        let _ = std::fs::remove_dir_all(&out);
    }
}

fn make_plain(dir: &Dir, good: &[u8]) {
    if !dir.at("plain").exists() {
        std::fs::create_dir(dir.at("p")).unwrap();
        std::fs::write(dir.at("p/blk00000.dat"), good).unwrap();
        make(&dir.at("p"), &dir.at("plain")).unwrap();
    }
}

#[test]
fn a_cut_end_is_told_and_a_hole_is_listed_when_asked() {
    let dir = Dir::new();
    chain(&dir.at("c"), 7);
    let good = std::fs::read(dir.at("c/blk00000.dat")).unwrap();
    let file = dir.at("c/blk00000.dat");
    std::fs::write(&file, &good[..good.len() - 100]).unwrap();
    let built = make(&dir.at("c"), &dir.at("cut")).unwrap();
    assert!(matches!(built.notices[..], [Notice::Truncated(..)]), "{:?}", built.notices);
    assert_eq!(built.manifest.counts.blocks, 89);
    // A block in the middle is damaged: without it later coins come from nowhere, and that is said.
    let mut bytes = good.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let skip = Options { bad: Bad::Skip, ..options(&dir.at("c"), &dir.at("skip")) };
    let built = build(&skip, &mut |_| {}, &mut trace::cluster::build).unwrap();
    if built.manifest.skipped.is_empty() {
        assert!(built.manifest.complete); // the bit was in a witness
    } else {
        assert!(!built.manifest.complete && built.manifest.skipped.len() == 1);
        assert!(built.manifest.counts.externals > 0);
        let graph = Graph::open(&dir.at("skip")).unwrap();
        assert_eq!(graph.blocks().filter(|b| b.starts_piece).count(), 2);
    }
    assert_eq!(chaingraph::verify::verify(&dir.at("skip"), &mut |_, _| {}).unwrap(), []);
}

#[test]
fn every_damaged_byte_of_a_graph_is_noticed() {
    let dir = Dir::new();
    chain(&dir.at("c"), 8);
    make(&dir.at("c"), &dir.at("g")).unwrap();
    let mut rng = testkit::chaingen::rng::Rng::new(2);
    for (name, bytes) in files(&dir.at("g")) {
        if bytes.is_empty() {
            continue;
        }
        let path = dir.at("g").join(&name);
        let mut altered = bytes.clone();
        altered[rng.index(bytes.len())] ^= 1 << rng.index(8);
        for content in [&altered[..], &bytes[..bytes.len() - 1]] {
            std::fs::write(&path, content).unwrap();
            let found = chaingraph::verify::verify(&dir.at("g"), &mut |_, _| {});
            assert!(found.map_or(true, |f| !f.is_empty()), "{name}");
        }
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(chaingraph::verify::verify(&dir.at("g"), &mut |_, _| {}).unwrap(), []);
}

#[test]
fn a_coin_from_nothing_and_a_coin_spent_twice_are_refused() {
    let dir = Dir::new();
    let chain = testkit::randchain::make(5, 40);
    let file = dir.at("blocks.dat");
    std::fs::write(&file, &chain.framed).unwrap();
    make(&file, &dir.at("g")).unwrap();
    // The last block again with its last payment doubled is a double spend; in another form it makes money.
    let mut rest = &chain.framed[..];
    let mut blocks: Vec<bitcoin::Block> = Vec::new();
    while !rest.is_empty() {
        rest = &rest[8..];
        blocks.push(bitcoin::consensus::Decodable::consensus_decode(&mut rest).unwrap());
    }
    let spending = blocks.iter().rposition(|b| b.txdata.len() > 1).unwrap();
    let whole = blocks.clone();
    let earlier = || whole[..spending].iter().flat_map(|b| &b.txdata);
    let spent: std::collections::HashSet<_> =
        earlier().flat_map(|tx| &tx.input).map(|i| i.previous_output).collect();
    // Of a transaction with another output that is unspent: of others nothing is remembered while linking.
    let data = earlier().find_map(|tx| {
        let point = |vout| bitcoin::OutPoint::new(tx.compute_txid(), vout);
        let mut vouts = 0..u32::try_from(tx.output.len()).unwrap();
        let is_data = |vout: &u32| tx.output[*vout as usize].script_pubkey.is_op_return();
        vouts.clone().find(|v| !is_data(v) && !spent.contains(&point(*v)))?;
        vouts.find(is_data).map(point)
    });
    let cases =
        [(0, "spent already"), (1, "pays more"), (2, "does not have"), (3, "which nobody can")];
    for (change, words) in cases {
        blocks.clone_from(&whole);
        blocks.truncate(spending + 1);
        let block = blocks.last_mut().unwrap();
        let held = block.txdata.iter().rposition(|tx| {
            whole.iter().any(|b| {
                b.txdata.iter().any(|t| t.compute_txid() == tx.input[0].previous_output.txid)
            })
        });
        let mut copy = block.txdata[held.unwrap()].clone();
        copy.input.truncate(1);
        let place = held.unwrap();
        match change {
            0 => {
                copy.output[0].value = bitcoin::Amount::ZERO;
                copy.output.truncate(1);
                block.txdata.push(copy);
            }
            1 => {
                copy.output[0].value = bitcoin::Amount::from_sat(2_099_999_999_999_999);
                copy.output.truncate(1);
                block.txdata[place] = copy;
                block.txdata.truncate(place + 1);
            }
            2 => {
                copy.input[0].previous_output.vout = 77;
                block.txdata[place] = copy;
                block.txdata.truncate(place + 1);
            }
            _ => {
                copy.input[0].previous_output = data.expect("the chain has a data output");
                block.txdata[place] = copy;
                block.txdata.truncate(place + 1);
            }
        }
        block.header.merkle_root = block.compute_merkle_root().unwrap();
        std::fs::write(&file, framed(&blocks)).unwrap();
        // Left out when asked, and still so when the build runs again.
        let skip = Options { bad: Bad::Skip, ..options(&file, &dir.at(&format!("s{change}"))) };
        let run = || build(&skip, &mut |_| {}, &mut trace::cluster::build).unwrap();
        let (first, again) = (run(), run());
        // What was spent and forgotten looks like a coin from the hole.
        let stays = u64::from(first.manifest.skipped.is_empty());
        assert_eq!(first.manifest.counts.blocks, spending as u64 + stays, "{words}");
        assert!(stays == 0 || change == 0, "{words}");
        assert_eq!((again.added, again.manifest), (0, first.manifest), "{words}");
        match make(&file, &dir.at(&format!("g{change}"))) {
            Err(BuildError::BadBlock { reason, .. }) => assert!(reason.contains(words), "{reason}"),
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[test]
fn a_damaged_last_block_costs_itself_alone() {
    let dir = Dir::new();
    let chain = branch(bitcoin::BlockHash::all_zeros(), 300..306, 1);
    let mut bytes = framed(&chain);
    let last = bytes.len() - 3;
    bytes[last] ^= 1; // in the lock time: the merkle root does not fit
    let file = dir.at("blocks.dat");
    std::fs::write(&file, &bytes).unwrap();
    assert!(matches!(make(&file, &dir.at("r")), Err(BuildError::BadBlock { .. })));
    let skip = Options { bad: Bad::Skip, ..options(&file, &dir.at("g")) };
    let built = build(&skip, &mut |_| {}, &mut trace::cluster::build).unwrap();
    assert_eq!((built.manifest.counts.blocks, built.manifest.skipped.len()), (5, 1));
    let graph = Graph::open(&dir.at("g")).unwrap();
    assert_eq!(graph.manifest().tip, chain[4].block_hash().to_string());
    assert_eq!(chaingraph::verify::verify(&dir.at("g"), &mut |_, _| {}).unwrap(), []);
}

#[test]
fn a_block_left_out_stays_out_until_it_is_mended() {
    let dir = Dir::new();
    chain(&dir.at("c"), 10);
    let file = dir.at("c/blk00000.dat");
    let good = std::fs::read(&file).unwrap();
    make(&dir.at("c"), &dir.at("plain")).unwrap();
    let mut ends = vec![];
    let mut at = 0;
    while at < good.len() {
        at += 8 + u32::from_le_bytes(good[at + 4..at + 8].try_into().unwrap()) as usize;
        ends.push(at);
    }
    let mut bytes = good.clone();
    for block in [40, 41, 60] {
        bytes[ends[block] - 3] ^= 1; // in the lock time: the merkle root does not fit
    }
    std::fs::write(&file, &bytes).unwrap();
    let skip = Options { bad: Bad::Skip, ..options(&dir.at("c"), &dir.at("g")) };
    let run = |options: &Options| build(options, &mut |_| {}, &mut trace::cluster::build);
    let built = run(&skip).unwrap();
    // What spends coins of the blocks left out comes from nowhere, but stays.
    assert_eq!((built.manifest.counts.blocks, built.manifest.skipped.len()), (87, 3));
    let before = files(&dir.at("g"));
    let again = run(&skip).unwrap();
    assert_eq!((again.added, again.manifest.skipped), (0, built.manifest.skipped));
    assert!(files(&dir.at("g")) == before);
    // Without leave to skip it is refused, and the graph stays as it is.
    assert!(matches!(make(&dir.at("c"), &dir.at("g")), Err(BuildError::BadBlock { .. })));
    assert!(files(&dir.at("g")) == before);
    // One is mended: from there on all is made again, and the others still stay out.
    bytes[ends[41] - 3] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let built = run(&skip).unwrap();
    assert_eq!((built.manifest.counts.blocks, built.manifest.skipped.len()), (88, 2));
    assert_eq!(chaingraph::verify::verify(&dir.at("g"), &mut |_, _| {}).unwrap(), []);
    std::fs::write(&file, &good).unwrap();
    assert!(make(&dir.at("c"), &dir.at("g")).unwrap().manifest.complete);
    assert_equal(&dir.at("g"), &dir.at("plain"));
}

#[test]
fn altered_headers_among_worked_ones_are_refused_however_many() {
    let dir = Dir::new();
    chain(&dir.at("c"), 11);
    let file = dir.at("c/blk00000.dat");
    let mut bytes = std::fs::read(&file).unwrap();
    let mut at = 0;
    while at < bytes.len() {
        let next = at + 8 + u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        if !at.is_multiple_of(3) {
            bytes[at + 8 + 68] ^= 1; // its time
        }
        at = next;
    }
    std::fs::write(&file, &bytes).unwrap();
    match make(&dir.at("c"), &dir.at("g")) {
        Err(BuildError::BadBlock { reason, .. }) => {
            assert!(reason.contains("proof of work"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_last_header_that_was_altered_has_no_work() {
    // No later block links to it, so work alone tells.
    let dir = Dir::new();
    chain(&dir.at("c"), 9);
    let file = dir.at("c/blk00000.dat");
    let mut bytes = std::fs::read(&file).unwrap();
    let (mut at, mut last) = (0, 0);
    while at < bytes.len() {
        last = at + 8;
        at = last + u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    bytes[last + 68] ^= 1; // its time
    std::fs::write(&file, &bytes).unwrap();
    match make(&dir.at("c"), &dir.at("g")) {
        Err(BuildError::BadBlock { offset, reason, .. }) => {
            assert_eq!(offset, last as u64);
            assert!(reason.contains("proof of work"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
