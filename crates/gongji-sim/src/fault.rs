//! What goes wrong in a run: each kind by name, and how often it happened.

/// Every kind of fault and every nasty coincidence that the simulator makes on purpose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    // The store.
    CommitReplyLost,
    CommitUnknownNotLanded,
    CommitUnknownThenTakenOver,
    CommitUnknownThenStoreDown,
    CrashBeforeCommit,
    CrashAfterCommit,
    CrashInProjection,
    DiskFull,
    IoErrorInProjection,
    ProjectionReplyLost,
    TakeOverFailed,
    BooksDeleted,
    PowerCut,
    // Processes.
    ProcessCrash,
    ProcessPause,
    StaleWriter,
    TakeOver,
    ClockForward,
    ClockBackward,
    ClockSkew,
    StaleDirectory,
    // The network.
    MessageLost,
    MessageRepeated,
    MessageReordered,
    MessageLate,
    RequestLost,
    RequestRepeated,
    ReplyLost,
    // People, institutions and time, at the worst moment.
    RetrySameKey,
    KeyWithOtherBody,
    AnsweredAskedAgain,
    RaceOfTerminalActions,
    DoubleApproval,
    DeadlineRace,
    RegionClosedMidTransfer,
    RuleChangedMidHold,
    SenderDiedMidTransfer,
    ReceiverDiedMidTransfer,
    PayerDiedMidHold,
    FrozenMidway,
    UnfrozenMidway,
    RelationEndedMidTransfer,
    InsuranceChangedMidway,
    AgentRemovedMidway,
    ReversalBeforePayment,
    OrderNumberReused,
    CodeShownTwice,
    CodeExpired,
    ProofShownTwice,
    PremiumPaidTwice,
}

impl Kind {
    pub const ALL: [Kind; 50] = {
        use Kind::*;
        [
            CommitReplyLost,
            CommitUnknownNotLanded,
            CommitUnknownThenTakenOver,
            CommitUnknownThenStoreDown,
            CrashBeforeCommit,
            CrashAfterCommit,
            CrashInProjection,
            DiskFull,
            IoErrorInProjection,
            ProjectionReplyLost,
            TakeOverFailed,
            BooksDeleted,
            PowerCut,
            ProcessCrash,
            ProcessPause,
            StaleWriter,
            TakeOver,
            ClockForward,
            ClockBackward,
            ClockSkew,
            StaleDirectory,
            MessageLost,
            MessageRepeated,
            MessageReordered,
            MessageLate,
            RequestLost,
            RequestRepeated,
            ReplyLost,
            RetrySameKey,
            KeyWithOtherBody,
            AnsweredAskedAgain,
            RaceOfTerminalActions,
            DoubleApproval,
            DeadlineRace,
            RegionClosedMidTransfer,
            RuleChangedMidHold,
            SenderDiedMidTransfer,
            ReceiverDiedMidTransfer,
            PayerDiedMidHold,
            FrozenMidway,
            UnfrozenMidway,
            RelationEndedMidTransfer,
            InsuranceChangedMidway,
            AgentRemovedMidway,
            ReversalBeforePayment,
            OrderNumberReused,
            CodeShownTwice,
            CodeExpired,
            ProofShownTwice,
            PremiumPaidTwice,
        ]
    };

    /// `commit reply lost`, as the table prints it.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push(' ');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}

/// How often each kind happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Default for Counts {
    fn default() -> Counts {
        Counts([0; Kind::ALL.len()])
    }
}

impl Counts {
    pub fn add(&mut self, kind: Kind) {
        self.0[kind as usize] += 1;
    }

    pub fn of(&self, kind: Kind) -> u64 {
        self.0[kind as usize]
    }

    pub fn merge(&mut self, other: &Counts) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_place_and_name() {
        for (at, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at, "{kind:?}");
        }
        assert_eq!(Kind::CommitReplyLost.name(), "commit reply lost");
    }
}
