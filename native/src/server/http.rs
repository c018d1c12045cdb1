//! OTLP/HTTP: one path per signal, protobuf or JSON, answers in the encoding of the request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::answers::{self, retry_after};
use super::compression::{CODINGS, Coding, too_large};
use super::cors::Cors;
use super::{Shared, body, gather, settings};
use crate::group::Taken;
use crate::intake::{Encoding, settled};
use crate::keyring::Keyring;
use crate::meters::Transport;
use crate::refusal::Refusal;
use crate::wire::Signal;

/// The body of an answer.
pub type Reply = Full<Bytes>;

pub struct Http {
    paths: HashMap<String, Signal>,
    cors: Option<Cors>,
    max_request_bytes: usize,
    /// Who may send; None: anybody.
    keyring: Option<Arc<Keyring>>,
}

impl Http {
    pub fn new(settings: &settings::Http, max_request_bytes: usize, keyring: Option<Arc<Keyring>>) -> Self {
        let mut paths = HashMap::new();
        for signal in Signal::ALL {
            match settings.paths.of(signal) {
                Some(told) => paths.extend(told.iter().map(|path| (path.clone(), signal))),
                None => drop(paths.insert(signal.path().to_owned(), signal)),
            }
        }
        Self {
            paths,
            cors: settings.cors.as_ref().map(Cors::new),
            max_request_bytes,
            keyring,
        }
    }

    pub async fn answer(&self, shared: &Shared, request: Request<Incoming>) -> Response<Reply> {
        let Some(&signal) = self.paths.get(request.uri().path()) else {
            return plain(
                StatusCode::NOT_FOUND,
                "unknown path: send OTLP to /v1/traces, /v1/logs or /v1/metrics",
            );
        };
        let Some(cors) = &self.cors else {
            return self.post(shared, signal, request).await;
        };
        if Cors::is_preflight(&request) {
            let mut response = Response::new(Reply::default());
            *response.status_mut() = StatusCode::NO_CONTENT;
            *response.headers_mut() = cors.preflight(request.headers());
            return response;
        }
        let headers = cors.headers(request.headers());
        let mut response = self.post(shared, signal, request).await;
        response.headers_mut().extend(headers);
        response
    }

    async fn post(&self, shared: &Shared, signal: Signal, request: Request<Incoming>) -> Response<Reply> {
        if request.method() != Method::POST {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this method is not supported here: use POST");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        let encoding = text(request.headers(), header::CONTENT_TYPE).and_then(Encoding::of);
        let tenant = match self.admit(request.headers()) {
            Ok(tenant) => tenant,
            Err(refusal) => {
                let meters = &shared.intake.meters;
                meters.answered(signal, Transport::Http, Some(&refusal), Duration::ZERO);
                return refused(&refusal, encoding.unwrap_or(Encoding::Json));
            }
        };
        let Some(encoding) = encoding else {
            return plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this content type is not supported: use application/x-protobuf or application/json",
            );
        };
        let begun = Instant::now();
        let (parts, body) = request.into_parts();
        let result = self.take(shared, (signal, encoding, &tenant), &parts, body).await;
        shared
            .intake
            .meters
            .answered(signal, Transport::Http, result.as_ref().err(), begun.elapsed());
        match result {
            Ok(taken) => success(signal, encoding, &taken),
            Err(refusal) => refused(&refusal, encoding),
        }
    }

    /// The tenant that sends this.
    fn admit(&self, headers: &HeaderMap) -> Result<Arc<str>, Refusal> {
        let Some(keyring) = &self.keyring else { return Ok("".into()) };
        let mut told = headers.get_all(header::AUTHORIZATION).iter();
        let authorization = told.next().map_or(&b""[..], HeaderValue::as_bytes);
        Ok(keyring.writer(authorization)?.tenant)
    }

    async fn take(
        &self,
        shared: &Shared,
        (signal, encoding, tenant): (Signal, Encoding, &str),
        parts: &Parts,
        mut incoming: Incoming,
    ) -> Result<Taken, Refusal> {
        let coding = Coding::named(text(&parts.headers, header::CONTENT_ENCODING).unwrap_or_default())?;
        let claimed = text(&parts.headers, header::CONTENT_LENGTH)
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        if claimed > self.max_request_bytes && parts.headers.contains_key(header::EXPECT) {
            return Err(too_large(self.max_request_bytes)); // this sender waits for a word before it sends the body
        }
        shared.intake.admit(signal).await;
        let body = match body::gather(&mut incoming, shared.body_limits(self.max_request_bytes), |_| claimed).await {
            Ok(body) => body,
            Err(refusal) => {
                if refusal != Refusal::TooSlow {
                    body::drain(&mut incoming, self.max_request_bytes, shared.limits.read_timeout).await;
                }
                return Err(refusal);
            }
        };
        let (taken, verdicts) = self.decode(shared, (signal, encoding, tenant), coding, &body)?;
        drop(body);
        settled(verdicts).await?;
        Ok(taken)
    }

    fn decode(
        &self,
        shared: &Shared,
        (signal, encoding, tenant): (Signal, Encoding, &str),
        coding: Coding,
        body: &Bytes,
    ) -> Result<(Taken, Vec<crate::delivery::Verdict>), Refusal> {
        let body = coding.undo(body, self.max_request_bytes)?;
        let body = encoding.to_protobuf(signal, &body)?;
        gather::served();
        shared.intake.put(signal, Transport::Http, tenant, &body)
    }
}

fn success(signal: Signal, encoding: Encoding, taken: &Taken) -> Response<Reply> {
    let mut response = Response::new(Reply::from(answers::response(signal, taken, encoding)));
    let media_type = HeaderValue::from_static(encoding.media_type());
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

fn refused(refusal: &Refusal, encoding: Encoding) -> Response<Reply> {
    let mut response = match refusal {
        Refusal::Coding(_) => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, &refusal.to_string()),
        _ => Response::new(Reply::from(answers::status(refusal, encoding))),
    };
    let headers = match refusal {
        Refusal::Coding(_) => {
            response
                .headers_mut()
                .insert(header::ACCEPT_ENCODING, HeaderValue::from_static(CODINGS));
            return response;
        }
        _ => response.headers_mut(),
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(encoding.media_type()));
    if let Refusal::Later { seconds, .. } = refusal {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after(*seconds)));
    }
    if let Refusal::Stranger(scheme) = refusal {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme.challenge()));
    }
    *response.status_mut() = match refusal {
        Refusal::Later { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Refusal::Stranger(_) => StatusCode::UNAUTHORIZED,
        Refusal::Forbidden => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    response
}

fn plain(status: StatusCode, text: &str) -> Response<Reply> {
    let mut response = Response::new(Reply::from(text.to_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
