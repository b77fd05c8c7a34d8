//! What is made when all blocks are in: samples, lookups, clusters, checksums; then the manifest that says *finished*.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::Path;

use bitcoin_hashes::{Hash as _, sha256};

use super::{ClusterMaker, Progress};
use crate::bits;
use crate::columns::{CHUNK, Column, open_rw};
use crate::error::{BuildError, OpenError};
use crate::graph::{Graph, LOCK};
use crate::header;
use crate::lookup::{self, txid_key};
use crate::manifest::{self, Manifest};
use crate::map::Map;
use crate::num::{Prevout, TxNum, index};
use crate::script::{HashKey, Packed};

/// Clusters as columns: for every script a script nearer the root of its cluster, and the transaction that joined it
/// there. Roots name themselves and no transaction (`u32::MAX`).
#[derive(Debug, Default)]
pub struct Clusters {
    /// Parent by script.
    pub parent: Vec<u32>,
    /// Transaction by script.
    pub tx: Vec<u32>,
}

/// Takes the directory for this process: makes it if it is not there.
pub fn lock(dir: &Path) -> Result<File, BuildError> {
    let io = |what| BuildError::io(dir, what);
    if !dir.exists() {
        std::fs::create_dir_all(dir).map_err(io("making it"))?;
    }
    // The manifest comes before the columns. Another program's may bear that name: it is read before anything is done.
    if dir.join(manifest::FILE).exists() {
        Manifest::read(dir)?;
    } else {
        for entry in std::fs::read_dir(dir).map_err(io("listing it"))? {
            let name = entry.map_err(io("listing it"))?.file_name();
            if name != LOCK && name != "manifest.new" {
                return Err(BuildError::NotAGraph { path: dir.to_owned() });
            }
        }
    }
    let file = open_rw(&dir.join(LOCK)).map_err(io("locking it"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BuildError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io("locking it")(error)),
    }
}

/// Coins from outside whose transaction is in the graph after all, before the one that spends them: it was spent
/// already, or has no such output. Told by the spender; only a whole lookup can tell.
pub fn false_outsiders(graph: &Graph) -> Option<(TxNum, String)> {
    if graph.counts().externals == 0 {
        return None;
    }
    for tx in graph.txs() {
        for prevout in graph.prevouts(tx) {
            let Prevout::External(number) = prevout else { continue };
            let coin = graph.external(number)?;
            let made = graph.find_txs(&coin.txid).into_iter().any(|made| made < tx);
            if made {
                return Some((tx, format!("{}:{}", header::show(&coin.txid), coin.vout)));
            }
        }
    }
    None
}

/// Makes what is made last.
pub fn finish(
    dir: &Path,
    mut manifest: Manifest,
    progress: &mut dyn FnMut(Progress),
    clusters: ClusterMaker<'_>,
    check: &dyn Fn(&Graph) -> Result<(), BuildError>,
) -> Result<Manifest, BuildError> {
    progress(Progress::Lookups);
    let io = |error| BuildError::io(dir, "writing the graph")(error);
    make_samples(dir, &manifest)?;
    make_lookups(dir, &manifest)?;
    let absent = [Column::Cluster, Column::ClusterTx];
    let graph = Graph::open_without(dir, manifest.clone(), &absent)?;
    check(&graph)?;
    let made = clusters(&graph, &mut |a, b| progress(Progress::Clusters(a, b)));
    drop(graph);
    write(dir, Column::Cluster, bytemuck::cast_slice(&made.parent)).map_err(io)?;
    write(dir, Column::ClusterTx, bytemuck::cast_slice(&made.tx)).map_err(io)?;
    drop(made);
    progress(Progress::Checksums);
    manifest.sums = sums(dir, &manifest)?;
    manifest.finished = true;
    manifest.write(dir).map_err(io)?;
    Ok(manifest)
}

/// Writes a whole column beside the old one and puts it in its place.
fn write(dir: &Path, column: Column, bytes: &[u8]) -> std::io::Result<()> {
    let path = column.path(dir);
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(fresh, path)
}

fn map(dir: &Path, manifest: &Manifest, column: Column) -> Result<Map, OpenError> {
    let path = column.path(dir);
    let file = File::open(&path).map_err(OpenError::io(&path))?;
    Map::open(&file, column.len_at(&manifest.counts)).map_err(OpenError::io(&path))
}

fn make_samples(dir: &Path, manifest: &Manifest) -> Result<(), BuildError> {
    let sides = [(Column::OutRuns, Column::OutSamples), (Column::InRuns, Column::InSamples)];
    for (lines, samples) in sides {
        let map = map(dir, manifest, lines)?;
        let lines = bytemuck::try_cast_slice(&map).unwrap_or_default();
        let made = bits::View::samples(lines, manifest.counts.txs);
        write(dir, samples, bytemuck::cast_slice(&made))
            .map_err(BuildError::io(dir, "writing the graph"))?;
    }
    Ok(())
}

fn make_lookups(dir: &Path, manifest: &Manifest) -> Result<(), BuildError> {
    let (txids, scripts) =
        (map(dir, manifest, Column::Txid)?, map(dir, manifest, Column::ScriptBytes)?);
    let rows = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let key = HashKey(manifest.hash_key[0], manifest.hash_key[1]);
    let io = |error| BuildError::io(dir, "writing the graph")(error);
    std::thread::scope(|scope| {
        let by_txid = scope.spawn(|| {
            let (bounds, numbers) = lookup::sort(rows(manifest.counts.txs), |tell| {
                for txid in txids.chunks_exact(32) {
                    tell(txid.first_chunk().map_or(0, txid_key));
                }
            });
            write(dir, Column::TxidBuckets, bytemuck::cast_slice(&bounds))?;
            write(dir, Column::TxidIndex, bytemuck::cast_slice(&numbers))
        });
        let (bounds, numbers) = lookup::sort(rows(manifest.counts.scripts), |tell| {
            let mut rest: &[u8] = &scripts;
            while let Some((packed, after)) = Packed::read(rest) {
                tell(packed.hash(key));
                rest = after;
            }
        });
        write(dir, Column::ScriptBuckets, bytemuck::cast_slice(&bounds)).map_err(io)?;
        write(dir, Column::ScriptIndex, bytemuck::cast_slice(&numbers)).map_err(io)?;
        by_txid.join().unwrap_or_else(|_| Err(std::io::Error::other("a stage stopped"))).map_err(io)
    })
}

/// SHA-256 of every chunk of every column, by two threads.
pub(crate) fn sums(
    dir: &Path,
    manifest: &Manifest,
) -> Result<std::collections::BTreeMap<String, Vec<String>>, OpenError> {
    let mut chunks = Vec::new();
    let mut maps = Vec::new();
    for column in Column::ALL {
        let map = map(dir, manifest, column)?;
        for at in 0..(map.len() as u64).div_ceil(CHUNK) {
            chunks.push((maps.len(), at));
        }
        maps.push(map);
    }
    let sum = |(column, at): &(usize, u64)| {
        let bytes: &[u8] = maps.get(*column).map_or(&[], |m| m);
        let start = index(at * CHUNK);
        let end = bytes.len().min(start + index(CHUNK));
        sha256::Hash::hash(bytes.get(start..end).unwrap_or_default()).to_string()
    };
    let (even, odd): (Vec<_>, Vec<_>) = (
        chunks.iter().step_by(2).collect::<Vec<_>>(),
        chunks.iter().skip(1).step_by(2).collect::<Vec<_>>(),
    );
    let (even, odd) = std::thread::scope(|scope| {
        let odd = scope.spawn(|| odd.into_iter().map(sum).collect::<Vec<_>>());
        let even: Vec<_> = even.into_iter().map(sum).collect();
        (even, odd.join().unwrap_or_default())
    });
    let mut made: std::collections::BTreeMap<String, Vec<String>> =
        Column::ALL.iter().map(|c| (c.name().to_owned(), Vec::new())).collect();
    let (mut even, mut odd) = (even.into_iter(), odd.into_iter());
    for (nth, (column, _)) in chunks.iter().enumerate() {
        let sum = if nth.is_multiple_of(2) { even.next() } else { odd.next() };
        let name = Column::ALL.get(*column).map(|c| c.name().to_owned()).unwrap_or_default();
        made.entry(name).or_default().extend(sum);
    }
    Ok(made)
}
