//! The language of the cases. `tests/cases/README.md` describes it.

use crate::books::{assert_at_rest, assert_books, assert_lines};
use crate::transcript::{Names, fen, time};
use crate::world::{Batch, World};
use gongji_ledger::{Account, AreaCode, Fen, GrantKind, HolderId, InstitutionId, Lot, Origin, Part};
use gongji_wallet::command::{PlaceOrder, RequestTransfer, binding, keypad_binding, place_binding, premium_binding, transfer_binding};
use gongji_wallet::day::{Day, HOUR_MS, MINUTE_MS, SECOND_MS, day_from_date, day_of, instant};
use gongji_wallet::directory::{Coverage, Directory, DirectoryChange, Institution, Premium, Readiness, Region, RegionLevel};
use gongji_wallet::event::{Payer, Quote, institution_part};
use gongji_wallet::ids::{CodeId, Key, OrderId, PaymentId, RequestKey, TransferId};
use gongji_wallet::object::{
    Bill, Business, Enrolment, EnrolmentStatus, FreezeReason, Holder, Object, PayFirst, PersonalAccount, Relation, Terminal, Visit, Wallet,
};
use gongji_wallet::rules::{RuleChange, Scope, Setting};
use gongji_wallet::{Command, Proof, Request};
use std::collections::{BTreeMap, BTreeSet};

/// How a case is played.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Forget everything between batches, so that each object is asked for.
    pub is_cold: bool,
    /// Put the people into this many partitions, one after the other, whatever the case says.
    pub spread: Option<Part>,
}

/// What was played: every step, and the people at the end.
pub struct Played {
    pub transcript: String,
    pub people: String,
    /// Whether the case itself places people or delays messages.
    pub is_placed: bool,
}

struct Sent {
    receiver: HolderId,
    id: TransferId,
}

struct Script {
    world: World,
    names: Names,
    people: BTreeMap<String, HolderId>,
    transfers: BTreeMap<String, Sent>,
    orders: BTreeMap<String, PaymentId>,
    codes: BTreeMap<String, HolderId>,
    /// Proofs by the number of the request that brought them, for using one twice.
    proofs: u64,
    named_proofs: BTreeMap<String, u64>,
    keys: u64,
    payments: u64,
    now: i64,
    directory: Directory,
    has_begun: bool,
    is_manual: bool,
    is_placed: bool,
    spread: Option<Part>,
    out: String,
}

/// The words of one line: plain ones in order, and `name=value` ones by name.
struct Line<'a> {
    text: &'a str,
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Line<'a> {
        let text = text.split(" #").next().unwrap().trim();
        let (options, words) = text.split_whitespace().partition::<Vec<&str>, _>(|word| word.contains('='));
        Line { text, words, options: options.into_iter().map(|word| word.split_once('=').unwrap()).collect() }
    }

    fn word(&self, at: usize) -> &'a str {
        self.words.get(at).unwrap_or_else(|| panic!("a word is missing: {}", self.text))
    }

    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    fn after(&self, word: &str) -> Option<&'a str> {
        let at = self.words.iter().position(|known| *known == word)?;
        self.words.get(at + 1).copied()
    }
}

fn date(text: &str) -> Day {
    let mut numbers = text.split('-').map(|number| number.parse::<i16>().unwrap_or_else(|_| panic!("not a date: {text}")));
    let mut next = || numbers.next().unwrap_or_else(|| panic!("not a date: {text}"));
    day_from_date(next(), next() as i8, next() as i8).unwrap_or_else(|| panic!("no such day: {text}"))
}

/// `21:59`, or `21:59:59.999`, after midnight in ms.
fn clock(text: &str) -> i64 {
    let (whole, ms) = text.split_once('.').unwrap_or((text, "0"));
    let units = [HOUR_MS, MINUTE_MS, SECOND_MS];
    whole.split(':').zip(units).map(|(number, unit)| number.parse::<i64>().unwrap() * unit).sum::<i64>() + ms.parse::<i64>().unwrap()
}

fn minutes(text: &str) -> u16 {
    (clock(text) / MINUTE_MS) as u16
}

fn area(text: &str) -> AreaCode {
    text.parse().unwrap_or_else(|_| panic!("not an area: {text}"))
}

fn grant_kind(text: &str) -> GrantKind {
    match text {
        "own" => GrantKind::Own,
        "transfer" => GrantKind::Transfer,
        "quota" => GrantKind::Quota,
        other => panic!("not a kind: {other}"),
    }
}

fn digest(kind: &str, text: &str) -> [u8; 16] {
    binding(kind, &[text.as_bytes()])
}

fn enrolment(line: &Line, at: usize, from: Day) -> Option<Enrolment> {
    let (insurance, pooled_only) = match line.word(at) {
        "employee" => (310, false),
        "pooled" => (310, true),
        "resident" => (390, false),
        "uninsured" => return None,
        other => (other.parse().unwrap_or_else(|_| panic!("not an insurance: {other}")), false),
    };
    let status = match line {
        line if line.has("paused") => EnrolmentStatus::Paused,
        line if line.has("ended") => EnrolmentStatus::Ended,
        _ => EnrolmentStatus::Normal,
    };
    Some(Enrolment { area: area(line.word(at + 1)), insurance, status, from, pooled_only })
}

fn pay_first(line: &Line) -> PayFirst {
    match line.options.get("first").copied() {
        None | Some("account") => PayFirst::Personal,
        Some("wallet") => PayFirst::Wallet,
        Some("only") => PayFirst::WalletOnly,
        Some(other) => panic!("not a purse: {other}"),
    }
}

fn settings(words: &[&str]) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut words = words.iter().copied();
    while let Some(name) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{name} needs a value"));
        settings.push(match name {
            "count" => Setting::DailyCountMax(value().parse().unwrap()),
            "min" => Setting::TransferMin(fen(value())),
            "max" => Setting::TransferMax(fen(value())),
            "daily_total" => Setting::DailyTotalMax(Some(fen(value()))),
            "no_daily_total" => Setting::DailyTotalMax(None),
            "closed" => {
                let (from, to) = value().split_once('-').unwrap();
                Setting::ClosedHours { from: minutes(from), to: minutes(to) }
            }
            "return_at" => Setting::ReturnAt(minutes(value())),
            "one_at_a_time" => Setting::OneAtATime(value() == "yes"),
            "returned_counts" => Setting::ReturnedCounts(value() == "yes"),
            "kind" => Setting::Kind(grant_kind(value())),
            "cooldown_days" => Setting::PlaceCooldownDays(value().parse().unwrap()),
            "code_s" => Setting::CodeMs(value().parse::<i64>().unwrap() * SECOND_MS),
            "stay_s" => Setting::InpatientHoldMs(value().parse::<i64>().unwrap() * SECOND_MS),
            "decoded_s" => Setting::DecodedMs(value().parse::<i64>().unwrap() * SECOND_MS),
            "hold_s" => Setting::HoldMs(value().parse::<i64>().unwrap() * SECOND_MS),
            other => panic!("not a setting: {other}"),
        });
    }
    settings
}

fn business(word: &str) -> Business {
    match word {
        "outpatient" => Business::Outpatient,
        "inpatient" => Business::Inpatient,
        "pharmacy" => Business::Pharmacy,
        other => panic!("not a kind of care: {other}"),
    }
}

/// A change of the directory, if the line is one.
fn directory_change(line: &Line) -> Option<DirectoryChange> {
    Some(match line.word(0) {
        "region" => {
            let code = area(line.word(1));
            let mut openings = Vec::new();
            for pair in line.words[2..].windows(2) {
                if matches!(pair[0], "open" | "close") {
                    openings.push((date(pair[1]), pair[0] == "open"));
                }
            }
            let province_code = code / 10_000 * 10_000;
            DirectoryChange::Region(Region {
                code,
                name: format!("地区{code}"),
                province_code,
                province: format!("省{province_code}"),
                level: if code == province_code { RegionLevel::Province } else { RegionLevel::Prefecture },
                openings,
                change_of_use: !line.has("fixed"),
                coverage: Coverage::Area,
            })
        }
        "opening" => DirectoryChange::Opening { area: area(line.word(1)), from: date(line.word(3)), open: line.word(2) == "open" },
        "institution" => DirectoryChange::Institution(Institution {
            id: InstitutionId::parse(line.word(1)).unwrap(),
            name: line.word(1).to_owned(),
            area: area(line.word(2)),
            is_pharmacy: line.word(1).starts_with('P'),
            level: String::new(),
            address: String::new(),
            district: String::new(),
            readiness: match line.word(3) {
                "ready" => Readiness::Ready,
                "quiet" => Readiness::Quiet,
                "off" => Readiness::Off,
                other => panic!("not a readiness: {other}"),
            },
            counter: true,
            kiosk: true,
            mobile: true,
            position: None,
        }),
        "premium" => DirectoryChange::Premium(Premium {
            area: area(line.word(1)),
            year: line.word(2).parse().unwrap(),
            amount: fen(line.word(3)),
            opens: date(line.word(4)),
            closes: date(line.word(5)),
            relatives: line.has("relatives"),
            instructions: String::new(),
        }),
        "rule" => {
            let (scope, next) = match line.word(2) {
                "nation" => (Scope::Nation, 3),
                "province" => (Scope::Province(area(line.word(3))), 4),
                "area" => (Scope::Area(area(line.word(3))), 4),
                other => panic!("not a scope: {other}"),
            };
            assert_eq!(line.word(next), "from");
            let from = date(line.word(next + 1));
            DirectoryChange::Rules(RuleChange { version: line.word(1).parse().unwrap(), scope, from, settings: settings(&line.words[next + 2..]) })
        }
        _ => return None,
    })
}

pub fn play(text: &str, stage: Stage) -> Played {
    let parts = stage.spread.unwrap_or_else(|| text.lines().find_map(|line| line.strip_prefix("parts ")).map_or(1, |parts| parts.trim().parse().unwrap()));
    let mut script = Script {
        world: World::new(parts, stage.is_cold),
        names: Names::default(),
        people: BTreeMap::new(),
        transfers: BTreeMap::new(),
        orders: BTreeMap::new(),
        codes: BTreeMap::new(),
        proofs: 0,
        named_proofs: BTreeMap::new(),
        keys: 0,
        payments: 0,
        now: 0,
        directory: Directory::default(),
        has_begun: false,
        is_manual: false,
        is_placed: parts > 1 && stage.spread.is_none(),
        spread: stage.spread,
        out: String::new(),
    };
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).collect();
    let mut at = 0;
    while at < lines.len() {
        let first = lines[at];
        at += 1;
        let mut together = vec![first];
        while at < lines.len() && lines[at].starts_with("& ") {
            together.push(&lines[at][2..]);
            at += 1;
        }
        script.step(&together);
    }
    script.end()
}

impl Script {
    fn say(&mut self, line: &str) {
        self.out += line;
        self.out.push('\n');
    }

    fn step(&mut self, together: &[&str]) {
        let first = together[0];
        if let Some(title) = first.strip_prefix("# ") {
            self.say(&format!("\n# {title}"));
        } else if let Some(when) = first.strip_prefix("@ ") {
            self.begin();
            let (day, hour) = when.split_once(' ').unwrap();
            let then = instant(date(day), 0) + clock(hour);
            assert!(then >= self.now, "time goes forward: {when}");
            self.now = then;
            self.say(&format!("\n@ {}", time(then)));
        } else if !self.has_begun {
            self.fixture(&Line::parse(first));
        } else {
            self.commands(together);
        }
    }

    fn begin(&mut self) {
        if !self.has_begun {
            self.has_begun = true;
            self.world.directory = std::sync::Arc::new(self.directory.clone());
            let directory = self.directory.clone();
            self.world.seed(0, Key::Directory, Object::Directory(Box::new(directory)));
        }
    }

    fn person(&self, name: &str) -> HolderId {
        match name.strip_prefix("nobody") {
            Some(part) => HolderId::nobody(part.trim_start_matches('@').parse().unwrap_or(1)),
            None => *self.people.get(name).unwrap_or_else(|| panic!("nobody is called {name}")),
        }
    }

    fn fixture(&mut self, line: &Line) {
        if let Some(change) = directory_change(line) {
            self.directory.apply(&change);
            return;
        }
        match line.word(0) {
            "parts" => {}
            "manual" => (self.is_manual, self.is_placed) = (true, true),
            "person" => self.new_person(line),
            "family" => {
                let (one, other, code) = (self.person(line.word(1)), self.person(line.word(2)), line.word(3).parse().unwrap());
                self.change_holder(one, |holder| {
                    holder.relations.push(Relation { other, code, declared_here: true, since: 0, ended: None, pending_at_end: Vec::new() })
                });
                self.change_holder(other, |holder| {
                    holder.relations.push(Relation { other: one, code, declared_here: false, since: 0, ended: None, pending_at_end: Vec::new() })
                });
            }
            "lot" => {
                let (owner, contributor) = (self.person(line.word(1)), self.person(line.word(3)));
                let origin = Origin { contributor, area: area(line.word(4)), kind: grant_kind(line.word(5)) };
                let lot = Lot { origin, since: instant(date(line.word(8)), 600), amount: fen(line.word(6)) };
                self.change_holder(owner, |holder| holder.wallet.as_mut().unwrap().lots.put(&[lot]));
                self.pay_in(owner.part(), origin.area, lot.amount);
            }
            "agent" => {
                let (holder, agent) = (self.person(line.word(1)), self.person(line.word(2)));
                self.change_holder(holder, |holder| holder.agents.push(agent));
            }
            other => panic!("not a line of a fixture: {other}"),
        }
    }

    fn new_person(&mut self, line: &Line) {
        let (name, part) = line.word(1).split_once('@').map_or((line.word(1), 1), |(name, part)| (name, part.parse::<Part>().unwrap()));
        let part = self.spread.map_or(part, |parts| self.people.len() as Part % parts + 1);
        let id = HolderId::new(part, self.people.len() as u64 + 1);
        self.people.insert(name.to_owned(), id);
        self.names.people.insert(id, name.to_owned());
        let mut holder = Holder::new(id);
        holder.enrolment = enrolment(line, 2, date("2020-01-01"));
        if let Some(balance) = line.after("balance") {
            let place = holder.enrolment.unwrap().area;
            holder.accounts.push(PersonalAccount { area: place, balance: fen(balance) });
            self.pay_in(part, place, fen(balance));
        }
        if line.has("wallet") {
            let place = holder.enrolment.map_or(0, |enrolment| enrolment.area);
            holder.wallet = Some(Wallet { place, opened_at: 0, place_changed_at: None, lots: Default::default() });
        }
        self.world.seed(part, Key::Holder(id), Object::Holder(Box::new(holder)));
    }

    fn change_holder(&mut self, id: HolderId, change: impl FnOnce(&mut Holder)) {
        let mut holder = self.world.holder(id).unwrap().clone();
        change(&mut holder);
        self.world.seed(id.part(), Key::Holder(id), Object::Holder(Box::new(holder)));
    }

    /// The other side of seeded money, so that the books balance from the start.
    fn pay_in(&mut self, part: Part, area: AreaCode, amount: Fen) {
        let key = Key::Balance(Account::Fund { area });
        let before = match self.world.object(part, key) {
            Some(Object::Balance(balance)) => *balance,
            _ => Fen::ZERO,
        };
        self.world.seed(part, key, Object::Balance(before - amount));
    }

    fn commands(&mut self, together: &[&str]) {
        let first = Line::parse(together[0]);
        match first.word(0) {
            "due" => {
                self.say("due");
                for (part, key) in self.world.overdue(self.now) {
                    let batch = self.world.run(part, self.now, Command::Due(key));
                    self.told(part, batch);
                }
                return self.after_batch();
            }
            "deliver" => return self.deliver(&first),
            _ => {}
        }
        let requests: Vec<(Part, Request)> = together.iter().map(|text| self.request(&Line::parse(text))).collect();
        for text in together {
            self.say(&format!("{}{text}", if together.len() > 1 { "& " } else { "" }));
        }
        let part = requests[0].0;
        if requests.iter().all(|(other, _)| *other == part) {
            let requests: Vec<Request> = requests.into_iter().map(|(_, request)| request).collect();
            let batch = self.world.batch(part, self.now, &requests);
            self.told(part, batch);
        } else {
            assert!(self.spread.is_some(), "one batch is of one partition");
            for (part, request) in requests {
                let batch = self.world.batch(part, self.now, &[request]);
                self.told(part, batch);
                self.deliver_all();
            }
        }
        self.after_batch();
    }

    fn deliver(&mut self, line: &Line) {
        self.say(line.text);
        match line.words.get(1) {
            None => self.deliver_all(),
            Some(wire) => {
                let (from, to) = wire.split_once('>').unwrap();
                let (from, to): (Part, Part) = (from.parse().unwrap(), to.parse().unwrap());
                let number = line.words.get(2).map_or_else(|| self.world.received(from, to) + 1, |number| number.trim_start_matches('m').parse().unwrap());
                self.deliver_one(from, to, number);
            }
        }
        self.after_batch();
    }

    fn deliver_one(&mut self, from: Part, to: Part, number: u64) {
        let name = self.names.message(&self.world.wires[&(from, to)][number as usize - 1]);
        let batch = self.world.deliver(from, to, number, self.now);
        let was_early_or_late = if batch.events.is_empty() { " (not its turn)" } else { "" };
        self.say(&format!("    {from}>{to} m{number} {name}{was_early_or_late}"));
        self.told(to, Batch { decisions: Vec::new(), ..batch });
    }

    fn deliver_all(&mut self) {
        loop {
            let next = self.world.in_flight().next().map(|(from, to, number, _)| (from, to, number));
            let Some((from, to, number)) = next else { return };
            self.deliver_one(from, to, number);
        }
    }

    /// Decisions, postings, and what changed.
    fn told(&mut self, part: Part, batch: Batch) {
        for decision in &batch.decisions {
            for line in self.names.decision(decision) {
                self.say(&format!("    = {line}"));
            }
        }
        for event in &batch.events {
            for posting in &event.moves {
                self.say(&format!("    {part}: {}", self.names.posting(posting)));
            }
        }
        self.show(part, &batch.changed);
    }

    fn show(&mut self, part: Part, changed: &BTreeSet<Key>) {
        let mut lines = Vec::new();
        for key in changed {
            match self.world.object(part, *key) {
                Some(Object::Holder(holder)) => lines.push(self.names.holder(holder)),
                Some(Object::Payment(payment)) => lines.push(self.names.payment_line(payment)),
                Some(Object::Outgoing(outgoing)) if self.is_placed => {
                    lines.push(format!("{} at the sender: {:?}", self.names.transfer(outgoing.transfer.id), outgoing.state));
                }
                Some(Object::Incoming(incoming)) if self.is_placed => {
                    lines.push(format!("{} at the receiver: {:?}", self.names.transfer(incoming.transfer.id), incoming.state));
                }
                Some(Object::Order(order)) if self.is_placed => {
                    lines.push(format!("order {}: {}", self.names.orders[&order.id], self.names.order_state(&order.state)));
                }
                _ => {}
            }
        }
        for line in lines {
            self.say(&format!("    {line}"));
        }
    }

    fn after_batch(&mut self) {
        if !self.is_manual {
            self.deliver_all();
        }
        assert_books(&self.world);
    }

    fn end(mut self) -> Played {
        assert_lines(&self.world);
        self.world.assert_redo();
        let mut people = String::new();
        for id in self.people.values() {
            people += &self.names.holder(self.world.holder(*id).unwrap());
            people.push('\n');
        }
        // What is still open must come to rest by itself, two days later.
        let transcript = std::mem::take(&mut self.out);
        self.deliver_all();
        self.now += 2 * 24 * HOUR_MS;
        for (part, key) in self.world.overdue(self.now) {
            self.world.run(part, self.now, Command::Due(key));
        }
        self.deliver_all();
        assert_books(&self.world);
        assert_at_rest(&self.world);
        Played { transcript, people, is_placed: self.is_placed }
    }

    /// The proof a line speaks of; a fresh and valid one unless it says otherwise.
    fn proof(&mut self, line: &Line, by: HolderId, bound: [u8; 16]) -> Option<Proof> {
        let mut proof = Proof { id: 0, holder: by, bound, expires: self.now + 5 * MINUTE_MS };
        let mut fresh = || {
            self.proofs += 1;
            self.proofs
        };
        match line.options.get("proof").copied() {
            Some("none") => return None,
            None => proof.id = fresh(),
            Some("expired") => (proof.id, proof.expires) = (fresh(), self.now),
            Some("nearly_expired") => (proof.id, proof.expires) = (fresh(), self.now + 1),
            Some("for_another_request") => (proof.id, proof.bound) = (fresh(), [0; 16]),
            Some("of_another_person") => (proof.id, proof.holder) = (fresh(), HolderId::new(1, 999)),
            Some(name) => {
                let id = *self.named_proofs.entry(name.to_owned()).or_insert_with(fresh);
                proof.id = id;
            }
        }
        Some(proof)
    }

    fn request(&mut self, line: &Line) -> (Part, Request) {
        let (part, command) = self.command(line);
        let key = match line.options.get("key") {
            Some(name) => digest("key", name),
            None => {
                self.keys += 1;
                digest("fresh key", &self.keys.to_string())
            }
        };
        let body = line.text.split_whitespace().filter(|word| !word.starts_with("proof=")).collect::<Vec<_>>().join(" ");
        (part, Request { idempotency: Some((RequestKey(key), digest("body", &body))), command })
    }

    fn command(&mut self, line: &Line) -> (Part, Command) {
        if let Some(change) = directory_change(line) {
            return (0, Command::ChangeDirectory(vec![change]));
        }
        let subject = line.word(0);
        if let Some(institution) = InstitutionId::parse(subject) {
            return self.institution_command(line, institution);
        }
        if line.word(1) == "created" {
            let id = HolderId::new(1, 500 + self.people.len() as u64);
            let id = *self.people.entry(subject.to_owned()).or_insert(id);
            self.names.people.insert(id, subject.to_owned());
            return (id.part(), Command::CreateHolder { holder: id });
        }
        let holder = self.person(subject);
        let by = line.options.get("by").map_or(holder, |name| self.person(name));
        let part = holder.part();
        let command = match line.word(1) {
            "sends" => return self.transfer(line, holder),
            "accepts" => {
                let id = self.transfers[line.word(2)].id;
                Command::AcceptTransfer { id, receiver: holder, by }
            }
            "declines" => {
                let id = self.transfers[line.word(2)].id;
                Command::DeclineTransfer { id, receiver: holder, by }
            }
            "cancels" => {
                let sent = &self.transfers[line.word(2)];
                return (sent.receiver.part(), Command::CancelTransfer { id: sent.id, sender: holder });
            }
            "opens" => Command::OpenWallet { holder, by, place: area(line.word(2)) },
            "allows" => Command::SetAgent { holder, agent: self.person(line.word(2)), allowed: true },
            "disallows" => Command::SetAgent { holder, agent: self.person(line.word(2)), allowed: false },
            "moves" => {
                let place = area(line.word(2));
                let proof = self.proof(line, by, place_binding(holder, place));
                Command::ChangePlace { holder, by, place, proof }
            }
            "ends" => Command::EndRelation { holder, by, other: self.person(line.word(2)) },
            "enrolled" => Command::SetEnrolment { holder, enrolment: enrolment(line, 2, gongji_wallet::day::day_of(self.now)).unwrap() },
            "dies" => Command::RegisterDeath { holder },
            "earns" => Command::Contribute { holder, area: area(line.word(3)), amount: fen(line.word(2)), month: 202_603 },
            "frozen" => {
                let (maker, checker) = (line.word(2).to_owned(), line.word(3).to_owned());
                Command::Freeze { holder, reason: FreezeReason::Investigation, maker, checker }
            }
            "unfrozen" => Command::Unfreeze { holder, maker: line.word(2).to_owned(), checker: line.word(3).to_owned() },
            "shows" => {
                let code = CodeId(digest("code", line.word(2)));
                self.codes.insert(line.word(2).to_owned(), holder);
                self.names.codes.insert(code, line.word(2).to_owned());
                Command::IssueCode { holder, by, code, first: pay_first(line) }
            }
            "pays" => {
                // a pays premium of b 510500 2027
                let (insured, place, year) = (self.person(line.word(4)), area(line.word(5)), line.word(6).parse().unwrap());
                let proof = self.proof(line, by, premium_binding(holder, insured, place, year));
                self.payments += 1;
                let payment = self.payment_id(part);
                self.names.payments.insert(payment, format!("p{}", self.payments));
                Command::PayPremium { payment, payer: holder, by, insured, area: place, year, proof }
            }
            other => panic!("not a command: {other}"),
        };
        (part, command)
    }

    fn payment_id(&self, part: Part) -> PaymentId {
        PaymentId::new(digest("payment", &self.payments.to_string()), part)
    }

    fn transfer(&mut self, line: &Line, sender: HolderId) -> (Part, Command) {
        let (receiver, relation, amount) = (self.person(line.word(2)), line.word(3).parse().unwrap(), fen(line.word(4)));
        let from_wallet = line.has("wallet");
        let proof = self.proof(line, sender, transfer_binding(receiver, amount, from_wallet));
        let name = format!("t{}", self.transfers.len() + 1);
        let id = TransferId(digest("transfer", &name));
        self.names.transfers.insert(id, name.clone());
        self.transfers.insert(name, Sent { receiver, id });
        (sender.part(), Command::RequestTransfer(RequestTransfer { id, sender, receiver, relation, amount, from_wallet, proof }))
    }

    fn institution_command(&mut self, line: &Line, institution: InstitutionId) -> (Part, Command) {
        let part = institution_part(institution, self.world.parts);
        let number = line.word(2);
        let order = OrderId { institution, number: digest("order", number) };
        match line.word(1) {
            "charges" => {
                let own = fen(line.after("own").unwrap());
                let (payer, payer_part) = match line.word(3) {
                    "code" => {
                        let code = CodeId(digest("code", line.word(4)));
                        (Payer::Code(code), self.codes.get(line.word(4)).map_or(1, |holder| holder.part()))
                    }
                    "person" => {
                        let holder = self.person(line.word(4));
                        let by = line.options.get("by").map_or(holder, |name| self.person(name));
                        let proof = self.proof(line, by, keypad_binding(order, own)).expect("a payment without a phone has a proof");
                        (Payer::Holder { holder, by, first: pay_first(line), proof }, holder.part())
                    }
                    other => panic!("not a payer: {other}"),
                };
                self.payments += 1;
                let payment = self.payment_id(payer_part);
                let part_of = |name: &str| line.after(name).map_or(Fen::ZERO, fen);
                let (fund, borne) = (part_of("fund"), part_of("borne"));
                let bill = Bill { total: line.after("total").map_or_else(|| fund + own + borne, fen), fund, own, institution: borne };
                if self.world.object(part, Key::Order(order)).is_none() {
                    self.names.payments.insert(payment, number.to_owned());
                    self.names.orders.insert(order, number.to_owned());
                    self.orders.insert(number.to_owned(), payment);
                }
                let day = day_of(self.now) - line.options.get("days-ago").map_or(0, |days| days.parse().expect("a number of days"));
                let business = line.options.get("for").map_or(Business::Outpatient, |care| business(care));
                let visit = Visit { business, terminal: Terminal::Counter, day };
                let quote = line.options.get("quoted").map(|quoted| {
                    let (personal, wallet) = quoted.split_once('+').expect("quoted=personal+wallet");
                    Quote { personal: fen(personal), wallet: fen(wallet) }
                });
                let place = PlaceOrder { order, number: number.to_owned(), payment, payer, bill, partial: line.has("partial"), visit, quote };
                (part, Command::PlaceOrder(place))
            }
            "reads" => {
                // H51050000001 reads c1 for=pharmacy
                let code = CodeId(digest("code", number));
                let part = self.codes.get(number).map_or(1, |holder| holder.part());
                (part, Command::DecodeCode { code, institution, business: line.options.get("for").map(|care| business(care)) })
            }
            "reverses" => {
                self.names.orders.entry(order).or_insert_with(|| number.to_owned());
                (part, Command::ReverseOrder { order, number: number.to_owned() })
            }
            verb => {
                let payment = self.orders[number];
                let at = payment.part();
                let command = match verb {
                    "captures" => Command::Capture { payment, order, amount: fen(line.word(3)), last: line.has("last") },
                    "voids" => Command::Void { payment, order },
                    "refunds" => Command::Refund { payment, order, amount: fen(line.word(3)) },
                    other => panic!("not a command of an institution: {other}"),
                };
                (at, command)
            }
        }
    }
}
