//! Running the executable in a directory of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use testkit::bench::temp_dir;

/// The executable under test.
pub const EXE: &str = env!("CARGO_BIN_EXE_countersign");

/// A directory, and processes that end with it.
pub struct Desk {
    pub dir: PathBuf,
    /// Command lines that stay, with their processes.
    children: Vec<(String, Child)>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Desk {
    pub fn new() -> Self {
        Self { dir: temp_dir("desk"), children: Vec::new() }
    }

    /// Runs a command line, split at spaces; exit code and the JSON document on stdout.
    pub fn run(&self, line: &str) -> (i32, Value) {
        let args: Vec<&str> = line.split(' ').filter(|a| !a.is_empty()).collect();
        let output =
            Command::new(EXE).args(&args).arg("--json").current_dir(&self.dir).output().unwrap();
        let code = output.status.code().expect("a signal ended it: a panic or worse");
        let text = String::from_utf8(output.stdout).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{line}: {stderr}");
        (code, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Runs a command line that must succeed.
    pub fn ok(&self, line: &str) -> Value {
        let (code, json) = self.run(line);
        assert_eq!(code, 0, "{line}: {json}");
        json
    }

    /// Starts a command line that stays, and waits for its `ready`.
    pub fn stay(&mut self, line: &str) -> String {
        let mut child = Command::new(EXE)
            .args(line.split(' '))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        self.children.push((line.to_owned(), child));
        ready.trim().strip_prefix("ready ").unwrap_or_else(|| panic!("{line}: {ready}")).to_owned()
    }

    /// Ends the processes whose command line begins so.
    pub fn stop(&mut self, begins: &str) {
        for (line, child) in &mut self.children {
            if line.starts_with(begins) {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        self.children.retain(|(line, _)| !line.starts_with(begins));
    }

    /// Starts the trial vault's cosigner.
    pub fn cosigner(&mut self) {
        self.stay("cosigner run cos --socket v/cosigner.sock --submit-socket v/submit.sock");
    }

    /// Starts the trial vault's witnesses again, at the same addresses, with their clocks off.
    pub fn witnesses(&mut self, offset_secs: u64) {
        self.stop("witness run");
        for line in self.text("witnesses").lines().filter(|l| l.starts_with("witness ")) {
            let mut words = line.split(' ').skip(1);
            let (name, url) = (words.next().unwrap(), words.nth(1).unwrap());
            let address = url.strip_prefix("http://").unwrap();
            self.stay(&format!(
                "witness run {name} --listen {address} --clock-offset-secs {offset_secs}"
            ));
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap().trim().to_owned()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// A whole trial vault in `v`, its cosigner running, three of four witnesses asked for.
    pub fn vault(&mut self, allow: &[String], options: &str) -> Value {
        self.ok("cosigner keygen cos --out cos.pub");
        let mut line = "vault new v --network regtest --cosigner cos.pub --embedded".to_owned();
        for (name, kind) in [
            ("ha", "holder"),
            ("hb", "holder"),
            ("hc", "holder"),
            ("ra", "recovery"),
            ("rb", "recovery"),
        ] {
            let key = self.ok(&format!("holder-key new --network regtest --out {name}.json"));
            line.push_str(&format!(" --{kind} {}", key["xpub"].as_str().unwrap()));
        }
        for (person, zone) in [("alice", "tokyo"), ("bob", "osaka"), ("carol", "tokyo")] {
            self.ok(&format!("review-key new --out {person}.review"));
            self.ok(&format!("passkey new --software --out {person}.passkey"));
            self.ok(&format!(
                "enrol --person {person} --review-key {person}.review --passkey {person}.passkey --zone {zone} --out {person}.enrol"
            ));
            line.push_str(&format!(" --person {person}.enrol"));
        }
        self.ok("key new --out req.key");
        let mut policy = String::new();
        for number in 1..=4 {
            let key = self.ok(&format!(
                "witness init w{number} --name w{number}.invalid --out w{number}.vkey"
            ));
            self.ok(&format!("witness trust w{number} --log cos.pub"));
            let url = self.stay(&format!("witness run w{number} --listen 127.0.0.1:0"));
            policy
                .push_str(&format!("witness w{number} {} {url}\n", key["vkey"].as_str().unwrap()));
        }
        policy.push_str("group g 3 w1 w2 w3 w4\nquorum g\n");
        self.write("witnesses", policy);
        line.push_str(" --requester req.key --witness-policy witnesses --hostile-witnesses 1");
        for entry in allow {
            line.push_str(&format!(" --allow {entry}"));
        }
        line.push_str(options);
        let drafted = self.ok(&line);
        for person in ["alice", "bob", "carol"] {
            self.ok(&format!("genesis sign v --person {person} --review-key {person}.review"));
        }
        let bound = self.ok("cosigner init cos --genesis v/genesis");
        assert_eq!(bound["vault_id"], drafted["vault_id"]);
        self.cosigner();
        drafted
    }

    /// Approves `i.json` and a PSBT by alice and bob into a directory.
    pub fn approve(&self, psbt: &str, dir: &str) {
        std::fs::create_dir_all(self.path(dir)).unwrap();
        for person in ["alice", "bob"] {
            self.ok(&format!(
                "approve --vault v --intent i.json --psbt {psbt} --person {person} --review-key {person}.review --passkey {person}.passkey --out {dir}/{person}.json"
            ));
        }
    }
}

/// Whether a file is there and holds anything.
pub fn has(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|m| m.len() > 0)
}
