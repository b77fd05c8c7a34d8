//! `countersign`: coins move only when the people who approved saw exactly the bytes that get signed.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when nobody reads: `show::out`, `tell`"
)]

mod cli;
mod cmd;
mod drill;
mod fail;
mod files;
mod net;
mod screening;
mod show;
mod tracing;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results; everything else is usage.
            let code = if error.use_stderr() { fail::Exit::Malformed } else { fail::Exit::Ok };
            let _ = error.print();
            return ExitCode::from(code as u8);
        }
    };
    let json = cli.json;
    match cmd::run(cli) {
        Ok(()) => ExitCode::from(fail::Exit::Ok as u8),
        Err(error) => {
            error.print(json);
            ExitCode::from(error.exit() as u8)
        }
    }
}
