//! One process works on a database at a time; another may wait to be the next.

use super::{PostgresStore, Session};
use crate::fault::Fault;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often the process that works says that it lives.
const BEAT: Duration = Duration::from_secs(1);

/// Who has not been heard for so long is gone. With the start after it a successor serves within five seconds.
const GONE: Duration = Duration::from_secs(3);

/// How often one that waits looks.
const LOOK: Duration = Duration::from_millis(200);

const SEEN: &str = "select name, beat from process where part = 0";
const FIRST: &str = "insert into process (part, name, beat) values (0, $1, 1) on conflict (part) do update set beat = process.beat where false";
const NEXT: &str = "update process set name = $1, beat = beat + 1 where part = 0 and name = $2 and beat = $3";
const MOVE: &str = "update process set beat = beat + 1 where part = 0 and name = $1";
const LEAVE: &str = "delete from process where part = 0 and name = $1";

/// The right to work, kept up by a thread. Dropping it gives it back.
pub struct Turn {
    lost: watch::Receiver<bool>,
    beating: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Turn {
    /// Watches whoever works here until it is gone or has given its turn back. `None`: it lives, and has been seen to.
    pub fn take(store: &PostgresStore) -> Result<Option<Turn>, Fault> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| Fault::Failed(error.to_string()))?;
        let name = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let session = store.session()?;
        let (mut seen, mut since) = (look(&session)?, Instant::now());
        loop {
            let taken = match &seen {
                None => session.execute(FIRST, &[&name])?,
                Some((holder, beat)) if since.elapsed() >= GONE => session.execute(NEXT, &[&name, holder, beat])?,
                Some(_) => 0,
            };
            if taken == 1 {
                return Ok(Some(Turn::begin(store.clone(), session, name)?));
            }
            std::thread::sleep(LOOK);
            let now = look(&session)?;
            match (&seen, &now) {
                (Some(before), Some(after)) if before == after => {}
                // Somebody's beat: it lives.
                (Some(_), Some(_)) => return Ok(None),
                _ => (seen, since) = (now, Instant::now()),
            }
        }
    }

    fn begin(store: PostgresStore, session: Session, name: String) -> Result<Turn, Fault> {
        let (tell, lost) = watch::channel(false);
        let (stop, stopped) = channel::<()>();
        let mut session = Some(session);
        let beat = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BEAT) {
                // A database that cannot be reached may come back before anybody else has taken the turn.
                let here = session.take().filter(|session| !session.is_lost()).or_else(|| store.session().ok());
                let moved = here.as_ref().and_then(|session| session.execute(MOVE, &[&name]).ok());
                session = here;
                if moved == Some(0) {
                    tracing::error!("another process has taken this one for dead and works in its place");
                    tell.send_replace(true);
                    return;
                }
            }
            if let Some(session) = session.filter(|session| !session.is_lost()) {
                let _ = session.execute(LEAVE, &[&name]);
            }
        };
        let beating = std::thread::Builder::new().name("turn".to_owned()).spawn(beat)?;
        Ok(Turn { lost, beating: Some((stop, beating)) })
    }

    /// Turns true when another process works in this one's place.
    pub fn lost(&self) -> watch::Receiver<bool> {
        self.lost.clone()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((stop, beating)) = self.beating.take() {
            drop(stop);
            let _ = beating.join();
        }
    }
}

fn look(session: &Session) -> Result<Option<(String, i64)>, Fault> {
    session.query(SEEN, &[])?.first().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}
