//! Writes a synthetic chain as a node's block files, with the truth about it.

use std::path::PathBuf;
use std::process::ExitCode;

use testkit::chaingen::{Plan, generate};

const USAGE: &str = "Usage: chaingen --blocks N --txs N --seed S --out DIR
Writes blk*.dat with N transactions in N blocks, and DIR/truth. The same numbers give the same bytes.
Proof of work is ten zero bits and signatures are dummies of real length: no node takes these blocks.";

fn main() -> ExitCode {
    if std::env::args().skip(1).any(|arg| arg == "--help" || arg == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let plan = match plan(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if plan.out.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        eprintln!("{} is not empty: nothing was written", plan.out.display());
        return ExitCode::from(1);
    }
    let started = std::time::Instant::now();
    let total = plan.blocks;
    let result = generate(&plan, &mut |done| {
        if done.is_multiple_of(1000) {
            eprintln!("{done} of {total} blocks, {:.0} s", started.elapsed().as_secs_f64());
        }
    });
    match result {
        Ok(made) => {
            println!(
                "{} blocks, {} transactions, {} inputs, {} outputs, {} bytes",
                made.blocks, made.txs, made.inputs, made.outputs, made.bytes
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if error.kind() == std::io::ErrorKind::InvalidInput { 2 } else { 1 })
        }
    }
}

fn plan(mut args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let (mut blocks, mut txs, mut seed, mut out) = (None, None, None, None);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| format!("{flag} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{flag}: `{value}` is no number"));
        match flag.as_str() {
            "--blocks" => {
                let n = u32::try_from(number()?).map_err(|_| "--blocks: too many".to_owned())?;
                blocks = Some(n);
            }
            "--txs" => txs = Some(number()?),
            "--seed" => seed = Some(number()?),
            "--out" => out = Some(PathBuf::from(value)),
            _ => return Err(format!("{flag} is not known")),
        }
    }
    match (blocks, txs, seed, out) {
        (Some(blocks), Some(txs), Some(seed), Some(out)) => Ok(Plan { blocks, txs, seed, out }),
        _ => Err("all four are wanted".to_owned()),
    }
}
