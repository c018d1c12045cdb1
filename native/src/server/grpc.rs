//! OTLP/gRPC: the unary `Export` of the three services, framed by hand, on a server's side of HTTP/2 of our own.
//!
//! Protocol: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

mod answers;
mod calls;
mod head;
mod message;
mod port;
mod waiting;

use std::sync::Arc;

pub use port::serve;

use crate::keyring::Keyring;

/// What is special about this port.
pub struct Grpc {
    pub max_request_bytes: usize,
    /// Who may send; None: anybody.
    pub keyring: Option<Arc<Keyring>>,
}
