//! The bench's people: pairs of relatives in two provinces, each with money and an open wallet.

use anyhow::{Context, ensure};
use gongji_ledger::{Fen, HolderId, Part};
use gongji_store::{Decided, Engine, Reply};
use gongji_wallet::command::{RequestTransfer, transfer_binding};
use gongji_wallet::day::{DAY_MS, HOUR_MS, day_from_date, instant};
use gongji_wallet::directory::{Coverage, DirectoryChange, Region, RegionLevel};
use gongji_wallet::ids::{RequestKey, TransferId};
use gongji_wallet::object::{EMPLOYEE, Enrolment, EnrolmentStatus, TransferState};
use gongji_wallet::{Command, Decision, Outcome, Proof, Request};

/// Where the two of a pair are insured.
const AREAS: [u32; 2] = [370_100, 510_500];

/// Numbers of the first transfers of all pairs begin here.
const FIRST: u64 = 1 << 62;

/// Commands handed in at once while the country is made.
const CHUNK: usize = 8_192;

/// 10:00 on the bench's first day.
pub fn first_morning() -> i64 {
    let day = day_from_date(2026, 11, 23).expect("the day exists");
    instant(day, 0) + 10 * HOUR_MS
}

pub fn morning(day: u64) -> i64 {
    first_morning() + i64::try_from(day).expect("a bench lasts fewer days") * DAY_MS
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
    let changes = regions.map(DirectoryChange::Region).to_vec();
    done(engine.ask(0, Request { idempotency: None, command: Command::ChangeDirectory(changes) }).await)
}

/// Puts people on file: enrolled, with 100,000 yuan each in the personal account, the wallet open; each pair has confirmed its relation by a first transfer.
pub async fn settle_people(engine: &Engine, part: Part, holders: u64, now: i64, mut progress: impl FnMut(u64)) -> anyhow::Result<()> {
    ensure!(holders.is_multiple_of(2), "people come in pairs");
    let all: Vec<u64> = (1..=holders).collect();
    for serials in all.chunks(CHUNK / 4) {
        let requests = serials.iter().flat_map(|serial| file(HolderId::new(part, *serial), AREAS[usize::try_from(serial % 2).expect("0 or 1")]));
        for reply in engine.ask_all(part, requests.collect()).await {
            done(reply)?;
        }
        progress(serials.len() as u64);
    }
    let pairs: Vec<u64> = (0..holders / 2).collect();
    for chunk in pairs.chunks(CHUNK) {
        let (mut first, mut take) = (Vec::new(), Vec::new());
        for pair in chunk {
            let (sender, receiver) = (HolderId::new(part, pair * 2 + 1), HolderId::new(part, pair * 2 + 2));
            let transfer = transfer(sender, receiver, Fen(10_000), FIRST + pair, now);
            let id = transfer.id;
            first.push(Request { idempotency: None, command: Command::RequestTransfer(transfer) });
            take.push(Request { idempotency: None, command: Command::AcceptTransfer { id, receiver, by: receiver } });
        }
        for reply in engine.ask_all(part, first).await.into_iter().chain(engine.ask_all(part, take).await) {
            done(reply)?;
        }
    }
    Ok(())
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

/// A transfer with a proof of its own; `number` makes it unlike every other.
pub fn transfer(sender: HolderId, receiver: HolderId, amount: Fen, number: u64, now: i64) -> RequestTransfer {
    // As in a UUIDv7 the time stands in front.
    let mut id = [0; 16];
    id[..6].copy_from_slice(&now.to_be_bytes()[2..]);
    id[8..].copy_from_slice(&number.to_be_bytes());
    // The first of a pair declared the other a brother, and is declared one.
    let proof = Proof { id: number, holder: sender, bound: transfer_binding(receiver, amount, false), expires: now + 300_000 };
    RequestTransfer { id: TransferId(id), sender, receiver, relation: 73, amount, from_wallet: false, proof: Some(proof) }
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

fn done(reply: Reply) -> anyhow::Result<()> {
    match reply? {
        Decided { decision: Decision::New(Outcome::Done | Outcome::Transfer { .. }), .. } => Ok(()),
        other => anyhow::bail!("making the country came to {other:?}"),
    }
}
