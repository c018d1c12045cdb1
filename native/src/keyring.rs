//! Who may come in: credentials, each with the tenant that it stands for and what it may do.
//!
//! Only digests are kept. What is presented is hashed with a key of this process before anything is compared, so that the time it takes
//! tells nothing about the credentials that are known.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashMap;
use sha2::{Digest as _, Sha256};

use crate::refusal::Refusal;

pub const WRITE: u8 = 1;
pub const READ: u8 = 2;
pub const ADMIN: u8 = 4;
/// Longer ones are nobody's.
const MAX_CREDENTIAL: usize = 8 << 10;

pub type Digest = [u8; 32];

/// How a credential is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Bearer,
    Basic,
}

impl Scheme {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case("bearer") => Some(Self::Bearer),
            _ if name.eq_ignore_ascii_case("basic") => Some(Self::Basic),
            _ => None,
        }
    }

    /// What a client is told that has to present one (RFC 6750 §3, RFC 7617 §2).
    pub fn challenge(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer realm=\"sojourn\"",
            Self::Basic => "Basic realm=\"sojourn\", charset=\"UTF-8\"",
        }
    }
}

/// Whom a credential stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub tenant: Arc<str>,
    scopes: u8,
}

impl Caller {
    pub fn new(tenant: &str, scopes: u8) -> Self {
        Self {
            tenant: tenant.into(),
            scopes,
        }
    }

    /// An administrator may do everything.
    pub fn may(&self, scope: u8) -> bool {
        self.scopes & (scope | ADMIN) != 0
    }
}

/// The credentials of one scheme. They can be replaced while they are asked for.
pub struct Keyring {
    scheme: Scheme,
    known: RwLock<Arc<HashMap<Digest, Caller>>>,
    epoch: AtomicU64,
    key: Digest,
}

impl Keyring {
    pub fn new(scheme: Scheme) -> Self {
        let random = || RandomState::new().hash_one(0).to_le_bytes(); // the system's randomness is behind it
        let mut key = Sha256::new();
        (0..8).for_each(|_| key.update(random()));
        Self {
            scheme,
            known: RwLock::default(),
            epoch: AtomicU64::new(0),
            key: key.finalize().into(),
        }
    }

    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Grows with every change of what is known.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// From now on these are known, by the SHA-256 of the token, or of `user:password`, and no others.
    pub fn replace(&self, credentials: impl IntoIterator<Item = (Digest, Caller)>) {
        let known = credentials
            .into_iter()
            .map(|(digest, caller)| (self.hidden(&digest), caller))
            .collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Who presents this value of the header `authorization`.
    pub fn identify(&self, authorization: &[u8]) -> Option<Caller> {
        let credential = self.credential(authorization)?;
        let place = self.hidden(&Sha256::digest(&*credential).into());
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        let (digest, caller) = known.get_key_value(&place)?;
        equal(digest, &place).then(|| caller.clone())
    }

    /// Who presents it, if they may write.
    pub fn writer(&self, authorization: &[u8]) -> Result<Caller, Refusal> {
        let caller = self.identify(authorization).ok_or(Refusal::Stranger(self.scheme))?;
        if caller.may(WRITE) { Ok(caller) } else { Err(Refusal::Forbidden) }
    }

    fn credential<'a>(&self, authorization: &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
        if authorization.len() > MAX_CREDENTIAL {
            return None;
        }
        let text = authorization.trim_ascii();
        let blank = text.iter().position(|byte| *byte == b' ')?;
        let (scheme, rest) = text.split_at(blank);
        if Scheme::named(std::str::from_utf8(scheme).ok()?)? != self.scheme {
            return None;
        }
        let rest = rest.trim_ascii();
        match self.scheme {
            _ if rest.is_empty() => None,
            Scheme::Bearer => Some(rest.into()),
            Scheme::Basic => unbase64(rest).map(Into::into),
        }
    }

    fn hidden(&self, digest: &Digest) -> Digest {
        Sha256::new().chain_update(self.key).chain_update(digest).finalize().into()
    }
}

/// In a time that does not depend on where they differ.
fn equal(one: &Digest, other: &Digest) -> bool {
    std::hint::black_box(one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b))) == 0
}

/// Base64 with or without padding (RFC 4648 §4); None for what is none.
fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    if text.len() - end > 2 || end % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(end * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for byte in &text[..end] {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, held) = (bits << 6 | u32::from(six), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(credential: &str) -> Digest {
        Sha256::digest(credential).into()
    }

    #[test]
    fn tokens_stand_for_tenants() {
        let ring = Keyring::new(Scheme::Bearer);
        assert_eq!(ring.identify(b"Bearer one"), None);
        ring.replace([
            (digest("one"), Caller::new("a", WRITE)),
            (digest("two"), Caller::new("b", READ | ADMIN)),
        ]);
        let caller = ring.identify(b"bearer  one ").unwrap();
        assert_eq!(&*caller.tenant, "a");
        assert!(caller.may(WRITE) && !caller.may(READ) && !caller.may(ADMIN));
        assert!(ring.identify(b"Bearer two").is_some_and(|caller| caller.may(WRITE)));
        for wrong in [
            &b""[..],
            b"Bearer",
            b"Bearer ",
            b"one",
            b"Basic one",
            b"Bearer on",
            b"Bearer onee",
            b"Bearer \xff",
        ] {
            assert_eq!(ring.identify(wrong), None, "{wrong:?}");
        }
        assert_eq!(ring.identify(&[b"Bearer ".to_vec(), vec![b'x'; 1 << 20]].concat()), None);
    }

    #[test]
    fn what_is_replaced_is_unknown_at_once() {
        let ring = Keyring::new(Scheme::Bearer);
        ring.replace([(digest("old"), Caller::new("", WRITE))]);
        let epoch = ring.epoch();
        ring.replace([(digest("new"), Caller::new("", WRITE))]);
        assert!(ring.epoch() > epoch && ring.identify(b"Bearer old").is_none() && ring.identify(b"Bearer new").is_some());
    }

    #[test]
    fn users_come_with_their_passwords() {
        let ring = Keyring::new(Scheme::Basic);
        ring.replace([(digest("ann:p\u{e9}:x"), Caller::new("a", READ))]);
        assert!(ring.identify(b"Basic YW5uOnDDqTp4").is_some());
        assert!(ring.identify(b"Basic YW5uOnDDqTp5").is_none());
        assert!(ring.identify(b"Bearer YW5uOnDDqTp4").is_none());
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zg", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
        ] {
            assert_eq!(unbase64(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for wrong in ["Z", "Zm9v===", "Zm-v", "Zm 9v", "=", "Z==="] {
            assert!(unbase64(wrong.as_bytes()).is_none_or(|bytes| bytes.is_empty()), "{wrong}");
        }
    }
}
