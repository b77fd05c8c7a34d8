//! Limits that whoever screens may set: `--limit NAME=NUMBER`.

use std::str::FromStr;

/// Names, with what they limit, least, default and most.
const ALL: [(&str, &str, u64, u64, u64); 9] = [
    ("file-mib", "MiB of one file", 1, 16, 1_024),
    ("tree-mib", "MiB of all files, unpacked", 1, 400, 16_384),
    ("files", "files", 1, 200_000, 10_000_000),
    ("nested", "archives in archives", 0, 3, 16),
    ("code-mib", "MiB of one file that is parsed as code", 1, 8, 64),
    ("all-code-mib", "MiB of code that is parsed, smaller files first", 1, 32, 1_024),
    ("work", "millions of expressions that are followed", 1, 10, 10_000),
    ("memory-mib", "MiB of address space", 512, 3_072, 262_144),
    ("seconds", "seconds of processor time", 1, 120, 86_400),
];

/// One limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    name: &'static str,
    value: u64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = text.split_once('=').ok_or("it has to be NAME=NUMBER")?;
        let Some((name, what, least, default, most)) = ALL.into_iter().find(|one| one.0 == name)
        else {
            let names: Vec<&str> = ALL.iter().map(|one| one.0).collect();
            return Err(format!("no limit has the name `{name}`; there are {}", names.join(", ")));
        };
        match number.parse() {
            Ok(value) if (least..=most).contains(&value) => Ok(Self { name, value }),
            _ => Err(format!(
                "{name} ({what}) is a number from {least} to {most}, {default} by default"
            )),
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// All limits of one screening.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What is read.
    pub intake: intake::Limits,
    /// What is parsed and followed.
    pub screen: screen::Limits,
    /// Bytes of address space.
    pub memory: u64,
    /// Seconds of processor time.
    pub seconds: u64,
}

impl Limits {
    /// Those that were set, others by default; of one that was set twice the last.
    #[must_use]
    pub fn of(set: &[Limit]) -> Self {
        let value = |name: &str| {
            let set = set.iter().rev().find(|limit| limit.name == name).map(|limit| limit.value);
            let default = || ALL.iter().find(|one| one.0 == name).map_or(0, |one| one.3);
            set.unwrap_or_else(default)
        };
        let mib = |name: &str| value(name) << 20;
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            intake: intake::Limits {
                file_len: mib("file-mib"),
                tree_len: mib("tree-mib"),
                files: size(value("files")),
                nested: u32::try_from(value("nested")).unwrap_or(0),
            },
            screen: screen::Limits {
                code_len: size(mib("code-mib")),
                all_code_len: size(mib("all-code-mib")),
                work: value("work").saturating_mul(1_000_000),
            },
            memory: mib("memory-mib"),
            seconds: value("seconds"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_what_the_parts_say_themselves() {
        let limits = Limits::of(&[]);
        assert_eq!(limits.intake, intake::Limits::default());
        assert_eq!(limits.screen, screen::Limits::default());
        assert_eq!((limits.memory, limits.seconds), (3 << 30, 120));
    }

    #[test]
    fn limits_are_set_by_name() {
        let set: Vec<Limit> =
            ["file-mib=2", "work=3", "file-mib=4"].iter().map(|t| t.parse().unwrap()).collect();
        let limits = Limits::of(&set);
        assert_eq!((limits.intake.file_len, limits.screen.work), (4 << 20, 3_000_000));
        assert_eq!(set[1].to_string(), "work=3");
        for wrong in ["file-mib", "file-mib=0", "file-mib=1025", "file-mib=x", "x=1", "nested=-1"] {
            assert!(wrong.parse::<Limit>().is_err(), "{wrong}");
        }
    }
}
