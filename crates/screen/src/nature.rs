//! What a file is, as far as screening cares: code that is read, data that nobody runs, or something that nobody looks
//! into yet. The last is the default: what is not known to be data is listed, never passed over.

use crate::tree::File;

/// What becomes of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Nature {
    /// Python, all of it.
    Python,
    /// Lines of Python among others, as `.pth` files have them.
    PythonLines,
    /// Cells of Python, or of another language, in JSON.
    Notebook,
    /// JavaScript.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// The language of shells.
    Shell,
    /// Scripts in a page: HTML, SVG.
    Page,
    /// The scripts of a component; the rest of it is not read.
    Component,
    /// Data: it does something only if some code reads or runs it.
    Data,
    /// A program of the type that its name says.
    Native,
    /// Not inspected, and why.
    Unread(String),
}

impl Nature {
    /// Whether it is code that is read.
    #[must_use]
    pub const fn is_code(&self) -> bool {
        !matches!(self, Self::Data | Self::Native | Self::Unread(_))
    }
}

/// Extensions of data.
const DATA: [&str; 65] = [
    "adoc",
    "bmp",
    "cfg",
    "conf",
    "crt",
    "csv",
    "css",
    "dbf",
    "eot",
    "geojson",
    "gif",
    "graphql",
    "ico",
    "in",
    "inc",
    "ini",
    "jinja",
    "jinja2",
    "j2",
    "jpeg",
    "jpg",
    "json",
    "json5",
    "key",
    "less",
    "lock",
    "log",
    "map",
    "md",
    "markdown",
    "mo",
    "mp3",
    "mp4",
    "otf",
    "pdf",
    "pem",
    "png",
    "po",
    "pot",
    "prj",
    "properties",
    "proto",
    "pub",
    "pyi",
    "rst",
    "scss",
    "shp",
    "shx",
    "snap",
    "template",
    "tif",
    "tiff",
    "tmpl",
    "toml",
    "tsv",
    "ttf",
    "txt",
    "typed",
    "wav",
    "webp",
    "woff",
    "woff2",
    "xml",
    "xsd",
    "yaml",
];
/// Beginnings of names without extension, in lower case, that are data.
const DATA_NAMES: [&str; 27] = [
    "authors",
    "changelog",
    "changes",
    "codeowners",
    "contributing",
    "contributors",
    "copying",
    "copyright",
    "description",
    "history",
    "install",
    "installer",
    "licence",
    "license",
    "manifest",
    "metadata",
    "news",
    "notice",
    "pkg-info",
    "readme",
    "record",
    "requested",
    "security",
    "thanks",
    "todo",
    "version",
    "wheel",
];
/// Settings of tools without code in them.
const DATA_DOTS: [&str; 10] = [
    ".coveragerc",
    ".dockerignore",
    ".editorconfig",
    ".eslintignore",
    ".flake8",
    ".gitignore",
    ".gitkeep",
    ".keep",
    ".npmignore",
    ".prettierignore",
];
/// Files by whole names that are read for what they run, or hold nothing that runs.
const READ: [&str; 20] = [
    "makefile",
    "gnumakefile",
    "dockerfile",
    "containerfile",
    "cmakelists.txt",
    ".gitattributes",
    ".gitmodules",
    ".gitconfig",
    ".npmrc",
    ".yarnrc",
    ".nvmrc",
    ".node-version",
    ".python-version",
    ".tool-versions",
    ".envrc",
    "pipfile",
    "go.mod",
    "go.sum",
    ".babelrc",
    ".browserslistrc",
];

/// Looks at a file's name and first bytes.
#[must_use]
pub fn nature(file: &File) -> Nature {
    let (path, name) = (file.path.as_str(), file.name());
    let unread = |what: &str| Nature::Unread(format!("{what} is not read yet"));
    let within = |folder: &str| path.starts_with(folder) || path.contains(&format!("/{folder}"));
    if within(".git/") && is_gits(path, name) {
        let packed = path.contains("/objects/") && !name.ends_with(".idx");
        return if packed { unread("what git has packed") } else { Nature::Data };
    }
    if file.bytes.is_empty() || is_of_git(path, name, &file.bytes) {
        return Nature::Data;
    }
    let lower = name.to_lowercase();
    let extension = extension_of(name).map(str::to_ascii_lowercase);
    // What an interpreter takes for code by its name is code, whatever else the name says.
    let is_code = matches!(
        extension.as_deref(),
        Some(
            "py" | "pyw"
                | "pth"
                | "ipynb"
                | "js"
                | "mjs"
                | "cjs"
                | "jsx"
                | "ts"
                | "tsx"
                | "mts"
                | "cts"
                | "sh"
                | "bash"
                | "zsh"
                | "ksh"
                | "snap"
        )
    );
    if !is_code
        && (READ.contains(&lower.as_str())
            || lower.starts_with("dockerfile.")
            || lower.starts_with("makefile.")
            || lower == ".env"
            || lower.starts_with(".env."))
    {
        return Nature::Data;
    }
    if within(".husky/") && extension.is_none() {
        return Nature::Shell;
    }
    match extension.as_deref() {
        Some("py" | "pyw") => Nature::Python,
        Some("pth") => Nature::PythonLines,
        Some("ipynb") => Nature::Notebook,
        Some("js" | "mjs" | "cjs" | "jsx" | "snap") => Nature::JavaScript,
        Some("ts" | "mts" | "cts")
            if lower.ends_with(".d.ts")
                || lower.ends_with(".d.mts")
                || lower.ends_with(".d.cts") =>
        {
            Nature::Data
        }
        Some("ts" | "tsx" | "mts" | "cts") => Nature::TypeScript,
        Some("sh" | "bash" | "zsh" | "ksh") => Nature::Shell,
        Some("htm" | "html" | "xhtml" | "svg") => Nature::Page,
        Some("vue" | "svelte" | "astro") => Nature::Component,
        Some("pdf") if acts(&file.bytes) => {
            unread("a document that may do something when it is opened")
        }
        // Of Go and Rust only what runs at build counts, and that is told by what runs it.
        Some("go" | "rs" | "mk" | "cmake" | "code-workspace") => Nature::Data,
        Some("gyp") if lower == "binding.gyp" => Nature::Data,
        Some(e) if is_native(e) => match is_program(&file.bytes) {
            true => Nature::Native,
            false => Nature::Unread("not of the type that its name says".to_owned()),
        },
        Some(known) if DATA.contains(&known) || known == "yml" => {
            match is_of_type(known, &file.bytes) {
                true => Nature::Data,
                false => Nature::Unread("not of the type that its name says".to_owned()),
            }
        }
        Some(other) => match language(other) {
            Some(language) => unread(language),
            None if file.bytes.starts_with(b"#!") => script(&file.bytes),
            None => unread("a file of this type"),
        },
        None if file.bytes.starts_with(b"#!") => script(&file.bytes),
        None if DATA_DOTS.contains(&name)
            || DATA_NAMES.iter().any(|d| name.to_lowercase().starts_with(d)) =>
        {
            Nature::Data
        }
        None => unread("a file of this type"),
    }
}

/// Whether a file in git's folder is one that git keeps there; what else lies there is looked at like any other.
fn is_gits(path: &str, name: &str) -> bool {
    const FOLDERS: [&str; 6] = ["objects", "refs", "logs", "info", "rr-cache", "branches"];
    const NAMES: [&str; 13] = [
        "HEAD",
        "config",
        "config.worktree",
        "description",
        "index",
        "packed-refs",
        "ORIG_HEAD",
        "FETCH_HEAD",
        "COMMIT_EDITMSG",
        "MERGE_HEAD",
        "shallow",
        "gitdir",
        "commondir",
    ];
    let inner = path.rsplit(".git/").next().unwrap_or(path);
    let is_hook = inner.contains("hooks/") && !name.contains('.');
    FOLDERS.iter().any(|f| {
        inner.starts_with(&format!("{f}/"))
            || inner.contains(&format!("/{f}/")) && inner.starts_with("modules/")
    }) || NAMES.contains(&name)
        || is_hook
        || name.ends_with(".sample")
}

/// Whether a file is one of git's outside of a folder of that name: settings, which are read for what they run; what leads
/// from a working tree to its repository; hooks that are none.
fn is_of_git(path: &str, name: &str, bytes: &[u8]) -> bool {
    match name {
        "config" => has_sections(bytes),
        ".git" => bytes.starts_with(b"gitdir: "),
        _ => name.ends_with(".sample") && path.contains("hooks/"),
    }
}

/// Whether a line begins a section, as in the settings of git.
#[must_use]
pub fn has_sections(bytes: &[u8]) -> bool {
    bytes.split(|b| *b == b'\n').any(|line| line.trim_ascii_start().starts_with(b"["))
}

fn extension_of(name: &str) -> Option<&str> {
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, e)| e)
}

/// A script by its first line.
#[must_use]
pub fn script(bytes: &[u8]) -> Nature {
    let first = String::from_utf8_lossy(bytes.split(|b| *b == b'\n').next().unwrap_or_default());
    if first.contains("python") {
        Nature::Python
    } else if first.contains("node") || first.contains("bun") || first.contains("deno") {
        Nature::JavaScript
    } else if is_shell(bytes) {
        Nature::Shell
    } else {
        Nature::Unread("a script of this language is not read".to_owned())
    }
}

fn is_shell(bytes: &[u8]) -> bool {
    let first = String::from_utf8_lossy(bytes.split(|b| *b == b'\n').next().unwrap_or_default());
    let program =
        first.rsplit(['/', ' ']).find(|w| !w.is_empty() && !w.starts_with('-')).unwrap_or_default();
    matches!(program.trim(), "sh" | "bash" | "zsh" | "dash" | "ksh" | "ash")
}

/// Extensions of programs and libraries of machines.
fn is_native(extension: &str) -> bool {
    matches!(
        extension,
        "so" | "pyd" | "dll" | "dylib" | "exe" | "node" | "wasm" | "a" | "o" | "lib" | "bin"
    )
}

/// Whether bytes are a program of a machine.
fn is_program(bytes: &[u8]) -> bool {
    const MAGICS: [&[u8]; 10] = [
        b"\x7fELF",
        b"MZ",
        b"\xcf\xfa\xed\xfe",
        b"\xce\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
        b"\xfe\xed\xfa\xcf",
        b"\xfe\xed\xfa\xce",
        b"\0asm",
        b"!<arch>\n",
        b"\x64\x86",
    ];
    MAGICS.iter().any(|m| bytes.starts_with(m))
}

/// Languages by extension, for a better word than *a file of this type*.
fn language(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "fish" | "ps1" | "psm1" | "bat" | "cmd" | "vbs" | "applescript" | "scpt" => {
            "a shell's language"
        }
        "coffee" => "CoffeeScript",
        "rb" => "Ruby",
        "php" => "PHP",
        "pl" | "pm" => "Perl",
        "java" | "kt" | "gradle" | "c" | "cc" | "cpp" | "h" | "hpp" | "cs" | "swift" | "pyx"
        | "pxd" => "a compiled language",
        "pyc" | "pyo" | "class" | "jar" | "asar" => "a compiled program",
        "pkl" | "pickle" | "pt" | "pth.tar" | "joblib" | "npy" | "dill" => "a pickle",
        _ => return None,
    })
}

/// Whether a document of PDF has actions (ISO 32000-1, 12.6), as far as that stands there in clear.
fn acts(bytes: &[u8]) -> bool {
    let has = |mark: &[u8]| bytes.windows(mark.len()).any(|w| w == mark);
    [&b"/JavaScript"[..], b"/JS", b"/Launch", b"/EmbeddedFile", b"/ObjStm"].iter().any(|m| has(m))
}

/// Whether bytes are what the extension of a picture, font, sound or document says; of text, that they are text.
fn is_of_type(extension: &str, bytes: &[u8]) -> bool {
    let begins = |magics: &[&[u8]]| magics.iter().any(|m| bytes.starts_with(m));
    match extension {
        "png" => begins(&[b"\x89PNG\r\n\x1a\n"]),
        "jpg" | "jpeg" => begins(&[b"\xff\xd8\xff"]),
        "gif" => begins(&[b"GIF8"]),
        "bmp" => begins(&[b"BM"]),
        "ico" => begins(&[b"\0\0\x01\0", b"\x89PNG"]),
        "webp" => begins(&[b"RIFF"]) && bytes.get(8..12) == Some(b"WEBP"),
        "tif" | "tiff" => begins(&[b"II*\0", b"MM\0*"]),
        "wav" => begins(&[b"RIFF"]),
        "mp3" => begins(&[b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"]),
        "mp4" => bytes.get(4..8) == Some(b"ftyp"),
        "woff" => begins(&[b"wOFF"]),
        "woff2" => begins(&[b"wOF2"]),
        "ttf" | "otf" => begins(&[b"\0\x01\0\0", b"OTTO", b"true", b"ttcf"]),
        "eot" => bytes.get(34..36) == Some(b"LP"),
        "pdf" => begins(&[b"%PDF"]),
        "mo" => begins(&[b"\xde\x12\x04\x95", b"\x95\x04\x12\xde"]),
        "shp" | "shx" => begins(&[b"\0\0\x27\x0a"]),
        "dbf" => begins(&[b"\x03", b"\x30", b"\x83", b"\x8b"]),
        // A program does not pass as text.
        _ => {
            !begins(&[b"\x7fELF", b"MZ", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\0asm", b"#!"])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, bytes: &[u8]) -> Nature {
        nature(&File { path: path.to_owned(), bytes: bytes.to_vec() })
    }

    #[test]
    fn what_is_not_known_to_be_data_is_listed() {
        for (path, bytes) in [
            ("a.PY.bak", &b"x"[..]),
            ("run", b"x"),
            ("lib/_c.so", b"import os"),
            ("a.pyc", b"x"),
            (".git/objects/pack/pack-1.pack", b"PACK"),
            ("font.woff2", b"console.log(1)"),
            ("readme.txt", b"\x7fELF"),
            ("notes.txt", b"#!/bin/sh\n"),
            ("tool", b"#!/usr/bin/env ruby\n"),
            ("a.ps1", b"x"),
            (".git/run.bin", b"x"),
            ("deps/x.gypi", b"{}"),
        ] {
            assert!(matches!(of(path, bytes), Nature::Unread(_)), "{path}");
        }
        for (path, bytes) in [
            ("README", &b"x"[..]),
            ("LICENSE.md", b"x"),
            ("a/font.woff2", b"wOF2"),
            ("data.csv", b"1,2"),
            (".git/HEAD", b"ref"),
            ("Makefile", b"all:\n"),
            ("pkg/__init__.txt", b""),
            (".vscode/tasks.json", b"{}"),
            ("a.d.ts", b"export {}"),
        ] {
            assert_eq!(of(path, bytes), Nature::Data, "{path}");
        }
        assert_eq!(of("a.py", b"x"), Nature::Python);
        assert_eq!(of("A.PY", b"x"), Nature::Python);
        assert_eq!(of("bin/tool", b"#!/usr/bin/env python3\n"), Nature::Python);
        assert_eq!(of("bin/tool", b"#!/usr/bin/env node\n"), Nature::JavaScript);
        assert_eq!(of("bin/tool", b"#!/bin/sh -e\n"), Nature::Shell);
        assert_eq!(of("x.pth", b"import os"), Nature::PythonLines);
        assert_eq!(of("x.tsx", b"1"), Nature::TypeScript);
        // A name that also says something else does not make code data.
        assert_eq!(of("Dockerfile.py", b"x"), Nature::Python);
        assert_eq!(of(".env.js", b"x"), Nature::JavaScript);
        assert_eq!(of("vendor/.git/run.js", b"x"), Nature::JavaScript);
        assert_eq!(of(".husky/_/own", b"x"), Nature::Shell);
        assert_eq!(of("hooks/own", b"#!/bin/sh\n"), Nature::Shell);
        assert_eq!(of("lib/_c.so", b"\x7fELF"), Nature::Native);
    }
}
