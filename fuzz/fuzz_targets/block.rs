//! Blocks, against the `bitcoin` crate: what we take, it takes, with the same txids. And undo data.
#![no_main]

use bitcoin::hashes::Hash as _;
use chaingraph::block::{Parsed, coinbase_height};
use chaingraph::script::HashKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = coinbase_height(data);
    if let Some(undo) = chaingraph::undo::BlockUndo::parse(data) {
        let _ = undo.coin(1, 0);
    }
    let mut parsed = Parsed { bytes: data.to_vec(), ..Parsed::default() };
    if parsed.parse(HashKey(1, 2)).is_ok() {
        let block: bitcoin::Block = bitcoin::consensus::deserialize(data).expect("taken by us");
        assert_eq!(block.txdata.len(), parsed.txs.len());
        for (theirs, ours) in block.txdata.iter().zip(&parsed.txs) {
            assert_eq!(theirs.compute_txid().to_byte_array(), ours.txid);
        }
        assert!(block.check_merkle_root());
    }
});
