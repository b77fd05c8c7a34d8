//! `vault new`, `vault import`, `vault address`, and `genesis sign`.

use std::path::Path;

use coordinator::dir::VaultDir;
use serde_json::json;
use withdrawal::genesis::{AllowedAddress, Genesis, SignedGenesis};
use withdrawal::network::Network;
use withdrawal::person::{Enrolment, Requester, Roster};
use withdrawal::phrase::phrase;
use withdrawal::policy::Policy;
use withdrawal::script::{OLDER_BLOCKS_MIN, VaultScript};

use super::Context;
use crate::cli::{Genesis as GenesisCommand, VaultCommand, VaultNew};
use crate::fail::{Done, Fail};
use crate::files;

pub fn run(cx: Context, command: VaultCommand) -> Done {
    match command {
        VaultCommand::New(args) => new(cx, &args),
        VaultCommand::Import { descriptor, dir, network, policy, allow } => {
            import(cx, &descriptor, &dir, network, policy.as_deref(), &allow)
        }
        VaultCommand::Show { dir } => super::vault_show::show(cx, &dir),
        VaultCommand::Address { dir, label } => address(cx, &dir, label.as_deref()),
    }
}

/// Reads a policy file, or takes the warm template.
pub fn policy(path: Option<&Path>) -> Result<Policy, Fail> {
    let Some(path) = path else { return Ok(Policy::warm()) };
    let text = String::from_utf8(files::read(path)?)
        .map_err(|_| Fail::malformed(path.display(), "", "not UTF-8"))?;
    withdrawal::policy_file::parse(&text)
        .map_err(|e| Fail::malformed(path.display(), e.at, e.detail))
}

/// Reads ADDRESS=LABEL arguments.
pub fn allowed(list: &[String], network: Network) -> Result<Vec<AllowedAddress>, Fail> {
    let one = |text: &String| {
        let (address, label) = text
            .split_once('=')
            .ok_or_else(|| Fail::malformed("--allow", text, "ADDRESS=LABEL"))?;
        Ok(AllowedAddress { script: super::address(address, network)?, label: label.to_owned() })
    };
    list.iter().map(one).collect()
}

/// Reads KEYFILE or KEYFILE=PERSON arguments.
pub fn requesters(list: &[String]) -> Result<Vec<Requester>, Fail> {
    let one = |text: &String| {
        let (path, person) = match text.rsplit_once('=') {
            Some((path, person)) => (path, Some(person.to_owned())),
            None => (text.as_str(), None),
        };
        let key = files::signing_key(Path::new(path), &["request-key", "review-key"])?.public();
        let name = person.clone().unwrap_or_else(|| format!("requester-{}", key.id()));
        Ok(Requester { name, key, person })
    };
    list.iter().map(one).collect()
}

/// The template's descriptor: the cosigner and k holders, or the recovery keys after a long time.
fn descriptor(args: &VaultNew, account: &str) -> Result<String, Fail> {
    let ranged =
        |key: &str| if key.contains('*') { key.to_owned() } else { format!("{key}/<0;1>/*") };
    let holders: Vec<String> = args.holder.iter().map(|h| ranged(h)).collect();
    let recovery: Vec<String> = args.recovery.iter().map(|r| ranged(r)).collect();
    let k = args.threshold.unwrap_or(holders.len() / 2 + 1).max(1);
    if k > holders.len() {
        return Err(Fail::malformed(
            "--threshold",
            "",
            format!("{k} of {} holders", holders.len()),
        ));
    }
    let group = |k: usize, keys: &[String]| match keys {
        [only] => format!("pk({only})"),
        keys => format!("multi({k},{})", keys.join(",")),
    };
    let recovery_k = recovery.len() / 2 + 1;
    let script = format!(
        "wsh(andor(pk({}),{},and_v(v:older({}),{})))",
        ranged(account),
        group(k, &holders),
        args.older,
        group(recovery_k.min(recovery.len()), &recovery)
    );
    match args.template.as_str() {
        "warm" => Ok(script),
        "warm-nested" => Ok(format!("sh({script})")),
        other => {
            let detail = format!("`{other}` is none of warm, warm-nested");
            Err(Fail::malformed("--template", "", detail))
        }
    }
}

fn new(cx: Context, args: &VaultNew) -> Done {
    let (network, cosigner) = super::cosigner::public(&args.cosigner)?;
    if network != args.network.name() {
        let detail = format!("made for {network}; `cosigner keygen --network {}`", args.network);
        return Err(Fail::malformed(args.cosigner.display(), "network", detail));
    }
    let script = VaultScript::parse(&descriptor(args, &cosigner.account)?, args.network)
        .map_err(|e| Fail::malformed("descriptor", "", e))?;
    let mut enrolments: Vec<Enrolment> = Vec::new();
    for path in &args.person {
        enrolments.push(files::read_object(path, "enrolment")?);
    }
    let software = enrolments.iter().any(|e| e.person.passkey.software);
    if software && args.network == Network::Bitcoin && !args.embedded {
        let detail = "a passkey in a file is refused here; it does for --embedded trials";
        return Err(Fail::malformed("--person", "", detail));
    }
    let witness_policy = match &args.witness_policy {
        Some(path) => String::from_utf8(files::read(path)?)
            .map_err(|_| Fail::malformed(path.display(), "", "not UTF-8"))?,
        None => {
            let detail = "witnesses hold the log to one history and tell it the time: make some with \
                          `witness init`, name them in a tlog-policy file";
            return Err(Fail::malformed("--witness-policy", "", detail));
        }
    };
    let genesis = Genesis {
        name: String::new(),
        network: args.network,
        descriptor: script.text().to_owned(),
        cosigner: Some(cosigner),
        witness_policy,
        hostile_witnesses: args.hostile_witnesses,
        roster: Roster {
            persons: enrolments.iter().map(|e| e.person.clone()).collect(),
            requesters: requesters(&args.requester)?,
        },
        enrolments,
        policy: policy(args.policy.as_deref())?,
        allowlist: allowed(&args.allow, args.network)?,
        embedded: args.embedded,
        salt: files::random()?,
    };
    let vault = genesis.clone().check().map_err(genesis_error)?;
    let people = genesis.roster.persons.iter().filter(|p| !p.vendor).count() as u64;
    let needed: u64 = genesis.policy.governance.quorum.iter().map(|(_, n)| u64::from(*n)).sum();
    if people <= needed {
        crate::show::tell(&format!(
            "warning: {people} people for a governance quorum of {needed}: any one of them can stop the vault until he agrees to start it again"
        ));
    }
    VaultDir::create(&args.dir, &SignedGenesis { genesis, signatures: Vec::new() })?;
    let text = format!(
        "vault {}\n  {}\nnext: every founder runs `genesis sign {}`, then `cosigner init`",
        vault.id,
        phrase(&vault.id),
        args.dir.display()
    );
    cx.say(
        &json!({
            "vault_id": vault.id.to_string(), "phrase": phrase(&vault.id),
            "descriptor": vault.script.text(), "dir": args.dir,
        }),
        &text,
    );
    Ok(())
}

/// A genesis fault as a failure: malformed is exit 2, a rule is exit 3.
pub fn genesis_error(error: withdrawal::genesis::GenesisError) -> Fail {
    if error.code == withdrawal::code::Code::Malformed {
        return Fail::malformed("genesis", "", error.detail);
    }
    Fail::Refused(error.code, error.detail)
}

fn import(
    cx: Context,
    descriptor: &str,
    dir: &Path,
    network: Network,
    policy_file: Option<&Path>,
    allow: &[String],
) -> Done {
    let script = VaultScript::parse(descriptor, network)
        .map_err(|e| Fail::malformed("descriptor", "", e))?;
    let wrapped = matches!(
        script.wrapping(),
        withdrawal::script::Wrapping::Wsh | withdrawal::script::Wrapping::ShWsh
    );
    if wrapped && script.text().contains("pub") && !script.is_ranged() {
        let detail =
            "an extended key without a path has one address only; write `/<0;1>/*` after each key";
        return Err(Fail::malformed("descriptor", "", detail));
    }
    let genesis = Genesis {
        name: String::new(),
        network,
        descriptor: script.text().to_owned(),
        cosigner: None,
        witness_policy: String::new(),
        hostile_witnesses: 0,
        roster: Roster::default(),
        enrolments: Vec::new(),
        policy: policy(policy_file)?,
        allowlist: allowed(allow, network)?,
        embedded: false,
        // Nothing of this vault is logged; a fixed salt gives one id to one registration.
        salt: [0; 32],
    };
    let vault = genesis.clone().check().map_err(genesis_error)?;
    VaultDir::create(dir, &SignedGenesis { genesis, signatures: Vec::new() })?;
    let why = vault.bypass.clone().unwrap_or_default();
    cx.say(
        &json!({
            "vault_id": vault.id.to_string(), "evaluate_only": true, "cosigner_bypass": why,
            "descriptor": vault.script.text(),
        }),
        &format!(
            "vault {} is judged and watched, never signed\n  COSIGNER_BYPASS: {why}",
            vault.id
        ),
    );
    Ok(())
}

fn address(cx: Context, dir: &Path, label: Option<&str>) -> Done {
    let dir = VaultDir::open(dir)?;
    let vault = dir.vault()?;
    let index = if vault.script.is_ranged() { dir.next_index(0)? } else { 0 };
    dir.give_out(0, index)?;
    // The second decoder derives it, and the first must agree: a wrong address loses coins for good.
    let other = reader::Vault::parse(vault.script.text()).map_err(|e| {
        Fail::failed(format!("the second decoder does not read the descriptor: {e}"))
    })?;
    let (_, script) = other.scripts(0, index).ok_or_else(|| Fail::failed("no such address"))?;
    let at = withdrawal::script::VaultAddress { branch: 0, index };
    if vault.script.script_pubkey(&at).is_none_or(|ours| ours.as_bytes() != script) {
        let detail = format!("the two decoders derive different addresses at 0/{index}");
        return Err(Fail::Refused(withdrawal::code::Code::DecoderDisagree, detail));
    }
    let chain = match vault.genesis.network {
        Network::Bitcoin => reader::Chain::Main,
        Network::Regtest => reader::Chain::Regtest,
        Network::Testnet4 | Network::Signet => reader::Chain::Test,
    };
    let address = reader::address(&script, chain).ok_or_else(|| Fail::failed("no address"))?;
    let unsigned = dir.genesis()?;
    if vault.genesis.cosigner.is_some() && !unsigned.unsigned().is_empty() {
        crate::show::tell(&format!(
            "not every founder has signed this vault ({} missing): make no deposit yet",
            unsigned.unsigned().join(", ")
        ));
    }
    cx.say(&json!({"address": address, "branch": 0, "index": index, "label": label}), &address);
    Ok(())
}

pub fn genesis(cx: Context, command: GenesisCommand) -> Done {
    let GenesisCommand::Sign { dir, person, review_key, yes } = command;
    let dir = VaultDir::open(&dir)?;
    let mut signed = dir.genesis()?;
    let key = files::signing_key(&review_key, &["review-key"])?;
    let vault = signed.genesis.clone().check().map_err(genesis_error)?;
    let founder = signed
        .genesis
        .roster
        .person(&person)
        .ok_or_else(|| Fail::malformed("--person", "", format!("`{person}` is no founder")))?;
    if founder.review_key != key.public() {
        let detail = format!("the record has another review key for {person}");
        return Err(Fail::malformed(review_key.display(), "", detail));
    }
    // The founder reads the whole record before the key signs.
    crate::show::tell(&super::vault_show::describe(&vault));
    files::confirm(&phrase(&vault.id), yes)?;
    files::bind_review_key(&review_key, &vault.id)?;
    signed.signatures.retain(|(name, _)| *name != person);
    signed.signatures.push((person.clone(), key.sign_digest(&vault.id)));
    dir.save_genesis(&signed)?;
    let missing: Vec<&str> = signed.unsigned();
    let text = format!(
        "{person} signed vault {}\n  {}\n  {}",
        vault.id,
        phrase(&vault.id),
        if missing.is_empty() {
            "all founders have signed".to_owned()
        } else {
            format!("not yet: {}", missing.join(", "))
        }
    );
    cx.say(
        &json!({"vault_id": vault.id.to_string(), "phrase": phrase(&vault.id), "missing": missing}),
        &text,
    );
    Ok(())
}

/// What is short about a recovery time, for people.
pub fn recovery_note(older: Option<u32>, network: Network) -> String {
    match older {
        Some(blocks) if blocks < OLDER_BLOCKS_MIN && network != Network::Regtest => {
            "too short".to_owned()
        }
        Some(blocks) => format!("{blocks} blocks, about {} days", blocks / 144),
        None => "none".to_owned(),
    }
}
