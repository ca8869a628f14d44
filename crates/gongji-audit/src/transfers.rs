//! Transfers as both sides tell them: one content, states by the published table, one end.

use crate::finding::{At, FindingKind, Result, Subject};
use crate::wire::{HolderId, Id, Lot, Purse, Transfer, TransferState, part_of};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// A transfer that is not over on both sides.
pub(crate) struct Moving {
    digest: u64,
    pub sender: HolderId,
    pub receiver: HolderId,
    pub source: Purse,
    pub lots: Box<[Lot]>,
    /// As the sender's partition has it; `None` until its submission was read.
    pub outgoing: Option<TransferState>,
    /// As the receiver's partition decided it.
    pub incoming: Option<TransferState>,
    seq: u64,
    seen: Seen,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub outgoing: bool,
    pub incoming: bool,
}

/// What is over keeps its end only: there are many of them.
pub(crate) enum Track {
    Open(Box<Moving>),
    Done { state: TransferState, seen: Seen, sender_part: u16, receiver_part: u16 },
}

#[derive(Default)]
pub(crate) struct Transfers {
    tracks: HashMap<Id, Track>,
}

fn impossible(at: At, id: Id, expected: &str, found: &str) -> crate::Finding {
    at.finding(FindingKind::TransferState, Subject::Transfer(id), expected, found)
}

impl Transfers {
    fn enter(&mut self, at: At, transfer: &Transfer, digest: u64) -> Result<&mut Moving> {
        let id = transfer.id;
        let track = match self.tracks.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(fresh) => fresh.insert(Track::Open(Box::new(Moving {
                digest,
                sender: transfer.sender,
                receiver: transfer.receiver,
                source: transfer.source,
                lots: transfer.lots.clone().into_boxed_slice(),
                outgoing: None,
                incoming: None,
                seq: at.seq,
                seen: Seen::default(),
            }))),
        };
        match track {
            Track::Done { state, .. } => Err(at.finding(FindingKind::KeyRepeated, Subject::Transfer(id), "a new transfer", state.name())),
            Track::Open(moving) if moving.digest != digest => {
                let told = |sender: HolderId, receiver: HolderId, lots: &[Lot]| {
                    let amount: i128 = lots.iter().map(|lot| i128::from(lot.amount)).sum();
                    format!("{amount} fen from person {sender:#x} to {receiver:#x}, content {digest:016x}")
                };
                let expected = told(moving.sender, moving.receiver, &moving.lots);
                Err(at.finding(FindingKind::MessageDiffers, Subject::Transfer(id), expected, told(transfer.sender, transfer.receiver, &transfer.lots)))
            }
            Track::Open(moving) => Ok(moving),
        }
    }

    pub fn submitted(&mut self, at: At, transfer: &Transfer, digest: u64) -> Result {
        let moving = self.enter(at, transfer, digest)?;
        match moving.outgoing.replace(TransferState::Submitted) {
            None => Ok(()),
            Some(state) => Err(impossible(at, transfer.id, "not submitted yet", state.name())),
        }
    }

    pub fn arrived(&mut self, at: At, transfer: &Transfer, digest: u64, state: TransferState) -> Result {
        let moving = self.enter(at, transfer, digest)?;
        if let Some(known) = moving.incoming.replace(state) {
            return Err(impossible(at, transfer.id, "not arrived yet", known.name()));
        }
        if !TransferState::Submitted.may_become(state) {
            return Err(impossible(at, transfer.id, "a state after submitted", state.name()));
        }
        self.close_if_over(at, transfer.id)
    }

    /// Began and ended in one step, within this partition.
    pub fn made(&mut self, at: At, id: Id) -> Result {
        match self.tracks.entry(id) {
            Entry::Occupied(_) => Err(at.finding(FindingKind::KeyRepeated, Subject::Transfer(id), "a new transfer", "one on file")),
            Entry::Vacant(fresh) => {
                fresh.insert(Track::Done { state: TransferState::Credited, seen: Seen::default(), sender_part: at.part, receiver_part: at.part });
                Ok(())
            }
        }
    }

    /// The transfer as this fact names it; it must still be open.
    pub fn open(&mut self, at: At, id: Id, sender: HolderId, receiver: HolderId) -> Result<&mut Moving> {
        match self.tracks.get_mut(&id) {
            None => Err(impossible(at, id, "a transfer on file", "none")),
            Some(Track::Done { state, .. }) => Err(impossible(at, id, "a transfer that is not over", state.name())),
            Some(Track::Open(moving)) if (moving.sender, moving.receiver) != (sender, receiver) => {
                let named = |sender, receiver| format!("{sender:#x} to {receiver:#x}");
                Err(at.finding(FindingKind::FactImpossible, Subject::Transfer(id), named(moving.sender, moving.receiver), named(sender, receiver)))
            }
            Some(Track::Open(moving)) => Ok(moving),
        }
    }

    /// The receiver's side decided.
    pub fn closed(&mut self, at: At, id: Id, state: TransferState) -> Result {
        let Some(Track::Open(moving)) = self.tracks.get_mut(&id) else { return Err(impossible(at, id, "an open transfer", "none")) };
        match moving.incoming {
            Some(now) if now.may_become(state) => moving.incoming = Some(state),
            now => return Err(impossible(at, id, now.map_or("arrived", TransferState::name), state.name())),
        }
        self.close_if_over(at, id)
    }

    /// The sender's side learnt of it.
    pub fn settled(&mut self, at: At, id: Id, state: TransferState) -> Result {
        let Some(Track::Open(moving)) = self.tracks.get_mut(&id) else { return Err(impossible(at, id, "an open transfer", "none")) };
        match moving.outgoing {
            Some(now) if now.may_become(state) => moving.outgoing = Some(state),
            now => return Err(impossible(at, id, now.map_or("submitted", TransferState::name), state.name())),
        }
        self.close_if_over(at, id)
    }

    /// Both sides end in the same state; then only that is kept.
    fn close_if_over(&mut self, at: At, id: Id) -> Result {
        let Some(track) = self.tracks.get_mut(&id) else { return Ok(()) };
        let Track::Open(moving) = track else { return Ok(()) };
        let (Some(outgoing), Some(incoming)) = (moving.outgoing, moving.incoming) else { return Ok(()) };
        if !outgoing.is_final() || !incoming.is_final() {
            return Ok(());
        }
        if outgoing != incoming {
            return Err(impossible(at, id, incoming.name(), outgoing.name()));
        }
        let (sender_part, receiver_part) = (part_of(moving.sender), part_of(moving.receiver));
        *track = Track::Done { state: outgoing, seen: moving.seen, sender_part, receiver_part };
        Ok(())
    }

    pub fn len(&self) -> u64 {
        self.tracks.len() as u64
    }

    pub fn open_transfers(&self) -> impl Iterator<Item = (&Id, &Moving)> {
        self.tracks.iter().filter_map(|(id, track)| match track {
            Track::Open(moving) => Some((id, &**moving)),
            Track::Done { .. } => None,
        })
    }

    /// States of both sides, the record it was entered with, and which rows were seen.
    pub fn sides(&mut self, id: &Id) -> Option<(Option<TransferState>, Option<TransferState>, u64, &mut Seen)> {
        Some(match self.tracks.get_mut(id)? {
            Track::Open(moving) => (moving.outgoing, moving.incoming, moving.seq, &mut moving.seen),
            Track::Done { state, seen, .. } => (Some(*state), Some(*state), 0, seen),
        })
    }

    /// The first transfer with a side in this partition that no row named: its id and which side.
    pub fn unseen(&self, part: u16) -> Option<(Id, &'static str)> {
        let missing = self.tracks.iter().filter_map(|(id, track)| {
            let (outgoing, incoming, seen, sender_part, receiver_part) = match track {
                Track::Open(moving) => (moving.outgoing.is_some(), moving.incoming.is_some(), moving.seen, part_of(moving.sender), part_of(moving.receiver)),
                Track::Done { seen, sender_part, receiver_part, .. } => (true, true, *seen, *sender_part, *receiver_part),
            };
            if outgoing && !seen.outgoing && sender_part == part {
                Some((*id, "the sender's row"))
            } else if incoming && !seen.incoming && receiver_part == part {
                Some((*id, "the receiver's row"))
            } else {
                None
            }
        });
        missing.min()
    }
}
