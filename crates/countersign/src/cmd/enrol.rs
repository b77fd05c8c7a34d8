//! `enrol`: a person's record, signed by both of the person's keys.

use ring::rand::SystemRandom;
use serde_json::json;
use withdrawal::author::Signatory;
use withdrawal::person::{Enrolment, Person};
use withdrawal::phrase::phrase;

use super::Context;
use crate::cli::Enrol;
use crate::fail::{Done, Fail};
use crate::files;

pub fn run(cx: Context, args: Enrol) -> Done {
    let review = files::signing_key(&args.review_key, &["review-key"])?;
    let passkey = files::passkey(&args.passkey)?;
    let person = Person {
        id: args.person,
        group: args.group,
        vendor: args.vendor,
        zone: args.zone,
        platform: std::env::consts::OS.to_owned(),
        passkey: passkey.public().clone(),
        review_key: review.public(),
    };
    let signatory = Signatory { person: &person.id.clone(), passkey: &passkey, review: &review };
    let enrolment = signatory
        .enrol(person, &SystemRandom::new())
        .ok_or_else(|| Fail::failed("the passkey did not sign"))?;
    enrolment.check().map_err(|e| Fail::malformed("enrolment", "", e))?;
    let words = phrase(&Enrolment::digest(&enrolment.person));
    let says = format!("{} in zone {}", enrolment.person.id, enrolment.person.zone);
    files::write_object(&args.out, "enrolment", says.clone(), &enrolment, cx.force)?;
    let digest = Enrolment::digest(&enrolment.person).to_string();
    cx.say(
        &json!({"person": enrolment.person.id, "digest": digest, "phrase": words, "file": args.out}),
        &format!("{says}\nread these words to whoever adds you:\n  {words}"),
    );
    Ok(())
}
