//! Three stages, one thread each: take apart, link, number. Blocks pass in chain order; the thread of numbering writes
//! the manifest at seals, after the stage before it has brought its rows to disk.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::link::Linker;
use super::resume::Start;
use super::scripts::Scripter;
use super::{Options, Progress, Work, skipped};
use crate::error::{BuildError, Notice};
use crate::header;
use crate::manifest::{Counts, Manifest, Skipped, SkippedBlock};
use crate::num::index;
use crate::order::{Chain, Link};
use crate::script::HashKey;
use crate::source::{Bad, Scan};
use crate::undo::Undos;

/// Blocks that may be between two stages: enough to even out, few enough for memory (a block of 4 MB takes about 20).
const QUEUE: usize = 12;

enum Item {
    Block(Box<Work>),
    /// A block that was left out, as asked: where it is, why, and which one it is.
    Skip {
        path: PathBuf,
        offset: u64,
        reason: String,
        block: SkippedBlock,
    },
    Fail(BuildError),
}

/// Runs the stages over the chain's blocks after the start. Returns the manifest with everything sealed, not finished.
pub fn run(
    options: &Options,
    scan: &Scan,
    chain: &Chain,
    start: Start,
    notices: &mut Vec<Notice>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Manifest, BuildError> {
    let Start { mut manifest, coins, done, hole } = start;
    let key = HashKey(manifest.hash_key[0], manifest.hash_key[1]);
    let dir = &options.out;
    let io = |error| BuildError::io(dir, "writing the graph")(error);
    let links = chain.links.get(done..).unwrap_or_default();
    let total: u64 = chain.links.iter().map(|l| u64::from(l.found.place.len)).sum();
    let left: u64 = links.iter().map(|l| u64::from(l.found.place.len)).sum();
    // A script for about 400 bytes of blocks, on the main network and in ours; the table grows if that is too few.
    let expected = index(total / 400).min(1 << 31);
    // Up to the first hole an unknown coin can only be an invention, whatever is missing later.
    let from_genesis = chain.links.first().is_some_and(|l| l.height.is_some_and(|h| h <= 1));
    let before = chain.links.get(1..done.max(1)).unwrap_or_default();
    let left_out = manifest.counts.blocks < done as u64;
    let strict = from_genesis && !left_out && !before.iter().any(|link| link.starts_piece);
    let linker = Linker::open(dir, manifest.counts, coins, strict).map_err(io)?;
    let mut scripter = Scripter::open(dir, manifest.counts, key, expected).map_err(io)?;
    // Where no block is missing, and none may be left out, undo data tells nothing new.
    let whole = chain.complete && options.bad == Bad::Refuse;
    let undos = if whole { None } else { Some(Undos::open(&scan.files, scan.network)?) };
    manifest.bytes_read = total - left;

    std::thread::scope(|scope| {
        let (to_linker, parsed) = sync_channel(QUEUE);
        let (to_scripter, linked) = sync_channel(QUEUE);
        let (give_back, spare) = sync_channel(2 * QUEUE + 4);
        let bad = options.bad;
        scope.spawn(move || {
            take_apart((links, hole), scan, undos.as_ref(), key, bad, &spare, &to_linker);
        });
        let linking = scope.spawn(move || link_all(linker, options, &parsed, &to_scripter));
        let mut tip = None;
        for item in &linked {
            match item {
                Item::Block(work) => {
                    scripter.block(&work).map_err(io)?;
                    tip = work.parsed.header.map(|h| header::show(&h.hash)).or(tip);
                    manifest.bytes_read += work.parsed.bytes.len() as u64;
                    progress(Progress::Blocks(manifest.bytes_read, total));
                    if work.seal {
                        scripter.sync().map_err(io)?;
                        seal(&mut manifest, &work, &scripter.counts);
                        manifest.write(dir).map_err(io)?;
                    }
                    let _ = give_back.try_send(work); // nobody waits for it: the first stage may be done
                }
                Item::Skip { path, offset, reason, block } => {
                    let skipped = skipped(&path, offset, &reason);
                    manifest.skipped.push(Skipped { block: Some(block), ..skipped });
                    manifest.complete = false;
                    notices.push(Notice::Skipped(path, offset, reason));
                }
                Item::Fail(error) => return Err(error),
            }
        }
        drop(linked);
        let linked = match linking.join() {
            Ok(result) => result.map_err(io)?,
            Err(_) => return Err(io(std::io::Error::other("a stage stopped"))),
        };
        // The last seal: after whichever block came last, which need not be the chain's last one.
        let scripts = scripter.finish().map_err(io)?;
        manifest.counts = both(linked, &scripts);
        manifest.complete &= manifest.counts.externals == 0;
        if let Some(tip) = tip {
            manifest.tip = tip;
        }
        manifest.write(dir).map_err(io)?;
        Ok(manifest)
    })
}

fn seal(manifest: &mut Manifest, work: &Work, scripts: &Counts) {
    manifest.counts = both(work.after, scripts);
    manifest.tip = work.parsed.header.map(|h| header::show(&h.hash)).unwrap_or_default();
}

/// What each of the two stages counts.
fn both(linked: Counts, scripts: &Counts) -> Counts {
    Counts {
        scripts: scripts.scripts,
        datas: scripts.datas,
        script_bytes: scripts.script_bytes,
        data_bytes: scripts.data_bytes,
        reveal_bytes: scripts.reveal_bytes,
        ..linked
    }
}

/// First stage: read, take apart, hash.
fn take_apart(
    (links, mut hole): (&[Link], bool),
    scan: &Scan,
    undos: Option<&Undos>,
    key: HashKey,
    bad: Bad,
    spare: &Receiver<Box<Work>>,
    out: &SyncSender<Item>,
) {
    for link in links {
        let mut work = spare.try_recv().unwrap_or_default();
        let item = match take_one(link, scan, undos, key, &mut work) {
            Ok(()) => {
                work.starts_piece |= hole;
                hole = false;
                Item::Block(work)
            }
            Err(BuildError::BadBlock { path, offset, reason }) if bad == Bad::Skip => {
                hole = true;
                let block = SkippedBlock::new(&link.found.header.hash, &work.parsed.bytes);
                Item::Skip { path, offset, reason, block }
            }
            Err(error) => Item::Fail(error),
        };
        let failed = matches!(item, Item::Fail(_));
        if out.send(item).is_err() || failed {
            return; // the later stage has given up, or nothing good can follow
        }
    }
}

fn take_one(
    link: &Link,
    scan: &Scan,
    undos: Option<&Undos>,
    key: HashKey,
    work: &mut Work,
) -> Result<(), BuildError> {
    let place = link.found.place;
    let Some(file) = scan.files.get(place.file as usize) else { return Ok(()) };
    file.read(place.offset, place.len as usize, &mut work.parsed.bytes)?;
    work.parsed.parse(key).map_err(|fault| BuildError::fault(&file.path, place.offset, fault))?;
    work.height = link.height;
    work.starts_piece = link.starts_piece;
    work.file.clone_from(&file.path);
    work.offset = place.offset;
    work.undo = match undos {
        Some(undos) => {
            let spending = work.parsed.txs.get(1..).unwrap_or_default();
            undos.find(place, &link.found.header.prev, spending.iter().map(|tx| tx.inputs))?
        }
        None => None,
    };
    Ok(())
}

/// Second stage: link, and bring rows to disk before a seal.
fn link_all(
    mut linker: Linker,
    options: &Options,
    blocks: &Receiver<Item>,
    out: &SyncSender<Item>,
) -> std::io::Result<Counts> {
    let mut sealed = linker.counts.outputs;
    let mut hole = false;
    for item in blocks {
        let item = match item {
            Item::Block(mut work) => {
                work.starts_piece |= hole;
                if work.starts_piece && linker.counts.blocks > 0 {
                    linker.note_hole();
                }
                match linker.block(&mut work)? {
                    Ok(()) => {
                        hole = false;
                        work.after = linker.counts;
                        work.seal |= linker.counts.outputs - sealed >= options.seal_outputs;
                        if work.seal {
                            linker.sync()?;
                            sealed = linker.counts.outputs;
                        }
                        Item::Block(work)
                    }
                    Err(fault) if options.bad == Bad::Skip => {
                        linker.note_hole();
                        hole = true;
                        let hash = work.parsed.header.map(|h| h.hash).unwrap_or_default();
                        Item::Skip {
                            path: work.file.clone(),
                            offset: work.offset,
                            reason: fault.what.to_owned(),
                            block: SkippedBlock::new(&hash, &work.parsed.bytes),
                        }
                    }
                    Err(fault) => Item::Fail(BuildError::BadBlock {
                        path: work.file.clone(),
                        offset: work.offset,
                        reason: fault.what.to_owned(),
                    }),
                }
            }
            skip @ Item::Skip { .. } => {
                linker.note_hole();
                skip
            }
            fail @ Item::Fail(_) => fail,
        };
        if out.send(item).is_err() {
            break;
        }
    }
    linker.finish()
}
