//! Keys of an installation, and what they do: sealing, blind indexes, partition choice, MACs.
//!
//! Everything personal is sealed with SM4-GCM before it reaches a disk. The keys lie in the folder `keys/`
//! beside the databases (mode 600, folder 700), never in one: a copied or leaked database alone tells nothing.
//!
//! | key | length | use |
//! |---|---|---|
//! | seal | 128 bit | SM4-GCM over one column of one row; its number stands in every ciphertext, so that keys can be changed |
//! | blind | 256 bit | HMAC-SM3 look-up of ID numbers, names and phones |
//! | partition | 256 bit | HMAC-SM3 choosing the partition of an ID number, once and for ever |
//! | token | 256 bit | HMAC-SM3 of step-up proofs and one-time codes |
//! | pepper | 256 bit | secret input of Argon2, in a file of its own |
//!
//! 依据: GB/T 32907 (SM4), GB/T 32905 (SM3), RFC 8998 (SM4-GCM), GB/T 39786 (keys apart from data).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{AesGcm, Nonce};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, Mac as _};
use sm3::{Digest as _, Sm3};
use sm4::Sm4;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, Zeroizing};

mod ring;

pub use ring::{KeyError, SEAL_KEYS_MAX, add_seal_key, retire_seal_keys};

pub(crate) type Sm4Gcm = AesGcm<Sm4, U12>;
type HmacSm3 = Hmac<Sm3>;

/// First byte of every ciphertext; another layout gets another number.
const SEALED_FORMAT: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const SEALED_HEAD_LEN: usize = 1 + 2 + NONCE_LEN;

/// Text that must not be seen by chance: `Debug` is silent, there is no `Display` and no serialisation,
/// and the memory is overwritten when it is dropped. [`Sensitive::reveal`] is the one way out, easy to search for.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Sensitive(String);

impl Sensitive {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Use it for the person's own eyes or for a comparison, never in a log, a URL or a metric.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sensitive {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl Drop for Sensitive {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl From<&str> for Sensitive {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Sensitive {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// A ciphertext does not open: another key, another row or column, or changed bytes. Never says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value of {table}.{column} cannot be opened")]
pub struct SealBroken {
    pub table: &'static str,
    pub column: &'static str,
}

/// Where a sealed value lives. It is authenticated with the value, so that a ciphertext copied into
/// another row or column does not open there.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub table: &'static str,
    pub column: &'static str,
    pub row: u64,
}

impl Place {
    pub fn new(table: &'static str, column: &'static str, row: u64) -> Self {
        Self { table, column, row }
    }

    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.table.len() + self.column.len() + 10);
        data.extend_from_slice(self.table.as_bytes());
        data.push(0);
        data.extend_from_slice(self.column.as_bytes());
        data.push(0);
        data.extend_from_slice(&self.row.to_be_bytes());
        data
    }
}

/// The keys of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<KeyRing>);

struct KeyRing {
    /// Replaced when somebody has added a key meanwhile.
    seals: RwLock<Arc<Seals>>,
    /// Where they were read; tests have none.
    folder: Option<PathBuf>,
    blind: HmacSm3,
    partition: HmacSm3,
    token: HmacSm3,
    pepper: Zeroizing<[u8; 32]>,
}

/// The sealing keys by number. The newest seals; the older ones stay to open what they sealed.
struct Seals {
    newest: u16,
    ciphers: BTreeMap<u16, Sm4Gcm>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Keys(***)")
    }
}

impl Keys {
    /// Opens the keys in `folder`; makes them when there are none and `may_create` is set.
    ///
    /// `may_create` is for an installation without data: where there is data, missing keys are a loss to be
    /// told, not to be papered over.
    pub fn open(folder: &Path, may_create: bool) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(ring::open(folder, may_create)?)))
    }

    /// Keys of no installation, for tests: the same seed gives the same keys.
    #[doc(hidden)]
    pub fn for_tests(seed: u8) -> Self {
        let derive = |name: u8| -> Zeroizing<[u8; 32]> { Zeroizing::new(Sm3::digest([seed, name]).into()) };
        let seal = derive(1);
        Self(Arc::new(KeyRing {
            seals: RwLock::new(Arc::new(Seals { newest: 1, ciphers: BTreeMap::from([(1, sm4_gcm(&seal[..16]))]) })),
            folder: None,
            blind: hmac_sm3(&derive(2)),
            partition: hmac_sm3(&derive(3)),
            token: hmac_sm3(&derive(4)),
            pepper: derive(5),
        }))
    }

    /// Seals `plain` for one place. Layout: format (1) · key number (2, big-endian) · nonce (12) · ciphertext and tag.
    pub fn seal(&self, place: Place, plain: &str) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let seals = self.seals();
        let cipher = seals.ciphers.get(&seals.newest).expect("the newest seal key is in the ring");
        let body = cipher
            .encrypt(&Nonce::<U12>::from(nonce), Payload { msg: plain.as_bytes(), aad: &place.associated_data() })
            .expect("a text is far below the 64 GiB that GCM can seal");
        let mut sealed = Vec::with_capacity(SEALED_HEAD_LEN + body.len());
        sealed.push(SEALED_FORMAT);
        sealed.extend_from_slice(&seals.newest.to_be_bytes());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        sealed
    }

    /// Opens what [`Keys::seal`] sealed for the same place.
    pub fn unseal(&self, place: Place, sealed: &[u8]) -> Result<Sensitive, SealBroken> {
        let broken = SealBroken { table: place.table, column: place.column };
        if sealed.len() < SEALED_HEAD_LEN + TAG_LEN || sealed[0] != SEALED_FORMAT {
            return Err(broken);
        }
        let number = u16::from_be_bytes([sealed[1], sealed[2]]);
        let mut seals = self.seals();
        if !seals.ciphers.contains_key(&number) {
            seals = self.read_again().ok_or(broken)?;
        }
        let cipher = seals.ciphers.get(&number).ok_or(broken)?;
        let nonce = Nonce::<U12>::try_from(&sealed[3..SEALED_HEAD_LEN]).map_err(|_| broken)?;
        let plain = cipher.decrypt(&nonce, Payload { msg: &sealed[SEALED_HEAD_LEN..], aad: &place.associated_data() }).map_err(|_| broken)?;
        let text = String::from_utf8(plain).map_err(|error| {
            error.into_bytes().zeroize();
            broken
        })?;
        Ok(Sensitive(text))
    }

    fn seals(&self) -> Arc<Seals> {
        Arc::clone(&self.0.seals.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A value sealed with an unknown key tells that one was added since the start: it opens from here on, and seals.
    fn read_again(&self) -> Option<Arc<Seals>> {
        let mut read = ring::read_seals(self.0.folder.as_ref()?).ok()?;
        let mut seals = self.0.seals.write().unwrap_or_else(PoisonError::into_inner);
        for (number, cipher) in &seals.ciphers {
            read.ciphers.entry(*number).or_insert_with(|| cipher.clone());
        }
        read.newest = read.newest.max(seals.newest);
        *seals = Arc::new(read);
        Some(Arc::clone(&seals))
    }

    /// Number of the key that seals now.
    pub fn newest_seal(&self) -> u16 {
        self.seals().newest
    }

    /// Numbers of the keys that open what was sealed.
    pub fn seal_keys(&self) -> Vec<u16> {
        self.seals().ciphers.keys().copied().collect()
    }

    /// Number of the key that sealed this value, if it is one of ours: what a change of keys still has to re-seal.
    pub fn seal_number(sealed: &[u8]) -> Option<u16> {
        (sealed.len() >= SEALED_HEAD_LEN + TAG_LEN && sealed[0] == SEALED_FORMAT).then(|| u16::from_be_bytes([sealed[1], sealed[2]]))
    }

    /// Blind index: equal inputs of one `domain` give equal values, and only the key's owner can compute them.
    pub fn blind(&self, domain: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        mac_over(&self.0.blind, domain, parts)
    }

    /// MAC of tokens, proofs and one-time codes.
    pub fn token_mac(&self, domain: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        mac_over(&self.0.token, domain, parts)
    }

    /// The partition (1..=`partition_count`) that owns an ID number. It never changes while the key and the
    /// count stay, and both are fixed when an installation is created.
    ///
    /// # Panics
    /// When `partition_count` is zero.
    pub fn partition_of(&self, id_number: &str, partition_count: u16) -> u16 {
        assert!(partition_count > 0, "an installation has at least one partition");
        let mac = mac_over(&self.0.partition, "partition", &[normal_id_number(id_number).as_bytes()]);
        let head = u64::from_be_bytes(mac[..8].try_into().expect("a MAC has 32 bytes"));
        // The remainder is below partition_count, so it fits.
        (head % u64::from(partition_count)) as u16 + 1
    }

    /// The secret input of password hashing.
    pub(crate) fn pepper(&self) -> &[u8] {
        &self.0.pepper[..]
    }
}

/// ID numbers are compared without spaces and with a capital check letter (GB 11643 writes X).
pub fn normal_id_number(id_number: &str) -> String {
    id_number.chars().filter(|letter| !letter.is_whitespace()).map(|letter| letter.to_ascii_uppercase()).collect()
}

/// SM3 of `data`.
pub fn sm3(data: &[u8]) -> [u8; 32] {
    Sm3::digest(data).into()
}

/// Random bytes of the operating system.
///
/// # Panics
/// When the system has none to give: nothing safe can be done without.
pub fn random<const LEN: usize>() -> [u8; LEN] {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// A random number below `bound`, without bias.
pub(crate) fn random_below(bound: u32) -> u32 {
    let limit = u32::MAX - u32::MAX % bound;
    loop {
        let number = u32::from_be_bytes(random());
        if number < limit {
            return number % bound;
        }
    }
}

/// Compares in a time that does not depend on where the two differ.
pub fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Base64 for URLs, without padding.
pub fn to_base64url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// The reverse of [`to_base64url`]; `None` for anything else.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

pub(crate) fn sm4_gcm(key: &[u8]) -> Sm4Gcm {
    Sm4Gcm::new_from_slice(key).expect("an SM4 key has 16 bytes")
}

fn hmac_sm3(key: &[u8; 32]) -> HmacSm3 {
    HmacSm3::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Every part is preceded by its length: ("ab","c") and ("a","bc") differ.
fn mac_over(key: &HmacSm3, domain: &'static str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for part in std::iter::once(domain.as_bytes()).chain(parts.iter().copied()) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn sm4_gcm_equals_the_vector_of_rfc_8998() {
        let cipher = sm4_gcm(&hex("0123456789abcdeffedcba9876543210"));
        let nonce = Nonce::<U12>::try_from(&hex("00001234567800000000abcd")[..]).unwrap();
        let plain = hex(concat!(
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb",
            "ccccccccccccccccdddddddddddddddd",
            "eeeeeeeeeeeeeeeeffffffffffffffff",
            "eeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
        ));
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let sealed = cipher.encrypt(&nonce, Payload { msg: &plain, aad: &aad }).unwrap();
        assert_eq!(
            sealed,
            hex(concat!(
                "17f399f08c67d5ee19d0dc9969c4bb7d",
                "5fd46fd3756489069157b282bb200735",
                "d82710ca5c22f0ccfa7cbf93d496ac15",
                "a56834cbcf98c397b4024a2691233b8d",
                "83de3541e4c2b58177e065a9bf7b62ec",
            ))
        );
    }

    #[test]
    fn sm3_equals_the_vector_of_the_standard() {
        assert_eq!(sm3(b"abc").to_vec(), hex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"));
    }

    #[test]
    fn a_sealed_value_opens_in_its_own_row_and_column_only() {
        let keys = Keys::for_tests(1);
        let place = Place::new("person", "name", 7);
        let sealed = keys.seal(place, "李秀兰");
        assert_eq!(keys.unseal(place, &sealed).unwrap().reveal(), "李秀兰");
        assert!(keys.unseal(Place::new("person", "name", 8), &sealed).is_err());
        assert!(keys.unseal(Place::new("person", "phone", 7), &sealed).is_err());
        assert!(Keys::for_tests(2).unseal(place, &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(keys.unseal(place, &changed).is_err(), "changed byte {index}");
        }
        for len in 0..sealed.len() {
            assert!(keys.unseal(place, &sealed[..len]).is_err(), "cut to {len} bytes");
        }
    }

    #[test]
    fn the_same_text_never_looks_the_same_twice() {
        let keys = Keys::for_tests(1);
        let place = Place::new("person", "name", 7);
        assert_ne!(keys.seal(place, "李秀兰"), keys.seal(place, "李秀兰"));
    }

    #[test]
    fn nothing_secret_is_printed_by_debug() {
        let keys = Keys::for_tests(1);
        let shown = format!("{keys:?} {:?}", Sensitive::from("李秀兰"));
        assert_eq!(shown, "Keys(***) ***");
    }

    #[test]
    fn partitions_stay_within_their_count_and_all_are_used() {
        let keys = Keys::for_tests(1);
        let mut seen = std::collections::BTreeSet::new();
        for serial in 0..400 {
            seen.insert(keys.partition_of(&format!("99010119900101{serial:03}"), 8));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
        assert_eq!(keys.partition_of("99010119900101001x", 8), keys.partition_of(" 99010119900101001X", 8));
    }

    #[test]
    fn macs_tell_domains_and_boundaries_apart() {
        let keys = Keys::for_tests(1);
        assert_ne!(keys.blind("id", &[b"ab", b"c"]), keys.blind("id", &[b"a", b"bc"]));
        assert_ne!(keys.blind("id", &[b"a"]), keys.blind("name", &[b"a"]));
        assert_ne!(keys.blind("id", &[b"a"]), keys.token_mac("id", &[b"a"]));
    }
}
