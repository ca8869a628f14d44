//! `gongji demo`: the whole journey against a temporary folder, over real HTTP, told step by step.
//!
//! The server is the one of the sandbox, the client a plain one of its own: what happens here could happen from any machine. Every answer is
//! checked; the first surprise ends the demonstration with exit code 1. At the end the auditor verifies the books.

mod acts;
pub(crate) mod client;

use crate::cli::say;
use crate::sandbox::{self, Plan};
use crate::server;
use client::Client;
use gongji_ledger::Part;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A folder that goes when the demonstration ends, however it ends.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> std::io::Result<Temporary> {
        let name: String = gongji_store::seal::random::<6>().iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = std::env::temp_dir().join(format!("gongji-demo-{name}"));
        std::fs::create_dir(&folder)?;
        Ok(Temporary(folder))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub async fn run(partitions: Part) -> anyhow::Result<()> {
    let begin = Instant::now();
    say(&format!("共济演示:在临时目录里启动一个沙箱({partitions} 个分区),通过 HTTP 把整个流程走一遍。\n\n"));
    on_a_sandbox_of_its_own(partitions, false, async |origin, _| {
        let told = acts::play(&Client::new(&origin)?).await;
        if let Err(error) = told {
            say(&format!("\n演示停在这里:{}\n", crate::cli::failed(&error)));
            anyhow::bail!("演示没有走完。");
        }
        Ok(())
    })
    .await?;
    say(&format!("\n演示走完了,用时 {:.1} 秒。想自己点一点?运行 gongji sandbox。\n", begin.elapsed().as_secs_f32()));
    Ok(())
}

/// Serves a sandbox in a temporary folder, plays against its address with what lies in the folder, and lets the auditor look at the books that are left.
pub(crate) async fn on_a_sandbox_of_its_own<T>(
    partitions: Part,
    with_history: bool,
    play: impl AsyncFnOnce(String, &Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let folder = Temporary::new()?;
    let told = serve_for(&folder.0, partitions, with_history, play).await?;
    let report = crate::verify::run(&folder.0, true)?;
    say("\n");
    crate::cli::tell_verified(&report);
    Ok(told)
}

/// Starts the server, plays, and stops it again, so that the books below are at rest.
async fn serve_for<T>(folder: &Path, partitions: Part, with_history: bool, play: impl AsyncFnOnce(String, &Path) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let plan = Plan { folder: folder.to_owned(), store: None, partitions: Some(partitions), clock: sandbox::start_of_clock(), with_history };
    let running = sandbox::start(&plan, &|_| indicatif::ProgressBar::hidden()).await?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = server::router(Arc::clone(&running.app), server::Profile::sandbox());
    let serving = tokio::spawn(server::serve(listener, Arc::clone(&running.app.metrics), router, async move { drop(stopped.await) }));
    let ticking = tokio::spawn(crate::jobs::tick(Arc::clone(&running.app)));
    let told = play(origin, folder).await;
    let _ = stop.send(());
    serving.await??;
    ticking.abort();
    let _ = ticking.await;
    running.app.engine.settle().await?;
    running.app.engine.flush().await;
    running.app.engine.stop();
    told
}
