//! One connection to PostgreSQL, for callers that block.
//!
//! The client is asynchronous inside; a thread of its own moves the bytes, so that a writer's plain thread and a task of the server may both wait here.

use crate::fault::Fault;
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::Severity;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls, Row, Statement};

/// Values of one statement.
pub type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How long a server may take to let somebody in.
const CONNECT: Duration = Duration::from_secs(10);

/// A server that acknowledges nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(30);

/// What every session asks of the server. One that is dead or frozen in the middle of a transaction must not keep its locks: whoever takes over
/// waits for them. (On a Unix socket the server sees a dead process at once, and the first three mean nothing.)
const SETTINGS: &str = "set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 3;
    set idle_in_transaction_session_timeout = '5s'; set lock_timeout = '20s'; set statement_timeout = 0; set client_min_messages = warning; set jit = off";

/// Moves the bytes of every connection of a store.
pub struct Driver(Option<tokio::runtime::Runtime>);

impl Driver {
    pub fn start() -> Result<Driver, Fault> {
        Ok(Driver(Some(tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("postgres").enable_all().build()?)))
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.0.as_ref().expect("a runtime is there until it is dropped")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A store may be let go by a task of the server, which may not wait.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

pub struct Session {
    /// Outlives the store that connected it.
    _driver: Arc<Driver>,
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
    warnings: Arc<AtomicU64>,
    is_lost: AtomicBool,
}

impl Session {
    pub fn connect(driver: &Arc<Driver>, config: &Config) -> Result<Session, Error> {
        let mut config = config.clone();
        if config.get_application_name().is_none() {
            config.application_name("gongji");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        config.keepalives_idle(SILENCE / 3);
        let warnings = Arc::new(AtomicU64::new(0));
        let heard = warnings.clone();
        // Connecting needs the reactor that will drive it.
        let connecting = driver.runtime().spawn(async move {
            let (client, mut connection) = config.connect(NoTls).await?;
            tokio::spawn(async move {
                while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                    match message {
                        Ok(AsyncMessage::Notice(notice)) if notice.parsed_severity() == Some(Severity::Warning) => {
                            tracing::warn!(notice.message = notice.message(), "the database warns");
                            // Before the reply that follows it is handed over.
                            heard.fetch_add(1, Ordering::Release);
                        }
                        Ok(_) => {}
                        Err(error) => {
                            tracing::warn!(why = told(&error), "a connection to the database is lost");
                            break;
                        }
                    }
                }
            });
            client.batch_execute(SETTINGS).await?;
            Ok(client)
        });
        let client = wait(connecting).expect("connecting neither panics nor is cancelled")?;
        Ok(Session { _driver: driver.clone(), client, statements: Mutex::default(), warnings, is_lost: AtomicBool::new(false) })
    }

    /// Whether nothing can be asked here any more.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire) || self.client.is_closed()
    }

    /// Waits for an answer. An error that is not the server's refusal is the connection's end, also while the other side has yet to close it.
    fn asked<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        wait(answer).inspect_err(|error| {
            if !was_refused(error) {
                self.is_lost.store(true, Ordering::Release);
            }
        })
    }

    /// Warnings of the server so far.
    pub fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Acquire)
    }

    pub fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, Error> {
        let known = self.statements.lock().expect("no holder of the statements panics").get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().expect("no holder of the statements panics").insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        self.asked(self.prepared(sql))
    }

    pub fn query(&self, sql: &str, values: Values<'_>) -> Result<Vec<Row>, Error> {
        self.asked(async { self.client.query(&self.prepared(sql).await?, values).await })
    }

    /// Rows changed. Outside a transaction it is committed when this returns.
    pub fn execute(&self, sql: &str, values: Values<'_>) -> Result<u64, Error> {
        self.asked(async { self.client.execute(&self.prepared(sql).await?, values).await })
    }

    /// Statements without values, and without results.
    pub fn batch(&self, sql: &str) -> Result<(), Error> {
        self.asked(self.client.batch_execute(sql))
    }

    /// Copies rows into a table, a column of each for each type.
    pub fn copy<const N: usize>(&self, sql: &'static str, columns: &[Type; N], rows: impl Iterator<Item = [Value; N]>) -> Result<u64, Error> {
        self.asked(async {
            let sink = self.client.copy_in(sql).await?;
            let mut writer = pin!(BinaryCopyInWriter::new(sink, columns));
            for row in rows {
                writer.as_mut().write_raw(row.iter().map(Value::as_sql)).await?;
            }
            writer.finish().await
        })
    }
}

/// A value of a row to be copied.
pub enum Value {
    Integer(i32),
    Big(i64),
    Bytes(Vec<u8>),
}

impl Value {
    fn as_sql(&self) -> &(dyn ToSql + Sync) {
        match self {
            Value::Integer(number) => number,
            Value::Big(number) => number,
            Value::Bytes(bytes) => bytes,
        }
    }
}

/// What the server said, or what became of the connection: the error's own words leave that out.
pub fn told(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{}: {} ({})", said.severity(), said.message(), said.code().code()),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// Whether the server itself refused, so that what was asked has been rolled back; otherwise nobody knows.
pub fn was_refused(error: &Error) -> bool {
    error.as_db_error().is_some_and(|said| said.parsed_severity() == Some(Severity::Error))
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Failed(told(&error))
    }
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this very thread, also on one that serves tasks: reads are short, and SQLite's block as well.
pub fn wait<F: Future>(future: F) -> F::Output {
    // A task that has used up its turn is put off until it yields, and this does not yield.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Parked(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}
