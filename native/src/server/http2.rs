//! A server's side of HTTP/2 (RFC 9113), without sockets: bytes go in, bytes come out, requests go to a `Service`.
//!
//! It is made for many small requests on few connections, answered in the moment when their last byte is read: frames are read where they
//! lie, a header block that was seen before is not read again, and nothing is kept of a request that came in one piece. Whatever a peer
//! sends, memory is bounded: by the windows that it was granted, by `MAX_OUT`, and by the number of streams.

mod blocks;
mod calm;
mod fields;
mod frame;
mod hpack;
mod service;
mod session;
mod stream;

pub use hpack::encode;
pub use service::{Answer, Service, Step};
pub use session::{Limits, Session};
