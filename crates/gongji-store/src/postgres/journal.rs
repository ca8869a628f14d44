//! The journal on PostgreSQL: a record and the fence in one statement.

use super::session::{Session, told, was_refused};
use super::{part_number, signed, unsigned};
use crate::fault::Fault;
use crate::store::{Head, Journal, Record};
use gongji_ledger::{Part, RecordHead};
use std::sync::Arc;
use tokio_postgres::Row;

/// The fence moves, or nothing happens. One statement is one round trip and one transaction: it has run as a whole or not at all, and a writer that
/// dies or freezes leaves no open transaction behind.
const APPEND: &str = "with moved as (update ledger_part set seq = $2 where part = $1 and epoch = $3 and seq = $4 returning part)
    insert into journal (part, seq, stamp, directory, hash, payload) select part, $2, $5::bigint, $6::bigint, $7::bytea, $8::bytea from moved";

const RECORDS: &str = "select seq, stamp, directory, hash, payload from journal where part = $1 and seq > $2 order by seq limit $3";

const ENROL: &str = "insert into ledger_part (part, parts, epoch, seq) values ($1, $2, 0, 0) on conflict do nothing";
const RAISE: &str = "update ledger_part set epoch = epoch + 1 where part = $1 and ($2::bigint is null or epoch = $2)
    and ($3 = '' or exists (select 1 from part_owner where part_owner.part = $1 and name = $3)) returning epoch, seq";
const LAST: &str = "select seq, stamp, hash from journal where part = $1 order by seq desc limit 1";

pub struct PgJournal {
    session: Arc<Session>,
    part: Part,
    /// 0 for a reader: never current, so it cannot commit.
    epoch: u64,
}

impl PgJournal {
    pub fn reader(session: Arc<Session>, part: Part) -> PgJournal {
        PgJournal { session, part, epoch: 0 }
    }

    /// Raises the epoch. From then on every writer before is fenced off. `worker`: only if the partition is this process's.
    pub fn take_over(session: Session, part: Part, parts: Part, from: Option<u64>, worker: &str) -> Result<(PgJournal, Head), Fault> {
        let number = part_number(part);
        session.execute(ENROL, &[&number, &part_number(parts)])?;
        for statement in [RAISE, LAST, APPEND, RECORDS] {
            session.prepare(statement)?;
        }
        let warnings = session.warnings();
        session.batch("begin")?;
        // The row stays locked until the end of the journal has been read: nobody commits in between.
        let from = from.map(signed).transpose()?;
        let raised = session.query(RAISE, &[&number, &from, &worker])?;
        let last = session.query(LAST, &[&number])?;
        let [raised] = &raised[..] else {
            session.batch("rollback")?;
            return Err(if from.is_some() || !worker.is_empty() { Fault::Fenced(part) } else { Fault::Damaged(format!("partition {part} has no fence")) });
        };
        session.batch("commit").map_err(|error| Fault::Unknown(told(&error)))?;
        if session.warnings() != warnings {
            return Err(Fault::Unknown(format!("partition {part}: the database did not wait for its standby")));
        }
        let (epoch, seq) = (unsigned(raised, 0)?, unsigned(raised, 1)?);
        let head = match last.first() {
            None if seq == 0 => Head::empty(epoch),
            Some(row) if unsigned(row, 0)? == seq => Head { epoch, seq, stamp: row.try_get(1)?, hash: digest(row, 2)? },
            row => {
                let last = row.map_or(Ok(0), |row| unsigned(row, 0))?;
                return Err(Fault::Damaged(format!("partition {part}: the fence stands at {seq}, the journal ends at {last}")));
            }
        };
        Ok((PgJournal { session: Arc::new(session), part, epoch }, head))
    }
}

impl Journal for PgJournal {
    fn commit(&mut self, record: &Record) -> Result<(), Fault> {
        if self.epoch == 0 {
            return Err(Fault::Fenced(self.part));
        }
        let head = &record.head;
        let (seq, epoch, directory) = (signed(head.seq)?, signed(self.epoch)?, signed(head.directory)?);
        let warnings = self.session.warnings();
        match self.session.execute(APPEND, &[&part_number(self.part), &seq, &epoch, &(seq - 1), &head.stamp, &directory, &&record.hash[..], &record.payload]) {
            // It is written here, but a wait for the standby was cut short: after a failover it may be gone.
            Ok(_) if self.session.warnings() != warnings => Err(Fault::Unknown("the database did not wait for its standby".to_owned())),
            Ok(1) => Ok(()),
            Ok(_) => Err(Fault::Fenced(self.part)),
            Err(error) if was_refused(&error) => Err(Fault::Failed(told(&error))),
            // The reply is lost, and only the journal itself knows.
            Err(error) => Err(Fault::Unknown(told(&error))),
        }
    }

    fn records(&mut self, after: u64, max: usize) -> Result<Vec<Record>, Fault> {
        let part = self.part;
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let rows = self.session.query(RECORDS, &[&part_number(part), &signed(after)?, &max])?;
        rows.iter()
            .map(|row| {
                let head = RecordHead { part, seq: unsigned(row, 0)?, stamp: row.try_get(1)?, directory: unsigned(row, 2)? };
                Ok(Record { head, hash: digest(row, 3)?, payload: row.try_get(4)? })
            })
            .collect()
    }
}

fn digest(row: &Row, column: usize) -> Result<gongji_ledger::Digest, Fault> {
    row.try_get::<_, &[u8]>(column)?.try_into().map_err(|_| Fault::Damaged("a hash of another length".to_owned()))
}
