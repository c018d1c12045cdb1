//! The native core: sockets, wire format, columns. It knows nothing of pipelines; Python knows nothing of sockets.

pub mod block;
mod bounds;
pub mod clock;
mod columns;
pub mod delivery;
mod digest;
pub mod facts;
mod finish;
pub mod gathering;
pub mod group;
pub mod intake;
pub mod json;
pub mod keyring;
pub mod lane;
pub mod lift;
pub mod log;
mod logs;
mod maps;
pub mod meters;
mod metrics;
mod parts;
#[cfg(feature = "python")]
mod python;
pub mod refusal;
pub mod schema;
pub mod server;
pub mod shelf;
mod signal;
pub mod slots;
mod sources;
mod telling;
mod tenants;
pub mod texts;
mod traces;
pub mod trees;
pub mod values;
pub mod wire;
