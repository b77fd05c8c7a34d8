//! Ferrying heads to witnesses and cosignatures back (C2SP tlog-witness, client side).

use tlog::policy::Witness;
use tlog::witness::AddHead;
use tlog::{CosignedHead, Hash, SignedHead, WitnessPolicy};

use crate::Error;

/// How a request reaches a witness: status and body. The shell has the network.
pub trait Transport: Sync {
    /// Posts a body to a URL.
    fn post(&self, url: &str, body: &[u8]) -> Result<(u16, Vec<u8>), String>;
}

/// Lines of a witness's answer that are looked at.
const LINES_MAX: usize = 16;

/// What one witness said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It cosigned.
    Cosigned,
    /// It is at another size, and stays there.
    Conflict(u64),
    /// It refused or could not be reached.
    Failed(String),
}

/// Asks every witness of a policy to cosign a head; `prove` gives consistency proofs from a size.
/// Lines that are good are added to the head; what every witness said is told.
pub fn cosign(
    signed: &SignedHead,
    policy: &WitnessPolicy,
    transport: &dyn Transport,
    prove: &(dyn Fn(u64) -> Option<Vec<Hash>> + Sync),
) -> (SignedHead, Vec<(String, Answer)>) {
    cosign_by(signed, policy.witnesses(), transport, prove)
}

/// The same for some witnesses.
pub fn cosign_by(
    signed: &SignedHead,
    witnesses: &[Witness],
    transport: &dyn Transport,
    prove: &(dyn Fn(u64) -> Option<Vec<Hash>> + Sync),
) -> (SignedHead, Vec<(String, Answer)>) {
    let mut result = signed.clone();
    let mut answers = Vec::new();
    let all: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = witnesses
            .iter()
            .map(|witness| (witness, scope.spawn(|| ask(signed, witness, transport, prove))))
            .collect();
        let joined = threads.into_iter().map(|(w, t)| {
            (w, t.join().unwrap_or_else(|_| Err(Answer::Failed("fault".to_owned()))))
        });
        joined.collect()
    });
    for (witness, outcome) in all {
        let name = witness.key.name().to_owned();
        let answer = match outcome {
            Ok(lines) => {
                // Only a line of this witness that verifies is taken: anything else in its answer, a
                // bad line in another's name for one, would spoil the whole head.
                let good =
                    lines.split_inclusive(|byte| *byte == b'\n').take(LINES_MAX).find(|line| {
                        let mut trial = signed.clone();
                        trial.add_lines(line).is_ok()
                            && CosignedHead::check(trial, std::slice::from_ref(&witness.key))
                                .is_ok_and(|h| h.cosignatures().len() == 1)
                    });
                if good.is_some_and(|line| result.add_lines(line).is_ok()) {
                    Answer::Cosigned
                } else {
                    Answer::Failed("its cosignature does not verify".to_owned())
                }
            }
            Err(answer) => answer,
        };
        answers.push((name, answer));
    }
    (result, answers)
}

fn ask(
    signed: &SignedHead,
    witness: &Witness,
    transport: &dyn Transport,
    prove: &(dyn Fn(u64) -> Option<Vec<Hash>> + Sync),
) -> Result<Vec<u8>, Answer> {
    let failed = |what: &str| Answer::Failed(what.to_owned());
    let url = witness.url.as_deref().ok_or_else(|| failed("no URL in the witness policy"))?;
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    // The witness tells where it is; the first guess is that it knows this head already.
    let mut old_size = signed.head().size;
    for _ in 0..3 {
        let proof = match prove(old_size) {
            Some(proof) => proof,
            None => return Err(Answer::Conflict(old_size)),
        };
        let request = AddHead { old_size, proof, note: signed.to_note() };
        let (status, body) = transport.post(&url, &request.encode()).map_err(Answer::Failed)?;
        match status {
            200 => return Ok(body),
            409 => {
                let text = String::from_utf8_lossy(&body);
                let size = text.trim().parse().map_err(|_| failed("409 without a size"))?;
                if size > signed.head().size || size == old_size {
                    return Err(Answer::Conflict(size));
                }
                old_size = size;
            }
            other => {
                let text: String = String::from_utf8_lossy(&body).chars().take(100).collect();
                return Err(Answer::Failed(format!("status {other}: {}", text.trim())));
            }
        }
    }
    Err(failed("its size keeps changing"))
}

/// An error that says why too few cosigned.
pub fn too_few(policy: &WitnessPolicy, answers: &[(String, Answer)]) -> Error {
    let told: Vec<String> = answers
        .iter()
        .map(|(name, answer)| match answer {
            Answer::Cosigned => format!("{name}: cosigned"),
            Answer::Conflict(size) => format!("{name}: has seen another history of {size} entries"),
            Answer::Failed(what) => format!("{name}: {what}"),
        })
        .collect();
    let detail = format!("{} witnesses must cosign; {}", policy.k(), told.join("; "));
    Error::Refused(withdrawal::code::Code::WitnessQuorum, detail)
}
