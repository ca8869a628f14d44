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
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{AesGcm, Nonce};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use hmac::{Hmac, Mac as _};
use sm3::{Digest as _, Sm3};
use sm4::Sm4;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, Zeroizing};

pub(crate) type Sm4Gcm = AesGcm<Sm4, U12>;
type HmacSm3 = Hmac<Sm3>;

/// First byte of every ciphertext; another layout gets another number.
const SEALED_FORMAT: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const SEALED_HEAD_LEN: usize = 1 + 2 + NONCE_LEN;

const KEYRING_FILE: &str = "keyring";
const PEPPER_FILE: &str = "pepper";

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

/// Why the keys could not be had. Each stops the program: without its keys an installation can neither
/// read nor lawfully write.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot use the key folder at {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// Group or others may read or write the key file or folder.
    #[error("{path} has mode {mode:o}; keys may be open to their owner only: chmod {wanted:o} {path}")]
    Permissions { path: PathBuf, mode: u32, wanted: u32 },
    #[error("{path}, line {line}: {reason}")]
    Malformed { path: PathBuf, line: usize, reason: &'static str },
    /// There is data, but not the keys it was sealed with; new ones would only hide the loss.
    #[error("{path} is missing although there is data sealed with it; restore it from the backup of the keys")]
    Missing { path: PathBuf },
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
    seal_active: u16,
    seals: BTreeMap<u16, Sm4Gcm>,
    blind: HmacSm3,
    partition: HmacSm3,
    token: HmacSm3,
    pepper: Zeroizing<[u8; 32]>,
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
        let ring_path = folder.join(KEYRING_FILE);
        let pepper_path = folder.join(PEPPER_FILE);
        for path in [&pepper_path, &ring_path] {
            if !exists(path)? {
                if !may_create {
                    return Err(KeyError::Missing { path: path.clone() });
                }
                create_folder(folder)?;
                let text = if path == &ring_path { fresh_keyring() } else { fresh_pepper() };
                write_new(folder, path, &text)?;
            }
        }
        refuse_open_mode(folder, 0o700)?;
        let (ring_text, pepper_text) = (read_closed(&ring_path)?, read_closed(&pepper_path)?);
        Self::parse(&ring_path, &ring_text, &pepper_path, &pepper_text)
    }

    /// Keys of no installation, for tests: the same seed gives the same keys.
    #[doc(hidden)]
    pub fn for_tests(seed: u8) -> Self {
        let derive = |name: u8| -> Zeroizing<[u8; 32]> { Zeroizing::new(Sm3::digest([seed, name]).into()) };
        let seal = derive(1);
        Self(Arc::new(KeyRing {
            seal_active: 1,
            seals: BTreeMap::from([(1, sm4_gcm(&seal[..16]))]),
            blind: hmac_sm3(&derive(2)),
            partition: hmac_sm3(&derive(3)),
            token: hmac_sm3(&derive(4)),
            pepper: derive(5),
        }))
    }

    fn parse(ring_path: &Path, ring: &str, pepper_path: &Path, pepper: &str) -> Result<Self, KeyError> {
        let malformed = |path: &Path, line: usize, reason| KeyError::Malformed { path: path.to_owned(), line, reason };
        let mut seals = BTreeMap::new();
        let mut macs: BTreeMap<&str, HmacSm3> = BTreeMap::new();
        for (line, text) in meaningful_lines(ring) {
            match text.split_whitespace().collect::<Vec<_>>()[..] {
                ["seal", number, key] => {
                    let number: u16 = number.parse().map_err(|_| malformed(ring_path, line, "the seal key has no number"))?;
                    let key: Zeroizing<[u8; 16]> = parse_hex(key).ok_or_else(|| malformed(ring_path, line, "not 32 hexadecimal digits"))?;
                    if seals.insert(number, sm4_gcm(&key[..])).is_some() {
                        return Err(malformed(ring_path, line, "this seal number stands twice"));
                    }
                }
                [name @ ("blind" | "partition" | "token"), key] => {
                    let key: Zeroizing<[u8; 32]> = parse_hex(key).ok_or_else(|| malformed(ring_path, line, "not 64 hexadecimal digits"))?;
                    if macs.insert(name, hmac_sm3(&key)).is_some() {
                        return Err(malformed(ring_path, line, "this key stands twice"));
                    }
                }
                _ => return Err(malformed(ring_path, line, "unknown kind of key")),
            }
        }
        let mut mac = |name| macs.remove(name).ok_or_else(|| malformed(ring_path, 0, "one of blind, partition, token is missing"));
        let (blind, partition, token) = (mac("blind")?, mac("partition")?, mac("token")?);
        // The newest key seals; the older ones stay to open what they sealed.
        let seal_active = *seals.keys().next_back().ok_or_else(|| malformed(ring_path, 0, "there is no seal key"))?;
        let pepper =
            meaningful_lines(pepper).next().and_then(|(_, text)| parse_hex(text)).ok_or_else(|| malformed(pepper_path, 0, "not 64 hexadecimal digits"))?;
        Ok(Self(Arc::new(KeyRing { seal_active, seals, blind, partition, token, pepper })))
    }

    /// Seals `plain` for one place. Layout: format (1) · key number (2, big-endian) · nonce (12) · ciphertext and tag.
    pub fn seal(&self, place: Place, plain: &str) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let cipher = self.0.seals.get(&self.0.seal_active).expect("the active seal key is in the ring");
        let body = cipher
            .encrypt(&Nonce::<U12>::from(nonce), Payload { msg: plain.as_bytes(), aad: &place.associated_data() })
            .expect("a text is far below the 64 GiB that GCM can seal");
        let mut sealed = Vec::with_capacity(SEALED_HEAD_LEN + body.len());
        sealed.push(SEALED_FORMAT);
        sealed.extend_from_slice(&self.0.seal_active.to_be_bytes());
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
        let cipher = self.0.seals.get(&number).ok_or(broken)?;
        let nonce = Nonce::<U12>::try_from(&sealed[3..SEALED_HEAD_LEN]).map_err(|_| broken)?;
        let plain = cipher.decrypt(&nonce, Payload { msg: &sealed[SEALED_HEAD_LEN..], aad: &place.associated_data() }).map_err(|_| broken)?;
        let text = String::from_utf8(plain).map_err(|error| {
            error.into_bytes().zeroize();
            broken
        })?;
        Ok(Sensitive(text))
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

fn fresh_keyring() -> Zeroizing<String> {
    Zeroizing::new(format!(
        "# Keys of this gongji installation. Whoever has them and a copy of the databases can read personal data;\n\
         # whoever loses them can read nothing. Keep a backup apart from the backup of the data.\n\
         seal 1 {}\nblind {}\npartition {}\ntoken {}\n",
        *random_hex::<16>(),
        *random_hex::<32>(),
        *random_hex::<32>(),
        *random_hex::<32>(),
    ))
}

fn fresh_pepper() -> Zeroizing<String> {
    Zeroizing::new(format!("# Secret input of password hashing. Without it no password can be checked.\n{}\n", *random_hex::<32>()))
}

fn random_hex<const LEN: usize>() -> Zeroizing<String> {
    let bytes = Zeroizing::new(random::<LEN>());
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn parse_hex<const LEN: usize>(text: &str) -> Option<Zeroizing<[u8; LEN]>> {
    if text.len() != 2 * LEN || !text.is_ascii() {
        return None;
    }
    let mut bytes = Zeroizing::new([0; LEN]);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

fn meaningful_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io { path, source }
}

fn exists(path: &Path) -> Result<bool, KeyError> {
    path.try_exists().map_err(io_error(path))
}

fn create_folder(folder: &Path) -> Result<(), KeyError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error(folder))
}

/// Writes beside the goal, syncs, then moves: a crash leaves the whole file or none.
fn write_new(folder: &Path, path: &Path, text: &str) -> Result<(), KeyError> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io_error(&draft)(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io_error(&draft))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error(&draft))?;
    // hard_link refuses to replace: of two first starts one wins, and both read the winner's keys.
    match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(io_error(path)(error));
        }
        _ => {}
    }
    fs::remove_file(&draft).map_err(io_error(&draft))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))
}

fn read_closed(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    refuse_open_mode(path, 0o600)?;
    fs::read_to_string(path).map(Zeroizing::new).map_err(io_error(path))
}

fn refuse_open_mode(path: &Path, wanted: u32) -> Result<(), KeyError> {
    let mode = fs::metadata(path).map_err(io_error(path))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyError::Permissions { path: path.to_owned(), mode, wanted }) }
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
    fn keys_are_made_once_closed_to_others_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let first = Keys::open(&folder, true).unwrap();
        let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("keyring"), mode("pepper")), (0o700, 0o600, 0o600));
        let place = Place::new("person", "name", 1);
        let sealed = first.seal(place, "王芳");
        let second = Keys::open(&folder, false).unwrap();
        assert_eq!(second.unseal(place, &sealed).unwrap().reveal(), "王芳");
        assert_eq!(first.blind("id", &[b"x"]), second.blind("id", &[b"x"]));
        assert_eq!(first.pepper(), second.pepper());
    }

    #[test]
    fn keys_open_to_the_group_or_the_world_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        Keys::open(&folder, true).unwrap();
        for (name, bad, good) in [("keyring", 0o640, 0o600), ("pepper", 0o604, 0o600), ("", 0o750, 0o700)] {
            let path = folder.join(name);
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).unwrap();
            let error = Keys::open(&folder, true).unwrap_err();
            assert!(matches!(error, KeyError::Permissions { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
            fs::set_permissions(&path, fs::Permissions::from_mode(good)).unwrap();
        }
        Keys::open(&folder, true).unwrap();
    }

    #[test]
    fn missing_keys_of_existing_data_are_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        assert!(matches!(Keys::open(&folder, false), Err(KeyError::Missing { .. })));
        Keys::open(&folder, true).unwrap();
        fs::remove_file(folder.join("pepper")).unwrap();
        let error = Keys::open(&folder, false).unwrap_err();
        assert!(error.to_string().contains("pepper"), "{error}");
    }

    #[test]
    fn after_a_change_of_keys_the_newest_seals_and_the_old_still_opens() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let place = Place::new("person", "name", 1);
        let old = Keys::open(&folder, true).unwrap().seal(place, "赵强");
        let path = folder.join("keyring");
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("seal 2 000102030405060708090a0b0c0d0e0f\n");
        fs::write(&path, text).unwrap();
        let keys = Keys::open(&folder, false).unwrap();
        assert_eq!(keys.unseal(place, &old).unwrap().reveal(), "赵强");
        let new = keys.seal(place, "赵强");
        assert_eq!((Keys::seal_number(&old), Keys::seal_number(&new)), (Some(1), Some(2)));
    }

    #[test]
    fn a_damaged_key_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        Keys::open(&folder, true).unwrap();
        let path = folder.join("keyring");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("blind ", "blind zz")).unwrap();
        let error = Keys::open(&folder, false).unwrap_err().to_string();
        assert!(error.contains("keyring, line 4: not 64 hexadecimal digits"), "{error}");
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
