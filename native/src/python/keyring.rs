//! `Keyring`: who may come in.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::keyring::{self, ADMIN, Caller, Digest, READ, Scheme, WRITE};

const SCOPES: [(&str, u8); 3] = [("write", WRITE), ("read", READ), ("admin", ADMIN)];

#[pyclass(frozen, module = "sojourn._native")]
pub struct Keyring(pub Arc<keyring::Keyring>);

#[pymethods]
impl Keyring {
    #[new]
    fn new(scheme: &str) -> PyResult<Self> {
        let scheme = Scheme::named(scheme).ok_or_else(|| PyValueError::new_err(format!("scheme {scheme:?}: use bearer or basic")))?;
        Ok(Self(Arc::new(keyring::Keyring::new(scheme))))
    }

    #[getter]
    fn challenge(&self) -> &'static str {
        self.0.scheme().challenge()
    }

    fn replace(&self, credentials: Vec<(Vec<u8>, String, Vec<String>)>) -> PyResult<()> {
        let known: PyResult<Vec<(Digest, Caller)>> = credentials.iter().map(credential).collect();
        self.0.replace(known?);
        Ok(())
    }

    fn identify(&self, authorization: &[u8]) -> Option<(String, Vec<&'static str>)> {
        let caller = self.0.identify(authorization)?;
        let scopes = SCOPES.into_iter().filter(|(_, bit)| caller.may(*bit));
        Some((caller.tenant.to_string(), scopes.map(|(name, _)| name).collect()))
    }
}

fn credential((digest, tenant, scopes): &(Vec<u8>, String, Vec<String>)) -> PyResult<(Digest, Caller)> {
    let digest = Digest::try_from(&**digest).map_err(|_| PyValueError::new_err("a digest has 32 bytes"))?;
    if tenant.contains('\0') {
        return Err(PyValueError::new_err("the name of a tenant has no NUL")); // it ends there in the keys of sessions
    }
    let bit = |name: &String| SCOPES.into_iter().find(|(known, _)| known == name).map(|(_, bit)| bit);
    let bits: Option<Vec<u8>> = scopes.iter().map(bit).collect();
    let bits = bits.ok_or_else(|| PyValueError::new_err("scopes are write, read and admin"))?;
    Ok((digest, Caller::new(tenant, bits.into_iter().fold(0, |all, bit| all | bit))))
}
