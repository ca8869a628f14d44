//! The scratch of one batch: reads through to memory, keeps every change to itself until the batch is durable.

use crate::approval::{Approval, OpenApprovals};
use crate::clearing::{Counted, Month, Period};
use crate::directory::Directory;
use crate::event::{Event, Fact, Message};
use crate::ids::{ApprovalId, Key, TransferId};
use crate::object::*;
use crate::operator::Operators;
use crate::reason::Reason;
use gongji_ledger::{Fen, HolderId, Part};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// What memory knows of an object.
#[derive(Clone, Debug)]
pub enum Lookup {
    Known(Arc<Object>),
    /// There is no such object.
    Absent,
    /// Memory cannot tell; the projections can.
    Unloaded,
}

/// The committed state of a partition, as far as it is in memory.
pub trait Memory {
    fn get(&self, key: &Key) -> Lookup;
}

/// Why a decision ended early.
#[derive(Debug)]
pub enum Stop {
    /// Load this object and decide again.
    Unloaded(Key),
    Refused(Vec<Reason>),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Stop {
        Stop::Refused(vec![reason])
    }
}

/// A hasher for ids: multiplies and folds, so that every bit of an id moves every bit of the hash. Ids are made or digested here, so nobody can choose
/// them to collide.
#[derive(Default)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number ^ 0xA076_1D64_78BD_642F) * 0xE703_7ED1_A0B4_28DB;
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

pub type KeyMap<T> = HashMap<Key, T, BuildHasherDefault<KeyHasher>>;

#[derive(Clone)]
struct Slot {
    object: Option<Arc<Object>>,
    changed: bool,
    /// The command that changed it last: its older value stands in `undo` once.
    command: u64,
}

/// Everything a batch has read. Counters and people, which nearly every event touches, have places of their own.
#[derive(Default)]
struct Slots {
    partition: Option<Slot>,
    people: HashMap<HolderId, Slot, BuildHasherDefault<KeyHasher>>,
    others: KeyMap<Slot>,
}

impl Slots {
    fn get(&self, key: &Key) -> Option<&Slot> {
        match key {
            Key::Partition => self.partition.as_ref(),
            Key::Holder(id) => self.people.get(id),
            key => self.others.get(key),
        }
    }

    fn get_mut(&mut self, key: &Key) -> Option<&mut Slot> {
        match key {
            Key::Partition => self.partition.as_mut(),
            Key::Holder(id) => self.people.get_mut(id),
            key => self.others.get_mut(key),
        }
    }

    fn insert(&mut self, key: Key, slot: Slot) {
        match key {
            Key::Partition => self.partition = Some(slot),
            Key::Holder(id) => drop(self.people.insert(id, slot)),
            key => drop(self.others.insert(key, slot)),
        }
    }

    fn remove(&mut self, key: &Key) {
        match key {
            Key::Partition => self.partition = None,
            Key::Holder(id) => drop(self.people.remove(id)),
            key => drop(self.others.remove(key)),
        }
    }

    fn into_changed(self) -> Vec<(Key, Arc<Object>)> {
        let partition = self.partition.map(|slot| (Key::Partition, slot));
        let people = self.people.into_iter().map(|(id, slot)| (Key::Holder(id), slot));
        let all = partition.into_iter().chain(people).chain(self.others);
        all.filter(|(_, slot)| slot.changed).filter_map(|(key, slot)| Some((key, slot.object?))).collect()
    }
}

/// A holder read during a decision. Drop it before the decision posts, or the change copies the holder once more.
pub struct HolderRef(Arc<Object>);

impl Deref for HolderRef {
    type Target = Holder;

    fn deref(&self) -> &Holder {
        match &*self.0 {
            Object::Holder(holder) => holder,
            other => unreachable!("a holder's key leads to {other:?}"),
        }
    }
}

/// What a batch has changed, to be made visible once it is durable.
pub struct Changes {
    pub objects: Vec<(Key, Arc<Object>)>,
    pub events: Vec<Event>,
    pub lines: Vec<Line>,
    pub takings: Vec<Taking>,
    pub orders: Vec<(u64, Key)>,
}

/// How much there was of what a batch collects when a command began.
#[derive(Clone, Copy, Default)]
struct Lengths {
    events: usize,
    lines: usize,
    takings: usize,
    orders: usize,
}

pub struct Work<'m> {
    memory: &'m dyn Memory,
    pub part: Part,
    /// How many partitions hold people and institutions.
    pub parts: Part,
    /// Sequence of the record this batch becomes.
    pub seq: u64,
    /// Commit time of the batch (ms, UTC).
    pub stamp: i64,
    pub directory: Arc<Directory>,
    slots: Slots,
    /// What the command has changed: `None` where this batch had not changed it before, so that memory still has the older value.
    undo: Vec<(Key, Option<Slot>)>,
    command: u64,
    start: Lengths,
    pub(crate) events: Vec<Event>,
    pub(crate) lines: Vec<Line>,
    pub(crate) takings: Vec<Taking>,
    /// Order lines: number and order.
    pub(crate) orders: Vec<(u64, Key)>,
    pub(crate) local: VecDeque<Message>,
}

impl<'m> Work<'m> {
    pub fn new(memory: &'m dyn Memory, part: Part, parts: Part, seq: u64, stamp: i64, directory: Arc<Directory>) -> Work<'m> {
        Work {
            memory,
            part,
            parts,
            seq,
            stamp,
            directory,
            slots: Slots::default(),
            undo: Vec::new(),
            command: 0,
            start: Lengths::default(),
            events: Vec::new(),
            lines: Vec::new(),
            takings: Vec::new(),
            orders: Vec::new(),
            local: VecDeque::new(),
        }
    }

    /// Makes room for a batch of so many commands.
    pub fn reserve(&mut self, commands: usize) {
        self.slots.people.reserve(2 * commands);
        self.slots.others.reserve(2 * commands);
        self.events.reserve(commands);
        self.lines.reserve(2 * commands);
    }

    /// Starts a command: until the next one, `roll_back` undoes what it did.
    pub(crate) fn begin(&mut self) {
        self.command += 1;
        self.undo.clear();
        self.local.clear();
        self.start = Lengths { events: self.events.len(), lines: self.lines.len(), takings: self.takings.len(), orders: self.orders.len() };
    }

    pub(crate) fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(_) if gongji_ledger::planted("undone-command-leaves-a-trace") => {}
                Some(slot) => *self.slots.get_mut(&key).expect("what was changed has a slot") = slot,
                None => self.slots.remove(&key),
            }
        }
        self.events.truncate(self.start.events);
        self.lines.truncate(self.start.lines);
        self.takings.truncate(self.start.takings);
        self.orders.truncate(self.start.orders);
        self.local.clear();
    }

    /// Whether people live in this partition: money sent to any other would never arrive.
    pub(crate) fn has_part(&self, part: Part) -> bool {
        (1..=self.parts).contains(&part)
    }

    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What there is to publish after the commit.
    pub fn into_changes(self) -> Changes {
        Changes { objects: self.slots.into_changed(), events: self.events, lines: self.lines, takings: self.takings, orders: self.orders }
    }

    /// The object as this batch sees it.
    pub fn object(&mut self, key: Key) -> Result<Option<Arc<Object>>, Stop> {
        if let Some(slot) = self.slots.get(&key) {
            return Ok(slot.object.clone());
        }
        let object = match self.memory.get(&key) {
            Lookup::Known(object) => Some(object),
            Lookup::Absent => None,
            Lookup::Unloaded => return Err(Stop::Unloaded(key)),
        };
        self.slots.insert(key, Slot { object: object.clone(), changed: false, command: 0 });
        Ok(object)
    }

    fn touch(&mut self, key: Key) -> Result<(), Stop> {
        if self.slots.get(&key).is_some() { Ok(()) } else { self.object(key).map(drop) }
    }

    /// Says that an object is new: its id was made for this command, so neither memory nor disk is asked.
    pub(crate) fn assume_absent(&mut self, key: Key) {
        if self.slots.get(&key).is_none() {
            self.slots.insert(key, Slot { object: None, changed: false, command: 0 });
        }
    }

    pub fn holder(&mut self, id: HolderId) -> Result<Option<HolderRef>, Stop> {
        if id.is_nobody() || id.part() != self.part {
            return Ok(None);
        }
        Ok(self.object(Key::Holder(id))?.map(HolderRef))
    }

    /// The holder, or the refusal `NotFound`.
    pub fn known_holder(&mut self, id: HolderId) -> Result<HolderRef, Stop> {
        self.holder(id)?.ok_or_else(|| Reason::NotFound.into())
    }

    pub fn partition(&mut self) -> Result<Partition, Stop> {
        Ok(match self.object(Key::Partition)?.as_deref() {
            Some(Object::Partition(partition)) => partition.clone(),
            _ => Partition::default(),
        })
    }

    pub fn incoming(&mut self, id: TransferId) -> Result<Option<Incoming>, Stop> {
        Ok(match self.object(Key::Incoming(id))?.as_deref() {
            Some(Object::Incoming(incoming)) => Some(Incoming::clone(incoming)),
            _ => self.made(id)?.map(|transfer| transfer.made_incoming()),
        })
    }

    pub fn outgoing(&mut self, id: TransferId) -> Result<Option<Outgoing>, Stop> {
        Ok(match self.object(Key::Outgoing(id))?.as_deref() {
            Some(Object::Outgoing(outgoing)) => Some(Outgoing::clone(outgoing)),
            _ => self.made(id)?.map(|transfer| transfer.made_outgoing()),
        })
    }

    fn made(&mut self, id: TransferId) -> Result<Option<Transfer>, Stop> {
        Ok(match self.object(Key::Made(id))?.as_deref() {
            Some(Object::Made(transfer)) => Some(transfer.clone()),
            _ => None,
        })
    }

    pub(crate) fn operators(&mut self) -> Result<Arc<Object>, Stop> {
        Ok(self.object(Key::Operators)?.unwrap_or_else(|| Arc::new(Object::Operators(Box::default()))))
    }

    pub(crate) fn approval(&mut self, id: ApprovalId) -> Result<Option<Approval>, Stop> {
        Ok(match self.object(Key::Approval(id))?.as_deref() {
            Some(Object::Approval(approval)) => Some(Approval::clone(approval)),
            _ => None,
        })
    }

    /// A transfer sent from here that this batch has already touched.
    pub(crate) fn outgoing_here(&self, id: TransferId) -> Option<Outgoing> {
        match self.slots.get(&Key::Outgoing(id))?.object.as_deref()? {
            Object::Outgoing(outgoing) => Some(Outgoing::clone(outgoing)),
            _ => None,
        }
    }

    pub fn payment(&mut self, id: crate::ids::PaymentId) -> Result<Option<Payment>, Stop> {
        Ok(match self.object(Key::Payment(id))?.as_deref() {
            Some(Object::Payment(payment)) => Some(Payment::clone(payment)),
            _ => None,
        })
    }

    pub fn order(&mut self, id: crate::ids::OrderId) -> Result<Option<Order>, Stop> {
        Ok(match self.object(Key::Order(id))?.as_deref() {
            Some(Object::Order(order)) => Some(Order::clone(order)),
            _ => None,
        })
    }

    /// Records an event: applies it to this batch's view and puts it into the record.
    pub(crate) fn emit(&mut self, fact: Fact, moves: Vec<gongji_ledger::Move>) -> Result<(), Stop> {
        let event = Event { fact, moves };
        event.each_key(self.part, |key| self.touch(key))?;
        self.touch_payee(&event)?;
        self.apply(&event);
        self.events.push(event);
        Ok(())
    }

    /// Reads the account of a payment's payee. Which one it is stands in the payment, not in each of its events.
    fn touch_payee(&mut self, event: &Event) -> Result<(), Stop> {
        let payee = match &event.fact {
            Fact::PaymentHeld(payment) => payment.purpose.payee(),
            Fact::PaymentCaptured { payment, .. } | Fact::PaymentReleased { payment, .. } | Fact::PaymentRefunded { payment, .. } => {
                match self.object(Key::Payment(*payment))?.as_deref() {
                    Some(Object::Payment(payment)) => payment.purpose.payee(),
                    other => unreachable!("an event is of a payment that was held, not of {other:?}"),
                }
            }
            _ => return Ok(()),
        };
        self.touch(Key::Takings(payee))
    }

    /// Redo: applies a recorded event. Every object of `event.each_key()` must be in memory.
    pub fn redo(&mut self, event: Event) -> Result<(), Key> {
        event.each_key(self.part, |key| {
            if event.creates(&key) {
                self.assume_absent(key);
                return Ok(());
            }
            match self.touch(key) {
                Err(Stop::Unloaded(key)) => Err(key),
                _ => Ok(()),
            }
        })?;
        if let Err(Stop::Unloaded(key)) = self.touch_payee(&event) {
            return Err(key);
        }
        self.apply(&event);
        self.events.push(event);
        Ok(())
    }

    /// Sends a message. One to this very partition is handled in the same command.
    pub(crate) fn send(&mut self, to: Part, message: Message) -> Result<(), Stop> {
        if to == self.part {
            self.local.push_back(message);
            return Ok(());
        }
        let number = self.partition()?.sent_to(to) + 1;
        self.emit(Fact::Sent { to, number, message }, Vec::new())
    }

    /// Mutable access to an object's slot; the older value is kept for `roll_back`.
    fn slot(&mut self, key: Key) -> &mut Option<Arc<Object>> {
        let command = self.command;
        let slot = self.slots.get_mut(&key).unwrap_or_else(|| panic!("{key:?} is changed without having been read"));
        if slot.command != command {
            self.undo.push((key, slot.changed.then(|| slot.clone())));
            slot.command = command;
        }
        slot.changed = true;
        &mut slot.object
    }

    pub(crate) fn put(&mut self, key: Key, object: Object) {
        *self.slot(key) = Some(Arc::new(object));
    }

    fn edit(&mut self, key: Key) -> &mut Object {
        Arc::make_mut(self.slot(key).as_mut().unwrap_or_else(|| panic!("{key:?} exists when it is changed")))
    }

    pub(crate) fn holder_mut(&mut self, id: HolderId) -> &mut Holder {
        match self.edit(Key::Holder(id)) {
            Object::Holder(holder) => holder,
            other => unreachable!("a holder's key leads to {other:?}"),
        }
    }

    pub(crate) fn payment_mut(&mut self, id: crate::ids::PaymentId) -> &mut Payment {
        match self.edit(Key::Payment(id)) {
            Object::Payment(payment) => payment,
            other => unreachable!("a payment's key leads to {other:?}"),
        }
    }

    pub(crate) fn incoming_mut(&mut self, id: TransferId) -> &mut Incoming {
        match self.edit(Key::Incoming(id)) {
            Object::Incoming(incoming) => incoming,
            other => unreachable!("an incoming transfer's key leads to {other:?}"),
        }
    }

    pub(crate) fn outgoing_mut(&mut self, id: TransferId) -> &mut Outgoing {
        match self.edit(Key::Outgoing(id)) {
            Object::Outgoing(outgoing) => outgoing,
            other => unreachable!("an outgoing transfer's key leads to {other:?}"),
        }
    }

    pub(crate) fn order_mut(&mut self, id: crate::ids::OrderId) -> &mut Order {
        match self.edit(Key::Order(id)) {
            Object::Order(order) => order,
            other => unreachable!("an order's key leads to {other:?}"),
        }
    }

    pub(crate) fn code_mut(&mut self, id: crate::ids::CodeId) -> &mut Code {
        match self.edit(Key::Code(id)) {
            Object::Code(code) => code,
            Object::Decoded(decoded) => &mut decoded.code,
            other => unreachable!("a code's key leads to {other:?}"),
        }
    }

    pub(crate) fn partition_mut(&mut self) -> &mut Partition {
        let slot = self.slot(Key::Partition);
        let object = slot.get_or_insert_with(|| Arc::new(Object::Partition(Partition::default())));
        match Arc::make_mut(object) {
            Object::Partition(partition) => partition,
            other => unreachable!("the partition's key leads to {other:?}"),
        }
    }

    pub(crate) fn operators_mut(&mut self) -> &mut Operators {
        let slot = self.slot(Key::Operators);
        let object = slot.get_or_insert_with(|| Arc::new(Object::Operators(Box::default())));
        match Arc::make_mut(object) {
            Object::Operators(operators) => operators,
            other => unreachable!("the operators' key leads to {other:?}"),
        }
    }

    pub(crate) fn open_approvals_mut(&mut self) -> &mut OpenApprovals {
        let slot = self.slot(Key::OpenApprovals);
        let object = slot.get_or_insert_with(|| Arc::new(Object::OpenApprovals(OpenApprovals::default())));
        match Arc::make_mut(object) {
            Object::OpenApprovals(open) => open,
            other => unreachable!("the open approvals' key leads to {other:?}"),
        }
    }

    pub(crate) fn approval_mut(&mut self, id: ApprovalId) -> &mut Approval {
        match self.edit(Key::Approval(id)) {
            Object::Approval(approval) => approval,
            other => unreachable!("an approval's key leads to {other:?}"),
        }
    }

    pub(crate) fn directory_mut(&mut self) -> &mut Directory {
        let slot = self.slot(Key::Directory);
        let object = slot.get_or_insert_with(|| Arc::new(Object::Directory(Box::default())));
        match Arc::make_mut(object) {
            Object::Directory(directory) => directory,
            other => unreachable!("the directory's key leads to {other:?}"),
        }
    }

    pub(crate) fn till_mut(&mut self, id: gongji_ledger::InstitutionId) -> &mut Till {
        let slot = self.slot(Key::Till(id));
        let object = slot.get_or_insert_with(|| Arc::new(Object::Till(Till::default())));
        match Arc::make_mut(object) {
            Object::Till(till) => till,
            other => unreachable!("a till's key leads to {other:?}"),
        }
    }

    pub(crate) fn last_taking_mut(&mut self, payee: Payee) -> &mut u64 {
        let slot = self.slot(Key::Takings(payee));
        let object = slot.get_or_insert_with(|| Arc::new(Object::Takings(0)));
        match Arc::make_mut(object) {
            Object::Takings(last) => last,
            other => unreachable!("a payee's key leads to {other:?}"),
        }
    }

    pub(crate) fn counted_mut(&mut self) -> &mut Counted {
        let slot = self.slot(Key::Counted);
        let object = slot.get_or_insert_with(|| Arc::new(Object::Counted(Counted::default())));
        match Arc::make_mut(object) {
            Object::Counted(counted) => counted,
            other => unreachable!("the count's key leads to {other:?}"),
        }
    }

    pub(crate) fn period_mut(&mut self, period: Month) -> &mut Period {
        let slot = self.slot(Key::Period(period));
        let object = slot.get_or_insert_with(|| Arc::new(Object::Period(Box::new(Period::new(period)))));
        match Arc::make_mut(object) {
            Object::Period(period) => period,
            other => unreachable!("a period's key leads to {other:?}"),
        }
    }

    pub(crate) fn balance_mut(&mut self, key: Key) -> &mut Fen {
        let slot = self.slot(key);
        let object = slot.get_or_insert_with(|| Arc::new(Object::Balance(Fen::ZERO)));
        match Arc::make_mut(object) {
            Object::Balance(balance) => balance,
            other => unreachable!("a balance's key leads to {other:?}"),
        }
    }
}
