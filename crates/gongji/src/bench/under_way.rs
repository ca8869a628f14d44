//! Several chunks of requests under way at once, so that the partition always has the next before it has answered the last.

use std::collections::VecDeque;
use tokio::task::JoinHandle;

/// Requests of one chunk: as many as a partition takes in one batch.
pub const CHUNK: usize = gongji_store::BATCH_MAX;

/// Chunks under way.
const UNDER_WAY_MAX: usize = 4;

/// Chunks under way, and what each of them comes to.
pub struct UnderWay<T>(VecDeque<JoinHandle<anyhow::Result<T>>>);

impl<T: Send + 'static> UnderWay<T> {
    pub fn new() -> UnderWay<T> {
        UnderWay(VecDeque::new())
    }

    /// Starts a chunk. Where enough are under way it waits for the first and tells what that came to.
    ///
    /// # Errors
    /// That chunk's.
    pub async fn add(&mut self, chunk: impl Future<Output = anyhow::Result<T>> + Send + 'static) -> anyhow::Result<Option<T>> {
        self.0.push_back(tokio::spawn(chunk));
        if self.0.len() < UNDER_WAY_MAX { Ok(None) } else { self.next().await }
    }

    /// Waits for the first; `None` where none is under way.
    ///
    /// # Errors
    /// That chunk's.
    pub async fn next(&mut self) -> anyhow::Result<Option<T>> {
        match self.0.pop_front() {
            Some(first) => Ok(Some(first.await??)),
            None => Ok(None),
        }
    }
}
