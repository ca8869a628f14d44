//! The feed: everything that happened to the institution's payments, once and in order. And the sums, which must agree with the orders.

use crate::conformance::client::{Message, is, same};
use crate::conformance::kit::{DOOR, Held, Kit, amount};
use crate::conformance::{Checked, Run};
use serde_json::{Value, json};

/// Most pages that are read of a feed.
const PAGES_MAX: usize = 200;

fn path(after: Option<&str>, limit: usize) -> String {
    after.map_or_else(|| format!("{DOOR}/events?limit={limit}"), |after| format!("{DOOR}/events?limit={limit}&after={after}"))
}

/// Everything behind a position, and where it ends.
async fn read(kit: &Kit, after: Option<&str>, limit: usize) -> Checked<(Vec<Value>, String)> {
    let (mut events, mut at) = (Vec::new(), after.map(str::to_owned));
    for _ in 0..PAGES_MAX {
        let page = kit.get(&path(at.as_deref(), limit)).await?.ok(200)?;
        events.extend(page.at("/events").as_array().cloned().unwrap_or_default());
        at = Some(page.text("/next")?);
        if page.at("/has_more") != true {
            break;
        }
    }
    Ok((events, at.unwrap_or_default()))
}

/// The position behind everything that has happened so far.
async fn end(kit: &Kit) -> Checked<String> {
    Ok(read(kit, None, 200).await?.1)
}

fn fen(event: &Value) -> i64 {
    event["amount"]["amount"].as_i64().unwrap_or_default()
}

/// Kinds and amounts of what the feed tells of one payment.
fn of<'a>(events: &'a [Value], held: &Held) -> Vec<(&'a str, i64)> {
    let mine = events.iter().filter(|event| event["payment"] == held.payment.as_str());
    mine.map(|event| (event["type"].as_str().unwrap_or_default(), fen(event))).collect()
}

/// A payment that has seen everything: held, captured in two parts, refunded in part.
async fn lived(kit: &Kit) -> Checked<Held> {
    let held = kit.hold(1_000).await?;
    for part in [400, 300] {
        kit.post(&held.step("capture"), &amount(part)).await?.ok(200)?;
    }
    kit.post(&held.step("void"), &json!({})).await?.ok(200)?;
    kit.post(&held.step("refund"), &amount(200)).await?.ok(200)?;
    Ok(held)
}

/// What the feed must tell of it.
const LIFE: [(&str, i64); 5] =
    [("payment.held", 1_000), ("payment.captured", 400), ("payment.captured", 300), ("payment.released", 300), ("payment.refunded", 200)];

pub async fn play(run: &mut Run<'_>) {
    run.group("事件流");
    run.case("events.whole-life", "占住、收两次、退回剩的、退费:事件流里恰好这五件,按先后,金额一分不差。", async |kit| {
        let after = end(kit).await?;
        let held = lived(kit).await?;
        same("这笔付款的事", &of(&read(kit, Some(&after), 200).await?.0, &held), &LIFE.to_vec())
    })
    .await;
    run.case("events.in-small-pages", "一页一件地读,和一次读完一样:不漏、不重、次序不变。", async |kit| {
        let after = end(kit).await?;
        lived(kit).await?;
        let (whole, small) = (read(kit, Some(&after), 200).await?.0, read(kit, Some(&after), 1).await?.0);
        same("一页一件读到的", &small, &whole)
    })
    .await;
    run.case("events.ids-differ", "每件事有自己的编号,没有两件一样。", async |kit| {
        let after = end(kit).await?;
        lived(kit).await?;
        let events = read(kit, Some(&after), 200).await?.0;
        let ids: std::collections::BTreeSet<String> = events.iter().map(|event| event["id"].to_string()).collect();
        same("不同编号的个数", &ids.len(), &events.len())
    })
    .await;
    run.case("events.end-stays", "读到头了,位置仍然有效:没有新事件就是空的,位置不乱跑。", async |kit| {
        let after = end(kit).await?;
        let (events, again) = read(kit, Some(&after), 200).await?;
        same("(新事件数,位置)", &(events.len(), again), &(0, after))
    })
    .await;
    run.case("events.reversed", "冲正收完的:事件流里是占住、收款、退费,退的等于收的。", async |kit| {
        let after = end(kit).await?;
        let paid = kit.captured(500).await?;
        kit.reverse(&paid.number).await?.ok(200)?;
        let wanted = vec![("payment.held", 500), ("payment.captured", 500), ("payment.refunded", 500)];
        same("这笔付款的事", &of(&read(kit, Some(&after), 200).await?.0, &paid), &wanted)
    })
    .await;
    run.case("events.state-and-number", "每件事说明单号和之后的状态。", async |kit| {
        let after = end(kit).await?;
        let paid = kit.captured(500).await?;
        let events = read(kit, Some(&after), 200).await?.0;
        let last = events.iter().rfind(|event| event["payment"] == paid.payment.as_str()).cloned().unwrap_or_default();
        same("(单号,状态)", &(&last["order_no"], &last["state"]), &(&json!(paid.number), &json!("captured")))
    })
    .await;
    run.case("events.split-adds-up", "个人账户部分加钱包部分,等于每件事的金额。", async |kit| {
        let after = end(kit).await?;
        let code = kit.code_with("wallet").await?;
        let held = kit.hold_with(&code, kit.has().await?.1 + 100).await?;
        kit.post(&held.step("capture"), &json!({})).await?.ok(200)?;
        let events = read(kit, Some(&after), 200).await?.0;
        is(!events.is_empty(), "没有事件")?;
        let part = |event: &Value, name: &str| event[name]["amount"].as_i64().unwrap_or_default();
        let wrong = events.iter().find(|event| part(event, "personal_account") + part(event, "wallet") != fen(event));
        is(wrong.is_none(), format!("加不起来:{wrong:?}"))
    })
    .await;
    run.case("events.nothing-of-others", "别家的事件流里没有我们的付款。", async |kit| {
        let held = lived(kit).await?;
        let mut at: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let page = kit.send_as(&kit.other, Message::get(path(at.as_deref(), 200))).await?.ok(200)?;
            is(!String::from_utf8_lossy(&page.bytes).contains(&held.payment), "别家的事件流里有我们的付款")?;
            at = Some(page.text("/next")?);
            if page.at("/has_more") != true {
                break;
            }
        }
        Ok(())
    })
    .await;
    run.case("events.position-garbled", "乱写的位置:422,不能从头开始,也不能给一个空的列表。", async |kit| {
        kit.get(&path(Some("nothing"), 10)).await?.refused(422, "FIELDS_INVALID").map(drop)
    })
    .await;
    run.case("events.limit", "条数超过 200:422。", async |kit| kit.get(&path(None, 201)).await?.refused(422, "FIELDS_INVALID").map(drop)).await;

    run.group("总数");
    run.case(
        "totals.feed-and-orders",
        "几笔付款以后,事件流里收的减退的,等于各单子收的减退的,也等于付款人少了的钱。",
        async |kit| {
            let (after, before) = (end(kit).await?, kit.has().await?);
            let lives = [lived(kit).await?, kit.captured(700).await?, lived(kit).await?];
            let events = read(kit, Some(&after), 200).await?.0;
            let sum = |kind: &str| events.iter().filter(|event| event["type"] == kind).map(fen).sum::<i64>();
            let mut orders = 0;
            for held in &lives {
                let order = kit.by_order(&held.number).await?.ok(200)?;
                orders += order.fen("/captured")? - order.fen("/refunded")?;
            }
            same("(事件流,单子)", &(sum("payment.captured") - sum("payment.refunded"), orders), &(1_700, 1_700))?;
            kit.moved(before, -1_700).await
        },
    )
    .await;
    run.case("totals.held-goes-somewhere", "占住的每一分都有去处:收了或退回,加起来等于占的。", async |kit| {
        let after = end(kit).await?;
        for _ in 0..2 {
            lived(kit).await?;
        }
        let events = read(kit, Some(&after), 200).await?.0;
        let sum = |kind: &str| events.iter().filter(|event| event["type"] == kind).map(fen).sum::<i64>();
        same("收的加退回的", &(sum("payment.captured") + sum("payment.released")), &sum("payment.held"))
    })
    .await;
}
