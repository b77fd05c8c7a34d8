//! Which blocks are the chain, in which order, at which heights. Files have them as they arrived: out of order, with
//! branches that lost, and, on a pruned node or in a folder of single blocks, with holes.

use std::collections::HashMap;

use crate::error::Notice;
use crate::header::Hash;
use crate::network::Network;
use crate::source::{Bad, Found, Place};

/// A block of the chain.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// What was met in the files.
    pub found: Found,
    /// Its height; `None` where neither links nor coinbases tell.
    pub height: Option<u32>,
    /// Whether the block before it is missing: a piece of chain begins here.
    pub starts_piece: bool,
}

/// The blocks in chain order.
#[derive(Debug)]
pub struct Chain {
    /// From the first to the tip.
    pub links: Vec<Link>,
    /// Whether no block is missing from genesis on, so that an unknown coin can only be an invention. Blocks from
    /// height 1 on are whole too: nobody can spend genesis.
    pub complete: bool,
}

/// A block that can't be in the chain that the others make.
#[derive(Debug)]
pub struct Misfit {
    /// Where it is.
    pub place: Place,
    /// Why.
    pub reason: String,
}

struct Piece {
    links: Vec<usize>,
    height: Option<u32>,
    work: f64,
}

/// Orders what was found. `until` cuts above a height.
///
/// # Errors
/// With [`Bad::Refuse`], the first block that can't belong.
pub fn order(
    mut found: Vec<Found>,
    network: &Network,
    until: Option<u32>,
    bad: Bad,
    notices: &mut Vec<Notice>,
    skipped: &mut Vec<Misfit>,
) -> Result<Chain, Misfit> {
    drop_without_work(&mut found, bad, notices, skipped)?;
    drop_repeated(&mut found);
    let total = found.len();
    let mut pieces = pieces(&found, network);
    drop_overlaps(&mut pieces);
    let pieces = sorted(pieces, &found);
    let kept: usize = pieces.iter().map(|p| p.links.len()).sum();
    if kept < total {
        notices.push(Notice::Stale(u32::try_from(total - kept).unwrap_or(u32::MAX)));
    }
    check_seams(&pieces, &found, bad, skipped)?;
    let complete = pieces.len() == 1
        && pieces.first().is_some_and(|p| {
            let first = p.links.first().and_then(|l| found.get(*l));
            let after_genesis =
                first.is_some_and(|f| Network::of_genesis(&f.header.prev).is_some());
            p.height == Some(0) || after_genesis
        });
    let mut links = Vec::with_capacity(kept);
    for piece in &pieces {
        for (at, link) in piece.links.iter().enumerate() {
            let at_height = u32::try_from(at).unwrap_or(u32::MAX);
            let height = piece.height.and_then(|h| h.checked_add(at_height));
            if until.is_some_and(|until| height.is_some_and(|h| h > until)) {
                break;
            }
            let Some(found) = found.get(*link) else { continue };
            let starts_piece = at == 0;
            if starts_piece && links.is_empty() && height.is_none_or(|h| h > 1) {
                notices.push(Notice::MidChain(height));
            } else if starts_piece && !links.is_empty() {
                notices.push(Notice::Hole(height));
            }
            links.push(Link { found: *found, height, starts_piece });
        }
    }
    Ok(Chain { links, complete })
}

/// Blocks that claim work and have none. Chains made for tests may have none at all: that is told, not refused.
fn drop_without_work(
    found: &mut Vec<Found>,
    bad: Bad,
    notices: &mut Vec<Notice>,
    skipped: &mut Vec<Misfit>,
) -> Result<(), Misfit> {
    let works: Vec<bool> = found.iter().map(|f| f.header.has_work()).collect();
    if works.iter().all(|works| *works) {
        return Ok(());
    }
    // Genesis is in every chain made for tests.
    let claims =
        found.iter().zip(&works).filter(|(f, _)| Network::of_genesis(&f.header.hash).is_none());
    if !is_worked(claims.map(|(f, works)| (f.header.target_zero_bits(), *works))) {
        notices.push(Notice::NoWork);
        return Ok(());
    }
    let mut works = works.into_iter();
    let mut first = None;
    found.retain(|f| {
        let keep = works.next().unwrap_or(true);
        if !keep {
            let reason = "the header's hash has no proof of work".to_owned();
            let misfit = Misfit { place: f.place, reason };
            match bad {
                Bad::Refuse if first.is_none() => first = Some(misfit),
                Bad::Refuse => {}
                Bad::Skip => skipped.push(misfit),
            }
        }
        keep
    });
    first.map_or(Ok(()), Err)
}

/// Whether somebody worked for these blocks: each one's claim in zero bits, and whether its hash has them. A hash that
/// nobody worked for has `z` zero bits once in 2^z; Chernoff's bound says how probable so many bits then are, and less
/// than 2^-20 is work. One block of a real network is enough, or 25 at regtest's target, which half of all hashes meet.
fn is_worked(claims: impl Iterator<Item = (u32, bool)> + Clone) -> bool {
    // One that chance does not make in an age decides alone, whatever stands beside it.
    if claims.clone().any(|(zeros, works)| works && zeros >= 40) {
        return true;
    }
    let bits: f64 = claims.clone().map(|(z, works)| if works { f64::from(z) } else { 0.0 }).sum();
    // log2 of the mean of 2^(t x bits) by chance, less t x bits, is a bound for every t; the best of some.
    let bound = |t: f64| {
        let mean = claims.clone().map(|(z, _)| {
            let z = f64::from(z);
            (1.0 - (-z).exp2() + ((t - 1.0) * z).exp2()).log2()
        });
        mean.sum::<f64>() - t * bits
    };
    let slopes = (1..10).map(|tenth| f64::from(tenth) / 10.0);
    slopes.chain([1.0, 1.5, 2.0, 3.0, 4.0, 6.0]).any(|t| bound(t) < -20.0)
}

/// A node may have a block twice in its files.
fn drop_repeated(found: &mut Vec<Found>) {
    let mut seen = std::collections::HashSet::with_capacity(found.len());
    found.retain(|f| seen.insert(f.header.hash));
}

/// Of every tree of linked headers, the branch with the most work.
fn pieces(found: &[Found], network: &Network) -> Vec<Piece> {
    let by_hash: HashMap<Hash, usize> =
        found.iter().enumerate().map(|(at, f)| (f.header.hash, at)).collect();
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut roots = Vec::new();
    for (at, f) in found.iter().enumerate() {
        match by_hash.get(&f.header.prev) {
            Some(parent) => children.entry(*parent).or_default().push(at),
            None => roots.push(at),
        }
    }
    roots
        .into_iter()
        .map(|root| {
            let (mut parent, mut best) = (HashMap::new(), (0.0, root));
            let mut open = vec![(root, 0.0)];
            while let Some((at, before)) = open.pop() {
                let work = before + found.get(at).map_or(0.0, |f| f.header.work());
                // The more work; of equal ones, the block that stands first in the files.
                if work > best.0 || (work.total_cmp(&best.0).is_eq() && at < best.1) {
                    best = (work, at);
                }
                for child in children.get(&at).into_iter().flatten() {
                    parent.insert(*child, at);
                    open.push((*child, work));
                }
            }
            let mut links = vec![best.1];
            let mut at = best.1;
            while let Some(before) = parent.get(&at) {
                links.push(*before);
                at = *before;
            }
            links.reverse();
            let height = height_of_first(&links, found, network);
            Piece { links, height, work: best.0 }
        })
        .collect()
}

/// The height of a piece's first block: from genesis, else what most of its coinbases say.
fn height_of_first(links: &[usize], found: &[Found], network: &Network) -> Option<u32> {
    let first = found.get(*links.first()?)?;
    let genesis = crate::header::read(network.genesis)?;
    if first.header.hash == genesis || first.header.prev == [0; 32] {
        return Some(0);
    }
    if first.header.prev == genesis {
        return Some(1);
    }
    let mut votes: HashMap<u32, usize> = HashMap::new();
    for (at, link) in links.iter().enumerate() {
        let height = found.get(*link).and_then(|f| f.height);
        let base = height.and_then(|h| h.checked_sub(u32::try_from(at).ok()?));
        if let Some(base) = base {
            *votes.entry(base).or_default() += 1;
        }
    }
    let voters: usize = votes.values().sum();
    let (base, count) = votes.into_iter().max_by_key(|(base, n)| (*n, *base))?;
    (2 * count > voters).then_some(base)
}

/// Of two pieces that cover the same height only one can be the chain: a stale block whose parent is not here.
fn drop_overlaps(pieces: &mut Vec<Piece>) {
    pieces.sort_by(|a, b| b.work.total_cmp(&a.work));
    // Ranges that don't meet, by their first height: only the last one that begins before an end can clash.
    let mut taken = std::collections::BTreeMap::new();
    pieces.retain(|piece| {
        let Some(first) = piece.height else { return true };
        let len = u32::try_from(piece.links.len()).unwrap_or(u32::MAX);
        let end = first.saturating_add(len);
        let clash = taken.range(..end).next_back().is_some_and(|(_, taken)| first < *taken);
        if !clash {
            taken.insert(first, end);
        }
        !clash
    });
}

/// By known height, else by the time in the header.
fn sorted(pieces: Vec<Piece>, found: &[Found]) -> Vec<Piece> {
    let time = |p: &Piece| p.links.first().and_then(|l| found.get(*l)).map_or(0, |f| f.header.time);
    let (mut known, mut unknown): (Vec<_>, Vec<_>) =
        pieces.into_iter().partition(|p| p.height.is_some());
    known.sort_by_key(|p| p.height);
    unknown.sort_by_key(time);
    let mut merged = Vec::with_capacity(known.len() + unknown.len());
    let (mut known, mut unknown) = (known.into_iter().peekable(), unknown.into_iter().peekable());
    loop {
        let take_known = match (known.peek(), unknown.peek()) {
            (Some(k), Some(u)) => time(k) <= time(u),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return merged,
        };
        merged.extend(if take_known { known.next() } else { unknown.next() });
    }
}

/// Two pieces that meet without a link: one of the two blocks at the seam was altered, or is of a branch that lost.
fn check_seams(
    pieces: &[Piece],
    found: &[Found],
    bad: Bad,
    skipped: &mut Vec<Misfit>,
) -> Result<(), Misfit> {
    for pair in pieces.windows(2) {
        let [before, after] = pair else { continue };
        let end = before
            .height
            .and_then(|h| h.checked_add(u32::try_from(before.links.len()).unwrap_or(u32::MAX)));
        if end.is_none() || end != after.height {
            continue;
        }
        let Some(first) = after.links.first().and_then(|l| found.get(*l)) else { continue };
        let reason = format!(
            "the block of height {} here is not its parent: one of the two was altered",
            end.unwrap_or_default().saturating_sub(1)
        );
        let misfit = Misfit { place: first.place, reason };
        match bad {
            Bad::Refuse => return Err(misfit),
            Bad::Skip => skipped.push(misfit), // told; both stay, with a hole between them
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_told_from_chance() {
        let real = [(76, true), (76, false), (76, false)];
        assert!(is_worked(real.into_iter()), "one real block is no chance");
        let diluted = std::iter::repeat_n((1, false), 1_000).chain([(76, true)]);
        assert!(is_worked(diluted));
        assert!(!is_worked([(32, false); 1000].into_iter()));
        let regtest = |n: u32, worked: u32| is_worked((0..n).map(move |i| (1, i < worked)));
        assert!(regtest(200, 199) && regtest(1000, 990));
        assert!(!regtest(1000, 520), "half of all hashes meet that target");
        assert!(regtest(25, 25) && regtest(40, 39));
        assert!(!regtest(15, 14), "too few to say");
        assert!(is_worked((0..100).map(|i| (10, i % 10 > 0))));
        assert!(!is_worked([(256, false); 3].into_iter()) && !is_worked(std::iter::empty()));
    }
}
