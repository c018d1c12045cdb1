//! OTLP/gRPC: the unary `Export` of the three services, framed by hand.
//!
//! Protocol: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::answers::{self, Code, base64, percent};
use super::compression::Coding;
use super::reply::Reply;
use super::{Shared, body};
use crate::delivery::Verdict;
use crate::group::Taken;
use crate::intake::{Encoding, settled};
use crate::meters::Transport;
use crate::refusal::Refusal;
use crate::wire::Signal;

/// One byte that tells whether the message is compressed, four that tell its length.
const PREFIX: usize = 5;
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

pub struct Grpc {
    max_request_bytes: usize,
}

impl Grpc {
    pub fn new(max_request_bytes: usize) -> Self {
        Self { max_request_bytes }
    }

    pub async fn answer(&self, shared: &Shared, request: Request<Incoming>) -> Response<Reply> {
        if request.method() != Method::POST || !is_grpc(request.headers()) {
            let mut response = Response::new(Reply::data("this port speaks OTLP/gRPC: send OTLP/HTTP to the other one"));
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return response;
        }
        let path = request.uri().path();
        let Some(signal) = Signal::ALL.into_iter().find(|signal| signal.method() == path) else {
            return unknown_method(path);
        };
        let begun = Instant::now();
        let result = self.take(shared, signal, request).await;
        shared
            .intake
            .meters
            .answered(signal, Transport::Grpc, result.as_ref().err(), begun.elapsed());
        match result {
            Ok(taken) => success(signal, &taken),
            Err(refusal) => refused(&refusal),
        }
    }

    async fn take(&self, shared: &Shared, signal: Signal, request: Request<Incoming>) -> Result<Taken, Refusal> {
        let (parts, mut incoming) = request.into_parts();
        let coding = parts
            .headers
            .get("grpc-encoding")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let coding = Coding::named(coding)?;
        shared.intake.admit(signal).await;
        let limits = shared.body_limits(self.max_request_bytes + PREFIX);
        let framed = body::gather(&mut incoming, limits, claimed).await?;
        let (taken, verdicts) = self.decode(shared, signal, coding, &framed)?;
        drop(framed);
        settled(verdicts).await?;
        Ok(taken)
    }

    fn decode(&self, shared: &Shared, signal: Signal, coding: Coding, framed: &Bytes) -> Result<(Taken, Vec<Verdict>), Refusal> {
        let (compressed, message) = unframe(framed)?;
        let coding = if compressed { coding } else { Coding::Identity };
        let message = coding.undo(message, self.max_request_bytes)?;
        shared.intake.put(signal, Transport::Grpc, &message)
    }
}

/// How many bytes the first message says there will be, with its prefix.
fn claimed(first: &[u8]) -> usize {
    match first {
        [_, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize + PREFIX,
        _ => 0,
    }
}

fn unframe(framed: &[u8]) -> Result<(bool, &[u8]), Refusal> {
    let (prefix, message) = framed
        .split_first_chunk::<PREFIX>()
        .ok_or_else(|| Refusal::Never("the request has no message".into()))?;
    if claimed(prefix) != framed.len() {
        return Err(Refusal::Never("the length of the message is not what its prefix says".into()));
    }
    match prefix[0] {
        0 => Ok((false, message)),
        1 => Ok((true, message)),
        _ => Err(Refusal::Never("the prefix of the message is broken".into())),
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = content_type.split([';', '+']).next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/grpc") && !content_type.contains("+json")
}

fn success(signal: Signal, taken: &Taken) -> Response<Reply> {
    let message = answers::response(signal, taken, Encoding::Protobuf);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response = Response::new(Reply::data(frame(&message)).with_trailers(trailers));
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

fn frame(message: &[u8]) -> Bytes {
    if message.is_empty() {
        return Bytes::from_static(&[0; PREFIX]);
    }
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32); // two short fields
    framed.put_slice(message);
    framed.freeze()
}

fn refused(refusal: &Refusal) -> Response<Reply> {
    let mut response = status(Code::of(refusal), &refusal.to_string());
    let headers = response.headers_mut();
    match refusal {
        Refusal::Later { .. } => {
            let details = base64(&answers::status(refusal, Encoding::Protobuf));
            if let Ok(details) = HeaderValue::from_str(&details) {
                headers.insert("grpc-status-details-bin", details);
            }
        }
        Refusal::Coding(_) => {
            headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip,zstd,deflate,identity"));
        }
        _ => {}
    }
    response
}

fn unknown_method(path: &str) -> Response<Reply> {
    let path: String = path.chars().take(200).collect();
    status(
        Code::Unimplemented,
        &format!("unknown method {path}: this is an OTLP receiver for traces, logs and metrics"),
    )
}

/// An answer without a message: the trailers alone, sent as headers.
fn status(code: Code, message: &str) -> Response<Reply> {
    let mut response = Response::new(Reply::default());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert("grpc-status", HeaderValue::from(code as u16));
    if let Ok(message) = HeaderValue::from_str(&percent(message)) {
        headers.insert("grpc-message", message);
    }
    response
}
