//! Archives that programs read in different ways: what any of them would take out is read here, or it is listed.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that meets the unexpected has failed")]

use std::io::Write as _;

use intake::{Limits, of_bytes};
use screen::Tree;

const CODE: &[u8] = b"print(1)\n";

fn read(name: &str, bytes: Vec<u8>) -> Tree {
    of_bytes(name, bytes, &Limits::default())
}

fn has(tree: &Tree, path: &str) -> bool {
    tree.files.iter().any(|f| f.path == path)
}

fn header(name: &str, kind: u8, len: usize) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(len as u64);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_cksum();
    header
}

fn tar_of(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    fill(&mut builder);
    builder.into_inner().unwrap()
}

fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = zip::ZipWriter::new(&mut bytes);
    for (name, content) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap();
    bytes.into_inner()
}

#[test]
fn what_is_named_like_code_is_code_whatever_else_it_is() {
    // The header of a tar, in a comment.
    let mut bytes = tar_of(|tar| {
        tar.append(&header(&format!("#{}.txt", "x".repeat(90)), b'0', CODE.len()), CODE).unwrap();
    });
    bytes.truncate(1_024);
    assert!(has(&read("conftest.py", bytes.clone()), "conftest.py"));
    let tree = read("conftest.tar", bytes);
    assert!(!has(&tree, "conftest.tar") && tree.files.len() == 1);
    let zip = zip_of(&[("README.md", b"x")]);
    let tree = read("run.sh", zip.clone());
    assert!(has(&tree, "run.sh") && has(&tree, "run.sh!/README.md"));
    // In archives too.
    let tree = read("a.zip", zip_of(&[("pkg/index.js", &zip), ("pkg/b.whl", &zip)]));
    assert!(has(&tree, "a.zip!/pkg/index.js") && !has(&tree, "a.zip!/pkg/b.whl"));
}

#[test]
fn members_of_any_type_are_files_and_names_are_as_folders_have_them() {
    for kind in [b'0', b'7', b'A', b'N', b'Z', b'8'] {
        let bytes =
            tar_of(|tar| tar.append(&header("conftest.py", kind, CODE.len()), CODE).unwrap());
        assert!(has(&read("a.tar", bytes), "a.tar!/conftest.py"), "{kind}");
    }
    let tree = read("a.tar", tar_of(|tar| tar.append(&header("d", b'5', 9), CODE).unwrap()));
    assert_eq!(tree.missed.len(), 1);
    for name in [".vscode//tasks.json", "./.vscode/./tasks.json"] {
        let tree = read("a.zip", zip_of(&[(name, CODE)]));
        assert!(has(&tree, "a.zip!/.vscode/tasks.json"), "{name} {:?}", tree.files.first());
    }
}

#[test]
fn records_that_some_programs_take_for_a_name_are_listed() {
    let pax = |kind: u8, text: &str| {
        tar_of(|tar| {
            tar.append(&header("pax", kind, text.len()), text.as_bytes()).unwrap();
            tar.append(&header("LICENSE", b'0', CODE.len()), CODE).unwrap();
        })
    };
    let path = "20 path=conftest.py\n";
    for (kind, text, missed) in [
        (b'g', path.to_owned(), 1),
        (b'g', "22 comment=0123456789\n".to_owned(), 0),
        (b'x', "32 GNU.sparse.name=conftest.py\n".to_owned(), 1),
        (b'x', format!("16 path=LICENSE\n{path}"), 1),
        (b'x', path.to_owned(), 0),
    ] {
        let tree = read("a.tar", pax(kind, &text));
        assert_eq!(tree.missed.len(), missed, "{text} {:?}", tree.missed);
    }
}

#[test]
fn a_zip_that_has_two_directories_is_listed() {
    let plain = zip_of(&[("README.md", b"x"), ("b/c.py", CODE)]);
    assert_eq!(read("a.zip", plain.clone()).missed, []);
    let end = plain.windows(4).rposition(|w| w == b"PK\x05\x06").unwrap();
    // Numbers of disks, counts, the length of the comment, the place of the directory.
    for at in [4, 6, 8, 10, 12, 16, 20] {
        let mut bytes = plain.clone();
        bytes[end + at] ^= 1;
        assert!(!read("a.zip", bytes).missed.is_empty(), "{at}");
    }
    // Another name before the bytes of a member than in the directory.
    let local = plain.windows(9).position(|w| w == b"README.md").unwrap();
    let mut bytes = plain.clone();
    bytes[local..local + 9].copy_from_slice(b"README.py");
    assert!(!read("a.zip", bytes).missed.is_empty());
    // Something behind the end.
    let mut bytes = plain;
    bytes.extend_from_slice(b"PK\x05\x06");
    bytes.extend_from_slice(&[0; 17]);
    assert!(!read("a.zip", bytes).missed.is_empty());
}
