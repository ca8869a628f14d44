#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).map(|digit| (digit as char).to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn seed(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

fn key(profile: Profile, first: u8) -> SigningKey {
    SigningKey::from_seed(profile, &[first; 32]).unwrap()
}

#[test]
fn ed25519_signs_as_rfc_8032_shows() {
    // 7.1, tests 1 to 3.
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (secret, message, signature) in cases {
        let key = SigningKey::from_seed(Profile::Ed25519, &seed(secret)).unwrap();
        assert_eq!(key.sign(&hex(message)).to_vec(), hex(signature));
        assert!(key.verifying_key().verify(&hex(message), &hex(signature)));
    }
}

#[test]
fn sm2_accepts_the_example_of_gb_t_32918_5() {
    // Annex A.2: the signature was made with a k of the standard's choice.
    let key = SigningKey::from_seed(Profile::Sm2, &seed("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")).unwrap();
    let point = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";
    assert!(key.verifying_key().to_der().ends_with(&hex(point)));
    let signature = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA";
    assert!(key.verifying_key().verify(b"message digest", &hex(signature)));
    assert!(!key.verifying_key().verify(b"message digesT", &hex(signature)));
}

/// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2`, OpenSSL 3.0.
const OPENSSL_SM2: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQgjp6DD5RVHnEGqpu8
q5sUyZ3xNy0oKWEZ4pqFY9AwnxahRANCAARNvfcxBTAwON3N7sk4Y4NqE9oTtXoR
9/640T2Ae9au9kD1RqjVz0u1p047ybXumyOXjgxwaviq8AOh/nQdrIEh
-----END PRIVATE KEY-----
";
const OPENSSL_SM2_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAETb33MQUwMDjdze7JOGODahPaE7V6
Eff+uNE9gHvWrvZA9Uao1c9LtadOO8m17psjl44McGr4qvADof50HayBIQ==
-----END PUBLIC KEY-----
";

#[test]
fn sm2_agrees_with_openssl_on_keys_and_signatures() {
    let key = SigningKey::from_pem(OPENSSL_SM2).unwrap();
    assert_eq!(key.profile(), Profile::Sm2);
    assert_eq!(key.to_pem().as_str(), OPENSSL_SM2);
    assert_eq!(key.verifying_key().to_pem(), OPENSSL_SM2_PUBLIC);
    // `openssl pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:1234567812345678`, its DER taken apart.
    let signature = "c551cf0e55705a9bcd169da8fa6485c6b0733b982fe5edf0a0b2b1f76db3e126 26af68e30068747d75bea989a6704c413023344aaa884f9037c5316e3193e3e6";
    assert!(key.verifying_key().verify(b"message from openssl", &hex(signature)));
}

/// RFC 9421, B.1.4.
const RFC_ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----
";
const RFC_ED25519_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----
";

#[test]
fn a_key_file_says_itself_what_kind_of_key_it_is() {
    let key = SigningKey::from_pem(RFC_ED25519).unwrap();
    assert_eq!((key.profile(), key.to_pem().as_str()), (Profile::Ed25519, RFC_ED25519));
    assert_eq!(key.verifying_key().to_pem(), RFC_ED25519_PUBLIC);
    for public in [RFC_ED25519_PUBLIC, OPENSSL_SM2_PUBLIC] {
        let crlf = format!("\u{feff}{}\r\n", public.replace('\n', "\r\n"));
        assert_eq!(VerifyingKey::from_pem(&crlf).unwrap(), VerifyingKey::from_pem(public).unwrap(), "as an editor of Windows leaves it");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let private = key(Profile::Sm2, 1).to_pem();
    for text in ["", "hello", RFC_ED25519_PUBLIC, &private[..40], &private.replace('M', "N"), &"x".repeat(PEM_LEN_MAX + 1)] {
        assert_eq!(SigningKey::from_pem(text).unwrap_err(), KeyError::NoPrivateKey, "{text:?}");
    }
    // A private key sent for registration is refused, and not by storing it.
    for text in ["", RFC_ED25519, private.as_str()] {
        assert_eq!(VerifyingKey::from_pem(text).unwrap_err(), KeyError::NoPublicKey);
    }
    let p256 = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\nw0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n-----END PUBLIC KEY-----\n";
    assert_eq!(VerifyingKey::from_pem(p256).unwrap_err(), KeyError::NoPublicKey, "another curve");
    let weak = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----\n";
    assert_eq!(VerifyingKey::from_pem(weak).unwrap_err(), KeyError::Weak);
    assert!(SigningKey::from_seed(Profile::Sm2, &[0; 32]).is_none() && SigningKey::from_seed(Profile::Sm2, &[0xFF; 32]).is_none());
}

#[test]
fn only_the_signer_and_the_very_bytes_pass() {
    for profile in Profile::ALL {
        let (own, other) = (key(profile, 1), key(profile, 2));
        let signature = own.sign(b"100.00");
        assert!(own.verifying_key().verify(b"100.00", &signature));
        assert!(!own.verifying_key().verify(b"900.00", &signature) && !other.verifying_key().verify(b"100.00", &signature));
        assert!(own.verifying_key().verify_base64(b"100.00", &own.sign_base64(b"100.00")));
        for text in ["", "====", "AAAA", &"A".repeat(88), &own.sign_base64(b"100.00").replace('=', "")] {
            assert!(!own.verifying_key().verify_base64(b"100.00", text), "{text}");
        }
        for len in [0, 63, 65, 70] {
            assert!(!own.verifying_key().verify(b"100.00", &vec![0x30; len]), "DER is not our form");
        }
        for zeros in [[0; 64], [0xFF; 64]] {
            assert!(!own.verifying_key().verify(b"100.00", &zeros));
        }
        for at in 0..64 {
            let mut bent = signature;
            bent[at] ^= 1;
            assert!(!own.verifying_key().verify(b"100.00", &bent), "byte {at}");
        }
    }
    let (ed, sm2) = (key(Profile::Ed25519, 1), key(Profile::Sm2, 1));
    assert!(!sm2.verifying_key().verify(b"x", &ed.sign(b"x")) && !ed.verifying_key().verify(b"x", &sm2.sign(b"x")));
}

#[test]
fn ids_come_from_the_key_and_debug_is_silent() {
    let (ed, sm2) = (SigningKey::from_pem(RFC_ED25519).unwrap(), SigningKey::from_pem(OPENSSL_SM2).unwrap());
    // `openssl pkey -pubin -outform der | openssl dgst -sha256` (and -sm3), the first 32 digits.
    assert_eq!(ed.verifying_key().key_id(), "34571606cb7a0d71be377e671ddcccae");
    assert_eq!(sm2.verifying_key().key_id(), "2c563d2f54b722fd0c05a2595c23214b");
    assert_eq!(format!("{ed:?} {:?}", sm2.verifying_key()), format!("SigningKey({}, ***) VerifyingKey(sm2, {})", ed.verifying.key_id, sm2.verifying.key_id));
    let shown = format!("{:?} {:?}", key(Profile::Sm2, 1), key(Profile::Ed25519, 1));
    assert!(!shown.contains("0101") && !shown.contains("[1, 1"), "{shown}");
}

proptest! {
    #[test]
    fn any_key_survives_its_file(first in 1_u8..255, is_sm2: bool) {
        let key = key(if is_sm2 { Profile::Sm2 } else { Profile::Ed25519 }, first);
        let read = SigningKey::from_pem(&key.to_pem()).unwrap();
        prop_assert_eq!(read.verifying_key(), key.verifying_key());
        prop_assert_eq!(read.sign(b"same").to_vec(), key.sign(b"same").to_vec());
        let public = VerifyingKey::from_pem(&key.verifying_key().to_pem()).unwrap();
        prop_assert_eq!(public.key_id(), key.verifying_key().key_id());
    }

    #[test]
    fn no_text_breaks_the_reading_of_keys(text in "\\PC{0,200}", noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let armed = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", Base64::encode_string(&noise));
        for text in [text.as_str(), &armed, &armed.replace("PUBLIC", "PRIVATE")] {
            let _ = (SigningKey::from_pem(text), VerifyingKey::from_pem(text));
        }
        let sm2 = SigningKey::from_pem(OPENSSL_SM2).unwrap();
        prop_assert!(!sm2.verifying_key().verify(b"x", &noise));
    }
}
