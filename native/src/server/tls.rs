//! TLS on a port: the certificates are read when the server starts, and again when they have changed.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, version};
use tokio_rustls::server::TlsStream;

use super::settings::{self, Version};

pub struct Tls {
    told: settings::Tls,
    /// Protocols that the port speaks, the best one first.
    protocols: &'static [&'static [u8]],
    now: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    pub fn new(told: settings::Tls, protocols: &'static [&'static [u8]]) -> io::Result<Self> {
        let now = RwLock::new(config(&told, protocols)?);
        Ok(Self { told, protocols, now })
    }

    /// Reads the files again; connections from now on have what they say. On Err everything is as before.
    pub fn reload(&self) -> io::Result<()> {
        let config = config(&self.told, self.protocols)?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// None: the peer does not speak TLS as we do, or not in time.
    pub async fn secure(&self, io: TcpStream, patience: Duration) -> Option<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner));
        let handshake = TlsAcceptor::from(config).accept(io);
        tokio::time::timeout(patience, handshake).await.ok()?.ok()
    }
}

fn config(told: &settings::Tls, protocols: &[&[u8]]) -> io::Result<Arc<ServerConfig>> {
    let provider = Arc::new(default_provider());
    let versions: &[_] = match told.min_version {
        Version::Tls12 => &[&version::TLS13, &version::TLS12],
        Version::Tls13 => &[&version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?;
    let builder = match &told.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| wrong(file, error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| wrong(file, error))?)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&told.key_file).map_err(|error| wrong(&told.key_file, error))?;
    let mut config = builder
        .with_single_cert(certificates(&told.cert_file)?, key)
        .map_err(|error| wrong(&told.cert_file, error))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

fn certificates(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| wrong(file, error))?;
    if certificates.is_empty() {
        return Err(wrong(file, "has no certificate in PEM"));
    }
    Ok(certificates)
}

fn wrong(file: &Path, error: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {error}", file.display()))
}
