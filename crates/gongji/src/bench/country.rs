//! The bench's people: pairs of relatives in two provinces, each with money and an open wallet, and places where they pay.

use super::under_way::{CHUNK, UnderWay};
use anyhow::{Context, ensure};
use gongji_ledger::{Fen, HolderId, InstitutionId, Part};
use gongji_store::clock::MovableClock;
use gongji_store::{Decided, Engine, Reply};
use gongji_wallet::command::{RequestTransfer, transfer_binding};
use gongji_wallet::day::{DAY_MS, HOUR_MS, day_from_date, instant};
use gongji_wallet::directory::{Coverage, DirectoryChange, Institution, Readiness, Region, RegionLevel};
use gongji_wallet::ids::{RequestKey, TransferId};
use gongji_wallet::object::{EMPLOYEE, Enrolment, EnrolmentStatus, TransferState};
use gongji_wallet::{Command, Decision, Outcome, Proof, Request};
use indicatif::ProgressBar;
use std::sync::Arc;

/// Where the two of a pair are insured.
pub const AREAS: [u32; 2] = [370_100, 510_500];

/// Numbers of first transfers begin here.
pub const FIRST: u64 = 1 << 62;

/// 10:00 on the bench's first day.
pub fn first_morning() -> i64 {
    let day = day_from_date(2026, 11, 23).expect("the day exists");
    instant(day, 0) + 10 * HOUR_MS
}

pub fn morning(day: u64) -> i64 {
    first_morning() + i64::try_from(day).expect("a bench lasts fewer days") * DAY_MS
}

/// A clock on the eve of the first day.
pub fn eve() -> Arc<MovableClock> {
    Arc::new(MovableClock::standing(first_morning() - DAY_MS))
}

/// Opens the two areas.
pub async fn open_areas(engine: &Engine) -> anyhow::Result<()> {
    let opened = day_from_date(2025, 1, 1).expect("the day exists");
    let region = |code: u32, province: &str, name: &str| Region {
        code,
        name: name.to_owned(),
        province_code: code / 10_000 * 10_000,
        province: province.to_owned(),
        level: RegionLevel::Prefecture,
        openings: vec![(opened, true)],
        change_of_use: false,
        coverage: Coverage::Area,
    };
    let regions = [region(AREAS[0], "山东省", "济南市"), region(AREAS[1], "四川省", "泸州市")];
    change_directory(engine, regions.map(DirectoryChange::Region).to_vec()).await
}

/// Opens so many hospitals in the first area.
pub async fn open_institutions(engine: &Engine, count: u64) -> anyhow::Result<Vec<InstitutionId>> {
    let ids: Vec<InstitutionId> = (1..=count).map(|number| InstitutionId(u64::from(AREAS[0]) * 100_000 + number)).collect();
    let open = |id: &InstitutionId| {
        DirectoryChange::Institution(Institution {
            id: *id,
            name: format!("第{}医院", id.0 % 100_000),
            area: AREAS[0],
            is_pharmacy: false,
            level: "三级".to_owned(),
            address: String::new(),
            district: String::new(),
            readiness: Readiness::Ready,
            counter: true,
            kiosk: false,
            mobile: false,
            position: None,
        })
    };
    change_directory(engine, ids.iter().map(open).collect()).await?;
    Ok(ids)
}

async fn change_directory(engine: &Engine, changes: Vec<DirectoryChange>) -> anyhow::Result<()> {
    done(engine.ask(0, Request { idempotency: None, command: Command::ChangeDirectory(changes) }).await)
}

/// Puts people on file: enrolled, with 100,000 yuan each in the personal account, the wallet open.
pub async fn file_people(engine: &Arc<Engine>, part: Part, holders: u64, area: fn(u64) -> u32, bar: &ProgressBar) -> anyhow::Result<()> {
    let all: Vec<u64> = (1..=holders).collect();
    let mut under_way = UnderWay::new();
    for serials in all.chunks(CHUNK / 4) {
        let requests: Vec<Request> = serials.iter().flat_map(|serial| file(HolderId::new(part, *serial), area(*serial))).collect();
        let (engine, bar, count) = (engine.clone(), bar.clone(), serials.len() as u64);
        let filing = async move {
            engine.ask_all(part, requests).await.into_iter().try_for_each(done)?;
            bar.inc(count);
            Ok(())
        };
        under_way.add(filing).await?;
    }
    while under_way.next().await?.is_some() {}
    Ok(())
}

/// Lets each sender confirm a relation by a first transfer, which the receiver accepts; `from` numbers them.
pub async fn acquaint(engine: &Arc<Engine>, pairs: &[(HolderId, HolderId)], from: u64, now: i64) -> anyhow::Result<()> {
    let mut under_way = UnderWay::new();
    for (chunk, from) in pairs.chunks(CHUNK).zip((from..).step_by(CHUNK)) {
        let (mut first, mut take) = (Vec::new(), Vec::new());
        for ((sender, receiver), number) in chunk.iter().copied().zip(from..) {
            let transfer = transfer(sender, receiver, Fen(10_000), number, now);
            let id = transfer.id;
            first.push(Request { idempotency: None, command: Command::RequestTransfer(transfer) });
            take.push(Request { idempotency: None, command: Command::AcceptTransfer { id, receiver, by: receiver } });
        }
        let (engine, part) = (engine.clone(), chunk[0].0.part());
        let telling = async move {
            engine.ask_all(part, first).await.into_iter().try_for_each(done)?;
            engine.ask_all(part, take).await.into_iter().try_for_each(done)
        };
        under_way.add(telling).await?;
    }
    while under_way.next().await?.is_some() {}
    Ok(())
}

/// People on file in pairs of confirmed relatives.
pub async fn settle_people(engine: &Arc<Engine>, part: Part, holders: u64, now: i64, bar: &ProgressBar) -> anyhow::Result<()> {
    ensure!(holders.is_multiple_of(2), "people come in pairs");
    file_people(engine, part, holders, |serial| AREAS[usize::from(serial % 2 == 1)], bar).await?;
    let pairs: Vec<_> = (0..holders / 2).map(|pair| (HolderId::new(part, pair * 2 + 1), HolderId::new(part, pair * 2 + 2))).collect();
    acquaint(engine, &pairs, FIRST, now).await
}

fn file(holder: HolderId, area: u32) -> [Request; 4] {
    let enrolment = Enrolment { area, insurance: EMPLOYEE, status: EnrolmentStatus::Normal, from: 0, pooled_only: false };
    [
        Command::CreateHolder { holder },
        Command::SetEnrolment { holder, enrolment },
        Command::Contribute { holder, area, amount: Fen(10_000_000), month: 202_611 },
        Command::OpenWallet { holder, by: holder, place: area },
    ]
    .map(|command| Request { idempotency: None, command })
}

/// The other of a pair.
pub fn relative(holder: HolderId) -> HolderId {
    let serial = holder.serial();
    HolderId::new(holder.part(), if serial % 2 == 1 { serial + 1 } else { serial - 1 })
}

/// 16 bytes as of a UUIDv7: the time stands in front, then what makes it unlike every other.
pub fn timed_id(now: i64, number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&now.to_be_bytes()[2..]);
    id[6..14].copy_from_slice(&number.to_be_bytes());
    id
}

/// A transfer with a proof of its own; `number` makes it unlike every other of the sender's partition.
pub fn transfer(sender: HolderId, receiver: HolderId, amount: Fen, number: u64, now: i64) -> RequestTransfer {
    // The first of a pair declared the other a brother, and is declared one.
    let proof = Proof { id: number, holder: sender, bound: transfer_binding(receiver, amount, false), expires: now + 300_000 };
    RequestTransfer {
        id: TransferId(timed_id(now, (u64::from(sender.part()) << 48) | number)),
        sender,
        receiver,
        relation: 73,
        amount,
        from_wallet: false,
        proof: Some(proof),
    }
}

/// A timed idempotency key, in the order of its number.
pub fn key(number: u64) -> RequestKey {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8..].copy_from_slice(&number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    RequestKey(key)
}

/// Whether a reply says that a transfer was credited; refusals are counted, everything else is an error.
pub fn credited(reply: Reply) -> anyhow::Result<bool> {
    match reply.context("the partition failed")?.decision {
        Decision::New(Outcome::Transfer { state: TransferState::Credited, .. }) => Ok(true),
        Decision::New(Outcome::Refused(_)) => Ok(false),
        other => anyhow::bail!("a transfer of the bench came to {other:?}"),
    }
}

/// Of what must succeed: preparations.
pub fn done(reply: Reply) -> anyhow::Result<()> {
    match reply? {
        Decided { decision: Decision::New(Outcome::Done | Outcome::Transfer { .. } | Outcome::Code { .. }), .. } => Ok(()),
        other => anyhow::bail!("making the country came to {other:?}"),
    }
}
