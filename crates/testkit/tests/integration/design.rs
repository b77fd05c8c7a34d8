//! D: the design itself.

use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::sighash::{EcdsaSighashType, SighashCache};
use bitcoin::{Psbt, Witness};
use coordinator::trial;
use cosigner::keyfile::Secrets;
use testkit::bench::{Bench, PASSPHRASE, Ready, codes, copy_dir, payee, resign, temp_dir};
use withdrawal::act::{Act, ActKind, Author};
use withdrawal::change::ChangeKind;
use withdrawal::code::Code;
use withdrawal::genesis::{Genesis, SignedGenesis};
use withdrawal::intent::Kind;
use withdrawal::network::Network;
use withdrawal::phrase::phrase;
use withdrawal::policy::Limit;
use withdrawal::protocol::{Request, Response};
use withdrawal::script::VaultScript;
use withdrawal::wire::Wire as _;

use crate::approval::change_and_wait;

/// The descriptor of a bench's vault with some text replaced, judged by both decoders.
fn bypass(
    network: Network,
    descriptor: &str,
    cosigner: &str,
) -> (Result<(), String>, Result<usize, String>) {
    let bare = cosigner.rsplit(']').next().unwrap();
    let first = match VaultScript::parse(descriptor, network) {
        Ok(script) => script.spend_paths(Some(&bare.parse().unwrap())).map(|_| ()),
        Err(error) => Err(error.to_string()),
    };
    let least = if network == Network::Regtest { 1 } else { 26_280 };
    let second = match reader::Vault::parse(descriptor) {
        Ok(vault) => vault.check_cosigner(bare, least),
        Err(error) => Err(error.to_string()),
    };
    (first, second)
}

#[test]
fn d01_scripts_that_spend_without_the_cosigner() {
    let keys: Vec<String> = (0..6u8)
        .map(|n| {
            let seed = zeroize::Zeroizing::new([n + 1; 32]);
            withdrawal::sign::AccountKey::from_seed(&seed, Network::Bitcoin).unwrap().public()
        })
        .collect();
    let k = |n: usize| format!("{}/<0;1>/*", keys[n]);
    let (c, a, b, d, r) = (k(0), k(1), k(2), k(3), k(4));
    let cosigner = keys[0].clone();
    let older =
        |n: u32| format!("wsh(andor(pk({c}),multi(2,{a},{b},{d}),and_v(v:older({n}),pk({r}))))");
    let good = [
        older(26_280),
        older(65_535),
        format!("sh({})", older(26_280)),
        format!("wsh(and_v(v:pk({c}),pk({a})))"),
    ];
    for descriptor in good {
        let (first, second) = bypass(Network::Bitcoin, &descriptor, &cosigner);
        assert!(first.is_ok(), "{descriptor}: {first:?}");
        assert!(second.is_ok(), "{descriptor}: {second:?}");
    }
    let bad = [
        // DMM's two of three, with one key ours.
        format!("wsh(multi(2,{c},{a},{b}))"),
        format!("sh(wsh(multi(2,{a},{b},{d})))"),
        older(65_536),
        older(4_194_305),
        older(26_279),
        older(1),
        older(0),
        format!("wsh(andor(pk({c}),multi(2,{a},{b},{d}),and_v(v:after(1),pk({r}))))"),
        // The cosigner twice, with a weaker partner.
        format!("wsh(andor(pk({c}),multi(2,{a},{b},{d}),and_v(v:pk({c}),pk({r}))))"),
        format!("wsh(andor(pk({c}),multi(2,{a},{b},{d}),pk({r})))"),
        format!("wsh(andor(pk({a}),pk({c}),and_v(v:pk({b}),pk({d}))))"),
        // The cosigner as taproot's internal key: alone it spends.
        format!("tr({c},multi_a(2,{a},{b}))"),
        format!("wsh(pk({c}))"),
        format!("wpkh({c})"),
    ];
    for descriptor in bad {
        let (first, second) = bypass(Network::Bitcoin, &descriptor, &cosigner);
        assert!(first.is_err(), "{descriptor}");
        assert!(second.is_err(), "{descriptor}");
    }
}

#[test]
fn d01_in_a_proper_vault_the_other_keys_transaction_fails() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    let vault = bench.core.vault().clone();
    let spend = withdrawal::psbt::inspect(&ready.psbt, &vault.script).unwrap().spend.unwrap();
    let at = spend.inputs[0].address.clone().unwrap();
    let script = vault.script.witness_script(&at).unwrap();
    let mut psbt = Psbt::deserialize(&ready.psbt).unwrap();
    for holder in &bench.trial.holders {
        holder.sign_as_holder(&vault, &spend, &mut psbt).unwrap();
    }
    for recovery in &bench.trial.recovery {
        recovery.sign_as_holder(&vault, &spend, &mut psbt).unwrap();
    }
    let keys: Vec<_> = vault.script.derivations(&at).into_iter().map(|(_, _, k)| k).collect();
    let sig = |n: usize| psbt.inputs[0].partial_sigs[&keys[n]].to_vec();
    // Key 0 is the cosigner's, 1 to 3 the holders', 4 and 5 the recovery keys'.
    let empty = Vec::new;
    let stacks = [
        vec![empty(), sig(1), sig(2), empty()],
        vec![empty(), sig(1), sig(2), sig(3)],
        vec![empty(), sig(2), sig(3), vec![1]],
        // The recovery keys, before their time.
        vec![empty(), sig(4), sig(5), empty()],
    ];
    for stack in stacks {
        let mut tx = spend.tx.clone();
        let mut items = stack;
        items.push(script.to_bytes());
        tx.input[0].witness = Witness::from_slice(&items);
        let coin = &spend.inputs[0];
        let result = bitcoinconsensus::verify_with_flags(
            coin.script.as_bytes(),
            coin.amount.to_sat(),
            &serialize(&tx),
            None,
            0,
            bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT,
        );
        assert!(result.is_err(), "SCRIPT_FAILS");
    }
    // With the cosigner the same keys spend.
    let mut done = bench.release(&ready).unwrap();
    for holder in bench.trial.holders.iter().take(2) {
        holder.sign_as_holder(&vault, &spend, &mut done).unwrap();
    }
    let (tx, prevouts) = coordinator::finish::finalize(done).unwrap();
    bitcoinconsensus::verify_with_flags(
        prevouts[0].script_pubkey.as_bytes(),
        prevouts[0].value.to_sat(),
        &serialize(&tx),
        None,
        0,
        bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT,
    )
    .unwrap();
    // The signature made is over the very transaction that was reserved.
    let mut cache = SighashCache::new(&spend.tx);
    let hash = cache
        .p2wsh_signature_hash(0, &script, spend.inputs[0].amount, EcdsaSighashType::All)
        .unwrap();
    let signature = bitcoin::ecdsa::Signature::from_slice(
        &bench.release(&ready).unwrap().inputs[0].partial_sigs[&keys[0]].to_vec(),
    )
    .unwrap();
    Secp256k1::new()
        .verify_ecdsa(
            &Message::from_digest(hash.to_byte_array()),
            &signature.signature,
            &keys[0].inner,
        )
        .unwrap();
}

#[test]
fn d04_acts_that_the_coordinator_holds_back() {
    let kinds: [(fn(&Bench, &Ready) -> ActKind, Code); 4] = [
        (|_, ready| ActKind::Reject { intent: ready.parsed().digest() }, Code::Rejected),
        (|_, _| ActKind::Revoke { person: "alice".to_owned() }, Code::RosterChanged),
        (|_, _| ActKind::Lower { limit: Limit::TxMax, value: 1_000 }, Code::PolicyChanged),
        (|bench, _| ActKind::RemoveAddress { script: bench.usual.clone() }, Code::AllowlistChanged),
    ];
    for (kind, code) in kinds {
        let mut bench = Bench::new();
        let ready = bench.payment(50_000_000);
        assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
        // The act comes in on a path of its own, between reservation and signature.
        let act = bench.act_of("dave", kind(&bench, &ready));
        let (sender, answer) = std::sync::mpsc::channel();
        bench.core.queue().lock().unwrap().push_back((act, sender));
        // The coordinator shows the head from before and knows of nothing.
        let refused = codes(&bench.countersign(&ready));
        assert!(refused.contains(&code), "{code}: {refused:?}");
        assert!(matches!(answer.recv().unwrap(), Response::Acknowledged(_)));
    }
}

#[test]
fn d05_a_restored_backup_with_and_without_the_mirror() {
    let mut bench =
        Bench::with_policy(|p| p.limits.window_max = bitcoin::Amount::from_sat(80_000_000));
    let backup = temp_dir("backup");
    copy_dir(&bench.dir, &backup);
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
    let head = bench.head().unwrap();
    let size = bench.status().size;
    let entries = tlog::log::Log::at(
        &bench.log(),
        *tlog::SignedHead::parse(&head, bench.core.vault().log.as_ref().unwrap()).unwrap().head(),
    )
    .entries(0, size)
    .unwrap();
    let second = bench.payment(50_000_000);
    // Back to the backup.
    std::fs::remove_dir_all(&bench.dir).unwrap();
    copy_dir(&backup, &bench.dir);
    bench.reopen();
    assert!(matches!(bench.ask(Request::Begin), Response::Appended(_)));
    assert!(bench.head().is_none(), "WITNESS_QUORUM: nobody cosigns the fork");
    assert_eq!(codes(&bench.reserve(&second)), [Code::StateRollback]);
    // Entries that were changed, or a head that nobody cosigned, heal nothing.
    let mut forged = entries.clone();
    *forged.last_mut().unwrap().last_mut().unwrap() ^= 1;
    let answer = bench.ask(Request::Restore { from: 0, entries: forged, head: head.clone() });
    assert!(matches!(answer, Response::Refused(_) | Response::Malformed { .. }), "{answer:?}");
    // With the mirror it regains its entries, and with them what it signed and counted.
    let answer = bench.ask(Request::Restore { from: 0, entries, head });
    assert!(matches!(answer, Response::Appended(_)), "{answer:?}");
    bench.tell_time();
    assert_eq!(bench.refused(&second), [Code::Velocity]);
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn d06_clocks_pushed_forward_or_back() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    bench.witnesses[3].time += 40 * 86_400;
    bench.witnesses[0].up = false;
    assert_eq!(bench.refused(&ready), [Code::ClockUntrusted]);
    bench.witnesses[3].time = 1;
    assert_eq!(bench.refused(&ready), [Code::ClockUntrusted]);
    bench.witnesses[3].time = u64::MAX;
    assert_eq!(bench.refused(&ready), [Code::ClockUntrusted]);
    bench.witnesses[0].up = true;
    bench.witnesses.iter_mut().take(3).for_each(|w| w.time += 10);
    bench.release(&ready).unwrap();
}

#[test]
fn d08_a_receipt_of_an_invented_vault_is_not_anchored() {
    // Everything in the receipt is consistent; only the vault id tells whose it is (see the command
    // line's own tests for exit codes). Here: an id covers everything that matters.
    let bench = Bench::new();
    let genesis = bench.core.vault().genesis.clone();
    let id = genesis.vault_id();
    let changes: [&dyn Fn(&mut Genesis); 6] = [
        &|g| g.roster.persons.swap(0, 1),
        &|g| g.policy.version += 1,
        &|g| g.allowlist.clear(),
        &|g| g.witness_policy.push('\n'),
        &|g| g.hostile_witnesses = 0,
        &|g| g.cosigner.as_mut().unwrap().log = "x".to_owned(),
    ];
    for change in changes {
        let mut other = genesis.clone();
        change(&mut other);
        assert_ne!(other.vault_id(), id);
    }
}

#[test]
fn d09_a_phrase_has_132_bits() {
    let mut seen = std::collections::BTreeSet::new();
    for n in 0u32..2000 {
        let digest = withdrawal::digest::Tag::Spend.digest(&n.to_be_bytes());
        let words = phrase(&digest);
        assert_eq!(words.split(' ').count(), 12);
        assert!(seen.insert(words));
    }
}

#[test]
fn d11_replacements_that_change_more_than_the_fee() {
    let mut bench = Bench::new();
    let first = bench.payment(1_500_000_000);
    bench.release(&first).unwrap();
    // An honest bump: the same payments and coins, a higher fee.
    let bumped = bench.bump(&first.psbt, 20);
    let honest = bench.ready(first.intent.clone(), bumped.clone(), &["alice", "bob"]);
    bench.release(&honest).unwrap();
    let change = |bench: &mut Bench, change: &dyn Fn(&mut Psbt)| {
        let mut psbt = Psbt::deserialize(&bumped).unwrap();
        change(&mut psbt);
        let bad = bench.ready(first.intent.clone(), psbt.serialize(), &["alice", "bob"]);
        bench.refused(&bad)
    };
    // One of the old coins left out, another in its place.
    let old = Psbt::deserialize(&bumped).unwrap();
    let spent = |c: &coordinator::coins::Coin| {
        old.unsigned_tx.input.iter().any(|i| i.previous_output == c.outpoint)
    };
    let other = bench.coins.iter().find(|c| !spent(c)).unwrap().clone();
    let script = bench.core.vault().script.clone();
    let codes = change(&mut bench, &|psbt| {
        psbt.unsigned_tx.input[0].previous_output = other.outpoint;
        psbt.inputs[0] = bitcoin::psbt::Input::default();
        coordinator::build::fill_input(&mut psbt.inputs[0], &other, &script);
    });
    assert!(codes.contains(&Code::ReplacementNotApproved), "{codes:?}");
    // A payment more, a payment less, a fee above the intent's cap.
    let codes = change(&mut bench, &|psbt| {
        psbt.unsigned_tx.output.push(bitcoin::TxOut {
            value: bitcoin::Amount::from_sat(100_000),
            script_pubkey: payee(9),
        });
        psbt.outputs.push(bitcoin::psbt::Output::default());
        let at = psbt.outputs.iter().position(|o| !o.bip32_derivation.is_empty()).unwrap();
        psbt.unsigned_tx.output[at].value -= bitcoin::Amount::from_sat(100_000);
    });
    assert!(codes.contains(&Code::OutputNotApproved), "{codes:?}");
    let codes = change(&mut bench, &|psbt| {
        let at = psbt.outputs.iter().position(|o| o.bip32_derivation.is_empty()).unwrap();
        psbt.unsigned_tx.output.remove(at);
        psbt.outputs.remove(at);
    });
    assert!(codes.contains(&Code::OutputMissing), "{codes:?}");
    let codes = change(&mut bench, &|psbt| {
        let at = psbt.outputs.iter().position(|o| !o.bip32_derivation.is_empty()).unwrap();
        psbt.unsigned_tx.output[at].value -= bitcoin::Amount::from_sat(200_000);
    });
    assert!(codes.contains(&Code::FeeLimit), "{codes:?}");
}

#[test]
fn d13_a_freeze_needs_no_coordinator() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    let freeze = bench.act_of("bob", ActKind::Freeze);
    bench.act(freeze).unwrap();
    assert_eq!(bench.refused(&ready), [Code::Frozen]);
    // A quorum starts it again; one person can't.
    bench.tell_time();
    let state = bench.state();
    let alone = bench
        .trial
        .change(&state, ChangeKind::Unfreeze { acts: state.freezes() }, &[bench.person("bob")])
        .unwrap();
    assert_eq!(bench.change(alone).unwrap_err(), [Code::QuorumNotMet]);
    let signers = [bench.person("alice"), bench.person("bob")];
    let both = bench
        .trial
        .change(&state, ChangeKind::Unfreeze { acts: state.freezes() }, &signers)
        .unwrap();
    bench.change(both).unwrap();
    bench.release(&ready).unwrap();
}

#[test]
fn d16_coins_older_than_the_recovery_time() {
    let mut bench = Bench::new();
    let mut ready = bench.payment(50_000_000);
    let coins: Vec<_> = bench.coins.iter().map(|c| (c.outpoint, 144)).collect();
    ready.ages.coin_age_blocks = coins.clone();
    assert_eq!(bench.refused(&ready), [Code::CoinTooOld]);
    let mut refresh = bench.prepare(Kind::Refresh, &[], &["alice", "bob"]);
    refresh.ages.coin_age_blocks = coins;
    bench.release(&refresh).unwrap();
}

fn init(genesis: &SignedGenesis, secrets: &Secrets) -> Result<withdrawal::digest::Digest, Code> {
    let dir = temp_dir("init");
    cosigner::init::keygen(&dir, secrets, PASSPHRASE).unwrap();
    let result = cosigner::init::init(&dir, &genesis.to_bytes(), PASSPHRASE);
    let _ = std::fs::remove_dir_all(dir);
    result.map_err(|e| match e {
        cosigner::CoreError::Refused(code, _) => code,
        cosigner::CoreError::Malformed(_) => Code::Malformed,
        other => panic!("{other}"),
    })
}

/// A good genesis record for fresh keys, then changed and signed again.
fn changed(change: impl FnOnce(&mut Genesis)) -> Result<withdrawal::digest::Digest, Code> {
    let bench = Bench::new();
    let secrets = Secrets::generate(Network::Regtest).unwrap();
    let keys = secrets.public().unwrap();
    let old = bench.core.vault().genesis.clone();
    let old_account = old.cosigner.as_ref().unwrap().account.clone();
    let mut genesis = old.clone();
    let (origin, xpub) = old_account.split_once(']').unwrap();
    // Descriptors spell hardened steps in the other of the two ways.
    let old_account = format!("{}]{xpub}", origin.replace('h', "'"));
    let bare = genesis.descriptor.split('#').next().unwrap().replace(&old_account, &keys.account);
    genesis.descriptor = VaultScript::parse(&bare, Network::Regtest).unwrap().text().to_owned();
    genesis.cosigner = Some(keys);
    change(&mut genesis);
    let signed = SignedGenesis { genesis, signatures: Vec::new() };
    init(&resign(&bench.trial, signed), &secrets)
}

#[test]
fn d17_a_genesis_whose_witnesses_could_make_two_histories() {
    changed(|_| {}).unwrap();
    assert_eq!(changed(|g| g.hostile_witnesses = 2), Err(Code::WitnessQuorum));
    let weaker =
        |g: &mut Genesis| g.witness_policy = g.witness_policy.replace("group g 3", "group g 2");
    assert_eq!(changed(weaker), Err(Code::WitnessQuorum));
    let stricter =
        |g: &mut Genesis| g.witness_policy = g.witness_policy.replace("group g 3", "group g 4");
    assert_eq!(
        changed(stricter),
        Err(Code::WitnessQuorum),
        "one silent witness would stop it for good"
    );
}

#[test]
fn a_genesis_that_fits_no_entry_binds_no_keys() {
    let large = |g: &mut Genesis| {
        g.allowlist = (0..1_500)
            .map(|n| withdrawal::genesis::AllowedAddress {
                script: payee(20_000 + n),
                label: format!("payee {n}"),
            })
            .collect();
    };
    assert_eq!(changed(large), Err(Code::Malformed));
}

#[test]
fn d18_without_any_mirror_it_stays_shut() {
    let mut bench = Bench::new();
    let backup = temp_dir("backup");
    copy_dir(&bench.dir, &backup);
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
    bench.head().unwrap();
    std::fs::remove_dir_all(&bench.dir).unwrap();
    copy_dir(&backup, &bench.dir);
    for _ in 0..3 {
        bench.reopen();
        assert!(matches!(bench.ask(Request::Begin), Response::Appended(_)));
        assert!(bench.head().is_none());
        assert_eq!(codes(&bench.reserve(&ready)), [Code::StateRollback]);
        assert_eq!(codes(&bench.countersign(&ready)), [Code::StateRollback]);
        assert_eq!(codes(&bench.ask(Request::Tick)), [Code::StateRollback]);
    }
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn d20_an_insider_can_delay_but_not_stop() {
    let mut bench = Bench::new();
    bench.tell_time();
    let lower =
        |bench: &Bench, value| bench.act_of("dave", ActKind::Lower { limit: Limit::TxMax, value });
    for value in [30, 20, 10] {
        let act = lower(&bench, value);
        bench.act(act).unwrap();
    }
    let act = lower(&bench, 5);
    assert_eq!(bench.act(act).unwrap_err(), [Code::Budget]);
    // Freezing and one's own keys are apart; tomorrow there are three more.
    let freeze = bench.act_of("dave", ActKind::Freeze);
    let frozen = bench.act(freeze).unwrap();
    bench.tell_time();
    bench.pass_hours(25);
    bench.tell_time();
    let act = lower(&bench, 4);
    bench.act(act).unwrap();
    // Revoking people until no quorum is left is a freeze and a proposal.
    for person in ["alice", "bob"] {
        let act = bench.act_of("dave", ActKind::Revoke { person: person.to_owned() });
        bench.act(act).unwrap();
    }
    let state = bench.state();
    assert!(!state.is_active("alice"));
    let act = bench.act_of("carol", ActKind::Revoke { person: "dave".to_owned() });
    bench.act(act).unwrap();
    let state = bench.state();
    assert!(state.acts().iter().any(|a| a.as_freeze), "the last one is a freeze");
    // A quorum without him undoes it at once and suspends him.
    let digest = state.acts().iter().find(|a| a.entry == frozen).unwrap().digest;
    let signers = [bench.person("alice"), bench.person("bob")];
    let undo = bench
        .trial
        .change(&state, ChangeKind::Undo { act: digest, suspend: true }, &signers)
        .unwrap();
    bench.tell_time();
    bench.change(undo).unwrap();
    let again = bench.act_of("dave", ActKind::Freeze);
    assert_eq!(bench.act(again).unwrap_err(), [Code::NotEntitled]);
}

#[test]
fn d21_requests_that_are_never_finished_lock_nothing() {
    let mut bench = Bench::new();
    let usual = bench.usual.clone();
    let alone = bench.prepare(Kind::Pay, &[(usual, 500_000_000)], &["alice"]);
    assert_eq!(bench.refused(&alone), [Code::QuorumNotMet, Code::ZoneMissing]);
    // A reservation that is not signed can be cancelled by the requester, which frees its coins.
    let ready = bench.payment(500_000_000);
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
    let intent = ready.parsed().digest();
    let cancel = |author: &withdrawal::keys::SecretKey, nonce: u8| Act {
        vault_id: bench.core.vault().id,
        author: Author::Requester(author.public()),
        kind: ActKind::Cancel { intent },
        nonce: [nonce; 16],
    };
    let stranger = testkit_stranger();
    let foreign = cancel(&stranger, 1).sign(&stranger);
    let act = cancel(&bench.trial.requester, 2).sign(&bench.trial.requester);
    assert_eq!(bench.act(foreign).unwrap_err(), [Code::NotEntitled]);
    bench.act(act).unwrap();
    let refused = codes(&bench.countersign(&ready));
    assert!(refused.contains(&Code::Cancelled), "{refused:?}");
    let coins = bench.state().ledger().intent(&intent).unwrap().outpoints();
    assert!(coins.iter().all(|c| bench.core.state().ledger().owner(c).is_none()));
    // One that runs out unsigned lapses by itself.
    let ready = bench.payment(500_000_000);
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
    bench.pass_hours(24 * 31);
    bench.tell_time();
    let coins = bench.core.state().ledger().intent(&ready.parsed().digest()).unwrap().outpoints();
    assert!(coins.iter().all(|c| bench.core.state().ledger().owner(c).is_none()));
}

fn testkit_stranger() -> withdrawal::keys::SecretKey {
    withdrawal::keys::SecretKey::from_seed(&zeroize::Zeroizing::new([77; 32]))
}

#[test]
fn d25_old_cosignatures_shown_to_a_restored_cosigner() {
    let mut bench = Bench::new();
    let ready = bench.payment(50_000_000);
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
    let old = bench.head().unwrap();
    let backup = temp_dir("backup");
    copy_dir(&bench.dir, &backup);
    bench.release(&ready).unwrap();
    std::fs::remove_dir_all(&bench.dir).unwrap();
    copy_dir(&backup, &bench.dir);
    bench.reopen();
    // The head contains the reservation and k witnesses cosigned it: it is from before this run.
    let answer = bench.ask(Request::Countersign(Bench::dossier(&ready, old.clone())));
    assert_eq!(codes(&answer), [Code::StateRollback]);
    assert!(matches!(bench.ask(Request::Begin), Response::Appended(_)));
    let answer = bench.ask(Request::Countersign(Bench::dossier(&ready, old)));
    assert_eq!(codes(&answer), [Code::StateRollback]);
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn d26_cosignatures_held_back_until_the_window_has_passed() {
    let mut bench =
        Bench::with_policy(|p| p.limits.window_max = bitcoin::Amount::from_sat(600_000_000));
    let first = bench.payment(500_000_000);
    assert!(matches!(bench.reserve(&first), Response::Appended(_)));
    bench.pass_hours(48);
    bench.tell_time();
    // Unsigned it does not age, so a second window can't be signed beside it.
    let second = bench.payment(500_000_000);
    assert_eq!(bench.refused(&second), [Code::Velocity]);
    // Held back past expiry it is judged again, and dead.
    bench.pass_hours(24 * 31);
    let refused = codes(&bench.countersign(&first));
    assert!(refused.contains(&Code::Expired), "{refused:?}");
}

#[test]
fn d28_governance_weaker_than_a_withdrawal() {
    assert_eq!(
        changed(|g| g.policy.governance.quorum = vec![("approvers".to_owned(), 1)]),
        Err(Code::Malformed)
    );
    let mut bench = Bench::new();
    bench.tell_time();
    let mut policy = bench.core.vault().genesis.policy.clone();
    policy.governance.quorum = vec![("approvers".to_owned(), 1)];
    let state = bench.state();
    let signers = [bench.person("alice"), bench.person("bob")];
    let change =
        bench.trial.change(&state, ChangeKind::Policy(Box::new(policy.clone())), &signers).unwrap();
    assert_eq!(bench.change(change).unwrap_err(), [Code::Malformed]);
    // Review keys alone loosen nothing.
    policy.governance.quorum = vec![("approvers".to_owned(), 2)];
    let signers = [bench.person("alice"), bench.person("bob")];
    let mut change =
        bench.trial.change(&state, ChangeKind::Policy(Box::new(policy)), &signers).unwrap();
    for signature in &mut change.signatures {
        signature.assertion.signature = vec![0; 70];
    }
    assert_eq!(bench.change(change).unwrap_err(), [Code::AssertionInvalid]);
}

#[test]
fn d29_an_acknowledged_act_is_taken_again() {
    let mut bench = Bench::new();
    let backup = temp_dir("backup");
    copy_dir(&bench.dir, &backup);
    let freeze = bench.act_of("carol", ActKind::Freeze);
    bench.act(freeze.clone()).unwrap();
    // It was not witnessed, and a restore loses it.
    std::fs::remove_dir_all(&bench.dir).unwrap();
    copy_dir(&backup, &bench.dir);
    bench.restart();
    let ready = bench.payment(50_000_000);
    assert!(matches!(bench.reserve(&ready), Response::Appended(_)));
    bench.act(freeze.clone()).unwrap();
    assert_eq!(codes(&bench.countersign(&ready)), [Code::Frozen]);
    // Shown a third time it is acknowledged again, as the same entry.
    let entry = bench.act(freeze.clone()).unwrap();
    assert_eq!(bench.act(freeze).unwrap(), entry);
    std::fs::remove_dir_all(backup).unwrap();
}

#[test]
fn d30_a_second_genesis_for_the_same_keys() {
    let bench = Bench::new();
    let mut genesis = bench.core.vault().genesis.clone();
    genesis.policy.version = 2;
    let signed = resign(&bench.trial, SignedGenesis { genesis, signatures: Vec::new() });
    let error = cosigner::init::init(&bench.dir, &signed.to_bytes(), PASSPHRASE).unwrap_err();
    assert!(matches!(error, cosigner::CoreError::Refused(Code::NotEntitled, _)), "{error}");
    // Not even after the log is gone: the keys are bound.
    std::fs::remove_dir_all(bench.dir.join("log")).unwrap();
    assert!(cosigner::init::init(&bench.dir, &signed.to_bytes(), PASSPHRASE).is_err());
    // And `init` refuses without every founder's signature.
    let mut partly = signed;
    partly.signatures.pop();
    let secrets = Secrets::generate(Network::Regtest).unwrap();
    assert_eq!(init(&partly, &secrets), Err(Code::QuorumNotMet));
}

#[test]
fn d19_malformed_and_foreign_objects_cost_nothing() {
    let mut bench = Bench::new();
    let size = bench.status().size;
    let stranger = testkit_stranger();
    for nonce in 0..50u8 {
        let act = Act {
            vault_id: bench.core.vault().id,
            author: Author::Person("nobody".to_owned()),
            kind: ActKind::Freeze,
            nonce: [nonce; 16],
        };
        let signed = act.sign(&stranger);
        assert_eq!(bench.act(signed).unwrap_err(), [Code::NotEntitled]);
        let act = Act { author: Author::Person("alice".to_owned()), ..act_for(&bench, nonce) };
        assert_eq!(bench.act(act.sign(&stranger)).unwrap_err(), [Code::DigestMismatch]);
    }
    assert_eq!(bench.status().size, size, "not one entry");
    // Nor does an unsigned change, or an entry of a log that there never was; a signed one is kept.
    let state = bench.state();
    let floor = || ChangeKind::Floor { amount: bitcoin::Amount::ONE_BTC };
    let unsigned = bench.trial.change(&state, floor(), &[]).unwrap();
    assert_eq!(bench.change(unsigned).unwrap_err(), [Code::QuorumNotMet]);
    let recovered = withdrawal::succession::Recovered {
        entry: 0,
        bytes: Vec::new(),
        proof: Vec::new(),
        head: Vec::new(),
    };
    let answer = bench.ask(Request::Recover(Box::new(recovered)));
    assert_eq!(codes(&answer), [Code::StateRollback]);
    assert!(bench.core.refusals().unwrap().is_empty(), "strangers leave nothing behind");
    let one = bench.trial.change(&state, floor(), &[bench.person("alice")]).unwrap();
    assert_eq!(bench.change(one).unwrap_err(), [Code::QuorumNotMet]);
    assert_eq!(bench.core.refusals().unwrap().len(), 1);
    // Acts still get through.
    let freeze = bench.act_of("alice", ActKind::Freeze);
    bench.act(freeze).unwrap();
}

fn act_for(bench: &Bench, nonce: u8) -> Act {
    Act {
        vault_id: bench.core.vault().id,
        author: Author::Person("x".to_owned()),
        kind: ActKind::Freeze,
        nonce: [nonce; 16],
    }
}

#[test]
fn a_change_can_move_every_chain_and_the_log_still_replays() {
    let mut bench = Bench::new();
    let mut policy = bench.core.vault().genesis.policy.clone();
    policy.version = 3;
    change_and_wait(&mut bench, ChangeKind::Policy(Box::new(policy)));
    let entry = withdrawal::genesis::AllowedAddress { script: payee(70), label: "more".to_owned() };
    change_and_wait(&mut bench, ChangeKind::Allowlist { add: vec![entry], remove: vec![] });
    bench.restart();
    let ready = bench.payment(50_000_000);
    bench.release(&ready).unwrap();
    trial::remove(&bench.dir.join("nothing-here")).unwrap();
}
