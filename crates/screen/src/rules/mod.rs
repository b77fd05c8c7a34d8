//! The rules: one a file, each with its id, why it matters and how to check it. `docs/rules.md` has a section for each.

pub mod auto_run_command;
pub mod auto_run_odd_file;
pub mod auto_run_open;
pub mod decoded_constant_runs;
pub mod network_to_deserialiser;
pub mod network_to_interpreter;
pub mod network_to_shell;
pub mod network_to_template;
pub mod secrets_leave;

/// A rule.
#[derive(PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its id, stable for ever.
    pub id: &'static str,
    /// What it finds.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// How a person checks it.
    pub check: &'static str,
    /// Techniques of ATT&CK (v17, Enterprise).
    pub attack: &'static [&'static str],
}

/// All rules.
pub const ALL: [&Rule; 9] = [
    &auto_run_command::RULE,
    &auto_run_odd_file::RULE,
    &auto_run_open::RULE,
    &decoded_constant_runs::RULE,
    &network_to_deserialiser::RULE,
    &network_to_interpreter::RULE,
    &network_to_shell::RULE,
    &network_to_template::RULE,
    &secrets_leave::RULE,
];
