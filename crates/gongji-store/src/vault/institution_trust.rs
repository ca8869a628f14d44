//! Institutions as signers: their public keys, from where they may ask, nonces, and the requests they signed.
//!
//! Whether a key still holds, from where it may be used and whether a nonce is new is decided in one transaction ([`Vault::admit`]), together with
//! keeping the request. So it is right whichever process revokes, restarts or receives. A public key itself never changes under its id and may be
//! remembered anywhere.

use std::net::IpAddr;

use super::database::{Db, Row};
use super::{Result, Vault, from_sql_id, next_id, sql_id};
use crate::seal::{Place, Sensitive};

/// Keys of one institution and profile that are valid at the same time: the old one and its successor.
pub const PUBLIC_KEYS_MAX: usize = 2;

/// Networks of one institution.
pub const ADDRESSES_MAX: usize = 64;

/// Certificates of one institution.
pub const CERTIFICATES_MAX: usize = 4;

/// Signed requests told at once.
pub const SIGNED_REQUESTS_MAX: usize = 50;

/// Public keys are asked for by their id alone.
const PART: u16 = 0;

/// A public key as it was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub key_id: String,
    pub institution: String,
    /// `ed25519` or `sm2`.
    pub profile: String,
    pub pem: String,
    pub made_ms: i64,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
}

impl PublicKey {
    pub fn is_valid(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|expires| now_ms < expires)
    }
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    Done,
    /// The same key of the same institution: nothing to do.
    Already,
    /// The key is another institution's, or was revoked: it comes back to nobody.
    Taken,
    /// Two keys of this profile are valid; one has to go first.
    TooMany,
}

/// From where an institution may ask. Empty lists ask for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// `192.0.2.7` or `192.0.2.0/24`, as [`is_network`] reads them.
    pub addresses: Vec<String>,
    /// SHA-256 of client certificates, lower-case hexadecimal.
    pub certificates: Vec<String>,
}

impl Access {
    pub fn allows_address(&self, address: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|network| contains(network, address))
    }

    /// `None`: the proxy has seen no certificate.
    pub fn allows_certificate(&self, certificate: Option<&str>) -> bool {
        self.certificates.is_empty() || certificate.is_some_and(|certificate| self.certificates.iter().any(|known| known == certificate))
    }
}

/// A request whose signature is right, on its way in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Of the institution.
    pub part: u16,
    pub institution: String,
    pub key_id: String,
    pub nonce: String,
    /// Until when the signature would be timely (ms): the nonce is remembered so long.
    pub ends_ms: i64,
    /// Time of this machine (ms).
    pub now_ms: i64,
    pub address: IpAddr,
    pub certificate: Option<String>,
    /// A certificate is needed, whether or not the institution has one on file.
    pub needs_certificate: bool,
    /// What is kept of a request that may change something.
    pub kept: Option<Kept>,
}

/// A request as it was signed.
#[derive(Debug, Clone)]
pub struct Kept {
    pub idempotency_key: Option<String>,
    pub text: Sensitive,
}

/// Whether a request comes in. The checks run in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Revoked,
    Expired,
    AddressNotAllowed,
    CertificateNotAllowed,
    NonceReused,
    Admitted,
}

/// A request that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    pub institution: String,
    pub key_id: String,
    pub nonce: String,
    pub idempotency_key: Option<String>,
    pub received_ms: i64,
    pub text: Sensitive,
}

const KEY_COLUMNS: &str = "key_id, institution, profile, pem, made_ms, expires_ms, revoked_ms";

fn key_of(row: &Row<'_>) -> Result<PublicKey> {
    Ok(PublicKey {
        key_id: row.get(0)?,
        institution: row.get(1)?,
        profile: row.get(2)?,
        pem: row.get(3)?,
        made_ms: row.get(4)?,
        expires_ms: row.get(5)?,
        revoked_ms: row.get(6)?,
    })
}

impl Vault {
    /// Registers a public key. `key_id` and `profile` come from the key itself.
    pub fn register_public_key(&self, key: &PublicKey, now_ms: i64) -> Result<Registered> {
        self.write(|tx, _| register(tx, key, now_ms))
    }

    /// As [`Vault::register_public_key`], for many at once.
    pub fn register_public_keys(&self, keys: &[PublicKey], now_ms: i64) -> Result<Vec<Registered>> {
        self.write(|tx, _| keys.iter().map(|key| register(tx, key, now_ms)).collect())
    }

    /// Revokes a key at once, wherever it is used; `false` when there is no such key.
    pub fn revoke_public_key(&self, key_id: &str, now_ms: i64) -> Result<bool> {
        let sql = "update institution_public_key set revoked_ms = coalesce(revoked_ms, ?3) where part = ?1 and key_id = ?2";
        Ok(self.write(|tx, _| tx.execute(sql, (PART, key_id, now_ms)))? == 1)
    }

    /// A key by its id, valid or not.
    pub fn public_key(&self, key_id: &str) -> Result<Option<PublicKey>> {
        self.read(|db, _| db.row(&format!("select {KEY_COLUMNS} from institution_public_key where part = ?1 and key_id = ?2"), (PART, key_id), key_of))
    }

    /// The keys of an institution, valid or not, oldest first.
    pub fn public_keys(&self, institution: &str) -> Result<Vec<PublicKey>> {
        self.read(|db, _| keys_of(db, institution))
    }

    /// From where an institution may ask.
    pub fn institution_access(&self, institution: &str) -> Result<Access> {
        self.read(|db, _| access_of(db, institution))
    }

    /// Says from where an institution may ask, in place of what was said before.
    pub fn set_institution_access(&self, institution: &str, access: &Access) -> Result<()> {
        self.write(|tx, _| {
            tx.execute(
                "insert into institution_access (part, institution, addresses, certificates) values (?1, ?2, ?3, ?4)
                 on conflict (part, institution) do update set addresses = excluded.addresses, certificates = excluded.certificates",
                (PART, institution, access.addresses.join(" "), access.certificates.join(" ")),
            )?;
            Ok(())
        })
    }

    /// Lets signed requests in, or says why not: all of them in one transaction. What is admitted is kept, and its nonce is used up.
    pub fn admit(&self, arrivals: &[Arrival]) -> Result<Vec<Admission>> {
        self.write(|tx, keys| {
            let mut admissions = Vec::with_capacity(arrivals.len());
            for arrival in arrivals {
                let admission = admission(tx, arrival)?;
                admissions.push(admission);
                let (Admission::Admitted, Some(kept)) = (admission, &arrival.kept) else { continue };
                let id = next_id(tx, arrival.part, "signed-request")?;
                let sealed = keys.seal(Place::new("signed_request", "text", id), kept.text.reveal());
                tx.execute(
                    "insert into signed_request (part, request_id, institution, key_id, nonce, idempotency_key, received_ms, sealed_text)
                     values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    (arrival.part, sql_id(id), &arrival.institution, &arrival.key_id, &arrival.nonce, kept.idempotency_key.as_deref(), arrival.now_ms, sealed),
                )?;
            }
            Ok(admissions)
        })
    }

    /// Forgets the nonces of signatures that are no longer timely by `now_ms`, the machine's time and not the sandbox's. Returns how many.
    pub fn forget_nonces(&self, now_ms: i64) -> Result<usize> {
        self.write(|tx, _| tx.execute("delete from institution_nonce where ends_ms <= ?1", (now_ms,)))
    }

    /// What an institution signed, by the nonce or the idempotency key, newest first.
    pub fn signed_requests(&self, part: u16, institution: &str, wanted: &str) -> Result<Vec<SignedRequest>> {
        let columns = "institution, key_id, nonce, idempotency_key, received_ms, request_id, sealed_text";
        let find = |column: &str| {
            let sql = format!("select {columns} from signed_request where part = ?1 and institution = ?2 and {column} = ?3 order by request_id desc limit ?4");
            self.read(|db, keys| {
                db.rows(&sql, (part, institution, wanted, SIGNED_REQUESTS_MAX as i64), |row| {
                    let place = Place::new("signed_request", "text", from_sql_id(row.get(5)?));
                    Ok(SignedRequest {
                        institution: row.get(0)?,
                        key_id: row.get(1)?,
                        nonce: row.get(2)?,
                        idempotency_key: row.get(3)?,
                        received_ms: row.get(4)?,
                        text: keys.unseal(place, &row.get::<Vec<u8>>(6)?)?,
                    })
                })
            })
        };
        let mut found = find("nonce")?;
        let by_key = find("idempotency_key")?;
        found.extend(by_key.into_iter().filter(|request| request.nonce != wanted));
        Ok(found)
    }
}

fn register(tx: &Db<'_>, key: &PublicKey, now_ms: i64) -> Result<Registered> {
    let known = tx.row(&format!("select {KEY_COLUMNS} from institution_public_key where part = ?1 and key_id = ?2"), (PART, &key.key_id), key_of)?;
    if let Some(known) = known {
        return Ok(if known.institution == key.institution && known.is_valid(now_ms) { Registered::Already } else { Registered::Taken });
    }
    let valid = keys_of(tx, &key.institution)?.into_iter().filter(|known| known.profile == key.profile && known.is_valid(now_ms)).count();
    if valid >= PUBLIC_KEYS_MAX {
        return Ok(Registered::TooMany);
    }
    tx.execute(
        "insert into institution_public_key (part, key_id, institution, profile, pem, made_ms, expires_ms) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (PART, &key.key_id, &key.institution, &key.profile, &key.pem, now_ms, key.expires_ms),
    )?;
    Ok(Registered::Done)
}

fn keys_of(db: &Db<'_>, institution: &str) -> Result<Vec<PublicKey>> {
    let sql = format!("select {KEY_COLUMNS} from institution_public_key where part = ?1 and institution = ?2 order by made_ms, key_id");
    db.rows(&sql, (PART, institution), key_of)
}

fn access_of(db: &Db<'_>, institution: &str) -> Result<Access> {
    let list = |text: String| text.split_whitespace().map(str::to_owned).collect();
    let sql = "select addresses, certificates from institution_access where part = ?1 and institution = ?2";
    let found = db.row(sql, (PART, institution), |row| Ok(Access { addresses: list(row.get(0)?), certificates: list(row.get(1)?) }))?;
    Ok(found.unwrap_or_default())
}

fn admission(tx: &Db<'_>, arrival: &Arrival) -> Result<Admission> {
    let sql = "select institution, expires_ms, revoked_ms from institution_public_key where part = ?1 and key_id = ?2";
    let key = tx.row(sql, (PART, &arrival.key_id), |row| Ok((row.get::<String>(0)?, row.get::<Option<i64>>(1)?, row.get::<Option<i64>>(2)?)))?;
    match key {
        Some((institution, expires_ms, None)) if institution == arrival.institution => {
            if expires_ms.is_some_and(|expires| arrival.now_ms >= expires) {
                return Ok(Admission::Expired);
            }
        }
        _ => return Ok(Admission::Revoked),
    }
    let access = access_of(tx, &arrival.institution)?;
    if !access.allows_address(arrival.address) {
        return Ok(Admission::AddressNotAllowed);
    }
    let lacks = arrival.needs_certificate && access.certificates.is_empty();
    if lacks || !access.allows_certificate(arrival.certificate.as_deref()) {
        return Ok(Admission::CertificateNotAllowed);
    }
    let sql = "insert into institution_nonce (part, key_id, nonce, ends_ms) values (?1, ?2, ?3, ?4) on conflict (part, key_id, nonce) do nothing";
    let is_new = tx.execute(sql, (arrival.part, &arrival.key_id, &arrival.nonce, arrival.ends_ms))? == 1;
    Ok(if is_new { Admission::Admitted } else { Admission::NonceReused })
}

/// Whether a text is an address, or a network with the length of its prefix.
pub fn is_network(text: &str) -> bool {
    network(text).is_some()
}

/// Address and length of the prefix.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, len) = text.split_once('/').map_or((text, None), |(address, len)| (address, Some(len)));
    let address: IpAddr = address.parse().ok()?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let len = match len {
        None => max,
        Some(len) => len.parse().ok().filter(|len| *len <= max)?,
    };
    Some((address, len))
}

fn contains(text: &str, address: IpAddr) -> bool {
    let shared = |left: u128, right: u128, bits: u32, len: u32| len == 0 || (left ^ right) >> (bits - len) == 0;
    match (network(text), address.to_canonical()) {
        (Some((IpAddr::V4(network), len)), IpAddr::V4(address)) => shared(network.to_bits().into(), address.to_bits().into(), 32, len),
        (Some((IpAddr::V6(network), len)), IpAddr::V6(address)) => shared(network.to_bits(), address.to_bits(), 128, len),
        _ => false,
    }
}

#[cfg(test)]
mod tests;

/// The same tests, on PostgreSQL.
#[cfg(test)]
#[path = "institution_trust/tests.rs"]
#[allow(clippy::duplicate_mod)]
mod tests_on_postgres;
