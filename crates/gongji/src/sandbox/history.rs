//! Two months of sample life, from September to the morning on which the sandbox begins.
//!
//! Played through the same services as pages and API, on a clock that stands still between the acts. The main story (李强 and his mother
//! 王秀兰) is left to whoever tries the sandbox; so are all who have a special case of their own to show.

use super::{SandboxError, put, samples};
use crate::app::{App, AppError};
use crate::service::key::{IdempotencyKey, fresh};
use crate::service::{Answered, ServiceError, family, payment, person, premium, transfer};
use gongji_files::{ImportKind, PersonRow};
use gongji_ledger::{Fen, HolderId, InstitutionId};
use gongji_store::clock::{Clock, MovableClock};
use gongji_store::seal::Sensitive;
use gongji_wallet::citizen::CitizenNumber;
use gongji_wallet::day::{DAY_MS, day_from_date, day_of, instant};
use gongji_wallet::event::Payer;
use gongji_wallet::ids::TransferId;
use gongji_wallet::object::{Bill, PayFirst};
use gongji_wallet::relation::RelationCode;
use gongji_wallet::{Outcome, Proof};
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One act; people by name, money in fen.
enum Act {
    /// The month's contributions, as the agencies' file brings them.
    Contributions(&'static str),
    /// Confirms the use of the wallet where the person is insured.
    Open(&'static str),
    /// `.1` opens the wallet of `.0`, a relative by this code (GB/T 4761), and may act for them.
    OpenFor(&'static str, &'static str, u8),
    /// Sender, receiver, relation (GB/T 4761), amount, from the wallet.
    Send(&'static str, &'static str, u8, i64),
    /// Takes what waits; `.1` acts.
    Take(&'static str, &'static str),
    Decline(&'static str),
    /// The sender takes back what waits.
    Cancel(&'static str),
    /// Payer, institution, total, fund share, own share.
    Pay(&'static str, &'static str, i64, i64, i64),
    /// Institution and act (by its number) that it belongs to, amount given back.
    Refund(&'static str, usize, i64),
    /// Payer's wallet, insured person, area, year.
    Premium(&'static str, &'static str, u32, u16),
}

use Act::*;

/// Month, day, hour and minute of 2026, and the act. Numbers of acts name them for good: add at the end of the list only what happens last.
const ACTS: &[(i8, i8, u16, u16, Act)] = &[
    (9, 1, 9, 0, Contributions("2026-08")),
    // 古丽娜尔 supports her father in Kashgar: the fullest statement of all.
    (9, 5, 10, 12, Open("买买提·吐尔逊")),
    (9, 5, 20, 31, Send("古丽娜尔·买买提", "买买提·吐尔逊", 51, 60_000)),
    (9, 5, 20, 50, Take("买买提·吐尔逊", "买买提·吐尔逊")),
    // 马国栋 grants his father a quota, his sister sends money to the same father.
    (9, 8, 9, 5, Open("马文华")),
    (9, 8, 19, 20, Send("马国栋", "马文华", 51, 150_000)),
    (9, 8, 19, 41, Take("马文华", "马文华")),
    (9, 10, 9, 0, Contributions("2026-09")),
    (9, 12, 10, 20, Pay("买买提·吐尔逊", "H65310000001", 32_850, 24_630, 8_220)),
    (9, 20, 11, 2, Send("马晓燕", "马文华", 51, 40_000)),
    (9, 20, 12, 30, Take("马文华", "马文华")),
    (9, 25, 9, 48, Pay("马文华", "H62050000001", 41_200, 28_000, 13_200)),
    (9, 28, 9, 40, Pay("买买提·吐尔逊", "P65310000001", 4_680, 0, 4_680)),
    // 刘𬭚 supports his father in Chengkou, who pays his premium of next year from it.
    (10, 5, 20, 8, Send("刘𬭚", "刘德厚", 51, 100_000)),
    (10, 5, 20, 36, Open("刘德厚")),
    (10, 5, 20, 37, Take("刘德厚", "刘德厚")),
    (10, 6, 19, 5, Send("古丽娜尔·买买提", "买买提·吐尔逊", 51, 50_000)),
    (10, 10, 9, 0, Contributions("2026-10")),
    // Within one area it works the same way.
    (10, 11, 10, 30, Open("黄伯安")),
    (10, 11, 18, 40, Send("黄丽华", "黄伯安", 51, 30_000)),
    (10, 11, 18, 52, Take("黄伯安", "黄伯安")),
    (10, 15, 10, 6, Pay("买买提·吐尔逊", "H65310000001", 86_200, 64_640, 21_560)),
    (10, 16, 9, 15, Refund("H65310000001", 21, 3_560)),
    (10, 18, 15, 22, Pay("马文华", "H62050000001", 107_500, 80_625, 26_875)),
    (10, 20, 16, 10, Premium("买买提·吐尔逊", "买买提·吐尔逊", 653_100, 2027)),
    // A retired couple; later she sends money on to their daughter, who declines it.
    (10, 25, 9, 30, Open("赵永年")),
    (10, 25, 9, 40, Open("孙淑贞")),
    (10, 25, 10, 0, Send("赵永年", "孙淑贞", 12, 50_000)),
    (10, 25, 10, 4, Take("孙淑贞", "孙淑贞")),
    (10, 30, 18, 12, Send("冯凯", "冯秀英", 52, 100_000)),
    (10, 30, 18, 40, Open("冯秀英")),
    (10, 30, 18, 41, Take("冯秀英", "冯秀英")),
    (11, 1, 10, 15, Premium("刘德厚", "刘德厚", 500_229, 2027)),
    (11, 2, 20, 44, Send("古丽娜尔·买买提", "买买提·吐尔逊", 51, 80_000)),
    (11, 3, 9, 55, Pay("黄伯安", "P45010000001", 6_300, 0, 6_300)),
    (11, 5, 10, 33, Pay("马文华", "P62050000001", 7_640, 0, 7_640)),
    // The mother has no login: her daughter opens for her and takes on her behalf.
    (11, 8, 19, 2, OpenFor("阿依夏木·托合提", "古丽娜尔·买买提", 52)),
    (11, 8, 19, 10, Send("古丽娜尔·买买提", "阿依夏木·托合提", 52, 30_000)),
    (11, 8, 19, 12, Take("阿依夏木·托合提", "古丽娜尔·买买提")),
    (11, 10, 9, 0, Contributions("2026-11")),
    (11, 11, 20, 20, Send("孙淑贞", "赵敏", 30, 20_000)),
    (11, 11, 21, 5, Decline("赵敏")),
    (11, 12, 19, 30, Send("马国栋", "马文华", 51, 50_000)),
    // Nobody took it: it went back at six in the morning.
    (11, 15, 21, 12, Send("赵永年", "钱宇轩", 43, 30_000)),
    (11, 16, 10, 25, Open("林海")),
    (11, 16, 10, 40, Pay("林海", "H51050000001", 18_640, 12_000, 6_640)),
    (11, 18, 16, 5, Pay("买买提·吐尔逊", "P65310000001", 5_840, 0, 5_840)),
    (11, 19, 20, 15, Open("包巴特尔")),
    (11, 19, 20, 18, Send("包文娟", "包巴特尔", 51, 60_000)),
    (11, 19, 20, 30, Take("包巴特尔", "包巴特尔")),
    (11, 20, 12, 10, Send("黄丽华", "黄伯安", 51, 20_000)),
    // Sent with a slip of the finger, and taken back.
    (11, 21, 9, 30, Send("欧阳若兰", "欧阳文博", 61, 200_000)),
    (11, 21, 9, 34, Cancel("欧阳若兰")),
    // What waits when the sandbox begins.
    (11, 23, 9, 20, Send("普云生", "李凤仙", 52, 20_000)),
];

/// When the history begins (ms, UTC).
pub fn begin() -> i64 {
    at(9, 1, 8, 0)
}

fn at(month: i8, day: i8, hour: u16, minute: u16) -> i64 {
    instant(day_from_date(2026, month, day).expect("a day of the calendar"), hour * 60 + minute)
}

struct Stage<'a> {
    app: &'a Arc<App>,
    people: BTreeMap<String, (HolderId, CitizenNumber)>,
    /// The last transfer of each sender and to each receiver.
    sent: BTreeMap<&'static str, TransferId>,
    waiting: BTreeMap<&'static str, TransferId>,
}

pub async fn play(app: &Arc<App>, clock: &MovableClock, bar: &dyn Fn(&str) -> ProgressBar) -> Result<(), SandboxError> {
    let rows = samples::rows::<PersonRow>(samples::PERSONS, i32::MAX / 2);
    let mut people = BTreeMap::new();
    for row in rows {
        let holder = app.vault.find_by_id_number(row.id_number.as_str()).map_err(AppError::from)?;
        people.extend(holder.map(|holder| (row.name.as_str().to_owned(), (HolderId(holder), row.id_number))));
    }
    let mut stage = Stage { app, people, sent: BTreeMap::new(), waiting: BTreeMap::new() };
    let bar = bar("样例历史");
    bar.set_length(ACTS.len() as u64);
    for (number, (month, day, hour, minute, act)) in ACTS.iter().enumerate() {
        pass_time(app, clock, at(*month, *day, *hour, *minute)).await?;
        stage.act(number, act).await?;
        app.engine.settle().await.map_err(AppError::from)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Moves the clock, morning by morning, so that what falls due in between is done in its time.
async fn pass_time(app: &App, clock: &MovableClock, until: i64) -> Result<(), AppError> {
    let mut morning = instant(day_of(clock.now()) + 1, 6 * 60);
    while morning < until {
        clock.set(morning);
        app.engine.nudge().await?;
        morning += DAY_MS;
    }
    clock.set(until);
    Ok(app.engine.settle().await?)
}

impl Stage<'_> {
    async fn act(&mut self, number: usize, act: &Act) -> Result<(), SandboxError> {
        let app = self.app;
        let key = |step: &str| IdempotencyKey::new("sandbox", "history", &format!("{number}-{step}"), b"").expect("a plain key");
        match *act {
            Contributions(month) => self.contribute(month).await?,
            Open(who) => {
                let holder = self.holder(who)?;
                person::open_wallet(app, holder, holder, self.area(holder)?, key("open")).await?;
            }
            OpenFor(who, agent, relation) => {
                let (holder, agent) = (self.holder(who)?, self.holder(agent)?);
                let relation = RelationCode::try_new(relation).expect("a near relative");
                let id_number = self.people[who].1.as_str();
                let (started, _) = family::start_on_behalf(app, agent, who, id_number, relation).await?;
                let code = self.code_of(holder).await?;
                family::confirm_on_behalf(app, agent, &started.ticket, &code, self.area(holder)?).await?;
            }
            Send(from, to, relation, amount) => {
                let (sender, receiver) = (self.holder(from)?, self.holder(to)?);
                let wish = transfer::Wish { sender, receiver, relation, amount: Fen(amount), from_wallet: self.sends_from_wallet(from) };
                let answered = transfer::submit(app, &wish, Some(self.proof(sender, wish.binding())), key("send")).await?;
                let id = transfer_of(&answered);
                self.sent.insert(from, id);
                self.waiting.insert(to, id);
                transfer::outgoing(app, sender, id).await?;
            }
            Take(who, by) => {
                let (holder, by) = (self.holder(who)?, self.holder(by)?);
                transfer::accept(app, self.waiting[who], holder, by, key("take")).await?;
            }
            Decline(who) => {
                let holder = self.holder(who)?;
                transfer::decline(app, self.waiting[who], holder, holder, key("decline")).await?;
            }
            Cancel(who) => {
                transfer::cancel(app, self.sent[who], self.holder(who)?, key("cancel")).await?;
            }
            Pay(who, institution, total, fund, own) => {
                let (holder, institution) = (self.holder(who)?, institution_of(institution)?);
                let bill = Bill { total: Fen(total), fund: Fen(fund), own: Fen(own), institution: Fen(total - fund - own) };
                // A code is shown once, so a start that was cut off makes another; the order below is the same.
                let (code, _) = payment::issue_code(app, holder, holder, PayFirst::Wallet, random_key()).await?;
                let (part, code) = payment::parse_code(&code.0).expect("a fresh code is well formed");
                let hold = payment::Hold {
                    institution,
                    number: order_number(number),
                    payer: Payer::Code(code),
                    part,
                    bill,
                    partial: false,
                    visit: payment::usual_visit(app, institution),
                    quote: None,
                };
                let (order, _) = payment::hold(app, &hold, key("hold")).await?;
                payment::capture(app, institution, order.payment, Fen(own), true, key("capture")).await?;
            }
            Refund(institution, of, amount) => {
                let institution = institution_of(institution)?;
                let (order, _) = payment::payment_of(app, institution, &order_number(of))?;
                payment::refund(app, institution, order.payment, Fen(amount), key("refund")).await?;
            }
            Premium(who, insured, area, year) => {
                let (payer, insured) = (self.holder(who)?, self.holder(insured)?);
                let wish = premium::Wish { payer, by: payer, insured, area, year };
                premium::pay(app, &wish, Some(self.proof(payer, wish.binding())), key("premium")).await?;
            }
        }
        Ok(())
    }

    async fn contribute(&self, month: &'static str) -> Result<(), SandboxError> {
        // The first file also carries the balances of before.
        let file = samples::contributions_of(|of| of == month || (month == "2026-08" && of < month));
        let hidden = |_: &str| ProgressBar::hidden();
        put(self.app, "contributions.csv", ImportKind::Contributions, &file, &hidden).await
    }

    fn holder(&self, name: &str) -> Result<HolderId, SandboxError> {
        self.people.get(name).map(|(holder, _)| *holder).ok_or_else(|| SandboxError::Unknown(name.to_owned()))
    }

    /// The one-time code that has just been texted to this person.
    async fn code_of(&self, holder: HolderId) -> Result<Sensitive, SandboxError> {
        let messages = self.app.vault(move |vault| vault.messages(holder.0, None, 1)).await?;
        let code = messages.first().and_then(|message| message.text.reveal().split_once("验证码 ")?.1.get(..6));
        code.map(Sensitive::new).ok_or_else(|| SandboxError::Unknown("验证码".to_owned()))
    }

    fn area(&self, holder: HolderId) -> Result<u32, SandboxError> {
        let person = self.app.engine.holder(holder).map_err(ServiceError::from)?;
        Ok(person.and_then(|person| person.enrolment).map_or(0, |enrolment| enrolment.area))
    }

    /// 孙淑贞 passes on what her husband sent; all others send from the personal account.
    fn sends_from_wallet(&self, name: &str) -> bool {
        name == "孙淑贞"
    }

    fn proof(&self, holder: HolderId, bound: [u8; 16]) -> Proof {
        let now = self.app.now();
        let text = self.app.vault.issue_proof(holder.0, bound, now);
        self.app.vault.verify_proof(&text, now).expect("a proof just issued is good").into()
    }
}

fn random_key() -> IdempotencyKey {
    IdempotencyKey::new("sandbox", "history-code", &format!("code-{}", fresh()), b"").expect("a plain key")
}

fn order_number(act: usize) -> String {
    format!("SAMPLE-2026-{act:04}")
}

fn institution_of(code: &str) -> Result<InstitutionId, SandboxError> {
    InstitutionId::parse(code).ok_or_else(|| SandboxError::Unknown(code.to_owned()))
}

fn transfer_of(answered: &Answered) -> TransferId {
    match answered.outcome {
        Outcome::Transfer { id, .. } => id,
        ref other => unreachable!("a transfer is answered by a transfer, not {other:?}"),
    }
}
