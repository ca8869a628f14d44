//! Any bytes as a sealed value, as a proof of identity and as the files of the keys: refused without a word of what they hold.
#![no_main]

use gongji_store::seal::{Keys, Place};
use libfuzzer_sys::fuzz_target;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::for_tests(1));

/// A folder in memory, so that a file costs nothing.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new("/dev/shm").join(format!("gongji-fuzz-{}", std::process::id()));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).expect("the folder can be made");
    folder
});

fn put(name: &str, bytes: &[u8]) {
    let path = FOLDER.join(name);
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).expect("the file can be made");
    file.write_all(bytes).expect("there is room");
}

fuzz_target!(|bytes: &[u8]| {
    let place = Place::new("person", "name", 1);
    assert!(KEYS.unseal(place, bytes).is_err(), "nobody makes up what was sealed");
    let _ = Keys::seal_number(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(KEYS.verify_proof(text, 0).is_err(), "nobody makes up a proof");
        let sealed = KEYS.seal(place, text);
        assert_eq!(KEYS.unseal(place, &sealed).expect("what was sealed opens").reveal(), text);
    }
    let (ring, pepper) = bytes.split_at(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
    put("keyring", ring);
    put("pepper", pepper.get(1..).unwrap_or_default());
    if let Ok(keys) = Keys::open(&FOLDER, false) {
        let sealed = keys.seal(place, "x");
        assert_eq!(keys.unseal(place, &sealed).expect("what was sealed opens").reveal(), "x");
    }
});
