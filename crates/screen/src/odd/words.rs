//! Documents that urge to take protection away.

use crate::autorun::Seen;
use crate::finding::Fires;
use crate::rules;
use crate::tree::File;

/// What they ask for, in lower case: all the words of one entry in one sentence.
const URGES: [&[&str]; 32] = [
    &["disable", "antivirus"],
    &["disable", "anti-virus"],
    &["disable", "defender"],
    &["disable", "gatekeeper"],
    &["disable", "smartscreen"],
    &["disable", "firewall"],
    &["disable", "endpoint protection"],
    &["disable", "edr"],
    &["disable", "workspace trust"],
    &["disable", "restricted mode"],
    &["disable", "sandbox"],
    &["disable", "real-time protection"],
    &["disable", "security software"],
    &["turn off", "antivirus"],
    &["turn off", "defender"],
    &["turn off", "firewall"],
    &["turn off", "gatekeeper"],
    &["turn off", "real-time protection"],
    &["turn off", "security software"],
    &["switch off", "antivirus"],
    &["pause", "antivirus"],
    &["xattr", "quarantine"],
    &["spctl", "disable"],
    &["csrutil", "disable"],
    &["set-mppreference"],
    &["add-mppreference", "exclusion"],
    &["set-executionpolicy", "bypass"],
    &["set-executionpolicy", "unrestricted"],
    &["setenforce 0"],
    &["exclude", "folder", "antivirus"],
    &["add", "exclusion", "antivirus"],
    &["whitelist", "antivirus"],
];
/// Walls that a document may be against.
const WALLS: [&str; 12] = [
    "docker",
    "container",
    "vm ",
    " vm",
    "virtual machine",
    "sandbox",
    "online ide",
    "cloud workspace",
    "codespace",
    "virtualbox",
    "vmware",
    "remote desktop",
];
/// How it says that it is against them.
const AGAINST: [&str; 18] = [
    "do not use",
    "don't use",
    "not use",
    "no docker",
    "no container",
    "no sandbox",
    "no vm",
    "no virtual",
    "are refused",
    "is refused",
    "not inside",
    "not in a",
    "outside of",
    "outside docker",
    "not be run",
    "void",
    "rejected",
    "disqualif",
];
/// What it wants instead.
const INSTEAD: [&str; 16] = [
    "your own machine",
    "own computer",
    "host machine",
    "bare metal",
    "natively",
    "administrator",
    "sudo",
    "metamask",
    "phantom",
    "wallet",
    "the laptop",
    "personal",
    "your machine",
    "main machine",
    "detect",
    "your host",
];
/// Words that turn a sentence into a warning against it.
const WARNS: [&str; 16] = [
    "never ",
    "should not ",
    "shouldn't ",
    "no need to",
    "without disabling",
    "must not disable",
    "avoid ",
    "instead of ",
    "don't disable",
    "do not disable",
    "don't turn off",
    "do not turn off",
    "refuse",
    "beware",
    "be suspicious",
    "report ",
];

/// Looks at a file.
pub fn look(seen: &mut Vec<Seen>, number: usize, file: &File) {
    let name = file.name().to_lowercase();
    let is_document = name.ends_with(".md")
        || name.ends_with(".txt")
        || name.ends_with(".rst")
        || name.ends_with(".adoc")
        || name.ends_with(".html")
        || name.starts_with("readme")
        || name.starts_with("install");
    let is_root = file.path.matches('/').count() <= 3;
    if !is_document || !is_root || file.bytes.len() > 1 << 20 {
        return;
    }
    let text = file.text().to_lowercase().replace('`', "").replace("**", "").replace('’', "'");
    let mut told = 0;
    for paragraph in text.split("\n\n") {
        let joined = paragraph.replace('\n', " ");
        let any = |words: &[&str]| words.iter().any(|w| joined.contains(w));
        if any(&WALLS) && any(&AGAINST) && any(&INSTEAD) && joined.len() < 1_500 && told < 3 {
            told += 1;
            let what = format!(
                "it wants no wall around the code: \"{}\"",
                joined.trim().chars().take(140).collect::<String>()
            );
            seen.push(Seen::medium(&rules::readme_urges::RULE, (number, 0), Fires::Run, what));
        }
        for sentence in joined.split(". ") {
            let asks = |all: &&[&str]| all.iter().all(|w| sentence.contains(w));
            let Some(urge) = URGES.iter().find(|u| asks(u)) else { continue };
            if sentence.len() > 600 || WARNS.iter().any(|w| sentence.contains(w)) || told >= 3 {
                continue;
            }
            told += 1;
            let first = sentence.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
            let at = text.find(&first).unwrap_or(0);
            // Where lower case has another length the place would be wrong.
            let at = if text.len() == file.bytes.len() { at } else { 0 };
            let what = format!(
                "it says: \"{}\" ({})",
                sentence.trim().chars().take(140).collect::<String>(),
                urge.join(", ")
            );
            seen.push(Seen::medium(
                &rules::readme_urges::RULE,
                (number, u32::try_from(at).unwrap_or(0)),
                Fires::Run,
                what,
            ));
        }
    }
}
