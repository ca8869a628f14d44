//! Watching: what happened by day, hour and region, where money flows between provinces, what waits, what was refused. Every picture is its table.

use super::blocks::{Bars, Block, Cell, Column, Field, Form, Row, Table};
use super::frame::Answer;
use super::guard::{Desk, Desks, Needs, Place};
use super::lists::{List, row};
use super::words::iso_day;
use crate::figures::{self, Counted, DAYS_MAX, Kind, Sum};
use crate::pages::short_province;
use crate::pages::views::format;
use crate::problem::Problem;
use axum::http::Method;
use axum::routing::get;
use gongji_ledger::{AreaCode, Fen};
use gongji_wallet::day::day_of;
use gongji_wallet::operator::Right;
use std::collections::BTreeMap;

const SECTION: &str = "/console/watch";

pub fn routes(desks: Desks) -> Desks {
    let watch = Needs::Right(Right::Watch);
    desks.at(Method::GET, "/console/watch", watch, Place::Own, get(page)).at(Method::GET, "/console/watch.csv", watch, Place::Own, get(file))
}

/// What this reader may see: what comes from or goes to their reach.
fn visible(desk: &Desk, counted: &mut Counted) {
    counted.cells.retain(|cell, _| desk.covers(cell.from) || desk.covers(cell.to));
}

fn add(sum: &mut Sum, more: &Sum) {
    sum.count += more.count;
    sum.amount += more.amount;
}

async fn counted(desk: &Desk) -> Result<(Counted, i32), Problem> {
    let mut counted = figures::figures(&desk.app).await?;
    visible(desk, &mut counted);
    let days = desk.query("days").parse().unwrap_or(7).clamp(1, DAYS_MAX);
    let first = day_of(desk.now) - days + 1;
    counted.cells.retain(|cell, _| cell.day >= first);
    counted.refused.retain(|(day, _), _| *day >= first);
    Ok((counted, days))
}

fn bars(title: &str, empty: &str, rows: Vec<(String, u64, String)>) -> Block {
    let most = rows.iter().map(|(_, size, _)| *size).max().unwrap_or(0).max(1);
    let bars = rows.into_iter().map(|(label, size, words)| (label, words, u8::try_from(size * 100 / most).unwrap_or(100)));
    Block::Bars(Bars { title: title.to_owned(), bars: bars.collect(), empty: empty.to_owned() })
}

fn words(sum: &Sum) -> String {
    format!("{} 笔 {}", sum.count, format::yuan(sum.amount.0))
}

async fn page(desk: Desk) -> Answer {
    let (counted, days) = counted(&desk).await?;
    let pending = figures::pending(&desk.app).await?;
    let choices = [1, 7, 31].map(|count| (count.to_string(), if count == 1 { "今天".to_owned() } else { format!("近 {count} 天") }, count == days));
    let mut blocks = vec![Block::Form(Form::get(SECTION, "看").with(Field::select("days", "多久以内", choices.into())))];
    if !counted.is_complete {
        blocks.push(Block::Note("wait", "还在统计更早的记录,过一会儿刷新就全了。".to_owned()));
    }
    let mut by_kind: BTreeMap<Kind, Sum> = Kind::ALL.into_iter().map(|kind| (kind, Sum::default())).collect();
    let (mut by_day, mut by_hour, mut flows) = (BTreeMap::<i32, Sum>::new(), BTreeMap::<u8, Sum>::new(), BTreeMap::<(AreaCode, AreaCode), Sum>::new());
    for (cell, sum) in &counted.cells {
        add(by_kind.entry(cell.kind).or_default(), sum);
        if cell.kind == Kind::Refund {
            continue;
        }
        add(by_day.entry(cell.day).or_default(), sum);
        add(by_hour.entry(cell.hour).or_default(), sum);
        if cell.kind != Kind::Transfer {
            add(flows.entry((cell.from / 10_000, cell.to / 10_000)).or_default(), sum);
        }
    }
    let mut facts: Vec<(String, String)> = by_kind.iter().map(|(kind, sum)| (kind.label().to_owned(), words(sum))).collect();
    let waits = format!("等接收的转账 {} 笔,预占没收的付款 {} 笔,等答复的订单 {} 笔", pending.transfers, pending.payments, pending.orders);
    facts.push(("还没办完(全部地区)".to_owned(), waits));
    facts.push(("其中最早到期".to_owned(), pending.first_due.map_or_else(|| "没有".to_owned(), format::when)));
    blocks.push(Block::Facts(facts));
    let daily = by_day.into_iter().map(|(day, sum)| (iso_day(day), sum.count, words(&sum)));
    blocks.push(bars("每天(转账、付款、缴费)", "这几天没有业务。", daily.collect()));
    let hourly = by_hour.into_iter().map(|(hour, sum)| (format!("{hour}:00"), sum.count, words(&sum)));
    blocks.push(bars("一天里的几点", "这几天没有业务。", hourly.collect()));
    blocks.push(Block::Table(flow_table(&flows)));
    let mut refused: BTreeMap<&str, u64> = BTreeMap::new();
    for ((_, code), count) in &counted.refused {
        *refused.entry(code).or_default() += count;
    }
    let mut refused: Vec<(&str, u64)> = refused.into_iter().collect();
    refused.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let refused = refused.into_iter().take(20).map(|(code, count)| (code.to_owned(), count, format!("{count} 次")));
    blocks.push(bars("没有办成的原因(全部地区)", "没有一次被拒绝。", refused.collect()));
    blocks.push(Block::Table(list(&desk, &counted).table(&desk)));
    desk.page(SECTION, "统计", &format!("近 {days} 天;从账本的日志里数出来"), blocks).await
}

/// Provinces whose people's money was spent, against provinces where it was spent: what the monthly clearing will net.
fn flow_table(flows: &BTreeMap<(AreaCode, AreaCode), Sum>) -> Table {
    let mut sorted: Vec<_> = flows.iter().filter(|((from, to), _)| from != to).collect();
    sorted.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.amount));
    let province = |code: AreaCode| short_province(code * 10_000).to_owned();
    let rows = sorted.into_iter().take(50).map(|((from, to), sum)| Row {
        href: String::new(),
        cells: vec![
            Cell::text(province(*from)),
            Cell::text(province(*to)),
            Cell::number(sum.count.to_string()),
            Cell::number(format::yuan(sum.amount.0)),
            Cell::number(flows.get(&(*to, *from)).map_or_else(|| format::yuan(0), |back| format::yuan(back.amount.0))),
        ],
    });
    let mut columns: Vec<Column> = ["钱从哪个省来", "在哪个省花"].map(Column::text).into();
    columns.extend(["笔数", "金额", "反过来的金额"].map(Column::number));
    Table { title: "省与省之间".to_owned(), columns, rows: rows.collect(), empty: "这几天没有跨省的付款。".to_owned(), ..Table::default() }
}

fn list(desk: &Desk, counted: &Counted) -> List {
    let directory = desk.app.directory();
    let mut by_area: BTreeMap<AreaCode, [Sum; 4]> = BTreeMap::new();
    for (cell, sum) in &counted.cells {
        // A transfer counts where it came from, the rest where the money was spent.
        let area = if cell.kind == Kind::Transfer { cell.from } else { cell.to };
        if desk.covers(area) {
            add(&mut by_area.entry(area).or_default()[cell.kind as usize], sum);
        }
    }
    let rows = by_area.into_iter().map(|(area, sums)| {
        let mut cells = vec![Cell::text(directory.area_name(area))];
        for sum in sums {
            cells.push(Cell::number(sum.count.to_string()));
            cells.push(Cell::number(gongji_files::yuan(Fen(sum.amount.0))));
        }
        row(format!("/console/regions/{area}"), cells)
    });
    let mut columns = vec![Column::text("地区")];
    for kind in Kind::ALL {
        columns.push(Column::number(&format!("{}笔数", kind.label())));
        columns.push(Column::number(&format!("{}金额(元)", kind.label())));
    }
    List { path: SECTION, name: "figures", title: "各地区", columns, rows: rows.collect(), empty: "这几天没有业务。", search: "" }
}

async fn file(desk: Desk) -> Answer {
    let (counted, _) = counted(&desk).await?;
    list(&desk, &counted).file(&desk).await
}
