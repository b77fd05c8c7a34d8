//! An approval: a person's passkey and review key, both over one digest that names this spend, this
//! vault, this person and the chain heads the person saw.

use serde::{Deserialize, Serialize};

use crate::assertion::{Assertion, safe};
use crate::code::{Code, Violation};
use crate::digest::{Digest, Tag, hex, unhex};
use crate::intent::{IntentError, from_json};
use crate::keys::{KeySignature, PublicKey};
use crate::person::Person;
use crate::time::Timestamp;
use crate::wire::{Wire as _, wire_enum, wire_struct};

/// Bytes of the largest approval file.
pub const APPROVAL_BYTES_MAX: usize = 16 * 1024;

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The person agrees.
    Approve,
    /// The person refuses; one is enough.
    Reject,
}

wire_enum!(Decision { Approve = 1, Reject = 2 });

/// The hashes of the three chains that an approval stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHeads {
    /// Of the roster.
    pub roster: Digest,
    /// Of the policy.
    pub policy: Digest,
    /// Of the allow-list.
    pub allowlist: Digest,
}

wire_struct!(ChainHeads { roster, policy, allowlist });

/// What a person signs, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The transaction in its vault for its intent.
    pub spend_digest: Digest,
    /// The vault.
    pub vault_id: Digest,
    /// Who.
    pub person: String,
    /// The passkey that signs.
    pub credential_id: Vec<u8>,
    /// The review key that signs.
    pub review_key: PublicKey,
    /// Yes or no.
    pub decision: Decision,
    /// Under which roster, policy and allow-list.
    pub heads: ChainHeads,
    /// Until when it may be used.
    pub not_after: Timestamp,
}

wire_struct!(Statement {
    spend_digest,
    vault_id,
    person,
    credential_id,
    review_key,
    decision,
    heads,
    not_after,
});

impl Statement {
    /// The approval digest, the passkey's challenge.
    pub fn digest(&self) -> Digest {
        Tag::Approval.of(self)
    }

    /// What the review key signs: tag `review` over the approval digest.
    pub fn review_digest(&self) -> Digest {
        Tag::Review.digest(&self.digest().0)
    }
}

/// An approval as it lies in a file; nothing in it is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Vault it is for.
    pub vault_id: Digest,
    /// Who claims to have signed.
    pub person: String,
    /// Yes or no.
    pub decision: Decision,
    /// The spend.
    pub spend_digest: Digest,
    /// The heads.
    pub heads: ChainHeads,
    /// Until when.
    pub not_after: Timestamp,
    /// The passkey's part: credential id and assertion.
    pub passkey: Option<(Vec<u8>, Assertion)>,
    /// The review key's part: key id and signature.
    pub review: Option<(String, KeySignature)>,
}

wire_struct!(Approval {
    vault_id,
    person,
    decision,
    spend_digest,
    heads,
    not_after,
    passkey,
    review,
});

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    vault_id: Digest,
    person: String,
    decision: Decision,
    spend_digest: Digest,
    roster_head: Digest,
    policy_head: Digest,
    allowlist_head: Digest,
    not_after: Timestamp,
    passkey: Option<FilePasskey>,
    review: Option<FileReview>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePasskey {
    credential_id: String,
    authenticator_data: String,
    client_data_json: String,
    signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileReview {
    key_id: String,
    signature: String,
}

fn bytes(at: &str, text: &str) -> Result<Vec<u8>, IntentError> {
    unhex(text).map_err(|detail| IntentError { at: at.to_owned(), detail, signature: false })
}

impl Approval {
    /// Reads an approval file.
    pub fn parse(json: &[u8]) -> Result<Self, IntentError> {
        let fault = |at: &str, detail: &str| IntentError {
            at: at.to_owned(),
            detail: detail.to_owned(),
            signature: false,
        };
        if json.len() > APPROVAL_BYTES_MAX {
            return Err(fault("approval", "too large"));
        }
        let file: File = from_json(json)?;
        if file.version != 1 {
            return Err(fault("version", "is not 1"));
        }
        let passkey = match file.passkey {
            None => None,
            Some(p) => {
                let assertion = Assertion {
                    authenticator_data: bytes("passkey.authenticator_data", &p.authenticator_data)?,
                    client_data_json: bytes("passkey.client_data_json", &p.client_data_json)?,
                    signature: bytes("passkey.signature", &p.signature)?,
                };
                Some((bytes("passkey.credential_id", &p.credential_id)?, assertion))
            }
        };
        let review = match file.review {
            None => None,
            Some(r) => {
                let raw = bytes("review.signature", &r.signature)?;
                let raw = <[u8; 64]>::try_from(raw)
                    .map_err(|_| fault("review.signature", "is not 64 bytes"))?;
                Some((r.key_id, KeySignature(raw)))
            }
        };
        Ok(Self {
            vault_id: file.vault_id,
            person: file.person,
            decision: file.decision,
            spend_digest: file.spend_digest,
            heads: ChainHeads {
                roster: file.roster_head,
                policy: file.policy_head,
                allowlist: file.allowlist_head,
            },
            not_after: file.not_after,
            passkey,
            review,
        })
    }

    /// The file's content.
    pub fn to_json(&self) -> Vec<u8> {
        let file = File {
            version: 1,
            vault_id: self.vault_id,
            person: self.person.clone(),
            decision: self.decision,
            spend_digest: self.spend_digest,
            roster_head: self.heads.roster,
            policy_head: self.heads.policy,
            allowlist_head: self.heads.allowlist,
            not_after: self.not_after,
            passkey: self.passkey.as_ref().map(|(id, assertion)| FilePasskey {
                credential_id: hex(id),
                authenticator_data: hex(&assertion.authenticator_data),
                client_data_json: hex(&assertion.client_data_json),
                signature: hex(&assertion.signature),
            }),
            review: self.review.as_ref().map(|(key_id, signature)| FileReview {
                key_id: key_id.clone(),
                signature: hex(&signature.0),
            }),
        };
        // Plain structs of strings and numbers always serialise.
        serde_json::to_vec_pretty(&file).unwrap_or_default()
    }

    /// What `person` would have signed to make this approval.
    pub fn statement(&self, person: &Person) -> Statement {
        Statement {
            spend_digest: self.spend_digest,
            vault_id: self.vault_id,
            person: person.id.clone(),
            credential_id: person.passkey.credential_id.clone(),
            review_key: person.review_key,
            decision: self.decision,
            heads: self.heads,
            not_after: self.not_after,
        }
    }

    /// Checks both signatures as `person`'s over this vault and spend. Everything wrong is listed.
    pub fn verify(&self, person: &Person, vault_id: &Digest, spend: &Digest) -> Vec<Violation> {
        let who = safe(&self.person);
        let violation =
            |code, what: &str| Violation::new(code, format!("approval of {who}: {what}"));
        if self.vault_id != *vault_id || self.spend_digest != *spend {
            let what = "it is for another transaction, intent or vault";
            return vec![violation(Code::DigestMismatch, what).with("person", who.clone())];
        }
        let mut out = Vec::new();
        let statement = self.statement(person);
        match &self.passkey {
            None => out.push(violation(Code::NoAssertion, "no passkey signed it")),
            Some((id, _)) if *id != person.passkey.credential_id => {
                out.push(violation(Code::AssertionInvalid, "by a passkey that is not enrolled"));
            }
            Some((_, assertion)) => {
                if let Err(wrong) = assertion.verify(&person.passkey, &statement.digest()) {
                    out.push(violation(wrong.code, &wrong.detail));
                }
            }
        }
        match &self.review {
            None => out.push(violation(Code::ReviewMissing, "no review machine signed it")),
            Some((_, signature)) => {
                let digest = statement.review_digest();
                if !person.review_key.verifies(&digest.0, signature) {
                    let what = "the review key signed another digest";
                    out.push(violation(Code::DigestMismatch, what));
                }
            }
        }
        out
    }

    /// A digest of the whole file, to name it in a receipt.
    pub fn digest(&self) -> Digest {
        Tag::Approval.digest(&self.to_bytes())
    }
}
