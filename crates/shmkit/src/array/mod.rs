//! Numbers in shared memory, and the loops over them that a language above would be too slow for.
//!
//! A [`View`] says where the elements are: type, shape, strides and offset, in elements. It is checked once, when it
//! is made; what it does afterwards cannot leave its bytes. Results are numpy's where nothing else is said.
//!
//! - `dtype`, `scalar`: types and values. `view`: the checked description. `element`, `half`: the types in Rust.
//! - [`npy`], `literal`: numpy's header, with which most arrays begin. [`location`]: where the elements of a segment are.
//! - `plan`: the order in which memory is walked. `simd`: loops for the machine at hand. `kernels`: what is done.
//!
//! ```text
//! View ──▶ kernels ──▶ simd ──▶ plan        one call        = a plan, and a kernel's runs over it
//! ```
//!
//! **Other processes write meanwhile.** Elements are read and written by raw pointers, never by reference, and every
//! bit pattern is an element. A kernel may read an element twice and see two values, or see some of before and some
//! of after a write; so no address, length or index is ever made of one: a racing writer makes a result wrong, or of
//! no one moment, and nothing else. Who wants better takes a lock.

mod dtype;
mod element;
mod half;
mod kernels;
mod literal;
pub mod location;
pub mod npy;
mod plan;
mod scalar;
mod simd;
#[cfg(test)]
mod tests;
mod view;

pub use dtype::DType;
pub use location::{Expectation, Location};
pub use scalar::Scalar;
pub use view::View;
