//! Secrets by where they lie and what they are called.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

/// Kinds of secrets by what stands in a path, and whether one alone is enough to block (B3).
const SECRETS: [(&str, &str, bool); 43] = [
    (".ssh/", "ssh keys", false),
    ("id_rsa", "ssh keys", false),
    ("id_ed25519", "ssh keys", false),
    (".aws/credentials", "cloud credentials", false),
    (".config/gcloud", "cloud credentials", false),
    (".config/gh/hosts", "cloud credentials", false),
    (".azure/", "cloud credentials", false),
    (".kube/config", "cluster credentials", false),
    (".docker/config.json", "registry credentials", false),
    (".npmrc", "registry credentials", false),
    (".pypirc", "registry credentials", false),
    (".netrc", "passwords", false),
    (".git-credentials", "passwords", false),
    (".gnupg", "pgp keys", false),
    ("Login Data", "browser store", true),
    ("Local State", "browser store", true),
    ("Cookies", "browser store", true),
    ("logins.json", "browser store", true),
    ("key4.db", "browser store", true),
    ("User Data/Default", "browser store", true),
    ("Local Extension Settings", "wallet", true),
    ("nkbihfbeogaeaoehlefnkodbefgpgknn", "wallet", true),
    ("bfnaelmomeimhlpmgjnjophhpkkoljpa", "wallet", true),
    ("wallet.dat", "wallet", true),
    (".config/solana/id.json", "wallet", true),
    (".ethereum/keystore", "wallet", true),
    ("Keychains", "keychain", true),
    ("login.keychain", "keychain", true),
    (".local/share/keyrings", "keychain", true),
    ("login.keyring", "keychain", true),
    ("BraveSoftware", "browser store", true),
    ("Google/Chrome", "browser store", true),
    ("google-chrome", "browser store", true),
    ("Mozilla/Firefox", "browser store", true),
    (".mozilla/firefox", "browser store", true),
    ("Firefox/Profiles", "browser store", true),
    ("Microsoft/Edge", "browser store", true),
    ("Exodus/exodus.wallet", "wallet", true),
    ("Electrum/wallets", "wallet", true),
    (".electrum", "wallet", true),
    ("atomic/Local Storage", "wallet", true),
    (".bitcoin/", "wallet", true),
    (".bash_history", "shell history", false),
];

/// Finds them in one pass; the first in the table counts where several begin at a place.
static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let parts = SECRETS.iter().map(|(part, ..)| *part);
    AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostFirst).build(parts).ok()
});

/// A longer text is no path.
const PATH_LEN_MAX: usize = 400;

/// The kind of secret that a path leads to.
#[must_use]
pub fn secret_of_path(path: &str) -> Option<&'static str> {
    // Most texts have no folder and no dot: they are told apart first.
    if path.len() < 5
        || path.len() > PATH_LEN_MAX
        || !path
            .bytes()
            .any(|b| matches!(b, b'/' | b'\\' | b'.' | b' ' | b'_' | b'K' | b'k' | b'C' | b'b'))
    {
        return None;
    }
    let path = match path.contains('\\') {
        true => std::borrow::Cow::Owned(path.replace('\\', "/")),
        false => std::borrow::Cow::Borrowed(path),
    };
    let found = FINDER.as_ref()?.find(&*path)?;
    SECRETS.get(found.pattern().as_usize()).map(|(_, kind, _)| *kind)
}

/// Whether one secret of a kind is enough to block.
#[must_use]
pub fn is_strong(kind: &str) -> bool {
    SECRETS.iter().any(|(_, k, strong)| *k == kind && *strong)
}

/// Tokens that lie in the environment by custom and go to the service that gave them.
pub const TOKEN_OF_GITHUB: &str = "token of GitHub";
/// The same, of npm.
pub const TOKEN_OF_NPM: &str = "token of npm";

/// The kind of secret that a variable of the environment holds, by its name.
#[must_use]
pub fn secret_of_variable(name: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 9] = [
        ("PRIVATE_KEY", "keys in the environment"),
        ("MNEMONIC", "keys in the environment"),
        ("SEED_PHRASE", "keys in the environment"),
        ("AWS_SECRET", "keys in the environment"),
        ("AWS_SESSION_TOKEN", "keys in the environment"),
        ("VAULT_TOKEN", "keys in the environment"),
        ("NPM_TOKEN", TOKEN_OF_NPM),
        ("GITHUB_TOKEN", TOKEN_OF_GITHUB),
        ("GH_TOKEN", TOKEN_OF_GITHUB),
    ];
    let name = name.to_uppercase();
    NAMES.iter().find(|(part, _)| name.contains(part)).map(|(_, kind)| *kind)
}

/// Whether a path that is written, or a command, makes something start by itself later on.
#[must_use]
pub fn persists(line: &str) -> bool {
    const MARKS: [&str; 30] = [
        "LaunchAgents/",
        "LaunchDaemons/",
        "launchctl load",
        "launchctl bootstrap",
        "crontab",
        "/etc/cron",
        "/var/spool/cron",
        ".config/systemd/user",
        "/etc/systemd/system",
        "systemctl enable",
        "systemctl --user enable",
        ".bashrc",
        ".zshrc",
        ".bash_profile",
        ".zprofile",
        "/.profile",
        ".zshenv",
        "config.fish",
        ".config/autostart",
        "Start Menu/Programs/Startup",
        "Programs/Startup",
        "CurrentVersion/Run",
        "schtasks /create",
        "schtasks /Create",
        "/etc/rc.local",
        "/etc/profile.d",
        "/etc/ld.so.preload",
        ".ssh/authorized_keys",
        "usercustomize.py",
        "sitecustomize.py",
    ];
    let line = line.replace('\\', "/").replace("//", "/");
    let lists = line.trim_end().ends_with("crontab -l");
    !lists && (line.ends_with(".pth") || MARKS.iter().any(|m| line.contains(m)))
}

/// Whether a command takes protection away.
#[must_use]
pub fn disarms(line: &str) -> bool {
    const MARKS: [&[&str]; 16] = [
        &["spctl", "disable"],
        &["xattr", "quarantine"],
        &["setenforce", "0"],
        &["ufw", "disable"],
        &["csrutil", "disable"],
        &["Set-MpPreference", "Disable"],
        &["Add-MpPreference", "Exclusion"],
        &["netsh", "firewall", "off"],
        &["systemctl", "stop", "firewalld"],
        &["systemctl", "stop", "falcon"],
        &["pkill", "falcon"],
        &["killall", "LittleSnitch"],
        &["launchctl", "unload", "com.crowdstrike"],
        &["sc", "stop", "WinDefend"],
        &["iptables", "-F"],
        &["auditctl", "-e", "0"],
    ];
    MARKS.iter().any(|all| all.iter().all(|w| line.contains(w)))
}

/// Whether an entry of a keychain belongs to a browser or wallet, by the name of its service.
#[must_use]
pub fn is_of_others(service: &str) -> bool {
    const OTHERS: [&str; 12] = [
        "safe storage",
        "chrome",
        "chromium",
        "brave",
        "edge",
        "opera",
        "vivaldi",
        "firefox",
        "metamask",
        "exodus",
        "electrum",
        "1password",
    ];
    let service = service.to_lowercase();
    OTHERS.iter().any(|o| service.contains(o))
}
