//! How the members shall speak, and where their certificate comes from. Pure.

use crate::crd::{MongoDbTls, TlsMode};
use crate::mongo::tls::Mode;
use crate::plan::Problem;

/// Encryption as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsPlan {
    /// Mode of every member in the end.
    pub mode: Mode,
    /// Where the certificate comes from; none while nothing is to be encrypted.
    pub source: Option<CertificateSource>,
}

/// Where the members' certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// A Secret of somebody's in the cluster's namespace.
    Secret(String),
    /// The operator makes it.
    SelfSigned,
}

/// Plans the encryption.
pub(super) fn plan(spec: &MongoDbTls, problems: &mut Vec<Problem>) -> TlsPlan {
    let mode = match spec.mode {
        TlsMode::Disabled => return TlsPlan { mode: Mode::Disabled, source: None },
        TlsMode::Prefer => Mode::Prefer,
        TlsMode::Require => Mode::Require,
    };
    let source = match (&spec.secret_name, spec.self_signed) {
        (Some(name), false) => Some(CertificateSource::Secret(name.clone())),
        (None, true) => Some(CertificateSource::SelfSigned),
        _ => {
            problems.push(Problem::new(
                "spec.mongodb.tls",
                "needs one certificate: either secretName or selfSigned: true",
            ));
            None
        }
    };
    TlsPlan { mode, source }
}
