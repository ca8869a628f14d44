#![allow(clippy::unwrap_used)]
use super::*;

/// A configuration that starts, with `more` written behind it and `changes` made in it.
fn text(changes: &[(&str, &str)]) -> String {
    let mut text = r#"
listen = "127.0.0.1:8080"
base_url = "https://wallet.example.cn"
[data]
folder = "/nonexistent/gongji"
partitions = 4
[adapters.sms]
url = "http://127.0.0.1:9101"
[adapters.face]
url = "http://127.0.0.1:9102"
[adapters.registry]
url = "http://localhost:9103"
"#
    .to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

#[track_caller]
fn check(changes: &[(&str, &str)], names: &[&str]) {
    let refusals = match Config::parse(&text(changes), |_| None).unwrap().for_production() {
        Ok(_) => Vec::new(),
        Err(ConfigError::Refused(refusals)) => refusals,
        Err(other) => panic!("{other}"),
    };
    assert!(refusals.iter().all(|refusal| refusal.sentence().chars().any(|letter| letter >= '\u{4e00}')), "{refusals:?}");
    assert_eq!(refusals.iter().map(Refusal::name).collect::<Vec<_>>(), names, "{refusals:?}");
}

#[test]
fn a_safe_configuration_is_taken_as_meant() {
    let production = Config::parse(&text(&[]), |_| None).unwrap().for_production().unwrap();
    assert_eq!(production.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!((production.partitions, production.hosts), (4, vec!["wallet.example.cn".to_owned()]));
    assert!(matches!(production.adapters.sms, Sms::Http(_)));
}

#[test]
fn each_unsafe_setting_is_refused_by_name() {
    check(&[], &[]);
    check(&[("127.0.0.1:8080", "0.0.0.0:8080")], &["public-without-proxy"]);
    check(&[("listen = \"127.0.0.1:8080\"", "listen = \"0.0.0.0:8080\"\nbehind_proxy = true")], &[]);
    check(&[("127.0.0.1:8080", "8080")], &["listen-malformed"]);
    check(&[("https://wallet.example.cn", "http://wallet.example.cn")], &["base-url-not-https"]);
    check(&[("https://wallet.example.cn", "https://wallet.example.cn/path")], &["base-url-not-https"]);
    check(&[("https://wallet.example.cn", "https://user@wallet.example.cn")], &["base-url-not-https"]);
    check(&[("https://wallet.example.cn", "")], &["base-url-missing"]);
    check(&[("partitions = 4", "partitions = 0")], &["partition-range"]);
    check(&[("partitions = 4", "partitions = 5000")], &["partition-range"]);
    for (peers, names) in [("127.0.0.1:7070", &[][..]), ("10.0.0.5:7070", &[]), ("0.0.0.0:7070", &["peers-public"]), ("7070", &["peers-malformed"])] {
        check(&[("[adapters.sms]", &format!("[peers]\nlisten = \"{peers}\"\n[adapters.sms]"))], names);
    }
    for (store, names) in [
        ("postgres://gongji@%2Frun%2Fpostgresql/gongji", &[][..]),
        ("host=/run/postgresql dbname=gongji", &[]),
        ("postgres://gongji@127.0.0.1:6432,localhost/gongji", &[]),
        ("postgres://gongji@127.0.0.1,10.0.0.7/gongji", &["store-over-network"]),
        ("postgres://gongji@db.example/gongji", &["store-over-network"]),
        ("mysql://x", &["store-malformed"]),
    ] {
        check(&[("partitions = 4", &format!("partitions = 4\nstore = \"{store}\""))], names);
    }
    for (days, names) in [(199, &["message-days"][..]), (200, &[]), (10_980, &[]), (10_981, &["message-days"])] {
        check(&[("[data]", &format!("[gateway]\nmessage_days = {days}\n[data]"))], names);
    }
    check(&[("[data]", "[adapters.settlement]\nurl = \"http://10.0.0.7:9104\"\n[data]")], &["adapter-over-network"]);
    check(&[("[data]", "[log]\nlevel = \"trace\"\n[data]")], &["log-level"]);
    check(&[("[data]", "[log]\nformat = \"text\"\n[data]")], &[]);
    for inside in ["127.0.0.1:9464", "10.1.2.3:9464", "[fd00::1]:9464"] {
        check(&[("[data]", &format!("[metrics]\nlisten = \"{inside}\"\n[data]"))], &[]);
    }
    for outside in ["0.0.0.0:9464", "198.51.100.7:9464", "[::]:9464"] {
        check(&[("[data]", &format!("[metrics]\nlisten = \"{outside}\"\n[data]"))], &["metrics-public"]);
    }
    check(&[("[data]", "[metrics]\nlisten = \"9464\"\n[data]")], &["metrics-malformed"]);
    for (institutions, names) in [
        ("trusted_proxies = [\"10.0.0.7\"]\ncertificate_header = \"x-client-cert-sha256\"\ncertificate_required = true", &[][..]),
        ("certificate_header = \"x-client-cert-sha256\"", &[]),
        ("trusted_proxies = [\"10.0.0.0/8\"]", &["proxy-malformed"]),
        ("trusted_proxies = [\"0.0.0.0\"]", &["proxy-malformed"]),
        ("certificate_header = \"x client\"", &["certificate-header"]),
        ("certificate_required = true", &["certificate-half"]),
        ("answer_key = 0", &["answer-key"]),
    ] {
        check(&[("[data]", &format!("[institutions]\n{institutions}\n[data]"))], names);
    }
    let public = ("listen = \"127.0.0.1:8080\"", "listen = \"0.0.0.0:8080\"\nbehind_proxy = true");
    let header = "certificate_header = \"x-client-cert-sha256\"";
    check(&[public, ("[data]", &format!("[institutions]\n{header}\n[data]"))], &["certificate-unbelieved"]);
    check(&[public, ("[data]", &format!("[institutions]\n{header}\ntrusted_proxies = [\"10.0.0.7\"]\n[data]"))], &[]);
    let policy = Config::parse(&text(&[]), |_| None).unwrap().for_production().unwrap().policy;
    assert!(!policy.bearer_alone, "a key that can be copied is not enough");
    check(&[("[data]", "[sandbox]\nclock = true\n[data]")], &["sandbox-settings"]);
    for (name, port) in [("sms", 9101), ("face", 9102)] {
        check(&[(&format!("http://127.0.0.1:{port}"), "")], &["adapter-missing"]);
        check(&[(&format!("http://127.0.0.1:{port}"), "http://10.0.0.7:9101")], &["adapter-over-network"]);
        check(&[(&format!("http://127.0.0.1:{port}"), "https://127.0.0.1:9101")], &["adapter-over-network"]);
        check(&[(&format!("[adapters.{name}]"), &format!("[adapters.{name}]\nattempts = 9"))], &["adapter-malformed"]);
    }
    check(&[("http://localhost:9103", "")], &["adapter-missing"]);
    check(&[("http://localhost:9103", "http://localhost.evil.example:9103")], &["adapter-over-network"]);
}

#[test]
fn all_objections_are_told_at_once() {
    check(
        &[("127.0.0.1:8080", "0.0.0.0:80"), ("https://wallet.example.cn", "http://x"), ("http://127.0.0.1:9101", ""), ("http://127.0.0.1:9102", "")],
        &["public-without-proxy", "base-url-not-https", "adapter-missing", "adapter-missing"],
    );
}

#[test]
fn a_mistyped_key_is_no_setting() {
    for wrong in ["lisen = \"x\"", "[data]\nfoldr = \"x\"", "[adapters.sms]\ntoken = \"x\"", "[adapters.fax]\nurl = \"x\""] {
        assert!(Config::parse(wrong, |_| None).is_err(), "{wrong}");
    }
}

#[test]
fn the_annotated_default_says_what_the_defaults_are_and_does_not_start() {
    let written: ConfigFile = toml::from_str(DEFAULT).unwrap();
    assert_eq!(format!("{written:?}"), format!("{:?}", ConfigFile::default()));
    let ConfigError::Refused(refusals) = Config::parse(DEFAULT, |_| None).unwrap().for_production().err().unwrap() else { panic!("refused by name") };
    assert_eq!(refusals.iter().map(Refusal::name).collect::<Vec<_>>(), ["base-url-missing", "adapter-missing", "adapter-missing", "adapter-missing"]);
}

#[cfg(unix)]
#[test]
fn secrets_that_others_can_read_or_guess_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let token = folder.path().join("token");
    let with_token = |name: &str| {
        let place = token.display().to_string();
        let config = Config::parse(&text(&[]), |asked| (asked == name).then(|| place.clone())).unwrap();
        match config.for_production() {
            Ok(_) => Vec::new(),
            Err(ConfigError::Refused(refusals)) => refusals.iter().map(Refusal::name).collect(),
            Err(other) => panic!("{other}"),
        }
    };
    for name in ["GONGJI_SMS_TOKEN_FILE", "GONGJI_FACE_TOKEN_FILE", "GONGJI_REGISTRY_TOKEN_FILE"] {
        assert_eq!(with_token(name), ["token-unreadable"]);
    }
    std::fs::write(&token, "0123456789abcdef0123\n").unwrap();
    mode(&token, 0o644);
    assert_eq!(with_token("GONGJI_SMS_TOKEN_FILE"), ["token-open"]);
    mode(&token, 0o600);
    assert!(with_token("GONGJI_SMS_TOKEN_FILE").is_empty());
    for sample in ["change-me", "from the service", "short"] {
        std::fs::write(&token, sample).unwrap();
        assert_eq!(with_token("GONGJI_SMS_TOKEN_FILE"), ["token-sample"], "{sample}");
    }
    let keys = folder.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    mode(&keys, 0o755);
    mode(folder.path(), 0o700);
    let place = folder.path().display().to_string();
    check(&[("/nonexistent/gongji", &place)], &["keys-open"]);
    mode(&keys, 0o700);
    check(&[("/nonexistent/gongji", &place)], &[]);
    mode(folder.path(), 0o777);
    check(&[("/nonexistent/gongji", &place)], &["data-open"]);
    mode(folder.path(), 0o700);
}

#[test]
fn no_secret_of_a_configuration_is_printed_by_debug() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "canary-token-of-sms-0001").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let written = text(&[
        ("partitions = 4", "partitions = 4\nstore = \"postgres://gongji:canary-password@127.0.0.1/gongji\""),
        ("url = \"http://127.0.0.1:9101\"", &format!("url = \"http://127.0.0.1:9101\"\ntoken_file = {token:?}")),
    ]);
    let of_environment = |name: &str| (name == "GONGJI_FACE_TOKEN_FILE").then(|| token.display().to_string());
    let config = Config::parse(&written, of_environment).unwrap();
    assert!(config.store.as_ref().unwrap().reveal().contains("canary-password"));
    let mut shown = format!("{config:?}");
    let production = config.for_production().unwrap();
    shown.push_str(&format!("{:?} {:?} {:?}", production.adapters.sms, production.adapters.face, production.store));
    assert!(!shown.contains("canary"), "{shown}");
}
