//! The rules: one a file, each with its id, why it matters and how to check it. `docs/rules.md` has a section for each.

pub mod auto_run_command;
pub mod auto_run_odd_file;
pub mod auto_run_open;
pub mod build_fetches;
pub mod container_access;
pub mod decoded_constant_runs;
pub mod detached_child;
pub mod drop_run_delete;
pub mod editor_setting;
pub mod git_setting;
pub mod hidden_characters;
pub mod install_starts_app;
pub mod lock_file;
pub mod native_program;
pub mod network_to_deserialiser;
pub mod network_to_interpreter;
pub mod network_to_shell;
pub mod network_to_template;
pub mod obfuscated_code;
pub mod odd_endpoint;
pub mod odd_file_runs;
pub mod off_screen_code;
pub mod parser_by_header;
pub mod persistence;
pub mod protection_off;
pub mod readme_urges;
pub mod second_runtime;
pub mod secrets_leave;
pub mod tool_setting;
pub mod type_mismatch;

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
pub const ALL: [&Rule; 30] = [
    &auto_run_command::RULE,
    &auto_run_odd_file::RULE,
    &auto_run_open::RULE,
    &build_fetches::RULE,
    &container_access::RULE,
    &decoded_constant_runs::RULE,
    &detached_child::RULE,
    &drop_run_delete::RULE,
    &editor_setting::RULE,
    &git_setting::RULE,
    &hidden_characters::RULE,
    &install_starts_app::RULE,
    &lock_file::RULE,
    &native_program::RULE,
    &network_to_deserialiser::RULE,
    &network_to_interpreter::RULE,
    &network_to_shell::RULE,
    &network_to_template::RULE,
    &obfuscated_code::RULE,
    &odd_endpoint::RULE,
    &odd_file_runs::RULE,
    &off_screen_code::RULE,
    &parser_by_header::RULE,
    &persistence::RULE,
    &protection_off::RULE,
    &readme_urges::RULE,
    &second_runtime::RULE,
    &secrets_leave::RULE,
    &tool_setting::RULE,
    &type_mismatch::RULE,
];
