//! The room in which untrusted bytes are read: a process that may read beneath the paths it is given, write into one
//! pipe, and nothing else. It is built before the first byte is read and before there is a second thread, and it can't be
//! left.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::limits::Limits;

/// What holds.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox {
    /// The version of Landlock that the kernel has.
    pub landlock_abi: i32,
}

/// Shuts this process in.
///
/// # Errors
/// What the kernel lacks or refuses; then nothing may be read.
pub fn enter(paths: &[&Path], most: &Limits) -> Result<Sandbox, String> {
    let limits = [
        (Resource::As, most.memory),
        (Resource::Cpu, most.seconds),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nofile, 256),
    ];
    for (resource, most) in limits {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|e| format!("a limit was refused: {e}"))?;
    }
    let landlock_abi = landlock(paths)?;
    seccomp()?;
    Ok(Sandbox { landlock_abi })
}

/// Reading beneath the paths, and nothing else of files or network. Sets `no_new_privs` too.
fn landlock(paths: &[&Path]) -> Result<i32, String> {
    let abi = ABI::V5;
    let lacks = |e: &dyn std::fmt::Display| format!("Landlock: {e}");
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut beneath = Vec::new();
    for path in paths {
        let allowed = if path.is_dir() { read } else { AccessFs::ReadFile.into() };
        let file = PathFd::new(path).map_err(|e| lacks(&e))?;
        beneath.push(Ok(PathBeneath::new(file, allowed)));
    }
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .and_then(|r| r.handle_access(AccessNet::from_all(abi)))
        .and_then(|r| r.scope(Scope::from_all(ABI::V6)))
        .and_then(Ruleset::create)
        .and_then(|r| r.add_rules(beneath))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|e| lacks(&e))?;
    // Files are shut from the first version on; what later ones add (TCP, signals) seccomp shuts too.
    match (status.ruleset, status.landlock) {
        (
            RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced,
            LandlockStatus::Available { effective_abi, kernel_abi },
        ) if status.no_new_privs => Ok(kernel_abi.unwrap_or(effective_abi as i32)),
        _ => Err("Landlock: this kernel does not enforce it".to_owned()),
    }
}

/// The system calls that reading, thinking and answering need. Anything else ends the process.
fn seccomp() -> Result<(), String> {
    let calls: &[i64] = &[
        libc::SYS_read,
        libc::SYS_pread64,
        libc::SYS_readv,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_openat,
        libc::SYS_fstat,
        libc::SYS_newfstatat,
        libc::SYS_statx,
        libc::SYS_lseek,
        libc::SYS_getdents64,
        libc::SYS_readlink,
        libc::SYS_readlinkat,
        libc::SYS_fcntl,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_futex,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sched_getaffinity,
        libc::SYS_sched_yield,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_tgkill,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_prctl,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_poll,
        libc::SYS_restart_syscall,
    ];
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into().map_err(|e| format!("seccomp: {e}"))?;
    let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)
        .map_err(|e| format!("seccomp: {e}"))?;
    let program: BpfProgram = filter.try_into().map_err(|e| format!("seccomp: {e}"))?;
    seccompiler::apply_filter(&program).map_err(|e| format!("seccomp: {e}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    const PROBE: &str = "COUNTERSIGN_SANDBOX_PROBE";

    /// Run in a process of its own by the test below: shuts itself in and tries what it must not.
    #[test]
    fn probe() {
        let Ok(probe) = std::env::var(PROBE) else { return };
        let (what, dir) = probe.rsplit_once(' ').unwrap();
        let inside = Path::new(dir).join("inside");
        enter(&[Path::new(dir)], &Limits::of(&[])).unwrap();
        assert_eq!(std::fs::read(&inside).unwrap(), b"x");
        let done = match what {
            "read outside" => std::fs::read("/etc/hostname").is_ok(),
            "list outside" => std::fs::read_dir("/").is_ok(),
            "write inside" => std::fs::OpenOptions::new().write(true).open(&inside).is_ok(),
            "make inside" => std::fs::write(Path::new(dir).join("new"), "x").is_ok(),
            "connect" => std::net::TcpStream::connect("127.0.0.1:1").is_ok(),
            "run" => std::process::Command::new("/bin/true").status().is_ok(),
            other => panic!("{other}"),
        };
        assert!(!done, "{what} was possible");
    }

    #[test]
    fn nothing_but_reading_beneath_the_path_is_possible() {
        let dir = testkit::bench::temp_dir("sandbox");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("inside"), "x").unwrap();
        for (what, killed) in [
            ("read outside", false),
            ("list outside", false),
            ("write inside", false),
            ("make inside", false),
            ("connect", true),
            ("run", true),
        ] {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "screening::sandbox::tests::probe", "--test-threads=1"])
                .env(PROBE, format!("{what} {}", dir.display()))
                .output()
                .unwrap();
            if killed {
                assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{what}: {output:?}");
            } else {
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success() && said.contains("1 passed"), "{what}: {said}");
            }
        }
        std::fs::remove_dir_all(dir).unwrap();
    }
}
