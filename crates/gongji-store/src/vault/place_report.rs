//! What readers report of institutions: "here the wallet does not work". Read at the office.

use super::database::Db;
use super::{Result, Vault, from_sql_id, next_id, sql_id};

/// Reports are kept for half a year (ms).
pub const PLACE_REPORT_MS: i64 = 180 * 86_400_000;

/// Reports kept of one institution in a day; a hundred voices say what a thousand would.
pub const PLACE_REPORTS_PER_DAY_MAX: i64 = 100;

const DAY_MS: i64 = 86_400_000;

/// They belong to no partition of people.
const PART: u16 = 0;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceReport {
    pub institution: String,
    /// One word of the form's list.
    pub what: String,
    /// Who reported it, if logged in.
    pub reporter: Option<u64>,
    /// The institution's own number of the order that was tried, if it is about one.
    pub order_no: Option<String>,
    pub made_ms: i64,
}

impl Vault {
    /// Writes a report down; false where it is one too many of this institution in a day, or the same person's same word again (of the same order).
    pub fn put_place_report(&self, report: &PlaceReport) -> Result<bool> {
        self.write(|tx, _| {
            let since = report.made_ms - DAY_MS;
            let (all, same): (i64, i64) = tx
                .row(
                    "select count(*), count(*) filter (where reporter = ?4 and what = ?5 and coalesce(order_no, '') = ?6)
                     from place_report where part = ?1 and institution = ?2 and made_ms > ?3",
                    (PART, &report.institution, since, report.reporter.map(sql_id), &report.what, report.order_no.as_deref().unwrap_or_default()),
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?
                .expect("a count has a row");
            if all >= PLACE_REPORTS_PER_DAY_MAX || same > 0 {
                return Ok(false);
            }
            let id = next_id(tx, PART, "place-report")?;
            tx.execute(
                "insert into place_report (part, report_id, institution, what, reporter, made_ms, order_no) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (PART, sql_id(id), &report.institution, &report.what, report.reporter.map(sql_id), report.made_ms, report.order_no.clone()),
            )?;
            Ok(true)
        })
    }

    /// The reports made since (ms), newest first, at most `max`.
    pub fn place_reports(&self, since_ms: i64, max: usize) -> Result<Vec<PlaceReport>> {
        self.read(|db, _| {
            db.rows(
                "select institution, what, reporter, made_ms, order_no from place_report where part = ?1 and made_ms >= ?2 order by report_id desc limit ?3",
                (PART, since_ms, max as i64),
                |row| {
                    let reporter = row.get::<Option<i64>>(2)?.map(from_sql_id);
                    Ok(PlaceReport { institution: row.get(0)?, what: row.get(1)?, reporter, made_ms: row.get(3)?, order_no: row.get(4)? })
                },
            )
        })
    }
}

pub(super) fn sweep(tx: &Db<'_>, now_ms: i64) -> Result<usize> {
    tx.execute("delete from place_report where made_ms <= ?1", (now_ms - PLACE_REPORT_MS,))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn report(what: &str, reporter: Option<u64>, made_ms: i64) -> PlaceReport {
        PlaceReport { institution: "H51050000001".to_owned(), what: what.to_owned(), reporter, order_no: None, made_ms }
    }

    #[test]
    fn reports_are_read_newest_first_and_one_voice_counts_once_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), 1).unwrap();
        assert!(vault.put_place_report(&report("counter", Some(7), NOW)).unwrap());
        assert!(!vault.put_place_report(&report("counter", Some(7), NOW + DAY_MS - 1)).unwrap());
        assert!(vault.put_place_report(&report("code", Some(7), NOW + 1)).unwrap(), "something else");
        assert!(vault.put_place_report(&report("counter", None, NOW + 2)).unwrap());
        assert!(vault.put_place_report(&report("counter", Some(7), NOW + DAY_MS)).unwrap(), "the next day");
        let about_an_order = PlaceReport { order_no: Some("MZ-1".to_owned()), ..report("counter", Some(7), NOW + 3 * DAY_MS) };
        assert!(vault.put_place_report(&about_an_order).unwrap(), "another order is another matter");
        assert!(!vault.put_place_report(&about_an_order).unwrap());
        assert_eq!(vault.place_reports(NOW + 3 * DAY_MS, 10).unwrap(), [about_an_order]);
        let all = vault.place_reports(NOW, 10).unwrap().split_off(1);
        assert_eq!(all.iter().map(|report| report.made_ms - NOW).collect::<Vec<_>>(), [DAY_MS, 2, 1, 0]);
        assert_eq!(all[1], report("counter", None, NOW + 2));
        assert_eq!(vault.place_reports(NOW + 2, 10).unwrap().len(), 3);
        assert_eq!(vault.place_reports(NOW, 1).unwrap().len(), 1);
        vault.sweep(NOW + PLACE_REPORT_MS).unwrap();
        assert_eq!(vault.place_reports(0, 10).unwrap().len(), 4);
    }

    #[test]
    fn nobody_floods_the_office() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path(), 1).unwrap();
        for nth in 0..PLACE_REPORTS_PER_DAY_MAX {
            assert!(vault.put_place_report(&report("other", None, NOW + nth)).unwrap());
        }
        assert!(!vault.put_place_report(&report("other", None, NOW + 1_000)).unwrap());
        let elsewhere = PlaceReport { institution: "P51050000002".to_owned(), ..report("other", None, NOW) };
        assert!(vault.put_place_report(&elsewhere).unwrap());
    }
}
