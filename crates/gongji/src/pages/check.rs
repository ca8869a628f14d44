//! Whether a printed sheet is genuine: where its QR code leads, without logging in.
//!
//! The page shows what the books say for the reader to compare with the paper: sums and times, which stand there too, and nobody's name.

use super::frame::{Page, Visit};
use super::statement;
use super::views::statement::Check;
use super::views::{Fact, Section, Tone, format};
use crate::app::App;
use crate::service::ServiceError;
use crate::service::sheet::{Sheet, Told, look_up};
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use gongji_ledger::Fen;
use std::sync::Arc;

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/check/{code}", get(check))
}

async fn check(visit: Visit, Path(code): Path<String>) -> Page {
    let found = look_up(&visit.app, &code).await.map_err(ServiceError::from)?;
    let layout = visit.layout("核对凭证", Section::None).await?;
    match found {
        Some((sheet, told)) => visit.page(&Check { layout, heading: "账上有这张单子".to_owned(), tone: Tone::Good, facts: facts(sheet, &told) }),
        None => visit.page_with(StatusCode::NOT_FOUND, &Check { layout, heading: "没有这样的单子".to_owned(), tone: Tone::Alarm, facts: Vec::new() }),
    }
}

fn facts(sheet: Sheet, told: &Told) -> Vec<Fact> {
    match told {
        Told::Receipt(line) => vec![
            Fact::new("凭证号", sheet.number()),
            Fact::new("是什么", statement::heading(line.code)),
            Fact::new("时间", format::date_and_clock(line.at)),
            Fact::new("金额", format::yuan_signed(line.amount.0)),
            Fact::new("大写", gongji_files::capital_amount(Fen(line.amount.0.abs()))),
        ],
        Told::Month(last, sums) => vec![
            Fact::new("编号", sheet.number()),
            Fact::new("是什么", "医保钱包明细单"),
            Fact::new("期间", format::month(last.at)),
            Fact::new("最后一笔", format::when(last.at)),
            Fact::new("笔数", format!("{} 笔", sums.lines.len())),
            Fact::new("收", format::yuan(sums.incoming.0)),
            Fact::new("用", format::yuan(sums.outgoing.0)),
            Fact::new("期初余额", format::yuan(sums.opening.0)),
            Fact::new("期末余额", format::yuan(sums.closing.0)),
        ],
    }
}
