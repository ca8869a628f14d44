//! By when each step of a period is to be done: days of the next month, and working days after the notices.

use gongji_wallet::clearing::{Month, Period, PeriodState, first_day, next_month};
use gongji_wallet::day::{Day, date_of, day_from_date, day_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most days of a holiday file: more than a century of them.
const DAYS_MAX: usize = 10_000;

/// 依据：医保发〔2022〕22号所附规程的按月清算节奏；钱包清算的日子没有公布，所以是设置。
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calendar {
    /// Day of the next month by which it is cut and its statement goes out to the provinces.
    pub cut_by: u8,
    /// By which each province has confirmed, or disputed.
    pub confirm_by: u8,
    /// By which the national statement is released.
    pub release_by: u8,
    /// By which notices go to finance.
    pub notice_by: u8,
    /// Working days after `notice_by` within which the money arrives.
    pub pay_within: u16,
}

impl Default for Calendar {
    fn default() -> Calendar {
        Calendar { cut_by: 2, confirm_by: 20, release_by: 21, notice_by: 25, pay_within: 10 }
    }
}

/// Days on which offices work otherwise than the week says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holidays {
    /// Whether a day is worked.
    days: BTreeMap<Day, bool>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("节假日文件第 {line} 行读不懂：应为 日期,off 或 work,名称")]
pub struct HolidaysError {
    pub line: usize,
}

impl Holidays {
    /// Reads `date,kind,name`; the first line is the header, `#` begins a remark: the notice that a year follows.
    ///
    /// # Errors
    /// The first line that cannot be read.
    pub fn parse(text: &str) -> Result<Holidays, HolidaysError> {
        let mut days = BTreeMap::new();
        let mut rows = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        rows.next();
        for (at, line) in rows {
            let read = || {
                let mut cells = line.split(',').map(str::trim);
                let mut date = cells.next()?.split('-');
                let day = day_from_date(date.next()?.parse().ok()?, date.next()?.parse().ok()?, date.next()?.parse().ok()?)?;
                let is_worked = match cells.next()? {
                    "off" => false,
                    "work" => true,
                    _ => return None,
                };
                Some((day, is_worked))
            };
            let (day, is_worked) = read().filter(|_| days.len() < DAYS_MAX).ok_or(HolidaysError { line: at + 1 })?;
            days.insert(day, is_worked);
        }
        Ok(Holidays { days })
    }

    /// Whether the file says anything of a year; without it only weekends are known.
    pub fn knows(&self, year: i16) -> bool {
        self.days.keys().any(|day| date_of(*day).0 == year)
    }

    pub fn is_working(&self, day: Day) -> bool {
        // 1970-01-01 was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        self.days.get(&day).copied().unwrap_or(weekday < 5)
    }

    /// The `count`th working day after a day.
    pub fn working_day_after(&self, day: Day, count: u16) -> Day {
        let mut at = day;
        for _ in 0..count {
            at += 1;
            while !self.is_working(at) {
                at += 1;
            }
        }
        at
    }
}

/// A step of a period and the last day for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DueStep {
    pub state: PeriodState,
    pub by: Day,
    pub progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    Done {
        on: Day,
    },
    /// In time so far.
    Open,
    Overdue {
        days: i32,
    },
}

impl Calendar {
    /// The last day for a period to come into a state.
    ///
    /// # Panics
    /// There is no such month.
    pub fn due(&self, holidays: &Holidays, period: Month, state: PeriodState) -> Day {
        let first = first_day(next_month(period)).expect("a period is a month");
        let after = first_day(next_month(next_month(period))).expect("a month is followed by another");
        let on = |day: u8| (first + i32::from(day.max(1)) - 1).min(after - 1);
        match state {
            PeriodState::Open | PeriodState::Cutting | PeriodState::Cut | PeriodState::Stated => on(self.cut_by),
            PeriodState::Released => on(self.release_by),
            PeriodState::Noticed => on(self.notice_by),
            PeriodState::Funded | PeriodState::Closed => holidays.working_day_after(on(self.notice_by), self.pay_within),
        }
    }

    /// By when each province is to confirm.
    pub fn confirm_due(&self, period: Month) -> Day {
        let first = first_day(next_month(period)).expect("a period is a month");
        first + i32::from(self.confirm_by.clamp(1, 28)) - 1
    }

    /// Every step of a period as it stands on a day; `known` is the period once it is being cut.
    pub fn steps(&self, holidays: &Holidays, period: Month, known: Option<&Period>, today: Day) -> Vec<DueStep> {
        use PeriodState::*;
        let of = |state| {
            let by = self.due(holidays, period, state);
            let progress = match known.and_then(|known| known.since(state)) {
                Some(at) => Progress::Done { on: day_of(at) },
                None if today > by => Progress::Overdue { days: today - by },
                None => Progress::Open,
            };
            DueStep { state, by, progress }
        };
        [Cut, Stated, Released, Noticed, Funded, Closed].map(of).to_vec()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn day(year: i16, month: i8, day: i8) -> Day {
        day_from_date(year, month, day).unwrap()
    }

    #[test]
    fn holidays_and_worked_weekends_count_as_the_file_says() {
        let text = "# 国办发明电〔2025〕7号\ndate,kind,name\n2026-10-01,off,国庆节\n2026-10-02,off,国庆节\n2026-10-05,off,国庆节\n2026-10-10,work,国庆节\n";
        let holidays = Holidays::parse(text).unwrap();
        assert!(holidays.knows(2026) && !holidays.knows(2027));
        assert!(!holidays.is_working(day(2026, 10, 1)) && !holidays.is_working(day(2026, 10, 3)));
        assert!(holidays.is_working(day(2026, 10, 10)) && holidays.is_working(day(2026, 10, 6)));
        assert_eq!(holidays.working_day_after(day(2026, 9, 30), 5), day(2026, 10, 10));
        assert_eq!(Holidays::parse("date,kind,name\n2026-02-30,off,x\n"), Err(HolidaysError { line: 2 }));
    }

    #[test]
    fn each_step_has_its_day_and_a_late_one_says_how_late() {
        let (calendar, none) = (Calendar::default(), Holidays::default());
        let due = |state| date_of(calendar.due(&none, 202_611, state));
        assert_eq!(due(PeriodState::Released), (2026, 12, 21));
        assert_eq!(due(PeriodState::Noticed), (2026, 12, 25));
        assert_eq!(due(PeriodState::Funded), (2027, 1, 8));
        assert_eq!(date_of(calendar.confirm_due(202_611)), (2026, 12, 20));
        let late = calendar.steps(&none, 202_611, None, day(2026, 12, 23));
        let told: Vec<_> = late.iter().map(|step| step.progress).collect();
        assert_eq!(told[..3], [Progress::Overdue { days: 21 }, Progress::Overdue { days: 21 }, Progress::Overdue { days: 2 }]);
        assert_eq!(told[3..], [Progress::Open; 3]);
        // A day that the month lacks is its last.
        let long = Calendar { notice_by: 31, ..calendar };
        assert_eq!(date_of(long.due(&none, 202_601, PeriodState::Noticed)), (2026, 2, 28));
    }
}
