//! The members' certificate, and whether it can be used. Pure.

use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::client::verify_server_name;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};

use crate::password::Password;

/// A certificate with its key and the authorities to judge others by, each as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate, and intermediate ones.
    pub chain: String,
    /// Its private key.
    pub key: Password,
    /// Certificates of the authorities.
    pub authorities: String,
}

/// What a certificate is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demands {
    /// Names that members are dialled by.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub now: u64,
}

impl Certificate {
    /// The one file that mongod reads certificate and key from.
    pub fn pem(&self) -> Password {
        Password::new(format!("{}\n{}\n", self.chain.trim_end(), self.key.expose().trim_end()))
    }

    /// The same from that file.
    pub fn of_pem(pem: &Password, authorities: String) -> Option<Self> {
        let (chain, key) = pem.expose().rsplit_once("-----END CERTIFICATE-----")?;
        let chain = format!("{chain}-----END CERTIFICATE-----\n");
        Some(Self { chain, key: Password::new(key.trim_start()), authorities })
    }

    /// Why members could not use it; nothing when they can.
    pub fn fault(&self, demands: &Demands) -> Option<String> {
        self.judge(demands).err()
    }

    fn judge(&self, demands: &Demands) -> Result<(), String> {
        let chain = certificates(&self.chain, "tls.crt")?;
        let key = PrivateKeyDer::from_pem_slice(self.key.expose().as_bytes())
            .map_err(|_| "tls.key holds no private key that can be read without a password".to_owned())?;
        CertifiedKey::from_der(chain.clone(), key, &default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                "the key in tls.key is not that of the certificate in tls.crt".to_owned()
            }
            other => format!("tls.key cannot be used: {other}"),
        })?;
        let authorities = roots(&self.authorities)?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(demands.now));
        verify(&chain, &authorities, now)?;
        let certificate = parsed(&chain)?;
        for name in &demands.names {
            let wanted = ServerName::try_from(name.as_str()).map_err(|error| format!("{name}: {error}"))?;
            verify_server_name(&certificate, &wanted)
                .map_err(|_| format!("the certificate in tls.crt is not valid for {name}"))?;
        }
        // Members are clients of each other, and show the same certificate.
        let clients =
            WebPkiClientVerifier::builder_with_provider(authorities.into(), default_provider().into())
                .build()
                .map_err(|error| format!("ca.crt cannot be used: {error}"))?;
        let verdict = clients.verify_client_cert(&chain[0], &chain[1..], now);
        verdict.map(drop).map_err(|_| {
            "the certificate in tls.crt is not for clients, which members are of each other: its extended key usage must hold both serverAuth and clientAuth"
                .to_owned()
        })
    }

    /// Why members that still run with `before` would refuse this one, or would be refused by it; one
    /// that is not valid any more is refused in any case.
    pub fn stranger_to(&self, before: &Self, now: u64) -> Option<String> {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let trusted = |one: &Self, by: &Self| -> Result<(), String> {
            verify(&certificates(&one.chain, "tls.crt")?, &roots(&by.authorities)?, now)
        };
        trusted(before, before).ok()?;
        let refused = trusted(self, before).and_then(|()| trusted(before, self)).is_err();
        refused.then(|| {
            "it comes from another authority than the one that members trust now: let ca.crt hold both until all members have restarted, then change the certificate".to_owned()
        })
    }
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(format!("{what} holds no certificate")),
    }
}

fn roots(pem: &str) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem, "ca.crt")? {
        store.add(certificate).map_err(|error| format!("ca.crt cannot be used: {error}"))?;
    }
    Ok(store)
}

fn parsed<'a>(chain: &'a [CertificateDer<'a>]) -> Result<ParsedCertificate<'a>, String> {
    ParsedCertificate::try_from(&chain[0]).map_err(|error| format!("tls.crt cannot be read: {error}"))
}

fn verify(chain: &[CertificateDer<'_>], roots: &RootCertStore, now: UnixTime) -> Result<(), String> {
    let algorithms = default_provider().signature_verification_algorithms.all;
    let verdict =
        verify_server_cert_signed_by_trust_anchor(&parsed(chain)?, roots, &chain[1..], now, algorithms);
    verdict.map_err(|error| match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "the certificate in tls.crt has expired".to_owned(),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => "the certificate in tls.crt is not valid yet".to_owned(),
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "the certificate in tls.crt is not signed by an authority in ca.crt".to_owned(),
        other => format!("the certificate in tls.crt cannot be used: {other}"),
    })
}

#[cfg(test)]
mod tests;
