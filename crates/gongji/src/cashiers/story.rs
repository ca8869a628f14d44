//! The kinds of trouble that a till meets, one function for each. Every answer is checked; the first that breaks the rules ends the run.

use super::book::Entry;
use super::cast::{Crew, Payer, Till, bill};
use crate::demo::client::{Answer, fen, money, text};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// What happens with one order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Story {
    Plain,
    Quoted,
    Keypad,
    LostHoldRetried,
    LostHoldAsked,
    LostCapture,
    LostRefund,
    HoldTwiceAtOnce,
    NumberWithAnotherBill,
    ReversedBeforeItCame,
    ReversedWhileHeld,
    ReversedAfterCapture,
    ReversedBlindly,
    InParts,
    Voided,
    LateVoid,
    WrongBill,
    TooDear,
    OldCode,
    TwoTillsOneCode,
    WrongPlace,
    CaptureTooLarge,
    RefundSameDay,
    RefundNextDay,
    RefundTooLarge,
    NeverCaptured,
}

impl Story {
    pub const ALL: [Story; 26] = [
        Story::Plain,
        Story::Quoted,
        Story::Keypad,
        Story::LostHoldRetried,
        Story::LostHoldAsked,
        Story::LostCapture,
        Story::LostRefund,
        Story::HoldTwiceAtOnce,
        Story::NumberWithAnotherBill,
        Story::ReversedBeforeItCame,
        Story::ReversedWhileHeld,
        Story::ReversedAfterCapture,
        Story::ReversedBlindly,
        Story::InParts,
        Story::Voided,
        Story::LateVoid,
        Story::WrongBill,
        Story::TooDear,
        Story::OldCode,
        Story::TwoTillsOneCode,
        Story::WrongPlace,
        Story::CaptureTooLarge,
        Story::RefundSameDay,
        Story::RefundNextDay,
        Story::RefundTooLarge,
        Story::NeverCaptured,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Story::Plain => "扫码,预占,收款",
            Story::Quoted => "先问能付多少,再预占,再撤销",
            Story::Keypad => "没带手机,在键盘上输密码",
            Story::LostHoldRetried => "预占的答复丢了,用同一把幂等键重发",
            Story::LostHoldAsked => "预占的答复丢了,按单号查",
            Story::LostCapture => "收款的答复丢了,重发",
            Story::LostRefund => "退费的答复丢了,重发",
            Story::HoldTwiceAtOnce => "同一个预占同时发了两遍",
            Story::NumberWithAnotherBill => "同一个单号换了账单:拒绝",
            Story::ReversedBeforeItCame => "冲正先到,付款后到:付款被拒绝",
            Story::ReversedWhileHeld => "预占以后冲正",
            Story::ReversedAfterCapture => "收款以后冲正,再冲正一遍",
            Story::ReversedBlindly => "预占的答复丢了,直接冲正",
            Story::InParts => "住院:分三次收,剩下的退回",
            Story::Voided => "预占以后撤销",
            Story::LateVoid => "收完了才撤销:拒绝",
            Story::WrongBill => "账单不平:拒绝,改对再来",
            Story::TooDear => "余额不够:拒绝",
            Story::OldCode => "付款码过期了:拒绝,换码再来",
            Story::TwoTillsOneCode => "两个收银台同时扫一个码:只成一个",
            Story::WrongPlace => "不在使用地:拒绝",
            Story::CaptureTooLarge => "收得比预占多:拒绝,按数再收",
            Story::RefundSameDay => "当天退一部分",
            Story::RefundNextDay => "第二天全退",
            Story::RefundTooLarge => "退得比收的多:拒绝",
            Story::NeverCaptured => "预占了没来收:过时自己退回",
        }
    }
}

/// A hold that was made.
struct Held {
    till: Till,
    order_no: String,
    payment: String,
    own: i64,
}

/// Every fifth order comes from a kiosk.
fn hold_body(order_no: &str, code: &str, bill: &Value) -> Value {
    let terminal = if order_no.ends_with(['0', '5']) { "kiosk" } else { "counter" };
    json!({ "order_no": order_no, "payer": { "code": code }, "bill": bill, "terminal": terminal })
}

fn holding(own: i64) -> Entry {
    Entry { state: "held", captured: 0, refunded: 0, remaining: own }
}

fn captured(captured: i64) -> Entry {
    Entry { state: "captured", captured, refunded: 0, remaining: 0 }
}

impl Crew {
    pub(super) async fn tell(&mut self, story: Story) -> anyhow::Result<()> {
        match story {
            Story::Plain => {
                let held = self.hold().await?;
                self.capture_all(&held).await
            }
            Story::Quoted => self.quoted().await,
            Story::Keypad => self.keypad().await,
            Story::LostHoldRetried | Story::LostHoldAsked | Story::ReversedBlindly => self.lost_hold(story).await,
            Story::LostCapture => self.lost_capture().await,
            Story::LostRefund => self.lost_refund().await,
            Story::HoldTwiceAtOnce => self.hold_twice().await,
            Story::NumberWithAnotherBill => self.another_bill().await,
            Story::ReversedBeforeItCame => self.reversed_before().await,
            Story::ReversedWhileHeld => {
                let held = self.hold().await?;
                self.reverse(&held, "r", "reversed").await?;
                self.write(&held.till, &held.order_no, Entry::closed("reversed"));
                let late = self.step(&held, "capture", "c", json!({})).await?;
                late.refused("PAYMENT_FINAL").map(drop)
            }
            Story::ReversedAfterCapture => {
                let held = self.hold().await?;
                self.capture_all(&held).await?;
                self.reverse(&held, "r", "reversed").await?;
                self.reverse(&held, "r2", "reversed").await?;
                self.write(&held.till, &held.order_no, Entry { state: "reversed", refunded: held.own, ..captured(held.own) });
                Ok(())
            }
            Story::InParts => self.in_parts().await,
            Story::Voided => {
                let held = self.hold().await?;
                self.void(&held).await
            }
            Story::LateVoid => {
                let held = self.hold().await?;
                self.capture_all(&held).await?;
                self.step(&held, "void", "v", json!({})).await?.refused("PAYMENT_FINAL").map(drop)
            }
            Story::WrongBill => self.wrong_bill().await,
            Story::TooDear => {
                let (till, order_no) = self.order();
                let payer = self.payer();
                let code = self.code(&payer).await?;
                let own = 90_000_000;
                let body = hold_body(&order_no, &code, &bill(own, 0, 0, own));
                self.post(&till, "/institutions/payments", &order_no, body).await?.refused("INSUFFICIENT_FUNDS")?;
                self.write(&till, &order_no, Entry::closed("refused"));
                Ok(())
            }
            Story::OldCode => self.old_code().await,
            Story::TwoTillsOneCode => self.two_tills().await,
            Story::WrongPlace => {
                let Some(till) = self.foreign.clone() else { return Ok(()) };
                let (order_no, payer, (bill, _)) = (self.number(), self.payer(), self.bill());
                let code = self.code(&payer).await?;
                self.post(&till, "/institutions/payments", &order_no, hold_body(&order_no, &code, &bill)).await?.refused("WRONG_PLACE")?;
                self.write(&till, &order_no, Entry::closed("refused"));
                Ok(())
            }
            Story::CaptureTooLarge => {
                let held = self.hold().await?;
                let body = json!({ "amount": money(held.own + 1) });
                self.step(&held, "capture", "c1", body).await?.refused("CAPTURE_TOO_LARGE")?;
                self.capture_all(&held).await
            }
            Story::RefundSameDay => {
                let held = self.hold().await?;
                self.capture_all(&held).await?;
                let back = self.dice.between(1, held.own);
                self.refund(&held, "f", back).await
            }
            Story::RefundNextDay | Story::NeverCaptured => {
                let held = self.hold().await?;
                if story == Story::RefundNextDay {
                    self.capture_all(&held).await?;
                }
                self.left_over.push((held.till, held.order_no, held.payment, story));
                Ok(())
            }
            Story::RefundTooLarge => {
                let held = self.hold().await?;
                self.capture_all(&held).await?;
                let body = json!({ "amount": money(held.own + 1) });
                self.step(&held, "refund", "f", body).await?.refused("REFUND_TOO_LARGE").map(drop)
            }
        }
    }

    /// A plain hold by code.
    async fn hold(&mut self) -> anyhow::Result<Held> {
        let (till, order_no) = self.order();
        let (payer, (bill, own)) = (self.payer(), self.bill());
        let code = self.code(&payer).await?;
        let answer = self.post(&till, "/institutions/payments", &order_no, hold_body(&order_no, &code, &bill)).await?;
        self.held(till, order_no, own, answer)
    }

    fn held(&mut self, till: Till, order_no: String, own: i64, answer: Answer) -> anyhow::Result<Held> {
        let body = answer.ok()?;
        ensure!(body["state"] == "held" && fen(&body["held"]) == own, "预占 {own} 分,答复是 {body}");
        self.write(&till, &order_no, holding(own));
        Ok(Held { till, order_no, payment: text(&body["payment"]), own })
    }

    async fn step(&self, held: &Held, step: &str, key: &str, body: Value) -> anyhow::Result<Answer> {
        self.post(&held.till, &format!("/institutions/payments/{}/{step}", held.payment), &format!("{}-{key}", held.order_no), body).await
    }

    async fn capture_all(&mut self, held: &Held) -> anyhow::Result<()> {
        let body = self.step(held, "capture", "c", json!({ "last": true })).await?.ok()?;
        ensure!(body["state"] == "captured" && fen(&body["captured"]) == held.own, "收款 {} 分,答复是 {body}", held.own);
        self.write(&held.till, &held.order_no, captured(held.own));
        Ok(())
    }

    async fn refund(&mut self, held: &Held, key: &str, amount: i64) -> anyhow::Result<()> {
        let body = self.step(held, "refund", key, json!({ "amount": money(amount) })).await?.ok()?;
        let known = self.book.get(&held.till, &held.order_no);
        ensure!(fen(&body["refunded"]) == known.refunded + amount, "退费 {amount} 分,答复是 {body}");
        self.write(&held.till, &held.order_no, Entry { refunded: known.refunded + amount, ..known });
        Ok(())
    }

    async fn reverse(&self, held: &Held, key: &str, outcome: &str) -> anyhow::Result<()> {
        let path = format!("/institutions/payments/by-order/{}/reverse", held.order_no);
        let body = self.post(&held.till, &path, &format!("{}-{key}", held.order_no), json!({})).await?.ok()?;
        ensure!(body["outcome"] == outcome, "冲正的结果应是 {outcome},答复是 {body}");
        Ok(())
    }

    async fn quoted(&mut self) -> anyhow::Result<()> {
        let (till, order_no) = self.order();
        let (payer, (bill, own)) = (self.payer(), self.bill());
        let code = self.code(&payer).await?;
        let quote = self.post(&till, "/institutions/quotes", &format!("{order_no}-q"), json!({ "code": code, "bill": bill })).await?.ok()?;
        let sums = ["personal_account", "wallet", "cash"].map(|field| fen(&quote[field]));
        ensure!(sums.iter().sum::<i64>() == own && sums[2] == 0, "个人付 {own} 分,报价是 {quote}");
        let answer = self.post(&till, "/institutions/payments", &order_no, hold_body(&order_no, &code, &bill)).await?;
        let held = self.held(till, order_no, own, answer)?;
        self.void(&held).await
    }

    async fn void(&mut self, held: &Held) -> anyhow::Result<()> {
        let voided = self.step(held, "void", "v", json!({})).await?.ok()?;
        ensure!(voided["state"] == "voided", "撤销以后是 {voided}");
        self.write(&held.till, &held.order_no, Entry::closed("voided"));
        Ok(())
    }

    async fn keypad(&mut self) -> anyhow::Result<()> {
        let (till, order_no) = self.order();
        let (Payer { id_number, password, .. }, (bill, own)) = (self.payer(), self.bill());
        let keypad = json!({ "id_number": id_number, "password": password, "first": "personal_account" });
        let body = json!({ "order_no": order_no, "payer": { "keypad": keypad }, "bill": bill });
        let answer = self.post(&till, "/institutions/payments", &order_no, body).await?;
        let held = self.held(till, order_no, own, answer)?;
        self.capture_all(&held).await
    }

    async fn lost_hold(&mut self, story: Story) -> anyhow::Result<()> {
        let (till, order_no) = self.order();
        let (payer, (bill, own)) = (self.payer(), self.bill());
        let code = self.code(&payer).await?;
        let body = hold_body(&order_no, &code, &bill);
        self.lose(&till, "/institutions/payments", &order_no, &body).await?;
        if story == Story::ReversedBlindly {
            // Whether it has arrived or will: nothing is held in the end, and the number is spent.
            let answer = self.post(&till, &format!("/institutions/payments/by-order/{order_no}/reverse"), &format!("{order_no}-r"), json!({})).await?.ok()?;
            ensure!(answer["outcome"] == "reversed" || answer["outcome"] == "nothing_to_reverse", "冲正的答复是 {answer}");
            self.post(&till, "/institutions/payments", &format!("{order_no}-again"), body).await?.refused("ORDER_REVERSED")?;
            self.write(&till, &order_no, Entry::closed("reversed"));
            return Ok(());
        }
        let known = if story == Story::LostHoldAsked { self.by_order(&till, &order_no).await? } else { None };
        let payment = match known.filter(|order| order["state"] == "held") {
            Some(order) => text(&order["payment"]),
            // Not there, or not decided yet: the same request with the same key.
            None => text(&self.post(&till, "/institutions/payments", &order_no, body).await?.ok()?["payment"]),
        };
        let held = Held { till, order_no, payment, own };
        self.capture_all(&held).await
    }

    async fn lost_capture(&mut self) -> anyhow::Result<()> {
        let held = self.hold().await?;
        let path = format!("/institutions/payments/{}/capture", held.payment);
        self.lose(&held.till, &path, &format!("{}-c", held.order_no), &json!({ "last": true })).await?;
        self.capture_all(&held).await
    }

    async fn lost_refund(&mut self) -> anyhow::Result<()> {
        let held = self.hold().await?;
        self.capture_all(&held).await?;
        let back = self.dice.between(1, held.own);
        let path = format!("/institutions/payments/{}/refund", held.payment);
        self.lose(&held.till, &path, &format!("{}-f", held.order_no), &json!({ "amount": money(back) })).await?;
        self.refund(&held, "f", back).await
    }

    async fn hold_twice(&mut self) -> anyhow::Result<()> {
        let (till, order_no) = self.order();
        let (payer, (bill, own)) = (self.payer(), self.bill());
        let code = self.code(&payer).await?;
        let body = hold_body(&order_no, &code, &bill);
        let (one, other) =
            tokio::join!(self.post(&till, "/institutions/payments", &order_no, body.clone()), self.post(&till, "/institutions/payments", &order_no, body));
        let held = self.held(till, order_no, own, one?)?;
        ensure!(text(&other?.ok()?["payment"]) == held.payment, "两遍成了两笔付款");
        self.capture_all(&held).await
    }

    async fn another_bill(&mut self) -> anyhow::Result<()> {
        let held = self.hold().await?;
        let payer = self.payer();
        let code = self.code(&payer).await?;
        let body = hold_body(&held.order_no, &code, &bill(held.own + 1, 0, 0, held.own + 1));
        self.post(&held.till, "/institutions/payments", &format!("{}-x", held.order_no), body).await?.refused("ORDER_CONFLICT")?;
        self.capture_all(&held).await
    }

    async fn reversed_before(&mut self) -> anyhow::Result<()> {
        let (till, order_no) = self.order();
        let (payer, (bill, own)) = (self.payer(), self.bill());
        let code = self.code(&payer).await?;
        let held = Held { till, order_no, payment: String::new(), own };
        self.reverse(&held, "r", "nothing_to_reverse").await?;
        let late = self.post(&held.till, "/institutions/payments", &held.order_no, hold_body(&held.order_no, &code, &bill)).await?;
        late.refused("ORDER_REVERSED")?;
        self.write(&held.till, &held.order_no, Entry::closed("reversed"));
        Ok(())
    }

    async fn in_parts(&mut self) -> anyhow::Result<()> {
        let held = self.hold().await?;
        let part = held.own / 4;
        let mut sum = 0;
        for (nth, is_last) in [(1, false), (2, false), (3, true)] {
            let body = json!({ "amount": money(part), "last": is_last });
            let answer = self.step(&held, "capture", &format!("c{nth}"), body).await?.ok()?;
            sum += part;
            ensure!(fen(&answer["captured"]) == sum, "第 {nth} 次收款以后是 {answer}");
        }
        self.write(&held.till, &held.order_no, captured(sum));
        Ok(())
    }

    async fn wrong_bill(&mut self) -> anyhow::Result<()> {
        let (till, order_no) = self.order();
        let (payer, (right, own)) = (self.payer(), self.bill());
        let code = self.code(&payer).await?;
        let wrong = bill(own, 0, 0, own + 1);
        self.post(&till, "/institutions/payments", &format!("{order_no}-x"), hold_body(&order_no, &code, &wrong)).await?.refused("BILL_UNBALANCED")?;
        // Nothing was written down: number and code still serve.
        let answer = self.post(&till, "/institutions/payments", &order_no, hold_body(&order_no, &code, &right)).await?;
        let held = self.held(till, order_no, own, answer)?;
        self.capture_all(&held).await
    }

    async fn old_code(&mut self) -> anyhow::Result<()> {
        let (till, order_no) = self.order();
        let (payer, (bill, own)) = (self.payer(), self.bill());
        let old = self.old_codes.pop().context("没有提前出的码")?;
        self.post(&till, "/institutions/payments", &order_no, hold_body(&order_no, &old, &bill)).await?.refused("CODE_EXPIRED")?;
        self.write(&till, &order_no, Entry::closed("refused"));
        let (code, again) = (self.code(&payer).await?, self.number());
        let answer = self.post(&till, "/institutions/payments", &again, hold_body(&again, &code, &bill)).await?;
        let held = self.held(till, again, own, answer)?;
        self.capture_all(&held).await
    }

    async fn two_tills(&mut self) -> anyhow::Result<()> {
        let tills = [self.tills[0].clone(), self.tills[self.tills.len() - 1].clone()];
        let numbers = [self.number(), self.number()];
        let (payer, (bill, own)) = (self.payer(), self.bill());
        let code = self.code(&payer).await?;
        let body = |nth: usize| hold_body(&numbers[nth], &code, &bill);
        let (one, other) = tokio::join!(
            self.post(&tills[0], "/institutions/payments", &numbers[0], body(0)),
            self.post(&tills[1], "/institutions/payments", &numbers[1], body(1))
        );
        let answers = [one?, other?];
        let winners = answers.iter().filter(|answer| answer.status == 201).count();
        ensure!(winners == 1, "一个码成了 {winners} 笔");
        for ((answer, till), order_no) in answers.into_iter().zip(tills).zip(numbers.clone()) {
            if answer.status == 201 {
                let held = self.held(till, order_no, own, answer)?;
                self.capture_all(&held).await?;
            } else {
                answer.refused("CODE_USED")?;
                self.write(&till, &order_no, Entry::closed("refused"));
            }
        }
        Ok(())
    }

    /// The morning after: returns, and what nobody captured.
    pub(super) async fn next_day(mut self) -> anyhow::Result<Crew> {
        for (till, order_no, payment, story) in std::mem::take(&mut self.left_over) {
            let known = self.book.get(&till, &order_no);
            let held = Held { till, order_no, payment, own: known.captured };
            if story == Story::RefundNextDay {
                let first = self.dice.between(1, held.own);
                self.refund(&held, "f1", first).await?;
                if first < held.own {
                    self.refund(&held, "f2", held.own - first).await?;
                }
            } else {
                self.step(&held, "capture", "c", json!({ "amount": money(known.remaining) })).await?.refused("PAYMENT_FINAL")?;
                self.write(&held.till, &held.order_no, Entry::closed("expired"));
            }
        }
        Ok(self)
    }
}
