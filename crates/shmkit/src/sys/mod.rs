//! The operating system. Nothing outside this module names a system call, a file below `/proc`, or the directory of
//! shared memory.
//!
//! Each platform is a folder with the same modules and the same items in them:
//!
//! | module         | what it is for                                                              |
//! | -------------- | --------------------------------------------------------------------------- |
//! | `errno`        | [`Errno`], the error of every call here, and [`Result`] with it               |
//! | `file`         | open files: their identity, size, memory and bytes                          |
//! | `dir`          | open directories: their entries, and renames and unlinks within them        |
//! | `shm`          | the directory of named shared memory, and files in it without a name        |
//! | `map`          | mapped memory                                                               |
//! | `lock`         | locks on files, and on numbers of a file                                    |
//! | `wait`         | waiting on a word of memory, and waking those that wait                     |
//! | `process`      | who this process is, and whether another one is alive                       |
//! | `attached`     | which processes have a file open or mapped                                  |
//! | `fork`         | what happens to descriptors in a forked child, and at exit                  |
//! | `spawn`        | starting a detached process                                                 |
//! | `daemon`       | what a detached process does first                                          |
//! | `signal`       | termination signals as a descriptor                                         |
//! | `descriptors`  | the types of descriptors, and how many a process may have                   |
//! | `socket`       | stream sockets of this machine                                              |
//! | `pipe`         | the writing end of somebody else's pipe                                     |
//! | `poll`         | waiting for descriptors                                                     |
//! | `memory_limit` | how much memory this process may still use                                  |
//! | `module`       | the dynamic loader                                                          |
//!
//! A new platform adds a folder, and a line below. [`per_process`] is the same for all of them.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;

#[cfg(not(target_os = "linux"))]
compile_error!(
    "shmkit does not support this platform yet: add a folder beside sys/linux with the same modules"
);

pub mod per_process;

pub use errno::{Errno, Result};
