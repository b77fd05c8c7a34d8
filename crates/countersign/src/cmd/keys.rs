//! `holder-key`, `review-key`, `passkey`, `key`.

use serde_json::json;
use withdrawal::digest::hex;

use super::Context;
use crate::cli::{HolderKey, NewKey, Passkey};
use crate::fail::{Done, Fail};
use crate::files;

const TRIAL: &str = "a key in a file is for trials and drills";

pub fn holder(cx: Context, command: HolderKey) -> Done {
    let HolderKey::New { network, out } = command;
    let key = files::new_holder(&out, network, cx.force)?;
    let public = key.public();
    crate::show::tell(TRIAL);
    cx.say(&json!({"xpub": public, "file": out, "trial": true}), &public);
    Ok(())
}

pub fn signing(cx: Context, command: NewKey, kind: &str) -> Done {
    let NewKey::New { out } = command;
    let public = files::new_signing_key(&out, kind, cx.force)?.public();
    cx.say(
        &json!({"public": public.to_string(), "key_id": public.id(), "file": out}),
        &public.to_string(),
    );
    Ok(())
}

pub fn passkey(cx: Context, command: Passkey) -> Done {
    let Passkey::New { software, out } = command;
    if !software {
        return Err(Fail::malformed(
            "--software",
            "",
            "only passkeys in files can be made here; a real one is made by the browser page",
        ));
    }
    let id = hex(&files::new_passkey(&out, cx.force)?.public().credential_id);
    crate::show::tell(TRIAL);
    cx.say(&json!({"credential_id": id, "file": out, "trial": true}), &id);
    Ok(())
}
