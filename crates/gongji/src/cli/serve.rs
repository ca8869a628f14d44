//! `gongji serve`: the production profile.

use crate::app::App;
use crate::config::{Config, LogFormat};
use crate::installation::{Installation, OpenError, Profile};
use crate::server;
use anyhow::Context;
use clap::Args;
use gongji_store::clock::SystemClock;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct ServeArgs {
    /// 配置文件;gongji config 会打印一份带说明的默认配置
    #[arg(long, value_name = "文件")]
    config: PathBuf,
    /// 账本和个人信息库放在 PostgreSQL 里,写 postgres://用户@主机/库名;记住以后不用再写。不写就放在数据目录的文件里
    #[arg(long, value_name = "数据库地址")]
    store: Option<String>,
}

pub fn run(args: ServeArgs) -> anyhow::Result<()> {
    // Everything that can be refused is refused before anything is opened.
    let mut config = Config::read(&args.config)?;
    config.store = args.store.map(Into::into).or(config.store);
    let production = config.for_production()?;
    let logging = tracing_subscriber::fmt().with_max_level(production.log_level).with_target(false).with_writer(std::io::stdout);
    let _ = match production.log_format {
        LogFormat::Json => logging.json().with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => logging.with_ansi(false).try_init(),
    };
    super::within_runtime(async move {
        let stopping = super::stopping();
        let mut installation = Installation::open_or_create(&production.data_folder, Profile::Production, Some(production.partitions))?;
        installation.limits.people = production.people_in_memory;
        if let Some(url) = &production.store {
            installation.keep_in(url.reveal())?;
        }
        if let Some(address) = production.peers {
            let address = installation.share_at(address)?;
            tracing::info!(peers.address = %address, "reached by other processes");
        }
        let Some(installation) = until_there_is_a_place(installation, stopping.clone()).await? else { return Ok(()) };
        let mut app = installation.start(Arc::new(SystemClock), None, production.adapters, production.keys_folder.as_deref())?;
        app.gateway = production.gateway;
        let app = Arc::new(app);
        let listener = tokio::net::TcpListener::bind(production.listen).await.with_context(|| format!("{} 监听不了,可能被别的程序占用", production.listen))?;
        tracing::info!(listen.address = %listener.local_addr()?, store.partitions = installation.partitions(), "serving");
        let ticking = tokio::spawn(crate::jobs::tick(Arc::clone(&app)));
        let exporting = match production.heads {
            None => None,
            Some(file) => Some(tokio::spawn(crate::heads::keep_exporting(Arc::clone(&app), installation.kept()?, file))),
        };
        let watched = match production.metrics {
            None => None,
            Some(address) => {
                let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("{address} 监听不了,可能被别的程序占用"))?;
                tracing::info!(listen.address = %listener.local_addr()?, "watched at /metrics");
                Some(tokio::spawn(serve_watchers(Arc::clone(&app), listener)))
            }
        };
        let lost = installation.place_lost();
        let edge = server::Profile { policy: production.policy, ..server::Profile::production(production.hosts) };
        let router = server::router(Arc::clone(&app), edge);
        let served = server::serve(listener, Arc::clone(&app.metrics), router, stopped_or_replaced(stopping, lost.clone())).await;
        if let Some(watched) = watched {
            watched.abort();
            let _ = watched.await;
        }
        if let Some(exporting) = exporting {
            exporting.abort();
            let _ = exporting.await;
        }
        ticking.abort();
        let _ = ticking.await;
        app.engine.flush().await;
        app.engine.stop();
        installation.leave();
        tracing::info!("stopped");
        // A service manager starts it again, beside the others or as their spare.
        anyhow::ensure!(!lost.is_some_and(|lost| *lost.borrow()), "这个进程停顿太久,另一个 gongji 进程接管了数据库,它已经停下。");
        Ok(served?)
    })
}

/// Resolves when the program is asked to stop, or others work in its place.
async fn stopped_or_replaced(stopping: watch::Receiver<bool>, lost: Option<watch::Receiver<bool>>) {
    let turns = async |told: Option<watch::Receiver<bool>>| {
        let Some(mut told) = told else { return std::future::pending().await };
        if told.wait_for(|is_so| *is_so).await.is_err() {
            std::future::pending().await
        }
    };
    tokio::select! {
        () = turns(Some(stopping)) => {}
        () = turns(lost) => {}
    }
}

/// Waits while another process works alone on the same database, as its spare. `None`: asked to stop before.
async fn until_there_is_a_place(installation: Installation, mut stopping: watch::Receiver<bool>) -> anyhow::Result<Option<Arc<Installation>>> {
    let installation = Arc::new(installation);
    let watched = Arc::clone(&installation);
    let waiting = tokio::task::spawn_blocking(move || {
        let mut is_told = false;
        loop {
            match watched.take_place() {
                // Nobody waits for this one any more.
                Err(OpenError::DatabaseInUse) if Arc::strong_count(&watched) > 1 => {
                    if !is_told {
                        tracing::info!("another process works on this database; waiting as its spare");
                        is_told = true;
                    }
                }
                taken => return taken,
            }
        }
    });
    tokio::select! {
        taken = waiting => taken??,
        _ = stopping.wait_for(|is_so| *is_so) => return Ok(None),
    }
    Ok(Some(installation))
}

/// Serves those who watch, at an address of their own, for as long as the program runs.
async fn serve_watchers(app: Arc<App>, listener: tokio::net::TcpListener) {
    let router = crate::metrics::router(Arc::clone(&app));
    if let Err(error) = server::serve(listener, Arc::clone(&app.metrics), router, std::future::pending()).await {
        tracing::error!(%error, "nobody can watch any more");
    }
}
