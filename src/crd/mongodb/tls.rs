//! `spec.mongodb.tls`: encryption of what goes to and between the members.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::crd::rules;

/// Encryption of the connections to and between the members.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode == 'Disabled' || has(self.secretName) != self.selfSigned").message("mongodb.tls needs one certificate: either secretName or selfSigned: true"))]
pub struct MongoDbTls {
    /// `Disabled`: nothing is encrypted. `Prefer`: members and the API use TLS, and plain connections are
    /// still accepted. `Require`: plain connections are refused. Every change goes through the modes
    /// between, each a roll of the members, without an outage. Other applications must connect with TLS
    /// before you ask for `Require`. Default: `Disabled`.
    #[serde(default)]
    pub mode: TlsMode,
    /// Secret of type `kubernetes.io/tls` with `tls.crt`, `tls.key` and `ca.crt`. The certificate must be
    /// valid for the name of every member, `*.NAME-mongodb.NAMESPACE.svc.cluster.local`, for servers and
    /// for clients. A renewed one is taken up by a roll; one that cannot be used changes nothing and is
    /// told in the conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = rules::reference()), length(min = 1, max = 253))]
    pub secret_name: Option<String>,
    /// The operator makes an authority of this cluster's own and a certificate, and renews that in time.
    /// Default: false.
    #[serde(default)]
    pub self_signed: bool,
}

/// Which connections are encrypted.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsMode {
    /// None.
    #[default]
    Disabled,
    /// Those of members and the API; plain ones are accepted.
    Prefer,
    /// All; plain ones are refused.
    Require,
}
