//! A certificate authority of the cluster's own, for those who bring none. Draws keys from the
//! operating system's generator.

use k8s_openapi::jiff::{Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::certificate::Certificate;
use crate::password::Password;

/// How long an authority lives; nothing renews it.
const AUTHORITY_DAYS: u64 = 20 * 365;
const DAY: u64 = 86_400;

/// A self-signed authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Whose it is.
    pub name: String,
    /// Its certificate as PEM.
    pub certificate: String,
    /// Its private key as PEM.
    pub key: Password,
}

/// When a certificate is valid, to the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Seconds since 1970.
    pub from: u64,
    /// How long.
    pub days: u64,
}

impl Authority {
    /// A new one; valid since the day before, for clocks that are behind.
    pub fn make(name: &str, now: u64) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let mut parameters = parameters(name);
        validity(&mut parameters, Validity { from: now - DAY, days: AUTHORITY_DAYS });
        let certificate = parameters.self_signed(&key)?.pem();
        Ok(Self { name: name.to_owned(), certificate, key: Password::new(key.serialize_pem()) })
    }

    /// A certificate for members: servers, and clients of each other.
    pub fn issue(&self, names: &[String], valid: Validity) -> Result<Certificate, Error> {
        self.issue_for(
            names,
            valid,
            &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        )
    }

    /// One as web servers have them, which members cannot use.
    #[cfg(test)]
    pub fn issue_for_servers_alone(&self, names: &[String], now: u64) -> Result<Certificate, Error> {
        self.issue_for(names, Validity { from: now - DAY, days: 30 }, &[ExtendedKeyUsagePurpose::ServerAuth])
    }

    fn issue_for(
        &self,
        names: &[String],
        valid: Validity,
        purposes: &[ExtendedKeyUsagePurpose],
    ) -> Result<Certificate, Error> {
        let issuer = Issuer::new(parameters(&self.name), KeyPair::from_pem(self.key.expose())?);
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(names.to_vec())?;
        // mongod refuses a certificate without a subject.
        parameters.distinguished_name = named(&format!("{}-mongodb", self.name));
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = purposes.to_vec();
        parameters.use_authority_key_identifier_extension = true;
        validity(&mut parameters, valid);
        Ok(Certificate {
            chain: parameters.signed_by(&key, &issuer)?.pem(),
            key: Password::new(key.serialize_pem()),
            authorities: self.certificate.clone(),
        })
    }
}

/// The same for the authority itself and for what it signs, which names it as its issuer.
fn parameters(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = named(&format!("{name} MongoDB authority"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// From the begin of one day to the begin of another.
fn validity(parameters: &mut CertificateParams, valid: Validity) {
    let day = |seconds: u64| {
        let at = Timestamp::from_second(i64::try_from(seconds).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX);
        let date = at.to_zoned(TimeZone::UTC).date();
        let number = |part: i8| u8::try_from(part).unwrap_or(1);
        date_time_ymd(i32::from(date.year()), number(date.month()), number(date.day()))
    };
    parameters.not_before = day(valid.from);
    parameters.not_after = day(valid.from + valid.days * DAY);
}
