//! The real program, started, killed and stopped as its own process; what it says is kept.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// The last line that a sandbox prints before it serves.
const READY: &str = "按 Ctrl-C 停下。";

pub struct Program {
    child: Arc<Mutex<Child>>,
    /// `http://127.0.0.1:port`, without a slash at its end.
    pub origin: String,
    said: Arc<Mutex<String>>,
    complained: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// What a program said until its end.
pub struct Said {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// Starts a sandbox on a port that the system chooses, and waits until it serves.
    pub fn sandbox(data: &Path, arguments: &[&str], log: &str) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gongji"));
        command.arg("sandbox").arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command.env("GONGJI_LOG", log).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, complained) = (Arc::new(Mutex::new(String::new())), Arc::new(Mutex::new(String::new())));
        let (ready, readiness) = std::sync::mpsc::channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let readers = vec![listen(stdout, said.clone(), Some(ready)), listen(stderr, complained.clone(), None)];
        if readiness.recv().is_err() {
            let status = child.wait().unwrap();
            panic!("the sandbox ended with {status} before it served\n{}\n{}", said.lock().unwrap(), complained.lock().unwrap());
        }
        let origin = said
            .lock()
            .unwrap()
            .lines()
            .find_map(|line| line.trim().strip_prefix("打开网页"))
            .expect("it says where it serves")
            .trim()
            .trim_end_matches('/')
            .to_owned();
        Program { child: Arc::new(Mutex::new(child)), origin, said, complained, readers }
    }

    /// For whoever is to kill it from elsewhere.
    pub fn child(&self) -> Arc<Mutex<Child>> {
        self.child.clone()
    }

    /// Waits for the end of a program that was killed.
    pub fn wait(self) -> Said {
        let status = self.child.lock().unwrap().wait().unwrap();
        self.close(status)
    }

    /// Asks it to stop, as a service manager would, and waits.
    pub fn stop(self) -> Said {
        let id = self.child.lock().unwrap().id();
        // The shell's own `kill`: it is there wherever a shell is.
        assert!(Command::new("sh").arg("-c").arg(format!("kill -TERM {id}")).status().unwrap().success());
        let status = self.child.lock().unwrap().wait().unwrap();
        self.close(status)
    }

    fn close(mut self, status: ExitStatus) -> Said {
        for reader in std::mem::take(&mut self.readers) {
            reader.join().unwrap();
        }
        // Its standard output begins with the sample people, on purpose; what it logs is here.
        crate::silence::check("the program's log", self.complained.lock().unwrap().as_bytes());
        Said { status, stdout: self.said.lock().unwrap().clone(), stderr: self.complained.lock().unwrap().clone() }
    }
}

impl Drop for Program {
    /// A test that fails leaves nothing running.
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn listen(from: impl Read + Send + 'static, into: Arc<Mutex<String>>, ready: Option<std::sync::mpsc::Sender<()>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut ready = ready;
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            let is_last = line == READY;
            let mut text = into.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
            drop(text);
            if is_last && let Some(ready) = ready.take() {
                let _ = ready.send(());
            }
        }
    })
}

/// Runs a command of the program to its end.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gongji")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// The independent auditor's report on a folder; panics with what it says if the books are not in order.
pub fn verified(data: &Path) -> Value {
    let output = run(&["verify", "--json", "--data", data.to_str().unwrap()]);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "verify ended with {}\n{stdout}\n{stderr}", output.status);
    serde_json::from_str(&stdout).unwrap()
}
