//! What a vendor does on the first day: keys, registration, a signed call with our program and with the examples, against the real server.

use crate::program::{Program, run};
use gongji_files::signature::{Profile, SigningKey, VerifyingKey};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A ready hospital of the sandbox's main town, whose keys are laid down.
fn sample_code(data: &Path) -> String {
    let mut names: Vec<String> =
        std::fs::read_dir(data.join("institution-keys")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.into_iter().find_map(|name| name.strip_suffix("-ed25519.pem").filter(|code| code.starts_with('H')).map(str::to_owned)).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn told(output: &Output, succeeds: bool) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.success(), succeeds, "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

struct Vendor {
    program: Program,
    data: PathBuf,
    code: String,
    _folder: tempfile::TempDir,
}

impl Vendor {
    fn new() -> Vendor {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let program = Program::sandbox(&data, &["--no-history"], "warn");
        let code = sample_code(&data);
        Vendor { program, data, code, _folder: folder }
    }

    fn key(&self, name: &str) -> PathBuf {
        self.data.join("institution-keys").join(name)
    }

    fn own(&self, profile: Profile) -> PathBuf {
        self.key(&format!("{}-{}.pem", self.code, profile.as_str()))
    }

    fn platform(&self, profile: Profile) -> PathBuf {
        self.key(&format!("platform-{}.pub.pem", profile.as_str()))
    }

    fn call(&self, key: &Path, address: &str, more: &[&str]) -> Output {
        let url = format!("{}/api/v1{address}", self.program.origin);
        run(&[&["institution", "call", "--key", path(key), "--url", &url], more].concat())
    }
}

#[test]
fn a_vendor_signs_on_the_first_day() {
    let vendor = Vendor::new();
    let data = path(&vendor.data);
    for profile in Profile::ALL {
        let own = vendor.own(profile);
        assert_eq!(std::fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
        let text = told(&vendor.call(&own, "/institutions/payments?limit=5", &[]), true);
        assert!(text.contains("回答的签名核对无误") && text.contains("\"@query\": ?limit=5") && text.contains("  200"), "{text}");
        // A refusal is signed as well.
        let text = told(&vendor.call(&own, "/institutions/payments/by-order/none", &["--platform-key", path(&vendor.platform(profile))]), true);
        assert!(text.contains("NOT_FOUND") && text.contains("回答的签名核对无误"), "{text}");
    }
    assert_eq!(std::fs::metadata(vendor.key("")).unwrap().permissions().mode() & 0o777, 0o700);
    // Somebody else's key under the answer.
    let other = vendor.platform(Profile::Sm2);
    let text = told(&vendor.call(&vendor.own(Profile::Ed25519), "/institutions/payments", &["--platform-key", path(&other)]), false);
    assert!(text.contains("核对不上"), "{text}");

    // A key of one's own: not known, then registered, then revoked, beside the running server.
    let own = vendor.data.join("mine.pem");
    let text = told(&run(&["institution", "keygen", "--profile", "sm2", "--out", path(&own)]), true);
    assert_eq!(std::fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
    told(&run(&["institution", "keygen", "--profile", "sm2", "--out", path(&own)]), false);
    let key = SigningKey::from_pem(&std::fs::read_to_string(&own).unwrap()).unwrap();
    let key_id = key.verifying_key().key_id();
    let public = vendor.data.join("mine.pub.pem");
    assert_eq!(&VerifyingKey::from_pem(&std::fs::read_to_string(&public).unwrap()).unwrap(), key.verifying_key());
    assert!(text.contains(key_id) && !text.contains("PRIVATE"), "{text}");
    assert!(told(&vendor.call(&own, "/institutions/payments", &[]), false).contains("KEY_UNKNOWN"));
    let register = |file: &Path| run(&["institution", "register", "--institution", &vendor.code, "--key", path(file), "--data", data]);
    assert!(told(&register(&own), false).contains("私钥"), "a private key is not taken");
    assert!(told(&register(&public), true).contains(key_id));
    assert!(told(&register(&public), true).contains("登记过了"));
    told(&vendor.call(&own, "/institutions/payments", &[]), true);
    let list = || told(&run(&["institution", "keys", "--institution", &vendor.code, "--data", data]), true);
    assert!(list().contains(key_id) && list().contains("3 把公钥"), "{}", list());
    assert!(told(&run(&["institution", "revoke", "--key-id", key_id, "--data", data]), true).contains("已停用"));
    told(&run(&["institution", "revoke", "--key-id", "none", "--data", data]), false);
    assert!(told(&vendor.call(&own, "/institutions/payments", &[]), true).contains("KEY_REVOKED"));

    // What was signed can be fetched, and where one may ask from can be said.
    let sample = vendor.own(Profile::Sm2);
    let reverse = ["--json", "{}", "--idempotency-key", "first-day", "--nonce", "nonce-of-a-first-day"];
    told(&vendor.call(&sample, "/institutions/payments/by-order/D-1/reverse", &reverse), true);
    assert!(told(&vendor.call(&sample, "/institutions/payments/by-order/D-1/reverse", &reverse), true).contains("NONCE_REUSED"));
    let signed = told(&run(&["institution", "signed", "--institution", &vendor.code, "--find", "first-day", "--data", data]), true);
    assert!(signed.contains("\"idempotency-key\": first-day") && signed.contains("nonce-of-a-first-day"), "{signed}");
    let allow = |more: &[&str]| run(&[&["institution", "allow", "--institution", &vendor.code, "--data", data], more].concat());
    told(&allow(&["--address", "somewhere"]), false);
    told(&allow(&["--address", "192.0.2.0/24"]), true);
    assert!(told(&vendor.call(&sample, "/institutions/payments", &[]), true).contains("ADDRESS_NOT_ALLOWED"));
    told(&allow(&[]), true);
    told(&vendor.call(&sample, "/institutions/payments", &[]), true);
    let stop = vendor.program.stop();
    assert!(stop.stdout.contains("institution-keys/机构代码-ed25519.pem"), "the greeting says where the keys are: {}", stop.stdout);
}

/// Whether a runtime is on this machine; says so where it is not.
fn is_here(program: &str, probe: &[&str]) -> bool {
    let is_here = Command::new(program).args(probe).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !is_here {
        println!("skipped: {program} {} does not run on this machine", probe.join(" "));
    }
    is_here
}

/// Runs something in the folder of the examples, in UTF-8 whatever the machine speaks.
fn ran(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/institutions"));
    command.env("PYTHONUTF8", "1").env("JAVA_TOOL_OPTIONS", "-Dfile.encoding=UTF-8 -Dstdout.encoding=UTF-8 -Dstderr.encoding=UTF-8").output().unwrap()
}

#[test]
fn the_examples_sign_and_check_against_the_running_server() {
    let vendor = Vendor::new();
    let (list, reverse) = (format!("{}/api/v1/institutions/payments?limit=3", vendor.program.origin), |order: &str| {
        format!("{}/api/v1/institutions/payments/by-order/{order}/reverse", vendor.program.origin)
    });
    let mut examples: Vec<(&str, &[&str], &str, Profile)> = vec![
        ("node", &["--version"], "signed_call.mjs", Profile::Ed25519),
        // Its compiler comes with it.
        ("java", &["-m", "jdk.compiler/com.sun.tools.javac.Main", "--version"], "SignedCall", Profile::Ed25519),
        ("python3", &["-c", "import cryptography"], "signed_call.py", Profile::Ed25519),
        ("python3", &["-c", "import gmssl"], "signed_call.py", Profile::Sm2),
    ];
    // A Python with the optional package, where there is one.
    let python = std::env::var("GONGJI_TEST_PYTHON").unwrap_or_default();
    if !python.is_empty() {
        examples.push((&python, &["-c", "import gmssl"], "signed_call.py", Profile::Sm2));
    }
    for (program, probe, file, profile) in examples {
        if !is_here(program, probe) {
            continue;
        }
        let (own, platform) = (vendor.own(profile), vendor.platform(profile));
        let public = vendor.data.join("own.pub.pem");
        let key = SigningKey::from_pem(&std::fs::read_to_string(&own).unwrap()).unwrap();
        std::fs::write(&public, key.verifying_key().to_pem()).unwrap();
        let mut keys = vec![file, path(&own), path(&platform)];
        let classes = vendor.data.join("classes");
        if program == "java" {
            // Compiled once. The JDK does not make the public key from the private one.
            told(&ran(program, &["-m", "jdk.compiler/com.sun.tools.javac.Main", "-d", path(&classes), "SignedCall.java"]), true);
            keys.splice(0..1, ["-cp", path(&classes), file]);
            keys.insert(4, path(&public));
        }
        let text = told(&ran(program, &[&keys[..], &["GET", &list]].concat()), true);
        assert!(text.starts_with("200\n") && text.contains("回答的签名核对无误"), "{text}");
        let name = format!("{program}-{}", profile.as_str()).replace(['/', '.'], "-");
        let order = reverse(&name);
        let post = ["POST", &order, "{}", &name];
        for _ in 0..2 {
            let text = told(&ran(program, &[&keys[..], &post].concat()), true);
            assert!(text.starts_with("200\n") && text.contains("回答的签名核对无误"), "{text}");
        }
        // A refusal is an answer; an answer under another key is none.
        let text = told(&ran(program, &[&keys[..], &["POST", &order, "{}"]].concat()), true);
        assert!(text.contains("IDEMPOTENCY_KEY_MISSING"), "{text}");
        let at = keys.len() - 1;
        keys[at] = path(&public);
        let text = told(&ran(program, &[&keys[..], &["GET", &list]].concat()), false);
        assert!(text.contains("回答不是用这把平台密钥"), "{text}");
    }
}
