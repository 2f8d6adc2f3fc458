//! The Node-API binding of shmkit: argument conversion, lifetimes of buffers, errors. No logic of its own;
//! the facade in `src/*.ts` has checked the arguments.

mod array;
mod broadcast;
mod buffers;
mod channel;
mod dict;
mod errors;
mod ledger;
mod list;
mod manager;
mod queue;
mod segment;
mod sync;
