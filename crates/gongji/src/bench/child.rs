//! Parts of the bench that need a process of their own: one that is to be killed, one whose memory is to be measured. The same program runs them.

use super::{large, memory};
use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What a process of its own is to do; it tells its figures as lines of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub enum Task {
    /// See [`large::write`].
    Large(large::Task),
    /// See [`memory::read`].
    Memory(memory::Task),
}

/// Does a task, as the process of its own.
///
/// # Errors
/// The task's.
pub async fn run(task: &str) -> anyhow::Result<()> {
    // Whoever started this holds the other end: when it is gone, however it went, nobody is left to kill this one.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(1);
    });
    match serde_json::from_str(task)? {
        Task::Large(task) => large::write(task).await,
        Task::Memory(task) => memory::read(task).await,
    }
}

/// Tells whoever waits.
pub fn tell(told: &impl Serialize) -> anyhow::Result<()> {
    crate::cli::say(&format!("{}\n", serde_json::to_string(told)?));
    Ok(())
}

/// A process at its task.
pub struct Own {
    child: Child,
    /// Its life hangs on this.
    _stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Own {
    pub fn start(task: &Task) -> anyhow::Result<Own> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "--task", &serde_json::to_string(task)?]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().context("its output is piped")?;
        Ok(Own { _stdin: child.stdin.take(), child, lines: BufReader::new(stdout).lines() })
    }

    /// The next thing it tells.
    ///
    /// # Errors
    /// When it ends before; what went wrong it has said itself.
    pub async fn told<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        match self.lines.next_line().await? {
            Some(line) => Ok(serde_json::from_str(&line)?),
            None => bail!("a process of the bench ended with {}", self.child.wait().await?),
        }
    }

    /// SIGKILL.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits for its end.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "a process of the bench ended with {status}");
        Ok(())
    }
}
