//! The native core: sockets, wire format, columns. It knows nothing of pipelines; Python knows nothing of sockets.

pub mod block;
mod columns;
mod finish;
pub mod group;
pub mod json;
pub mod lift;
mod parts;
#[cfg(feature = "python")]
mod python;
pub mod schema;
pub mod texts;
mod traces;
pub mod trees;
pub mod values;
pub mod wire;
