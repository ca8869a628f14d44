//! Turns checked lines into commands, many at once, each with a key that makes it harmless to repeat.

use super::check::Holders;
use super::{CHUNK, ImportError, Lines, Summary};
use crate::app::App;
use crate::service::key::IdempotencyKey;
use gongji_files::{
    BadLine, ContributionRow, EnrolmentRow, EnrolmentStatus, InstitutionRow, PersonRow, PremiumPayer, PremiumRow, Readiness, RegionLevel, RegionOpened,
    RegionRow,
};
use gongji_ledger::{HolderId, InstitutionId, Part};
use gongji_store::seal::{Sensitive, sm3};
use gongji_store::vault::NewPerson;
use gongji_wallet::area::Area;
use gongji_wallet::citizen::{CitizenNumber, InstitutionKind};
use gongji_wallet::directory::{self, Coverage, Directory, DirectoryChange};
use gongji_wallet::ids::RequestKey;
use gongji_wallet::object::{Enrolment, EnrolmentStatus as Status};
use gongji_wallet::{Command, Decision, Outcome, Request};
use indicatif::ProgressBar;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One command of a line.
struct Step {
    line: u32,
    part: Part,
    key: IdempotencyKey,
    command: Command,
}

/// What the commands of one chunk came to, line by line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Known,
    Applied,
}

/// Applies steps in chunks: those of one partition share batches, partitions work side by side, and a person's steps keep their order.
async fn apply(app: &Arc<App>, mut steps: Vec<Step>, mut summary: Summary, bar: &ProgressBar) -> Result<Summary, ImportError> {
    while !steps.is_empty() {
        let rest = steps.split_off(steps.len().min(CHUNK));
        let chunk = std::mem::replace(&mut steps, rest);
        let mut by_part: BTreeMap<Part, (Vec<u32>, Vec<Request>)> = BTreeMap::new();
        for step in chunk {
            let (lines, requests) = by_part.entry(step.part).or_default();
            lines.push(step.line);
            requests.push(Request { idempotency: Some((step.key.key, step.key.fingerprint)), command: step.command });
        }
        let mut asked = tokio::task::JoinSet::new();
        for (part, (lines, requests)) in by_part {
            let app = app.clone();
            asked.spawn(async move { (lines, app.engine.ask_all(part, requests).await) });
        }
        let mut fates: BTreeMap<u32, Fate> = BTreeMap::new();
        while let Some(done) = asked.join_next().await {
            let (lines, replies) = done.map_err(crate::app::AppError::from)?;
            for (line, reply) in lines.into_iter().zip(replies) {
                let (outcome, fate) = match reply?.decision {
                    Decision::New(outcome) => (outcome, Fate::Applied),
                    Decision::Replayed(outcome) => (outcome, Fate::Known),
                    Decision::KeyReused => {
                        summary.refused.push(BadLine {
                            line,
                            column: None,
                            reason_zh: "这一行以前用别的内容导入过。".to_owned(),
                            reason_en: "this line was imported before with other content".to_owned(),
                        });
                        continue;
                    }
                };
                match outcome {
                    Outcome::Refused(reasons) => summary.refused.extend(reasons.iter().map(|reason| {
                        let words = reason.words();
                        BadLine { line, column: None, reason_zh: words.title, reason_en: words.title_en.to_owned() }
                    })),
                    _ => {
                        let known = fates.entry(line).or_insert(fate);
                        *known = (*known).max(fate);
                    }
                }
            }
        }
        summary.applied += fates.values().filter(|fate| **fate == Fate::Applied).count();
        summary.known += fates.values().filter(|fate| **fate == Fate::Known).count();
        bar.inc(fates.len() as u64);
    }
    summary.refused.sort_by_key(|bad| bad.line);
    Ok(summary)
}

fn change(digest: &[u8; 32], line: u32, change: DirectoryChange) -> Step {
    let key = IdempotencyKey::of_line(digest, line, "directory");
    Step { line, part: 0, key, command: Command::ChangeDirectory(vec![change]) }
}

pub(super) async fn regions(app: &Arc<App>, lines: Lines<RegionRow>, summary: Summary, bar: &ProgressBar) -> Result<Summary, ImportError> {
    let directory = app.directory();
    let mut by_code: BTreeMap<Area, Vec<&RegionRow>> = BTreeMap::new();
    for row in &lines.rows {
        by_code.entry(row.code).or_default().push(row);
    }
    // Provinces first: what lies below them is shown under their name.
    let mut rows: Vec<Vec<&RegionRow>> = by_code.into_values().collect();
    rows.sort_by_key(|stretches| (stretches[0].level != RegionLevel::Province, stretches[0].line));
    let step = |stretches: &Vec<&RegionRow>| {
        let first = stretches[0];
        change(&lines.digest, first.line, DirectoryChange::Region(region(stretches, &lines.rows, &directory)))
    };
    let steps = rows.iter().map(step).collect();
    apply(app, steps, summary, bar).await
}

/// A region from all stretches of its life.
fn region(stretches: &[&RegionRow], file: &[RegionRow], directory: &Directory) -> directory::Region {
    let last = stretches[stretches.len() - 1];
    let mut openings = Vec::new();
    for row in stretches.iter().filter(|row| row.opened == RegionOpened::Yes) {
        openings.extend(row.opened_on.map(|day| (day, true)));
        openings.extend(row.closed_on.map(|day| (day, false)));
    }
    let code = last.code.get();
    let has_listed = || {
        file.iter().any(|row| row.province == last.code && row.opened == RegionOpened::Yes)
            || directory.regions.values().any(|region| region.province_code == code && region.openings.iter().any(|(_, open)| *open))
    };
    let coverage = match (last.level, last.opened) {
        (RegionLevel::Province, RegionOpened::Full | RegionOpened::Partial) if !has_listed() => Coverage::Unlisted,
        (RegionLevel::Province, RegionOpened::Full) => Coverage::Full,
        (RegionLevel::Province, RegionOpened::Partial) => Coverage::Partial,
        (RegionLevel::Province, _) => Coverage::Closed,
        _ => Coverage::Area,
    };
    directory::Region {
        code,
        name: last.name.clone(),
        province_code: last.province.get(),
        province: last.province_name.clone(),
        level: match last.level {
            RegionLevel::Province => directory::RegionLevel::Province,
            RegionLevel::Prefecture => directory::RegionLevel::Prefecture,
            RegionLevel::County => directory::RegionLevel::County,
            RegionLevel::ProvincialDirect => directory::RegionLevel::ProvincialDirect,
            RegionLevel::Division => directory::RegionLevel::Division,
            RegionLevel::Enterprise => directory::RegionLevel::Enterprise,
        },
        openings,
        change_of_use: last.is_change_of_use_offered,
        coverage,
    }
}

pub(super) async fn institutions(app: &Arc<App>, lines: Lines<InstitutionRow>, summary: Summary, bar: &ProgressBar) -> Result<Summary, ImportError> {
    let step = |row: &InstitutionRow| {
        let institution = directory::Institution {
            id: InstitutionId::parse(row.code.as_str()).expect("the parser read the same form"),
            name: row.name.clone(),
            area: row.area.get(),
            is_pharmacy: row.kind == InstitutionKind::Pharmacy,
            level: row.level.clone(),
            address: row.address.clone(),
            district: row.district.clone(),
            readiness: match row.readiness {
                Readiness::Ready => directory::Readiness::Ready,
                Readiness::Quiet => directory::Readiness::Quiet,
                Readiness::Off => directory::Readiness::Off,
            },
            counter: row.is_counter_ready,
            kiosk: row.is_kiosk_ready,
            mobile: row.is_mobile_ready,
            position: row.place.map(|place| (place.latitude_microdegrees, place.longitude_microdegrees)),
        };
        change(&lines.digest, row.line, DirectoryChange::Institution(institution))
    };
    let steps = lines.rows.iter().map(step).collect();
    apply(app, steps, summary, bar).await
}

pub(super) async fn premiums(app: &Arc<App>, lines: Lines<PremiumRow>, summary: Summary, bar: &ProgressBar) -> Result<Summary, ImportError> {
    let step = |row: &PremiumRow| {
        let premium = directory::Premium {
            area: row.area.get(),
            year: row.year,
            amount: row.amount,
            opens: row.opens_on,
            closes: row.closes_on,
            relatives: row.who == PremiumPayer::SelfAndRelatives,
            instructions: row.instructions.clone(),
        };
        change(&lines.digest, row.line, DirectoryChange::Premium(premium))
    };
    let steps = lines.rows.iter().map(step).collect();
    apply(app, steps, summary, bar).await
}

/// Into the vault first, which gives each person a number; then that number onto the books of its partition.
pub(super) async fn persons(app: &Arc<App>, lines: Lines<PersonRow>, mut summary: Summary, bar: &ProgressBar) -> Result<Summary, ImportError> {
    let now = app.now();
    for rows in lines.rows.chunks(CHUNK) {
        let people: Vec<NewPerson> = rows
            .iter()
            .map(|row| NewPerson {
                id_number: Sensitive::new(row.id_number.as_str()),
                name: Sensitive::new(row.name.as_str()),
                phone: row.phone.as_ref().map(|phone| Sensitive::new(phone.as_str())),
            })
            .collect();
        let put = app.vault(move |vault| vault.put_persons(&people, now)).await?;
        let steps = rows.iter().zip(put).map(|(row, put)| {
            let holder = HolderId(put.holder());
            // A line that comes again in another file finds its person there.
            Step {
                line: row.line,
                part: holder.part(),
                key: IdempotencyKey::of_line(&lines.digest, row.line, "person"),
                command: Command::CreateHolder { holder },
            }
        });
        summary = apply(app, steps.collect(), summary, bar).await?;
    }
    Ok(summary)
}

/// Of several lines of one person the one that holds now counts: basic insurance before supplements, normal before ended, then the later one.
pub(super) async fn enrolments(
    app: &Arc<App>,
    lines: Lines<EnrolmentRow>,
    holders: &Holders,
    mut summary: Summary,
    bar: &ProgressBar,
) -> Result<Summary, ImportError> {
    let rank = |row: &EnrolmentRow| (row.status == EnrolmentStatus::Dead, matches!(row.insurance, 310 | 390), row.status == EnrolmentStatus::Normal, row.from);
    let mut current: HashMap<CitizenNumber, &EnrolmentRow> = HashMap::with_capacity(lines.rows.len());
    for row in &lines.rows {
        let chosen = current.entry(row.id_number).or_insert(row);
        if rank(row) > rank(chosen) {
            *chosen = row;
        }
    }
    let mut steps = Vec::with_capacity(lines.rows.len());
    for row in lines.rows.iter().filter(|row| current[&row.id_number].line == row.line) {
        let holder = holders[&row.id_number];
        let known = app.engine.holder(holder)?.and_then(|person| person.enrolment);
        // The old area reports the end of what has moved on already.
        let is_elsewhere = known.is_some_and(|known| known.is_active() && known.area != row.area.get() && row.from <= known.from);
        if is_elsewhere && !matches!(row.status, EnrolmentStatus::Normal | EnrolmentStatus::Dead) {
            continue;
        }
        let status = match row.status {
            EnrolmentStatus::Normal => Status::Normal,
            EnrolmentStatus::Paused => Status::Paused,
            EnrolmentStatus::Ended | EnrolmentStatus::Dead => Status::Ended,
        };
        let enrolment = Enrolment { area: row.area.get(), insurance: row.insurance, status, from: row.from, pooled_only: row.is_pooled_only };
        let step = |name: &str, command| Step { line: row.line, part: holder.part(), key: IdempotencyKey::of_line(&lines.digest, row.line, name), command };
        // Of a dead person only the area is still wanted, and only if none is known: the death itself ends the insurance.
        if row.status != EnrolmentStatus::Dead || known.is_none() {
            steps.push(step("enrolment", Command::SetEnrolment { holder, enrolment }));
        }
        if row.status == EnrolmentStatus::Dead {
            steps.push(step("death", Command::RegisterDeath { holder }));
        }
    }
    let mut counted: Vec<u32> = steps.iter().map(|step| step.line).collect();
    counted.dedup();
    summary.outdated = lines.rows.len() - counted.len();
    bar.inc(summary.outdated as u64);
    apply(app, steps, summary, bar).await
}

/// A contribution is named by person, area, month and voucher: the same voucher in a corrected file is the same contribution.
pub(super) fn voucher_key(holder: HolderId, row: &ContributionRow) -> IdempotencyKey {
    let month = [row.month.year.to_be_bytes().as_slice(), &[row.month.month]].concat();
    let named = [b"voucher".as_slice(), &holder.0.to_be_bytes(), &row.area.get().to_be_bytes(), &month, row.document.as_bytes()].concat();
    let (mut key, mut fingerprint) = ([0; 16], [0; 16]);
    key.copy_from_slice(&sm3(&named)[..16]);
    fingerprint.copy_from_slice(&sm3(&row.amount.0.to_be_bytes())[..16]);
    // Not a timed key.
    key[0] |= 0x80;
    IdempotencyKey { key: RequestKey(key), fingerprint }
}

pub(super) async fn contributions(
    app: &Arc<App>,
    lines: Lines<ContributionRow>,
    holders: &Holders,
    summary: Summary,
    bar: &ProgressBar,
) -> Result<Summary, ImportError> {
    let step = |row: &ContributionRow| {
        let holder = holders[&row.id_number];
        let month = u32::from(row.month.year) * 100 + u32::from(row.month.month);
        let command = Command::Contribute { holder, area: row.area.get(), amount: row.amount, month };
        Step { line: row.line, part: holder.part(), key: voucher_key(holder, row), command }
    };
    let steps = lines.rows.iter().map(step).collect();
    apply(app, steps, summary, bar).await
}
