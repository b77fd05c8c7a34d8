//! Every start: take what a mirror has, append `start`, serve once k witnesses have cosigned it. And
//! what goes on where the bytes are lost: succession.

use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tlog::dir::{LogDir, sync_dir};
use tlog::log::{Append, Log};
use tlog::{LogSigner, SignedHead, TreeHead};
use withdrawal::code::Code;
use withdrawal::entry::{Body, Entry};
use withdrawal::protocol::{Appended, Response};
use withdrawal::state::State;
use withdrawal::succession::{Recovered, Succession};
use withdrawal::wire::Wire as _;
use withdrawal::witnessed::Accepted;

use crate::core::{Core, CoreError, Phase, first_state};

fn rollback<T>(what: impl Into<String>) -> Result<T, CoreError> {
    Err(CoreError::Refused(Code::StateRollback, what.into()))
}

impl Core {
    /// Appends this run's `start`, once.
    pub(crate) fn begin(&mut self) -> Result<Response, CoreError> {
        if self.phase != Phase::Shut {
            return rollback("this run has begun already");
        }
        let salt = self.salt()?;
        let appended = self.append(vec![Body::Start { salt }])?;
        self.phase = Phase::Begun(appended.entry);
        Ok(Response::Appended(appended))
    }

    /// Takes later entries of its own log under a head that it signed and k cosigned. Own entries that
    /// no witnessed head contains give way, those of earlier runs included; acts among them are
    /// appended again.
    pub(crate) fn restore(
        &mut self,
        from: u64,
        entries: &[Vec<u8>],
        head: &[u8],
    ) -> Result<Response, CoreError> {
        if self.phase == Phase::Serving {
            return rollback("this cosigner serves; its log is the newest");
        }
        let own = Log::at(&self.log, self.head).entries(0, self.head.size)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let Some(before) = own.get(..from) else {
            return rollback("entries between the log and those shown are missing");
        };
        let whole: Vec<Vec<u8>> = before.iter().chain(entries).cloned().collect();
        let common = own.iter().zip(&whole).take_while(|(own, theirs)| own == theirs).count();
        if common == whole.len() {
            return rollback("nothing is newer than this log");
        }
        if self.state.accepted().is_some_and(|sight| sight.size > common as u64) {
            let what = "witnesses have cosigned another history than the one shown".to_owned();
            return Err(CoreError::Refused(Code::LogFork, what));
        }
        // Nothing is written before the whole history is proven to be ours and witnessed.
        let append = whole_log(&self.log, &whole)?;
        let state = replay(&whole)?;
        // Who the witnesses are is what the entries say; that these are ours says the log's own key.
        let (Some(log_key), Some(policy)) = (state.log(), state.witnesses()) else {
            return rollback("a vault without witnesses");
        };
        let root = |size| (size == append.head.size).then_some(append.head.root);
        let accepted = Accepted::check(head, log_key, policy, root)
            .map_err(|v| CoreError::Refused(v.code, v.detail))?;
        // A succession among them moved the log; its name is signed for by our own key or not at all.
        let signer = self.signer.renamed(log_key.name());
        let signer = signer.map_err(|e| CoreError::Broken(e.to_string()))?;
        let dropped = own.get(common..).unwrap_or_default().to_vec();
        let note = accepted.head().signed().to_note();
        self.rewrite(&append, note, state, signer)?;
        self.begin_again(&dropped)
    }

    /// Takes a succession: the log goes on under a new name, from what there is. Nothing is signed
    /// until the old witnesses follow the new log and twelve hours of their time have passed.
    pub(crate) fn succeed(&mut self, succession: Succession) -> Result<Response, CoreError> {
        let Some(first) = &self.vault.log else { return rollback("a vault without a log") };
        let key = succession.declaration.log_key(first).map_err(CoreError::Malformed)?;
        if self.state.log() == Some(&key) {
            return self.renew(succession);
        }
        if self.phase == Phase::Serving {
            return rollback("this cosigner serves; nothing of its log is lost");
        }
        let kept = self.kept()?;
        let mut own = Log::at(&self.log, self.head).entries(0, self.head.size)?;
        let dropped = own.split_off(usize::try_from(kept).unwrap_or(usize::MAX).min(own.len()));
        let mut state = replay(&own)?;
        if dropped.is_empty() {
            // What was accepted since the last entry is known here and told by the next one.
            state = self.state.clone();
        }
        if let Err(violation) = state.judge_succession(&succession) {
            return Ok(self.refuse(None, None, vec![violation]));
        }
        let entry = Entry::new(state.unlogged().to_vec(), Body::Succession(Box::new(succession)));
        state.apply(&entry).map_err(|e| CoreError::Broken(e.to_string()))?;
        own.push(entry.to_bytes());
        let append = whole_log(&self.log, &own)?;
        let signer =
            self.signer.renamed(key.name()).map_err(|e| CoreError::Broken(e.to_string()))?;
        let note = SignedHead::sign(append.head, &signer)
            .map_err(|e| CoreError::Broken(e.to_string()))?
            .to_note();
        // A crash before this leaves the old log, after it the new one; never parts of both.
        self.rewrite(&append, note, state, signer)?;
        self.begin_again(&dropped)?;
        Ok(Response::Appended(Appended { entry: kept, head: self.note() }))
    }

    /// Another declaration in the same new log, because people of the first were removed.
    fn renew(&mut self, succession: Succession) -> Result<Response, CoreError> {
        self.empty_queue();
        if let Err(violation) = self.state.judge_succession(&succession) {
            return Ok(self.refuse(None, None, vec![violation]));
        }
        self.append(vec![Body::Succession(Box::new(succession))]).map(Response::Appended)
    }

    /// Takes an entry of the log before a succession, from anyone: it proves itself.
    pub(crate) fn recover(&mut self, recovered: Recovered) -> Result<Response, CoreError> {
        if let Err(violation) = self.state.judge_recovered(&recovered) {
            return Ok(self.refuse_object(violation, false));
        }
        if self.phase == Phase::Shut {
            self.begin()?;
        }
        self.append(vec![Body::Recovered(Box::new(recovered))]).map(Response::Appended)
    }

    fn begin_again(&mut self, dropped: &[Vec<u8>]) -> Result<Response, CoreError> {
        let answer = self.begin()?;
        for bytes in dropped {
            // What the newer history knows or forbids is answered, and that is all.
            match Entry::from_bytes(bytes).map(|entry| entry.body) {
                Ok(Body::Act(act)) => drop(self.act(act)?),
                Ok(Body::Recovered(recovered)) => drop(self.recover(*recovered)?),
                _ => {}
            }
        }
        Ok(answer)
    }

    /// Puts another log in the place of this one, at once or not at all: it is written beside it, and
    /// the two directories change their names in one step of the file system.
    fn rewrite(
        &mut self,
        append: &Append,
        note: Vec<u8>,
        state: State,
        signer: LogSigner,
    ) -> Result<(), CoreError> {
        let path = self.log.path().to_owned();
        let beside = path.with_extension("new");
        match std::fs::remove_dir_all(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        LogDir::create(&beside)?.commit(append, &note)?;
        self.doubtful = true;
        renameat_with(CWD, &beside, CWD, &path, RenameFlags::EXCHANGE)
            .map_err(std::io::Error::from)?;
        sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        (self.head, self.note, self.state) = (append.head, note, state);
        self.phase = Phase::Shut;
        self.signer = signer;
        self.forget_sights();
        self.doubtful = false;
        // What no witness has seen is not history; losing this costs disk space only.
        let _ = std::fs::remove_dir_all(&beside);
        Ok(())
    }
}

/// The files of a whole log, from its first entry on.
fn whole_log(log: &LogDir, entries: &[Vec<u8>]) -> Result<Append, CoreError> {
    Ok(Log::at(log, TreeHead::EMPTY).append(0, entries)?)
}

fn replay(entries: &[Vec<u8>]) -> Result<State, CoreError> {
    let mut state = None;
    for bytes in entries {
        let entry = Entry::from_bytes(bytes).map_err(|e| CoreError::Malformed(e.to_string()))?;
        let mut current = match state.take() {
            Some(current) => current,
            None => first_state(&entry)?,
        };
        current.apply(&entry).map_err(|e| CoreError::Malformed(e.to_string()))?;
        state = Some(current);
    }
    state.ok_or_else(|| CoreError::Malformed("no entries".to_owned()))
}
