use thiserror::Error;

/// The world failed. None of these says anything about the request's merit.
#[derive(Clone, Debug, Error, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Fault {
    /// The queue is full: nothing was done; try again in a second.
    #[error("the partition's queue is full")]
    Busy,
    /// The partition does not write any more.
    #[error("partition {0} is stopped")]
    Stopped(u16),
    /// Nothing was done.
    #[error("the store failed: {0}")]
    Failed(String),
    /// Whether it was done is known only to the journal: ask again with the same key.
    #[error("the outcome of a commit is unknown: {0}")]
    Unknown(String),
    /// Another writer has taken the partition over.
    #[error("another writer has taken over partition {0}")]
    Fenced(u16),
    /// What was read is not what was written.
    #[error("damaged data: {0}")]
    Damaged(String),
    #[error("this installation has {found} partitions, not {wanted}; the count is fixed when it is created")]
    PartitionCount { found: u16, wanted: u16 },
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Failed(error.to_string())
    }
}

impl From<postcard::Error> for Fault {
    fn from(error: postcard::Error) -> Fault {
        Fault::Damaged(error.to_string())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Failed(error.to_string())
    }
}
