//! Every start: take what a mirror has, append `start`, serve once k witnesses have cosigned it.

use tlog::TreeHead;
use tlog::log::Log;
use withdrawal::code::Code;
use withdrawal::entry::{Body, Entry};
use withdrawal::protocol::Response;
use withdrawal::wire::Wire as _;
use withdrawal::witnessed::Accepted;

use crate::core::{Core, CoreError, Phase, first_state};

impl Core {
    /// Appends this run's `start`, once.
    pub(crate) fn begin(&mut self) -> Result<Response, CoreError> {
        if self.phase != Phase::Shut {
            let what = "this run has begun already".to_owned();
            return Err(CoreError::Refused(Code::StateRollback, what));
        }
        let salt = self.salt()?;
        let appended = self.append(vec![Body::Start { salt }])?;
        self.phase = Phase::Begun(appended.entry);
        Ok(Response::Appended(appended))
    }

    /// Takes later entries of its own log under a head that it signed and k cosigned. What this run
    /// appended since its start is dropped (no witness has seen it), but acts are appended again.
    pub(crate) fn restore(
        &mut self,
        from: u64,
        entries: &[Vec<u8>],
        head: &[u8],
    ) -> Result<Response, CoreError> {
        let refuse = |what: &str| Err(CoreError::Refused(Code::StateRollback, what.to_owned()));
        let base = match self.phase {
            Phase::Serving => return refuse("this cosigner serves; its log is the newest"),
            Phase::Begun(start) => start,
            Phase::Shut => self.head.size,
        };
        let Some(known) = base.checked_sub(from).and_then(|n| usize::try_from(n).ok()) else {
            return refuse("entries between the log and those shown are missing");
        };
        let own = Log::at(&self.log, self.head).entries(0, self.head.size)?;
        let Some(later) = entries.get(known..).filter(|later| !later.is_empty()) else {
            return refuse("nothing is newer than this log");
        };
        let base_len = usize::try_from(base).unwrap_or(usize::MAX);
        let mut whole: Vec<Vec<u8>> = own.get(..base_len).unwrap_or_default().to_vec();
        whole.extend_from_slice(later);
        // Nothing is written before the whole history is proven to be ours and witnessed.
        let append = Log::at(&self.log, TreeHead::EMPTY).append(0, &whole)?;
        let (Some(log_key), Some(policy)) = (&self.vault.log, &self.vault.witnesses) else {
            return refuse("a vault without witnesses");
        };
        let root = |size| (size == append.head.size).then_some(append.head.root);
        let accepted = Accepted::check(head, log_key, policy, root)
            .map_err(|v| CoreError::Refused(v.code, v.detail))?;
        let mut state = None;
        for bytes in &whole {
            let entry =
                Entry::from_bytes(bytes).map_err(|e| CoreError::Malformed(e.to_string()))?;
            let mut current = match state.take() {
                Some(current) => current,
                None => first_state(&entry)?,
            };
            current.apply(&entry).map_err(|e| CoreError::Malformed(e.to_string()))?;
            state = Some(current);
        }
        let Some(state) = state else { return refuse("no entries") };
        let dropped = own.get(base_len..).unwrap_or_default();
        self.log.commit(&append, &accepted.head().signed().to_note())?;
        (self.head, self.state, self.phase) = (append.head, state, Phase::Shut);
        let acts = dropped.iter().filter_map(|bytes| match Entry::from_bytes(bytes).ok()?.body {
            Body::Act(act) => Some(act),
            _ => None,
        });
        let acts: Vec<_> = acts.collect();
        let answer = self.begin()?;
        for act in acts {
            self.act(act)?;
        }
        Ok(answer)
    }
}
