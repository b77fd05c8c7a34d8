//! People: who may approve, with which passkey and which review key, from which network zone.

use crate::assertion::{Algorithm, Assertion};
use crate::code::Violation;
use crate::digest::{Digest, Tag};
use crate::keys::{KeySignature, PublicKey};
use crate::wire::wire_struct;

/// Most people in a roster.
pub const PERSONS_MAX: usize = 64;

/// A registered passkey (WebAuthn Level 3). It serves approvals only, never sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// The authenticator's name of it.
    pub credential_id: Vec<u8>,
    /// The one algorithm it signs with.
    pub algorithm: Algorithm,
    /// Uncompressed SEC1 point (ES256) or 32 bytes (EdDSA).
    pub public_key: Vec<u8>,
    /// The relying party that it is bound to.
    pub rp_id: String,
    /// The exact origins whose pages may ask it to sign.
    pub origins: Vec<String>,
    /// Whether it can be synced to other devices (the BE flag at registration).
    pub backup_eligible: bool,
    /// A key in a file, for trials and drills.
    pub software: bool,
}

wire_struct!(Passkey {
    credential_id,
    algorithm,
    public_key,
    rp_id,
    origins,
    backup_eligible,
    software,
});

/// A person of the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Short unique name.
    pub id: String,
    /// The group that policy counts the person in.
    pub group: String,
    /// Works for a vendor: may propose, never counts.
    pub vendor: bool,
    /// The network zone the person approves from.
    pub zone: String,
    /// Operating system of the review machine.
    pub platform: String,
    /// Signs approvals as the challenge.
    pub passkey: Passkey,
    /// Signs approvals on the person's own machine, after its own decoder showed the bytes.
    pub review_key: PublicKey,
}

wire_struct!(Person { id, group, vendor, zone, platform, passkey, review_key });

/// Names of people, groups and zones: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`; nothing to mistake.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
}

impl Person {
    /// What is wrong with the record in itself, if anything.
    pub fn fault(&self) -> Option<String> {
        for (what, name) in [("id", &self.id), ("group", &self.group), ("zone", &self.zone)] {
            if !is_name(name) {
                return Some(format!("{what} `{name}` is not 1 to 64 of a-z 0-9 - _ ."));
            }
        }
        let key = &self.passkey;
        let sound = !key.origins.is_empty()
            && key.origins.len() <= 8
            && (16..=1023).contains(&key.credential_id.len())
            && key.algorithm.accepts(&key.public_key)
            && self.platform.len() <= 64;
        if key.public_key.ends_with(self.review_key.as_bytes()) {
            return Some(format!("passkey and review key of `{}` are one key", self.id));
        }
        (!sound).then(|| format!("passkey of `{}` is not complete", self.id))
    }
}

/// A person's record signed with both of the person's keys, made on the person's own machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The record.
    pub person: Person,
    /// The passkey's signature over the enrol digest.
    pub assertion: Assertion,
    /// The review key's.
    pub review: KeySignature,
}

wire_struct!(Enrolment { person, assertion, review });

impl Enrolment {
    /// The enrol digest: tag `enrol` over the person's record. Its phrase is read out by the person.
    pub fn digest(person: &Person) -> Digest {
        Tag::Enrol.of(person)
    }

    /// Checks that both keys in the record signed the record.
    pub fn check(&self) -> Result<(), String> {
        if let Some(fault) = self.person.fault() {
            return Err(fault);
        }
        let digest = Self::digest(&self.person);
        let verified = self.assertion.verify(&self.person.passkey, &digest);
        verified.map_err(|Violation { code, detail, .. }| format!("{code}: {detail}"))?;
        if !self.person.review_key.verifies(&digest.0, &self.review) {
            return Err(format!(
                "enrolment of `{}` is not signed by its review key",
                self.person.id
            ));
        }
        Ok(())
    }
}

/// Someone who may ask for withdrawals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// What people call it.
    pub name: String,
    /// Signs intents.
    pub key: PublicKey,
    /// The person of the roster behind it, who then can't approve what it asks for.
    pub person: Option<String>,
}

wire_struct!(Requester { name, key, person });

/// Everyone who has a say.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Roster {
    /// Approvers and governors.
    pub persons: Vec<Person>,
    /// Requesters; while there are none, anyone's intent is judged. Asking counts for nothing.
    pub requesters: Vec<Requester>,
}

wire_struct!(Roster { persons, requesters });

impl Roster {
    /// A person by id.
    pub fn person(&self, id: &str) -> Option<&Person> {
        self.persons.iter().find(|p| p.id == id)
    }

    /// A requester by key.
    pub fn requester(&self, key: &PublicKey) -> Option<&Requester> {
        self.requesters.iter().find(|r| r.key == *key)
    }

    /// What is wrong with the roster, if anything: one credential serves one person only.
    pub fn fault(&self) -> Option<String> {
        if self.persons.len() > PERSONS_MAX || self.requesters.len() > PERSONS_MAX {
            return Some(format!("more than {PERSONS_MAX} people or requesters"));
        }
        for (index, person) in self.persons.iter().enumerate() {
            if let Some(fault) = person.fault() {
                return Some(fault);
            }
            for other in self.persons.iter().skip(index + 1) {
                if other.id == person.id {
                    return Some(format!("person `{}` stands there twice", person.id));
                }
                if other.review_key == person.review_key
                    || other.passkey.public_key == person.passkey.public_key
                    || other.passkey.credential_id == person.passkey.credential_id
                    || other.passkey.public_key.ends_with(person.review_key.as_bytes())
                    || person.passkey.public_key.ends_with(other.review_key.as_bytes())
                {
                    return Some(format!("`{}` and `{}` share a credential", person.id, other.id));
                }
            }
        }
        for (index, requester) in self.requesters.iter().enumerate() {
            if !is_name(&requester.name) {
                return Some(format!("requester `{}` is not a name", requester.name));
            }
            if self.requesters.iter().skip(index + 1).any(|o| o.key == requester.key) {
                return Some(format!("requester key of `{}` stands there twice", requester.name));
            }
            if requester.person.as_ref().is_some_and(|p| self.person(p).is_none()) {
                return Some(format!("requester `{}` names nobody of the roster", requester.name));
            }
        }
        None
    }
}
