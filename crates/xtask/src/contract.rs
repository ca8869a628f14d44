//! The published contract against the program: schemathesis reads `/openapi.json` of a running sandbox and asks what no vendor would.
//!
//! It must find no 5xx, no status, media type or body that the document does not have, and the program must not have met a bug. The examples are
//! bounded and seeded. Two rounds: as a person and an institution that are logged in, and then what would have ended the first round early.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::stage::{self, Outcome, Runner};

const SETTINGS: &str = ".ci/schemathesis.toml";

/// The last line that a sandbox prints before it serves.
const READY: &str = "按 Ctrl-C 停下。";

/// Sample person of the sandbox, and the password that its console tells.
const PERSON: &str = r#"{"id_number":"990151195203150023","password":"260002"}"#;

/// Most examples made up for one operation, besides those that cover each rule of its schema.
const EXAMPLES_MAX: &str = "8";

/// They move the clock, end the session or the account, or log in so often that the first session ends.
const LATER: &str = "^/api/v1/(sandbox/|sessions|password|me/sign-off)";

pub fn run(name: &'static str, root: &Path, target: &Path, tools: &Path) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let data = target.join("contract");
    // What an earlier run has left.
    let _ = std::fs::remove_dir_all(&data);
    let sandbox = Sandbox::start(&target.join("debug/gongji"), &data)?;
    let person = sandbox.log_in()?;
    let mut ok = true;
    for is_later in [false, true] {
        let mut command = Command::new(tools.join("schemathesis"));
        command
            .current_dir(&data)
            .arg("--config-file")
            .arg(root.join(SETTINGS))
            .args(["--no-color", "run"])
            .arg(format!("http://{}/openapi.json", sandbox.address));
        command.args(["--seed", "1", "--max-examples", EXAMPLES_MAX]);
        command.args([if is_later { "--include-path-regex" } else { "--exclude-path-regex" }, LATER]);
        command.env("PERSON", &person).env("INSTITUTION", &sandbox.institution);
        ok &= stage::run(name, Runner::Check, command)?.ok;
        // Otherwise everything was asked by nobody, and the round proves nothing.
        let me = sandbox.ask(&format!("GET /api/v1/me HTTP/1.1\r\nauthorization: Bearer {person}\r\n"), "")?;
        ensure!(is_later || me.starts_with("200"), "the person was logged out on the way: {me}");
    }
    let log = sandbox.stop()?;
    for line in log.lines().filter(|line| line.contains("a request met a bug") || line.contains("status=5")) {
        println!("{line}");
        ok = false;
    }
    Ok(Outcome { name, ok, took: began.elapsed(), counts: None })
}

struct Sandbox {
    child: Child,
    address: String,
    /// Key of one of its institutions.
    institution: String,
    log: Option<JoinHandle<String>>,
}

impl Sandbox {
    fn start(program: &Path, data: &Path) -> anyhow::Result<Sandbox> {
        let mut command = Command::new(program);
        command.arg("sandbox").arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]).env("GONGJI_LOG", "warn");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} could not be started; build it first", program.display()))?;
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let log = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let (mut address, mut institution) = (None, None);
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        for line in lines.by_ref() {
            let line = line?;
            if let Some(origin) = line.trim().strip_prefix("打开网页") {
                address = Some(origin.trim().trim_start_matches("http://").trim_end_matches('/').to_owned());
            } else if institution.is_none() && line.trim().starts_with("gk.") {
                institution = Some(line.trim().to_owned());
            } else if line == READY {
                break;
            }
        }
        // Whatever else it says is read, or the pipe would fill.
        std::thread::spawn(move || lines.for_each(drop));
        let (Some(address), Some(institution)) = (address, institution) else {
            let _ = child.kill();
            bail!("the sandbox did not say where it serves:\n{}", log.join().unwrap_or_default());
        };
        Ok(Sandbox { child, address, institution, log: Some(log) })
    }

    fn log_in(&self) -> anyhow::Result<String> {
        let answer = self.ask("POST /api/v1/sessions HTTP/1.1\r\ncontent-type: application/json\r\n", PERSON)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let session: serde_json::Value = serde_json::from_str(body).with_context(|| format!("the sandbox lets nobody in: {answer}"))?;
        Ok(session["token"].as_str().context("a session has a token")?.to_owned())
    }

    /// The answer to one request, from its status on.
    fn ask(&self, head: &str, body: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        write!(stream, "{head}host: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", self.address, body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.strip_prefix("HTTP/1.1 ").unwrap_or(&answer).to_owned())
    }

    /// Ends it and gives what it complained of.
    fn stop(mut self) -> anyhow::Result<String> {
        self.child.kill()?;
        self.child.wait()?;
        self.log.take().expect("it is read once").join().map_err(|_| anyhow::anyhow!("the reader of the sandbox's log stopped"))
    }
}

impl Drop for Sandbox {
    /// A round that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
