//! A private PostgreSQL for the tests of one process: made when the first asks for it, gone when the process ends, however it ends.
//!
//! It listens on a Unix socket in a folder of its own. Every test has a database of its own in it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes a cluster from a template that the first test on this machine leaves behind, starts it, names its folder, and waits until its input ends.
/// `$1` is where the server's programs are, `$2` what tells this version's template from others.
const KEEPER: &str = r#"
set -eu
trap '' INT TERM HUP
template="${TMPDIR:-/tmp}/gongji-test-postgres-$2-$(id -u)"
dir=$(mktemp -d --suffix=.gongji-test-postgres)
if [ ! -d "$template" ]; then
    "$1/initdb" -D "$dir/template" -U gongji -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
    # Whoever comes second keeps using its own.
    mv -T "$dir/template" "$template" 2>/dev/null || true
fi
if [ -d "$dir/template" ]; then mv "$dir/template" "$dir/data"; else cp -r "$template" "$dir/data"; chmod 700 "$dir/data"; fi
settings="-k $dir -c listen_addresses= -c shared_buffers=32MB -c max_connections=60 -c autovacuum=off"
"$1/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 -o "$settings" start >/dev/null 2>&1 || { cat "$dir/log" >&2; exit 1; }
chmod 755 "$dir"
echo "$dir"
read -r _ || true
"$1/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
rm -rf "$dir"
"#;

/// Servers that a shell script keeps in a folder of their own until this is dropped, or its process has ended.
pub struct Keeper {
    pub folder: PathBuf,
    _shell: (Child, ChildStdin),
}

impl Keeper {
    /// Runs the script with the folder of the programs and `argument`; it prints its folder when its servers are up, and goes away when its input ends.
    pub fn start(script: &str, argument: &str) -> Keeper {
        let mut command = as_server("sh");
        command.args(["-c", script, "keeper"]).arg(programs()).arg(argument);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut folder = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut folder).unwrap();
        if folder.is_empty() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("PostgreSQL did not start: {said}");
        }
        let input = child.stdin.take().unwrap();
        Keeper { folder: PathBuf::from(folder.trim_end()), _shell: (child, input) }
    }

    /// Runs one of PostgreSQL's programs against the server with this socket's folder, and gives what it prints.
    pub fn run_on(&self, socket: &Path, program: &str, args: &[&str]) -> String {
        let mut command = Command::new(programs().join(program));
        finished(command.arg("-h").arg(socket).args(["-U", "gongji"]).args(args))
    }

    /// Runs one of PostgreSQL's programs as the user that the server runs as.
    pub fn run_as_server(&self, program: &str, args: &[&str]) {
        // A server that it starts must not keep a pipe of ours open.
        let mut command = as_server(programs().join(program).to_str().unwrap());
        let done = command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(done.success(), "{program} {args:?}");
    }

    pub fn write_as_server(&self, path: &Path, text: &str) {
        let mut command = as_server("sh");
        finished(command.args(["-c", "printf %s \"$2\" >\"$1\"", "write"]).arg(path).arg(text));
    }
}

fn finished(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// PostgreSQL refuses to run as root.
fn as_server(program: &str) -> Command {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout.starts_with(b"0\n");
    let mut command = Command::new(if is_root { "runuser" } else { program });
    if is_root {
        command.args(["-u", "postgres", "--", program]);
    }
    command.current_dir("/");
    command
}

fn server() -> &'static Keeper {
    static SERVER: OnceLock<Keeper> = OnceLock::new();
    SERVER.get_or_init(|| {
        let version = Command::new(programs().join("postgres")).arg("--version").output().unwrap().stdout;
        let version: String = String::from_utf8(version).unwrap().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        Keeper::start(KEEPER, version.trim_end_matches('_'))
    })
}

/// The server's programs of the newest version on this machine.
pub fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    let number = |bin: &Path| bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok());
    newest.max_by_key(|bin| number(bin)).expect("the tests need PostgreSQL 15 or later: `cargo xtask test` installs it, or `apt-get install postgresql`")
}

/// An empty database.
pub struct Database {
    name: String,
}

impl Database {
    pub fn new() -> Database {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        run("createdb", &[&name]);
        Database { name }
    }

    /// For the program: over the socket, without a password.
    pub fn url(&self) -> String {
        format!("postgres://gongji@{}/{}", server().folder.display().to_string().replace('/', "%2F"), self.name)
    }

    /// The same database by way of a port of this machine.
    pub fn url_by(&self, port: u16) -> String {
        format!("postgres://gongji@127.0.0.1:{port}/{}", self.name)
    }

    pub fn socket(&self) -> PathBuf {
        server().folder.join(".s.PGSQL.5432")
    }

    /// Runs SQL as an administrator would, and gives what it prints.
    pub fn sql(&self, sql: &str) -> String {
        run("psql", &["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.name, "-c", sql])
    }
}

fn run(program: &str, args: &[&str]) -> String {
    server().run_on(&server().folder, program, args)
}
