//! The native core: sockets, wire format, columns. It knows nothing of pipelines; Python knows nothing of sockets.

pub mod block;
#[cfg(feature = "python")]
mod python;
pub mod trees;
