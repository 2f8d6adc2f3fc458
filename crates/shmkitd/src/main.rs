//! The companion process of shmkit. `shmkitd tracker` removes what dead processes owned, at once. `shmkitd manager` owns
//! segments for those who know its key, and ends with the process that started it.
//!
//! A tracker belongs to nobody. Both have a session of their own, no terminal, no descriptor but their own, and `/` for their
//! working directory, so that no `exec()` of a parent waits for it and no filesystem stays busy.

mod manager;
mod tracker;

use std::process::ExitCode;

const USAGE: &str = "usage: shmkitd tracker | manager\n\nStarted by shmkit at need; a tracker ends with the last process, \
                     and a manager with the one that started it.";

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
        ["manager"] => manager::run(),
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
