//! Messages between partitions: gapless for each pair, and what the receiver did is what the sender sent.

use crate::finding::{At, Finding, FindingKind, Result, Subject};
use crate::wire::{HolderId, Id, Lot, Message, Reason, Transfer, TransferState};
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

/// What of a message must be the same on both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Parcel {
    pub kind: ParcelKind,
    /// Money that travels with it (fen).
    pub amount: i64,
    /// Keyed by this run, so that nobody can prepare two contents of one digest.
    digest: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ParcelKind {
    /// Moves no money by itself.
    Quiet,
    Transfer,
    Decision,
    Lots,
}

impl Parcel {
    pub const QUIET: Parcel = Parcel { kind: ParcelKind::Quiet, amount: 0, digest: 0 };

    fn name(self) -> String {
        let what = match self.kind {
            ParcelKind::Quiet => return "no money".to_owned(),
            ParcelKind::Transfer => "transfer",
            ParcelKind::Decision => "decision",
            ParcelKind::Lots => "returned lots",
        };
        format!("{what}, {} fen, content {:016x}", self.amount, self.digest)
    }
}

/// One direction between two partitions.
#[derive(Default)]
struct Lane {
    sent: u64,
    received: u64,
    /// What one side is ahead of the other, with its record: sent and not received, or (when the receiver was read first) received and not yet seen sent.
    waiting: VecDeque<(u64, Parcel)>,
}

#[derive(Default)]
pub(crate) struct Messages {
    lanes: BTreeMap<(u16, u16), Lane>,
    secret: RandomState,
}

pub(crate) fn sum(at: At, lots: &[Lot]) -> Result<i64> {
    let total = lots.iter().try_fold(0_i64, |sum, lot| sum.checked_add(lot.amount));
    total.ok_or_else(|| at.finding(FindingKind::Overflow, Subject::Record, "i64", "more"))
}

impl Messages {
    pub fn transfer(&self, at: At, transfer: &Transfer) -> Result<Parcel> {
        Ok(Parcel { kind: ParcelKind::Transfer, amount: sum(at, &transfer.lots)?, digest: self.secret.hash_one(transfer) })
    }

    #[allow(clippy::too_many_arguments, reason = "the fields of one message")]
    pub fn decision(
        &self,
        at: At,
        id: &Id,
        sender: HolderId,
        receiver: HolderId,
        state: TransferState,
        lots: &[Lot],
        reason: &Option<Reason>,
    ) -> Result<Parcel> {
        Ok(Parcel { kind: ParcelKind::Decision, amount: sum(at, lots)?, digest: self.secret.hash_one((id, sender, receiver, state, lots, reason)) })
    }

    pub fn lots(&self, at: At, contributor: HolderId, holder: HolderId, lots: &[Lot]) -> Result<Parcel> {
        Ok(Parcel { kind: ParcelKind::Lots, amount: sum(at, lots)?, digest: self.secret.hash_one((contributor, holder, lots)) })
    }

    pub fn parcel(&self, at: At, message: &Message) -> Result<Parcel> {
        match message {
            Message::TransferSent(transfer) => self.transfer(at, transfer),
            Message::TransferDecided { id, sender, receiver, state, lots, reason } => self.decision(at, id, *sender, *receiver, *state, lots, reason),
            Message::LotsReturned { contributor, holder, lots } => self.lots(at, *contributor, *holder, lots),
            _ => Ok(Parcel::QUIET),
        }
    }

    /// The content of a transfer, to be compared with another reading of it.
    pub fn digest(&self, transfer: &Transfer) -> u64 {
        self.secret.hash_one(transfer)
    }

    pub fn send(&mut self, at: At, to: u16, number: u64, parcel: Parcel) -> Result {
        let lane = self.lanes.entry((at.part, to)).or_default();
        let subject = Subject::Message { from: at.part, to, number };
        if number != lane.sent + 1 {
            return Err(at.finding(FindingKind::MessageGap, subject, lane.sent + 1, number));
        }
        lane.sent = number;
        if number > lane.received {
            lane.waiting.push_back((at.seq, parcel));
            return Ok(());
        }
        let (seq, received) = lane.waiting.pop_front().expect("a lane whose receiver is ahead keeps what it received");
        if received == parcel {
            return Ok(());
        }
        // The difference is told where the message was applied.
        Err(At { part: to, seq, stamp: 0 }.finding(FindingKind::MessageDiffers, subject, parcel.name(), received.name()))
    }

    pub fn number(&mut self, at: At, from: u16, number: u64) -> Result {
        let lane = self.lanes.entry((from, at.part)).or_default();
        if number == lane.received + 1 {
            return Ok(());
        }
        Err(at.finding(FindingKind::MessageGap, Subject::Message { from, to: at.part, number }, lane.received + 1, number))
    }

    /// Notes what was done on the message after the last one from there.
    pub fn receive(&mut self, at: At, from: u16, parcel: Parcel) -> Result {
        let lane = self.lanes.entry((from, at.part)).or_default();
        lane.received += 1;
        if lane.received > lane.sent {
            lane.waiting.push_back((at.seq, parcel));
            return Ok(());
        }
        let (_, sent) = lane.waiting.pop_front().expect("a lane whose sender is ahead keeps what it sent");
        if sent == parcel {
            return Ok(());
        }
        let subject = Subject::Message { from, to: at.part, number: lane.received };
        Err(at.finding(FindingKind::MessageDiffers, subject, sent.name(), parcel.name()))
    }

    /// Nothing was received that was not sent.
    pub fn check_all_sent(&self) -> std::result::Result<(), Finding> {
        for ((from, to), lane) in &self.lanes {
            if lane.received > lane.sent {
                let seq = lane.waiting.front().map_or(0, |(seq, _)| *seq);
                let at = At { part: *to, seq, stamp: 0 };
                return Err(at.finding(FindingKind::MessageUnsent, Subject::Message { from: *from, to: *to, number: lane.sent + 1 }, lane.sent, lane.received));
            }
        }
        Ok(())
    }

    /// Money on its way in one direction (fen).
    pub fn under_way(&self, from: u16, to: u16) -> i128 {
        self.lanes.get(&(from, to)).map_or(0, |lane| lane.waiting.iter().map(|(_, parcel)| i128::from(parcel.amount)).sum())
    }

    /// Sent and not received, over all partitions.
    pub fn undelivered(&self) -> u64 {
        self.lanes.values().map(|lane| lane.sent.saturating_sub(lane.received)).sum()
    }

    pub fn sent(&self, from: u16, to: u16) -> u64 {
        self.lanes.get(&(from, to)).map_or(0, |lane| lane.sent)
    }

    pub fn received(&self, from: u16, to: u16) -> u64 {
        self.lanes.get(&(from, to)).map_or(0, |lane| lane.received)
    }
}
