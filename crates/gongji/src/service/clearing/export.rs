//! The folder that a period is handed out as: each province's file, totals of all pairs, notices, the public key.

use super::summing::{Files, Summed, centre_key, sum_up};
use super::{Result, period};
use crate::app::{App, AppError};
use gongji_files::clearing::StatementKind;
use gongji_files::{Bom, CsvTable, capital_amount};
use gongji_ledger::AreaCode;
use gongji_wallet::clearing::{Due, Month};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was written.
pub struct Exported {
    pub summed: Summed,
    pub tables: Vec<PathBuf>,
}

/// Writes a period out: as released if it is, else as it was stated.
///
/// # Errors
/// `PERIOD_UNKNOWN`, `PERIOD_STATE`; faults of the books and of the folder.
pub async fn export(app: &Arc<App>, month: Month, folder: &Path, progress: impl FnMut(u64) + Send + 'static) -> Result<Exported> {
    let known = period(app, month)?;
    let kind = if known.released.is_some() { StatementKind::Released } else { StatementKind::Stated };
    let summed = sum_up(app, month, kind, Files::Into(folder.to_owned()), progress).await?;
    let name = |what: &str, ending: &str| folder.join(format!("{month}-{what}-{}.{ending}", kind.as_str()));
    let mut tables = vec![
        (name("pairs", "csv"), pairs(app, &summed)),
        (name("nets", "csv"), nets(app, &summed)),
        (folder.join("centre.pub.pem"), centre_key(app).verifying_key().to_pem().into_bytes()),
    ];
    if kind == StatementKind::Released {
        tables.push((name("notices", "csv"), notices(app, month, &summed.cleared.dues)));
    }
    for (path, bytes) in &tables {
        std::fs::write(path, bytes).map_err(|error| AppError::from(gongji_store::Fault::from(error)))?;
    }
    Ok(Exported { summed, tables: tables.into_iter().map(|(path, _)| path).collect() })
}

/// A province or an area as people read it.
pub fn name_of(app: &App, code: AreaCode) -> String {
    let directory = app.directory();
    let province = directory.regions.values().find(|region| region.province_code == code).map(|region| region.province.clone());
    if directory.regions.contains_key(&code) { directory.area_name(code) } else { province.unwrap_or_else(|| code.to_string()) }
}

fn pairs(app: &App, summed: &Summed) -> Vec<u8> {
    let header = ["参保地代码", "参保地", "就医地代码", "就医地", "笔数", "支付(元)", "退费(元)", "应付(元)"];
    let mut table = CsvTable::new(&header, Bom::With);
    for ((debtor, creditor), sum) in &summed.cleared.pairs {
        table.row(&[
            debtor.to_string(),
            name_of(app, *debtor),
            creditor.to_string(),
            name_of(app, *creditor),
            sum.lines.to_string(),
            sum.paid.to_string(),
            sum.refunded.to_string(),
            sum.net().to_string(),
        ]);
    }
    table.finish()
}

fn nets(app: &App, summed: &Summed) -> Vec<u8> {
    let mut table = CsvTable::new(&["省份代码", "省份", "轧差(元,正数收款、负数付款)", "大写"], Bom::With);
    for (province, net) in &summed.cleared.nets {
        table.row(&[province.to_string(), name_of(app, *province), net.to_string(), capital_amount(*net)]);
    }
    table.finish()
}

/// 付款通知书 and 收款通知书: one of each for every due, under one number, so that payer and payee speak of the same.
fn notices(app: &App, month: Month, dues: &[Due]) -> Vec<u8> {
    let mut table = CsvTable::new(&["通知书编号", "种类", "发给", "对方", "金额(元)", "大写", "附言"], Bom::With);
    for due in dues {
        let number = format!("{month}-{}-{}", due.from, due.to);
        let sum = [due.amount.to_string(), capital_amount(due.amount)];
        for (kind, to, other) in [("付款通知书", due.from, due.to), ("收款通知书", due.to, due.from)] {
            let names = [name_of(app, to), name_of(app, other)];
            let [to, other] = names;
            let remark = format!("医保钱包跨省共济清算 {number}");
            table.row(&[number.clone(), kind.to_owned(), to, other, sum[0].clone(), sum[1].clone(), remark]);
        }
    }
    table.finish()
}
