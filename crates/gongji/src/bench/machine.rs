//! Where and with what was measured. Names of folders and hosts are nobody's business.

use serde::Serialize;
use std::process::{Command, Stdio};

#[derive(Debug, Serialize)]
pub struct Machine {
    pub cores: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
}

/// This machine, as far as it says.
pub fn describe() -> Machine {
    let kibibytes = field("/proc/meminfo", "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        processor: field("/proc/cpuinfo", "model name"),
        memory_mib: kibibytes.map(|kibibytes| kibibytes >> 10),
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
    }
}

/// The commit of the sources: `GONGJI_COMMIT`, or that of the work tree in which this program was built.
pub fn commit() -> Option<String> {
    if let Ok(commit) = std::env::var("GONGJI_COMMIT") {
        return Some(commit);
    }
    let program = std::env::current_exe().ok()?;
    let git = Command::new("git").arg("-C").arg(program.parent()?).args(["describe", "--always", "--dirty", "--exclude=*"]).stderr(Stdio::null()).output();
    let told = String::from_utf8(git.ok().filter(|output| output.status.success())?.stdout).ok()?;
    Some(told.trim().to_owned())
}

/// Bytes of memory that this process has to itself; mapped files, which the system takes back at will, are not among them.
pub fn resident() -> anyhow::Result<u64> {
    let kibibytes = field("/proc/self/status", "RssAnon").and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kibibytes.ok_or_else(|| anyhow::anyhow!("this system does not say how much memory a process has"))? << 10)
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let (_, value) = text.lines().filter_map(|line| line.split_once(':')).find(|(field, _)| field.trim() == name)?;
    Some(value.trim().to_owned())
}
