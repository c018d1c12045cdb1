//! What the fields of a request ask for.

use std::borrow::Cow;

use super::super::compression::Coding;
use super::answers;
use crate::refusal::Refusal;
use crate::server::http2::Answer;
use crate::wire::Signal;

/// As far as it matters here.
#[derive(Default)]
pub struct Head {
    post: bool,
    grpc: bool,
    signal: Option<Signal>,
    /// Of a method that is unknown.
    path: String,
    coding: Option<Result<Coding, Refusal>>,
    authorization: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    pub signal: Signal,
    /// Of the messages that say they are compressed.
    pub coding: Coding,
    /// As the connection numbers the tenants that send over it.
    pub tenant: u32,
}

/// Why there is no plan.
#[derive(Debug, PartialEq)]
pub enum Unplanned {
    /// Answered without a look at the signal.
    Answer(Answer),
    Refused(Signal, Refusal),
}

impl Head {
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b":method" => self.post = value == b"POST",
            b":path" => self.path(value),
            b"content-type" => self.grpc = is_grpc(&text(value)),
            b"grpc-encoding" if self.coding.is_none() => self.coding = Some(Coding::named(&text(value))),
            b"authorization" if self.authorization.is_empty() => self.authorization = value.to_vec(),
            _ => {}
        }
    }

    fn path(&mut self, value: &[u8]) {
        let path = value.split(|byte| *byte == b'?').next().unwrap_or_default();
        self.signal = Signal::ALL.into_iter().find(|signal| signal.method().as_bytes() == path);
        if self.signal.is_none() {
            self.path = text(path).chars().take(200).collect();
        }
    }

    /// `tenant` says whose number stands behind a header `authorization`.
    pub fn plan(self, tenant: impl FnOnce(&[u8]) -> Result<u32, Refusal>) -> Result<Plan, Unplanned> {
        if !self.post || !self.grpc {
            return Err(Unplanned::Answer(answers::no_grpc()));
        }
        let Some(signal) = self.signal else {
            return Err(Unplanned::Answer(answers::unknown_method(&self.path)));
        };
        let refused = |refusal| Unplanned::Refused(signal, refusal);
        let tenant = tenant(&self.authorization).map_err(refused)?;
        let coding = self.coding.unwrap_or(Ok(Coding::Identity)).map_err(refused)?;
        Ok(Plan { signal, coding, tenant })
    }
}

fn is_grpc(content_type: &str) -> bool {
    let kind = content_type.split([';', '+']).next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/grpc") && !content_type.contains("+json")
}

fn text(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(fields: &[(&str, &str)]) -> Result<Plan, Unplanned> {
        let mut head = Head::default();
        for (name, value) in [
            (":method", "POST"),
            (":path", Signal::Traces.method()),
            ("content-type", "application/grpc"),
        ]
        .iter()
        .chain(fields)
        {
            head.field(name.as_bytes(), value.as_bytes());
        }
        head.plan(|authorization| if authorization == b"x" { Ok(7) } else { Ok(0) })
    }

    #[test]
    fn an_export_is_planned() {
        let expected = Plan {
            signal: Signal::Traces,
            coding: Coding::Identity,
            tenant: 0,
        };
        assert_eq!(plan(&[]), Ok(expected));
        assert_eq!(plan(&[("authorization", "x")]).map(|plan| plan.tenant), Ok(7));
        assert_eq!(plan(&[("content-type", "application/grpc+proto; x=y")]), Ok(expected));
        assert_eq!(plan(&[("grpc-encoding", "gzip")]).map(|plan| plan.coding), Ok(Coding::Gzip));
        assert_eq!(plan(&[(":path", Signal::Logs.method())]).map(|plan| plan.signal), Ok(Signal::Logs));
    }

    #[test]
    fn what_is_no_export_is_answered() {
        let no_grpc = Err(Unplanned::Answer(answers::no_grpc()));
        assert_eq!(plan(&[("content-type", "application/x-protobuf")]), no_grpc);
        assert_eq!(plan(&[("content-type", "application/grpc+json")]), no_grpc);
        assert_eq!(plan(&[(":method", "GET")]), no_grpc);
        assert_eq!(plan(&[(":path", "/x?y")]), Err(Unplanned::Answer(answers::unknown_method("/x"))));
        assert!(matches!(
            plan(&[("grpc-encoding", "snappy")]),
            Err(Unplanned::Refused(Signal::Traces, Refusal::Coding(_)))
        ));
    }
}
