#![allow(clippy::unwrap_used)]

use super::*;
use crate::postgres::PostgresStore;
use crate::postgres_server::Database;
use crate::seal::Keys;

const NOW: i64 = 1_795_000_000_000;
const DAY: i64 = 86_400_000;
const HOSPITAL: &str = "H51050000001";
const PHARMACY: &str = "P37010000001";

struct Fixture {
    dir: tempfile::TempDir,
    database: Option<Database>,
    vault: Vault,
}

impl Fixture {
    fn new() -> Fixture {
        let (dir, database) = (tempfile::tempdir().unwrap(), module_path!().ends_with("on_postgres").then(Database::new));
        let vault = open(&dir, database.as_ref());
        Fixture { dir, database, vault }
    }

    /// What another process, or this one after a restart, sees.
    fn elsewhere(&self) -> Vault {
        open(&self.dir, self.database.as_ref())
    }
}

fn open(dir: &tempfile::TempDir, database: Option<&Database>) -> Vault {
    let keys = Keys::for_tests(1);
    match database {
        None => Vault::open_with(dir.path(), keys, 4).unwrap(),
        Some(database) => Vault::open_on(&PostgresStore::open(&database.url(), 4).unwrap(), keys, 4).unwrap(),
    }
}

fn key(institution: &str, key_id: &str) -> PublicKey {
    PublicKey {
        key_id: key_id.to_owned(),
        institution: institution.to_owned(),
        profile: "sm2".to_owned(),
        pem: format!("pem of {key_id}"),
        made_ms: NOW,
        expires_ms: None,
        revoked_ms: None,
    }
}

fn arrival(key_id: &str, nonce: &str) -> Arrival {
    Arrival {
        part: 2,
        institution: HOSPITAL.to_owned(),
        key_id: key_id.to_owned(),
        nonce: nonce.to_owned(),
        ends_ms: NOW + 600_000,
        now_ms: NOW,
        address: "192.0.2.7".parse().unwrap(),
        certificate: None,
        needs_certificate: false,
        kept: None,
    }
}

#[test]
fn two_keys_overlap_and_a_third_waits_until_one_is_gone() {
    let Fixture { vault, .. } = Fixture::new();
    let register = |id: &str, now_ms| vault.register_public_key(&key(HOSPITAL, id), now_ms).unwrap();
    assert_eq!(
        (register("a", NOW), register("a", NOW), register("b", NOW), register("c", NOW)),
        (Registered::Done, Registered::Already, Registered::Done, Registered::TooMany)
    );
    let other_profile = PublicKey { profile: "ed25519".to_owned(), ..key(HOSPITAL, "d") };
    assert_eq!(vault.register_public_key(&other_profile, NOW).unwrap(), Registered::Done);
    assert_eq!(vault.register_public_key(&key(PHARMACY, "a"), NOW).unwrap(), Registered::Taken, "a key is one institution's");
    assert!(vault.revoke_public_key("a", NOW + 1).unwrap() && !vault.revoke_public_key("unknown", NOW).unwrap());
    assert_eq!((register("c", NOW + 1), register("a", NOW + 2)), (Registered::Done, Registered::Taken), "a revoked key never comes back");
    assert!(vault.revoke_public_key("a", NOW + 9).unwrap());
    let keys = vault.public_keys(HOSPITAL).unwrap();
    assert_eq!(keys.iter().map(|key| (key.key_id.as_str(), key.revoked_ms)).collect::<Vec<_>>(), [("a", Some(NOW + 1)), ("b", None), ("d", None), ("c", None)]);
    assert_eq!(vault.public_key("b").unwrap(), Some(key(HOSPITAL, "b")));
}

#[test]
fn an_expired_key_makes_room() {
    let Fixture { vault, .. } = Fixture::new();
    for id in ["a", "b"] {
        let key = PublicKey { expires_ms: Some(NOW + DAY), ..key(HOSPITAL, id) };
        assert_eq!(vault.register_public_key(&key, NOW).unwrap(), Registered::Done);
    }
    assert_eq!(vault.register_public_key(&key(HOSPITAL, "c"), NOW + DAY - 1).unwrap(), Registered::TooMany);
    assert_eq!(vault.register_public_key(&key(HOSPITAL, "c"), NOW + DAY).unwrap(), Registered::Done);
    let at = |now_ms| Arrival { now_ms, ..arrival("a", &format!("nonce-{now_ms}")) };
    assert_eq!(vault.admit(&[at(NOW + DAY - 1), at(NOW + DAY)]).unwrap(), [Admission::Admitted, Admission::Expired]);
}

#[test]
fn a_nonce_comes_in_once_whichever_process_sees_it() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    vault.register_public_key(&key(HOSPITAL, "a"), NOW).unwrap();
    vault.register_public_key(&key(HOSPITAL, "b"), NOW).unwrap();
    let one = arrival("a", "nonce-1");
    assert_eq!(vault.admit(&[one.clone(), one.clone()]).unwrap(), [Admission::Admitted, Admission::NonceReused]);
    let again = fixture.elsewhere();
    assert_eq!(again.admit(std::slice::from_ref(&one)).unwrap(), [Admission::NonceReused], "after a restart too");
    assert_eq!(again.admit(&[arrival("b", "nonce-1"), arrival("a", "nonce-2")]).unwrap(), [Admission::Admitted, Admission::Admitted]);
    assert_eq!(vault.forget_nonces(NOW + 599_999).unwrap(), 0);
    assert_eq!(vault.forget_nonces(NOW + 600_000).unwrap(), 3);
}

#[test]
fn a_revoked_or_unknown_key_brings_nothing_in_at_once_and_everywhere() {
    let fixture = Fixture::new();
    fixture.vault.register_public_key(&key(HOSPITAL, "a"), NOW).unwrap();
    assert_eq!(fixture.vault.admit(&[arrival("a", "nonce-1")]).unwrap(), [Admission::Admitted]);
    fixture.elsewhere().revoke_public_key("a", NOW).unwrap();
    let elses = Arrival { institution: PHARMACY.to_owned(), ..arrival("a", "nonce-3") };
    assert_eq!(fixture.vault.admit(&[arrival("a", "nonce-2"), arrival("x", "nonce-2"), elses]).unwrap(), [Admission::Revoked; 3]);
    // What was refused has used nothing up.
    assert_eq!(fixture.vault.forget_nonces(i64::MAX).unwrap(), 1);
}

#[test]
fn an_institution_asks_from_its_networks_with_its_certificates() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    vault.register_public_key(&key(HOSPITAL, "a"), NOW).unwrap();
    let mut serial = 0;
    let mut admit = |address: &str, certificate: Option<&str>, needs_certificate| {
        serial += 1;
        let arrival = arrival("a", &format!("nonce-{serial}"));
        let certificate = certificate.map(str::to_owned);
        vault.admit(&[Arrival { address: address.parse().unwrap(), certificate, needs_certificate, ..arrival }]).unwrap()[0]
    };
    assert_eq!(admit("2001:db8::1", None, false), Admission::Admitted, "nothing is asked for");
    assert_eq!(admit("192.0.2.7", Some("aa"), true), Admission::CertificateNotAllowed, "somebody's certificate is not this institution's");
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let access = Access { addresses: list(&["192.0.2.0/25", "2001:db8::/32"]), certificates: list(&["aa", "bb"]) };
    fixture.elsewhere().set_institution_access(HOSPITAL, &access).unwrap();
    for (address, certificate, admission) in [
        ("192.0.2.127", Some("aa"), Admission::Admitted),
        ("::ffff:192.0.2.127", Some("bb"), Admission::Admitted),
        ("2001:db8::9", Some("aa"), Admission::Admitted),
        ("192.0.2.128", Some("aa"), Admission::AddressNotAllowed),
        ("2001:db9::1", Some("aa"), Admission::AddressNotAllowed),
        ("192.0.2.7", Some("cc"), Admission::CertificateNotAllowed),
        ("192.0.2.7", None, Admission::CertificateNotAllowed),
    ] {
        assert_eq!(admit(address, certificate, true), admission, "{address} {certificate:?}");
    }
    vault.set_institution_access(HOSPITAL, &Access::default()).unwrap();
    assert_eq!(admit("203.0.113.1", None, false), Admission::Admitted);
    assert_eq!(vault.institution_access(HOSPITAL).unwrap(), Access::default());
}

#[test]
fn networks_are_read_strictly() {
    for good in ["0.0.0.0/0", "192.0.2.7", "10.0.0.0/8", "::1", "2001:db8::/32"] {
        assert!(is_network(good), "{good}");
    }
    for bad in ["", "192.0.2", "192.0.2.7/33", "192.0.2.7/", "192.0.2.7/-1", "::1/129", "localhost", "192.0.2.7 ", "192.0.2.007"] {
        assert!(!is_network(bad), "{bad}");
    }
    assert!(contains("0.0.0.0/0", "203.0.113.9".parse().unwrap()) && !contains("0.0.0.0/0", "2001:db8::1".parse().unwrap()));
}

#[test]
fn what_was_signed_is_kept_sealed_and_found_again() {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    vault.register_public_key(&key(HOSPITAL, "a"), NOW).unwrap();
    let kept = |key: &str, text: &str| Some(Kept { idempotency_key: Some(key.to_owned()), text: text.into() });
    let first = Arrival { kept: kept("order-1", "签名文本一"), ..arrival("a", "nonce-1") };
    let second = Arrival { kept: kept("order-1", "签名文本二"), ..arrival("a", "nonce-2") };
    let replay = Arrival { kept: kept("order-1", "replay"), ..arrival("a", "nonce-2") };
    vault.admit(&[first, second, replay, arrival("a", "nonce-3")]).unwrap();
    let texts = |wanted: &str| vault.signed_requests(2, HOSPITAL, wanted).unwrap().iter().map(|one| one.text.reveal().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts("nonce-1"), ["签名文本一"]);
    assert_eq!(texts("order-1"), ["签名文本二", "签名文本一"]);
    assert!(texts("nonce-3").is_empty() && vault.signed_requests(2, PHARMACY, "order-1").unwrap().is_empty());
    if fixture.database.is_none() {
        let raw: Vec<u8> = std::fs::read_dir(fixture.dir.path()).unwrap().flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap_or_default()).collect();
        assert!(!raw.windows("签名文本".len()).any(|window| window == "签名文本".as_bytes()), "nothing stands in clear");
    }
}
