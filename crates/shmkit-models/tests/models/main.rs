//! The steps of locks, rings and broadcasts in loom's models: every order of them that few preemptions allow.

#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::expect_used)]

mod broadcast;
mod lock;
mod model;
mod queue;
mod readers;
