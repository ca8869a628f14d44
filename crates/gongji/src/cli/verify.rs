//! `gongji verify`.

use crate::heads::{self, signing_key};
use crate::installation::KEYS_FOLDER;
use crate::verify::{self, Report, VerifyError};
use clap::Args;
use gongji_files::format_yuan;
use gongji_files::signature::VerifyingKey;
use gongji_ledger::Fen;
use gongji_store::seal::Keys;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "选项")]
pub struct VerifyArgs {
    /// 数据目录,默认 ./gongji-data;程序开着也可以核对,什么都不会改
    #[arg(long, value_name = "目录", default_value = super::DATA_FOLDER, hide_default_value = true)]
    data: PathBuf,
    /// 输出 JSON
    #[arg(long)]
    json: bool,
    /// 以前导出的检查点(gongji heads --to);改写过的日志、截掉的末尾都会被发现
    #[arg(long, value_name = "文件")]
    heads: Option<PathBuf>,
    /// 核对检查点签名的公钥(PEM),默认用数据目录里自己的
    #[arg(long, value_name = "文件", requires = "heads")]
    heads_key: Option<PathBuf>,
}

impl VerifyArgs {
    fn exported(&self) -> anyhow::Result<Vec<verify::Exported>> {
        let Some(path) = &self.heads else { return Ok(Vec::new()) };
        let key = match &self.heads_key {
            Some(key) => VerifyingKey::from_pem(&std::fs::read_to_string(key)?)?,
            None => signing_key(&Keys::open(&self.data.join(KEYS_FOLDER), false)?).verifying_key().clone(),
        };
        Ok(heads::read(path, &key)?)
    }
}

pub fn run(args: &VerifyArgs) -> anyhow::Result<()> {
    super::log_for_people();
    let heads = args.exported()?;
    match verify::run_against(&args.data, args.json, &heads) {
        Ok(report) if args.json => super::say(&format!("{}\n", serde_json::to_string_pretty(&report)?)),
        Ok(report) => {
            print(&report);
            if !heads.is_empty() {
                super::say(&format!("\n日志和以前导出的 {} 个检查点都对得上。\n", heads.len()));
            }
        }
        Err(VerifyError::Differs(finding)) if args.json => {
            let told = serde_json::json!({
                "books": "differ", "code": finding.kind.code(), "part": finding.part, "seq": finding.seq,
                "expected": finding.expected, "found": finding.found, "zh": finding.zh(), "en": finding.en(),
            });
            super::say(&format!("{}\n", serde_json::to_string_pretty(&told)?));
            return Err(VerifyError::Differs(finding).into());
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

pub fn print(report: &Report) {
    let mut text = String::new();
    tell(report, &mut text).expect("a string takes every write");
    super::say(&text);
}

fn tell(report: &Report, out: &mut String) -> std::fmt::Result {
    use std::fmt::Write;
    writeln!(out, "账本核对无误:独立重算的每一笔余额、来源和明细都和账本一致。\n")?;
    writeln!(out, "  日志   {} 条记录,{} 个事件,{} 个分区(另有目录)", report.records, report.events, report.partitions)?;
    writeln!(out, "  账本   {} 行状态,{} 条明细", report.rows, report.lines)?;
    writeln!(out, "  其中   {} 人,{} 笔转账,{} 笔支付和缴费,{} 份来源", report.people, report.transfers, report.payments, report.lots)?;
    if report.undelivered > 0 {
        writeln!(out, "  在途   {} 条分区之间的消息", report.undelivered)?;
    }
    for head in &report.heads {
        match head.books_seq {
            None => writeln!(out, "  分区 {} 的账册已删除,下次启动时重建", head.part)?,
            Some(seq) if seq < head.seq => writeln!(out, "  分区 {} 的账册记到第 {} 条,日志到第 {} 条;下次启动时补上", head.part, seq, head.seq)?,
            Some(_) => {}
        }
    }
    writeln!(out, "\n试算平衡(元,贷方为正):")?;
    for line in report.trial.iter().filter(|line| line.debits != 0 || line.credits != 0) {
        writeln!(out, "  {}{:>20}", padded(line.name, 24), yuan(line.balance))?;
    }
    writeln!(out, "  {}{:>20}", padded("合计", 24), yuan(report.trial.iter().map(|line| line.balance).sum()))?;
    Ok(())
}

/// Chinese characters are two columns wide.
fn padded(text: &str, columns: usize) -> String {
    let width = text.chars().count() * 2;
    format!("{text}{}", " ".repeat(columns.saturating_sub(width)))
}

fn yuan(fen: i128) -> String {
    i64::try_from(fen).map_or_else(|_| format!("{fen} 分"), |fen| format_yuan(Fen(fen)))
}
