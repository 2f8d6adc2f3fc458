//! The companion process of shmkit. `shmkitd tracker` removes what dead processes owned, at once.
//!
//! It belongs to nobody: it has a session of its own, no terminal, no descriptor but its own, and `/` for its
//! working directory, so that no `exec()` of a parent waits for it and no filesystem stays busy.

mod detach;
mod signals;
mod tracker;

use std::process::ExitCode;

const USAGE: &str = "usage: shmkitd tracker\n\nStarted by shmkit at need; it ends with the last process.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tracker"] => match tracker::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // To whoever started it and is still waiting for a word.
                println!("{error}");
                ExitCode::FAILURE
            }
        },
        ["--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        ["--version" | "-V"] => {
            println!("{}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
