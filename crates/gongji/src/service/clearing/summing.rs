//! A period's lines, read from the takings of all partitions and summed up while they pass.

use super::{Refusal, Result, period};
use crate::app::App;
use gongji_files::clearing::{Area, BATCH, Cleared, PartRange, Period as FilePeriod, ProvinceFile, Scope, StatementKind, clear};
use gongji_ledger::{AreaCode, Part};
use gongji_store::Fault;
use gongji_wallet::Reason;
use gongji_wallet::clearing::{Month, Period, month_before};
use gongji_wallet::object::{Taking, TakingKind};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

/// What becomes of the lines.
pub enum Files {
    None,
    /// Each province's file goes into this folder, as `202610-510000-stated.clr`.
    Into(PathBuf),
}

/// What a period comes to, with what its files say of it.
pub struct Summed {
    pub cleared: Cleared,
    pub period: FilePeriod,
    /// Files that were written: province and path.
    pub written: Vec<(AreaCode, PathBuf)>,
}

/// Sums a period up. `progress` hears how many takings are done.
///
/// # Errors
/// `PERIOD_UNKNOWN`; `PERIOD_STATE` where it is not cut yet; faults of the books and of the folder.
pub async fn sum_up(app: &Arc<App>, month: Month, kind: StatementKind, files: Files, progress: impl FnMut(u64) + Send + 'static) -> Result<Summed> {
    let known = period(app, month)?;
    if known.marks.len() != usize::from(known.parts) || known.parts == 0 {
        return Err(Reason::Clearing(Refusal::PeriodState { state: known.state }).into());
    }
    let before = super::find(app, month_before(month))?;
    for part in 1..=app.engine.parts() {
        app.engine.lines_written(part).await?;
    }
    let app = Arc::clone(app);
    let summed = tokio::task::spawn_blocking(move || run(&app, &known, before.as_ref(), kind, &files, progress)).await.map_err(crate::app::AppError::from)?;
    Ok(summed.map_err(crate::app::AppError::from)?)
}

/// What the files say of the period before any line.
fn told(app: &App, known: &Period, before: Option<&Period>, kind: StatementKind) -> FilePeriod {
    let after = |part: Part| before.iter().flat_map(|before| &before.marks).find(|(known, _)| *known == part).map_or(0, |(_, mark)| mark.takings);
    let parts = known.marks.iter().map(|(part, mark)| PartRange { part: *part, after: after(*part), to: mark.takings, totals: mark.totals });
    let directory = app.directory();
    let area = |code: &AreaCode| {
        let province = directory.regions.get(code).map_or(code / 10_000 * 10_000, |region| region.province_code);
        Area { code: *code, province, name: directory.area_name(*code) }
    };
    // Once it is stated, what it has of the period before is its own; until then, what that one left in dispute.
    let left = || before.iter().flat_map(|before| &before.disputes).map(|dispute| dispute.share).collect();
    let carried = if known.stated.is_some() { known.carried.clone() } else { left() };
    let held = match kind {
        StatementKind::Stated => Vec::new(),
        StatementKind::Released => known.disputes.iter().map(|dispute| (dispute.share, dispute.side)).collect(),
    };
    let state = if kind == StatementKind::Released { gongji_wallet::clearing::PeriodState::Released } else { gongji_wallet::clearing::PeriodState::Stated };
    FilePeriod {
        period: known.period,
        kind,
        // The same file whenever it is made again.
        made_at: known.since(state).unwrap_or_else(|| app.now()),
        parts: parts.collect(),
        areas: directory.regions.keys().map(area).collect(),
        carried,
        held,
    }
}

fn run(
    app: &App,
    known: &Period,
    before: Option<&Period>,
    kind: StatementKind,
    files: &Files,
    progress: impl FnMut(u64),
) -> std::result::Result<Summed, Fault> {
    let period = told(app, known, before, kind);
    let provinces: BTreeMap<AreaCode, AreaCode> = period.areas.iter().map(|area| (area.code, area.province)).collect();
    let secret = |province: AreaCode| app.vault.keys().blind("clearing-province", &[&period.period.to_be_bytes(), &province.to_be_bytes()]);
    let all: BTreeSet<AreaCode> = provinces.values().copied().collect();
    let scope = Scope {
        secrets: all.iter().map(|province| (*province, secret(*province))).collect(),
        after: period.parts.iter().map(|range| (range.part, range.after)).collect(),
        carried: period.carried.iter().map(|share| share.id).collect(),
        held: period.held.iter().map(|(share, _)| share.id).collect(),
        provinces,
    };
    let mut folder = match files {
        Files::None => None,
        Files::Into(folder) => Some(Folder::open(folder, &period, &scope)?),
    };
    let sink = |province: AreaCode, text: &str| match &mut folder {
        Some(folder) => folder.line(province, text),
        None => Ok(()),
    };
    let cleared = std::thread::scope(|threads| {
        let (send, takings) = mpsc::sync_channel(4);
        let (period, scope) = (&period, &scope);
        threads.spawn(move || {
            if let Err(fault) = read(app, period, &send) {
                // Whoever no longer listens has failed already.
                let _ = send.send(Err(fault));
            }
        });
        let takings = takings.into_iter().flat_map(|page| match page {
            Ok(page) => page.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(fault) => vec![Err(fault)],
        });
        clear(scope, takings, sink, progress)
    })?;
    let written = match folder {
        Some(folder) => folder.finish(app, &cleared)?,
        None => Vec::new(),
    };
    Ok(Summed { cleared, period, written })
}

type Page = std::result::Result<Vec<(Part, Taking)>, Fault>;

/// Reads the takings of a period: of each partition those carried over, then those behind the mark before.
fn read(app: &App, period: &FilePeriod, send: &mpsc::SyncSender<Page>) -> std::result::Result<(), Fault> {
    for range in &period.parts {
        let mut page = Vec::with_capacity(BATCH);
        let carried: BTreeSet<u64> = period.carried.iter().map(|share| share.id).filter(|id| id.part == range.part).map(|id| id.taking).collect();
        app.engine.read(range.part, |books| {
            for number in carried.range(..=range.after) {
                let lost = || Fault::Damaged(format!("taking {number} of partition {} is missing", range.part));
                page.push((range.part, books.taking(*number)?.ok_or_else(lost)?));
            }
            let mut is_heard = true;
            books.each_taking(range.after, &mut |taking| {
                if taking.number > range.to {
                    return Ok(false);
                }
                if matches!(taking.kind, TakingKind::Captured | TakingKind::Refunded) {
                    page.push((range.part, taking));
                }
                if page.len() == BATCH {
                    is_heard = send.send(Ok(std::mem::replace(&mut page, Vec::with_capacity(BATCH)))).is_ok();
                }
                Ok(is_heard)
            })
        })?;
        let _ = send.send(Ok(page));
    }
    Ok(())
}

/// The files of all provinces while they are written.
struct Folder<'a> {
    period: &'a FilePeriod,
    folder: &'a Path,
    files: BTreeMap<AreaCode, (ProvinceFile, BufWriter<File>)>,
}

impl<'a> Folder<'a> {
    fn open(folder: &'a Path, period: &'a FilePeriod, scope: &Scope) -> std::result::Result<Folder<'a>, Fault> {
        std::fs::create_dir_all(folder)?;
        let mut files = BTreeMap::new();
        for (province, secret) in &scope.secrets {
            let file = ProvinceFile::new(period, *province, secret);
            let mut writer = BufWriter::with_capacity(1 << 18, File::create(path(folder, period, *province, "part"))?);
            writer.write_all(file.head().as_bytes())?;
            files.insert(*province, (file, writer));
        }
        Ok(Folder { period, folder, files })
    }

    fn line(&mut self, province: AreaCode, text: &str) -> std::result::Result<(), Fault> {
        let (_, writer) = self.files.get_mut(&province).ok_or_else(|| Fault::Damaged(format!("lines of {province}, which is no province")))?;
        Ok(writer.write_all(text.as_bytes())?)
    }

    /// Ends and names the files of provinces with lines, and throws the others away. What has its name is whole.
    fn finish(self, app: &App, cleared: &Cleared) -> std::result::Result<Vec<(AreaCode, PathBuf)>, Fault> {
        let key = centre_key(app);
        let mut written = Vec::new();
        for (province, (file, mut writer)) in self.files {
            let partial = path(self.folder, self.period, province, "part");
            if !cleared.nets.iter().any(|(known, _)| *known == province) {
                drop(writer);
                std::fs::remove_file(partial)?;
                continue;
            }
            let own = cleared.own_lines.get(&province).copied().unwrap_or(0);
            writer.write_all(file.tail(cleared, own, &key).as_bytes())?;
            let file = writer.into_inner().map_err(|error| Fault::Failed(error.to_string()))?;
            file.sync_all()?;
            let whole = path(self.folder, self.period, province, "clr");
            std::fs::rename(partial, &whole)?;
            written.push((province, whole));
        }
        Ok(written)
    }
}

fn path(folder: &Path, period: &FilePeriod, province: AreaCode, ending: &str) -> PathBuf {
    folder.join(format!("{}-{province}-{}.{ending}", period.period, period.kind.as_str()))
}

/// The key that signs clearing files: the platform's SM2 key, as published.
pub(crate) fn centre_key(app: &App) -> gongji_files::signature::SigningKey {
    crate::trust::platform_key(&app.vault, gongji_files::signature::Profile::Sm2, 1)
}
