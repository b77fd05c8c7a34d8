//! Commands, one file a noun.

mod acts;
mod approve;
mod change;
mod change_show;
mod check;
mod coins;
mod cosigner;
mod enrol;
pub mod finalize;
mod keys;
mod log;
mod psbt;
mod release;
mod request;
mod review;
mod signed;
mod succession;
mod vault;
mod vault_show;
mod verify;
mod witness;

use std::path::Path;

use coordinator::coins::Coins;
use coordinator::dir::VaultDir;
use coordinator::mirror::Mirror;
use withdrawal::genesis::Vault;
use withdrawal::state::State;

use crate::cli::{Cli, Command};
use crate::fail::{Done, Fail};
use crate::files::Force;

/// What every command is told.
#[derive(Clone, Copy)]
pub struct Context {
    /// Print for programs.
    pub json: bool,
    /// Replace files.
    pub force: Force,
}

impl Context {
    /// One JSON document, or text for people.
    pub fn say(&self, json: &serde_json::Value, text: &str) {
        if self.json {
            crate::show::out(&json.to_string());
        } else {
            crate::show::out(&crate::show::clean_lines(text.trim_end()));
        }
    }
}

/// Runs a command.
pub fn run(cli: Cli) -> Done {
    let cx = Context { json: cli.json, force: Force(cli.force) };
    match cli.command {
        Command::Drill(args) => crate::drill::run(cx, &args),
        Command::Cosigner(command) => cosigner::run(cx, command),
        Command::HolderKey(command) => keys::holder(cx, command),
        Command::ReviewKey(command) => keys::signing(cx, command, "review-key"),
        Command::Passkey(command) => keys::passkey(cx, command),
        Command::Key(command) => keys::signing(cx, command, "request-key"),
        Command::Enrol(args) => enrol::run(cx, args),
        Command::Vault(command) => vault::run(cx, command),
        Command::Genesis(command) => vault::genesis(cx, command),
        Command::Coins(command) => coins::run(cx, command),
        Command::Roster(command) => change::roster(cx, command),
        Command::Policy(command) => change::policy(cx, command),
        Command::Allowlist(command) => change::allowlist(cx, command),
        Command::Change(command) => change::run(cx, command),
        Command::Veto(args) => acts::veto(cx, &args),
        Command::Freeze(args) => acts::freeze(cx, &args),
        Command::Unfreeze(args) => change::unfreeze(cx, &args),
        Command::Succession(command) => succession::run(cx, command),
        Command::Undo(args) => change::undo(cx, &args),
        Command::Request(command) => request::run(cx, command),
        Command::Psbt(command) => psbt::run(cx, command),
        Command::Check(args) => check::run(cx, &args),
        Command::Review(args) => review::run(cx, &args),
        Command::Approve(args) => approve::approve(cx, &args),
        Command::Reject(args) => approve::reject(cx, &args),
        Command::Sign(args) => release::sign(cx, &args),
        Command::Release(args) => release::run(cx, &args),
        Command::Finalize(args) => finalize::run(cx, &args),
        Command::Witness(command) => witness::run(cx, command),
        Command::Log(command) => log::run(cx, command),
        Command::Verify(args) => verify::run(cx, &args),
        Command::Graph(command) => crate::tracing::graph::run(cx, command),
        Command::Cluster(command) => crate::tracing::cluster::run(cx, command),
        Command::Trace(command) => crate::tracing::trace::run(cx, &command),
        Command::Risk(args) => crate::tracing::risk::run(cx, &args),
        Command::Screen(args) => crate::screening::run(cx, &args),
        Command::ScreenChild(args) => crate::screening::run_child(&args),
        Command::Case(crate::cli::Case::Verify { dir }) => crate::tracing::case::verify(cx, &dir),
        Command::Labels(command) => crate::tracing::labels::run(cx, command),
        Command::Coinjoin(command) => crate::tracing::coinjoin::run(&command),
    }
}

/// A vault's directory with everything that offline commands want.
pub struct Opened {
    /// The directory.
    pub dir: VaultDir,
    /// The vault.
    pub vault: Vault,
    /// What the mirror says, with the newest cosigned head.
    pub state: State,
    /// Its coins.
    pub coins: Coins,
}

/// Opens a vault's directory and reads its mirror, if it has one.
pub fn open(path: &Path) -> Result<Opened, Fail> {
    let dir = VaultDir::open(path)?;
    let vault = dir.vault()?;
    let state = if vault.log.is_some() && dir.mirror_path().join("checkpoint").is_file() {
        let heads = dir.heads()?;
        Mirror::open(&dir, vault.clone())?.state(&heads)?
    } else {
        State::new(vault.clone())
    };
    let coins = Coins::load(&dir)?;
    Ok(Opened { dir, vault, state, coins })
}

/// Keys that sign for a person are the ones that the roster has for that person.
pub fn check_keys(
    opened: &Opened,
    person: &str,
    review: &withdrawal::keys::PublicKey,
    passkey: &withdrawal::person::Passkey,
) -> Done {
    let Some(known) = opened.state.chain_roster().person(person) else {
        let detail = format!("nobody called `{person}` is in the vault's roster");
        return Err(Fail::malformed("--person", "", detail));
    };
    let wrong = |flag: &str, what: &str| {
        let detail = format!("this is not the {what} that {person} is enrolled with");
        Err(Fail::malformed(flag, "", detail))
    };
    if known.review_key != *review {
        return wrong("--review-key", "review key");
    }
    if known.passkey != *passkey {
        return wrong("--passkey", "passkey");
    }
    Ok(())
}

/// Unix seconds by this machine's clock: for questions and expiry times, never for a decision.
pub fn wall_clock() -> withdrawal::time::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    withdrawal::time::Timestamp::clamped(since.map_or(0, |d| d.as_secs()))
}

/// An address of the vault's network as a script.
pub fn address(
    text: &str,
    network: withdrawal::network::Network,
) -> Result<bitcoin::ScriptBuf, Fail> {
    use bitcoin::address::NetworkUnchecked;
    let parsed: bitcoin::Address<NetworkUnchecked> =
        text.parse().map_err(|e| Fail::malformed(text, "", format!("no address: {e}")))?;
    let checked = parsed
        .require_network(network.to_bitcoin())
        .map_err(|_| Fail::malformed(text, "", format!("no address of {network}")))?;
    Ok(checked.script_pubkey())
}
