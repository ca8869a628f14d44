//! The folder of the keys: making, reading, adding and retiring them.
//!
//! A new sealing key is one more line of the key ring; the file is replaced whole, so that a crash leaves the old one or the new one. A retired key goes
//! to a file of its own that the program never reads: backups of its time still need it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use zeroize::Zeroizing;

use super::{HmacSm3, KeyRing, Seals, hmac_sm3, random, sm4_gcm};

const KEYRING_FILE: &str = "keyring";
const PEPPER_FILE: &str = "pepper";
const RETIRED_FILE: &str = "retired";

/// Sealing keys of an installation at once: one a year for a generation, if none is ever retired.
pub const SEAL_KEYS_MAX: usize = 32;

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
    #[error("{path} has {SEAL_KEYS_MAX} sealing keys already; retire those that seal nothing any more")]
    TooMany { path: PathBuf },
    /// There is data, but not the keys it was sealed with; new ones would only hide the loss.
    #[error("{path} is missing although there is data sealed with it; restore it from the backup of the keys")]
    Missing { path: PathBuf },
}

pub(super) fn open(folder: &Path, may_create: bool) -> Result<KeyRing, KeyError> {
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
    let pepper_text = read_closed(&pepper_path)?;
    let malformed = || KeyError::Malformed { path: pepper_path.clone(), line: 0, reason: "not 64 hexadecimal digits" };
    let pepper = meaningful_lines(&pepper_text).next().and_then(|(_, text)| parse_hex(text)).ok_or_else(malformed)?;
    let Ring { seals, macs: [blind, partition, token] } = parse(&ring_path, &read_closed(&ring_path)?)?;
    Ok(KeyRing { seals: RwLock::new(Arc::new(seals)), folder: Some(folder.to_owned()), blind, partition, token, pepper })
}

/// The sealing keys as they lie in the folder now.
pub(super) fn read_seals(folder: &Path) -> Result<Seals, KeyError> {
    let path = folder.join(KEYRING_FILE);
    Ok(parse(&path, &read_closed(&path)?)?.seals)
}

/// Adds a sealing key to the ring in `folder` and gives its number: from the next start on it seals, and the others open what they sealed. A program
/// that runs takes it up when it meets the first value sealed with it.
///
/// # Errors
/// The ring cannot be read or replaced, or has too many keys.
pub fn add_seal_key(folder: &Path) -> Result<u16, KeyError> {
    let _one = lock(folder)?;
    let path = folder.join(KEYRING_FILE);
    let mut text = read_closed(&path)?;
    let seals = parse(&path, &text)?.seals;
    let number = seals.newest.checked_add(1).filter(|_| seals.ciphers.len() < SEAL_KEYS_MAX);
    let number = number.ok_or_else(|| KeyError::TooMany { path: path.clone() })?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    // In a buffer that is large enough: a growing one would leave its old bytes behind.
    let line = Zeroizing::new(format!("seal {number} {}\n", *random_hex::<16>()));
    let mut grown = Zeroizing::new(String::with_capacity(text.len() + line.len()));
    grown.push_str(&text);
    grown.push_str(&line);
    replace(folder, &path, &grown)?;
    Ok(number)
}

/// Takes every sealing key but the newest out of the ring, and puts them into the file of retired keys. Gives their numbers.
///
/// The caller has made sure that nothing is sealed with them, and that nobody works with this installation.
///
/// # Errors
/// A file cannot be read or replaced. The ring is the last to change: a key is never in neither of the two.
pub fn retire_seal_keys(folder: &Path) -> Result<Vec<u16>, KeyError> {
    let _one = lock(folder)?;
    let path = folder.join(KEYRING_FILE);
    let text = read_closed(&path)?;
    let seals = parse(&path, &text)?.seals;
    let is_old = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["seal", number, _] => number.parse() != Ok(seals.newest),
        _ => false,
    };
    let old: Vec<&str> = text.lines().filter(|line| is_old(line)).collect();
    if old.is_empty() {
        return Ok(Vec::new());
    }
    let retired_path = folder.join(RETIRED_FILE);
    let before = if exists(&retired_path)? { read_closed(&retired_path)? } else { Zeroizing::new(RETIRED_HEAD.to_owned()) };
    let mut retired = Zeroizing::new(String::with_capacity(before.len() + text.len()));
    retired.push_str(&before);
    // An earlier try may have come as far as this.
    for line in old.iter().filter(|line| !before.lines().any(|known| known == **line)) {
        retired.push_str(line);
        retired.push('\n');
    }
    replace(folder, &retired_path, &retired)?;
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    for line in text.lines().filter(|line| !is_old(line)) {
        kept.push_str(line);
        kept.push('\n');
    }
    replace(folder, &path, &kept)?;
    Ok(seals.ciphers.keys().copied().filter(|number| *number != seals.newest).collect())
}

const RETIRED_HEAD: &str = "# Sealing keys that seal nothing any more; the program does not read this file. Backups of their time need them: put the lines back\n\
                            # into the key ring beside such a backup. When no such backup is left, delete this file.\n";

struct Ring {
    seals: Seals,
    /// Blind, partition, token.
    macs: [HmacSm3; 3],
}

fn parse(path: &Path, text: &str) -> Result<Ring, KeyError> {
    let malformed = |line: usize, reason| KeyError::Malformed { path: path.to_owned(), line, reason };
    let mut ciphers = BTreeMap::new();
    let mut macs: BTreeMap<&str, HmacSm3> = BTreeMap::new();
    for (line, text) in meaningful_lines(text) {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            ["seal", number, key] => {
                let number: u16 = number.parse().map_err(|_| malformed(line, "the seal key has no number"))?;
                let key: Zeroizing<[u8; 16]> = parse_hex(key).ok_or_else(|| malformed(line, "not 32 hexadecimal digits"))?;
                if ciphers.insert(number, sm4_gcm(&key[..])).is_some() {
                    return Err(malformed(line, "this seal number stands twice"));
                }
            }
            [name @ ("blind" | "partition" | "token"), key] => {
                let key: Zeroizing<[u8; 32]> = parse_hex(key).ok_or_else(|| malformed(line, "not 64 hexadecimal digits"))?;
                if macs.insert(name, hmac_sm3(&key)).is_some() {
                    return Err(malformed(line, "this key stands twice"));
                }
            }
            _ => return Err(malformed(line, "unknown kind of key")),
        }
    }
    let mut mac = |name| macs.remove(name).ok_or_else(|| malformed(0, "one of blind, partition, token is missing"));
    let macs = [mac("blind")?, mac("partition")?, mac("token")?];
    let newest = *ciphers.keys().next_back().ok_or_else(|| malformed(0, "there is no seal key"))?;
    Ok(Ring { seals: Seals { newest, ciphers }, macs })
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

/// Writes beside the goal, and syncs.
fn write_draft(path: &Path, text: &str) -> Result<PathBuf, KeyError> {
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io_error(&draft)(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(io_error(&draft))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error(&draft))?;
    Ok(draft)
}

/// Makes a file that is not there yet: a crash leaves the whole of it or none.
fn write_new(folder: &Path, path: &Path, text: &str) -> Result<(), KeyError> {
    let draft = write_draft(path, text)?;
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

/// One changes the keys at a time; the lock goes with the handle.
fn lock(folder: &Path) -> Result<File, KeyError> {
    refuse_open_mode(folder, 0o700)?;
    let handle = File::open(folder).map_err(io_error(folder))?;
    handle.lock().map_err(io_error(folder))?;
    Ok(handle)
}

/// Puts a file in place of another: a crash leaves the one or the other, whole.
fn replace(folder: &Path, path: &Path, text: &str) -> Result<(), KeyError> {
    let draft = write_draft(path, text)?;
    fs::rename(&draft, path).map_err(io_error(path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::seal::{Keys, Place};

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
    fn a_key_is_added_while_others_read_and_retired_when_nothing_needs_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        let running = Keys::open(&folder, true).unwrap();
        let place = Place::new("person", "name", 1);
        let old = running.seal(place, "王芳");
        assert_eq!((add_seal_key(&folder).unwrap(), add_seal_key(&folder).unwrap()), (2, 3));
        assert_eq!(fs::metadata(folder.join("keyring")).unwrap().permissions().mode() & 0o777, 0o600);
        let changing = Keys::open(&folder, false).unwrap();
        assert_eq!((changing.newest_seal(), changing.seal_keys()), (3, vec![1, 2, 3]));
        let new = changing.seal(place, "王芳");
        // Who was there before opens it, and seals with the new key from then on.
        assert_eq!(Keys::seal_number(&running.seal(place, "王芳")), Some(1));
        assert_eq!(running.unseal(place, &new).unwrap().reveal(), "王芳");
        assert_eq!(Keys::seal_number(&running.seal(place, "王芳")), Some(3));
        assert_eq!(running.blind("id", &[b"x"]), changing.blind("id", &[b"x"]));

        assert_eq!(retire_seal_keys(&folder).unwrap(), [1, 2]);
        assert_eq!(retire_seal_keys(&folder).unwrap(), []);
        let after = Keys::open(&folder, false).unwrap();
        assert_eq!(after.seal_keys(), [3]);
        assert!(after.unseal(place, &old).is_err() && after.unseal(place, &new).is_ok());
        // A backup of that time is opened with the lines of the file.
        let retired = fs::read_to_string(folder.join("retired")).unwrap();
        assert_eq!(fs::metadata(folder.join("retired")).unwrap().permissions().mode() & 0o777, 0o600);
        let ring = fs::read_to_string(folder.join("keyring")).unwrap();
        fs::write(folder.join("keyring"), format!("{ring}{retired}")).unwrap();
        assert_eq!(Keys::open(&folder, false).unwrap().unseal(place, &old).unwrap().reveal(), "王芳");
        assert_eq!(add_seal_key(&folder).unwrap(), 4);
    }

    #[test]
    fn a_crash_between_the_two_files_loses_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        Keys::open(&folder, true).unwrap();
        add_seal_key(&folder).unwrap();
        let ring = fs::read_to_string(folder.join("keyring")).unwrap();
        retire_seal_keys(&folder).unwrap();
        let retired = fs::read_to_string(folder.join("retired")).unwrap();
        fs::write(folder.join("keyring"), &ring).unwrap();
        assert_eq!(retire_seal_keys(&folder).unwrap(), [1]);
        assert_eq!(fs::read_to_string(folder.join("retired")).unwrap(), retired, "it is not put there twice");
    }

    #[test]
    fn a_ring_holds_only_so_many_keys() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("keys");
        Keys::open(&folder, true).unwrap();
        for _ in 1..SEAL_KEYS_MAX {
            add_seal_key(&folder).unwrap();
        }
        assert!(matches!(add_seal_key(&folder), Err(KeyError::TooMany { .. })));
        retire_seal_keys(&folder).unwrap();
        assert!(add_seal_key(&folder).is_ok());
    }
}
