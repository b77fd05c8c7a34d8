//! A real node on regtest, on loopback, in a directory of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::bench::temp_dir;

/// Where a `bitcoind` is: `COUNTERSIGN_BITCOIND`, `PATH`, or fetched by the project's script into
/// `target/`. Where none can be had it is said, and under `COUNTERSIGN_REQUIRE_NODE=1` it is a failure.
pub fn bitcoind() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("COUNTERSIGN_BITCOIND") {
        return Some(PathBuf::from(path));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) =
        std::env::split_paths(&path).map(|d| d.join("bitcoind")).find(|p| p.is_file())
    {
        return Some(found);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let script = root.join("tools/fetch-bitcoind");
    let prefix = root.join("target/bitcoind");
    let done = Command::new("bash").arg(script).arg(&prefix).stdout(Stdio::null()).status();
    let binary = prefix.join("bin/bitcoind");
    if done.is_ok_and(|s| s.success()) && binary.is_file() {
        return Some(binary);
    }
    let required = std::env::var_os("COUNTERSIGN_REQUIRE_NODE").is_some_and(|v| v == "1");
    assert!(!required, "a node is required, and none can be had");
    eprintln!("skipped: no bitcoind can be had");
    None
}

/// A running node; it stops when dropped.
pub struct Node {
    child: Child,
    cli: PathBuf,
    dir: PathBuf,
    port: u16,
}

impl Node {
    /// Starts a node, or says why not.
    pub fn start() -> Option<Self> {
        let binary = bitcoind()?;
        let dir = temp_dir("node");
        let port = free_port();
        let child = Command::new(&binary)
            .args([
                "-regtest",
                "-listen=0",
                "-fallbackfee=0.0001",
                "-addresstype=bech32m",
                "-server",
            ])
            .args(["-rpcuser=u", "-rpcpassword=p", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1"])
            .arg(format!("-rpcport={port}"))
            .arg(format!("-datadir={}", dir.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cli = binary.with_file_name("bitcoin-cli");
        let node = Self { child, cli, dir, port };
        node.rpc(&["-rpcwait", "-rpcwaittimeout=60", "getblockcount"]);
        Some(node)
    }

    /// Where its block files are.
    pub fn blocks(&self) -> PathBuf {
        self.dir.join("regtest/blocks")
    }

    /// URL with credentials, for `--node`.
    pub fn url(&self) -> String {
        format!("http://u:p@127.0.0.1:{}", self.port)
    }

    /// One call through `bitcoin-cli`; its output without the line end.
    pub fn rpc(&self, args: &[&str]) -> String {
        let output = self.try_rpc(args);
        output.unwrap_or_else(|e| panic!("{args:?}: {e}"))
    }

    /// The same, where the node may refuse.
    pub fn try_rpc(&self, args: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.cli)
            .args(["-regtest", "-rpcuser=u", "-rpcpassword=p", "-rpcconnect=127.0.0.1"])
            .arg(format!("-rpcport={}", self.port))
            .arg(format!("-datadir={}", self.dir.display()))
            .args(args)
            .output()
            .unwrap();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.try_rpc(&["stop"]);
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
