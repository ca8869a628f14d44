//! Work on an installation whose service stands still, or beside running processes on PostgreSQL.

use super::office::Place;
use crate::app::App;
use crate::config;
use crate::identity::Adapters;
use crate::installation::{Installation, Profile};
use gongji_store::clock::{Clock, MovableClock, SystemClock};
use std::ops::Deref;
use std::sync::Arc;

/// The program without its pages. While it is there nobody else works on the folder.
pub(super) struct Stopped {
    app: Arc<App>,
    /// Holds the folder's lock.
    _installation: Installation,
}

impl Deref for Stopped {
    type Target = Arc<App>;

    fn deref(&self) -> &Arc<App> {
        &self.app
    }
}

/// Opens it; refused while a service works there.
pub(super) fn open(place: &Place) -> anyhow::Result<Stopped> {
    let (folder, keys) = match &place.config {
        Some(path) => {
            let config = config::Config::read(path)?;
            (config.data_folder, config.keys_folder)
        }
        None => (place.data.clone(), None),
    };
    let installation = Installation::open(&folder)?;
    let clock: Arc<dyn Clock> = match installation.profile() {
        Profile::Production => Arc::new(SystemClock),
        // A sandbox lives in a time of its own.
        Profile::Sandbox => Arc::new(MovableClock::standing(crate::sandbox::start_of_clock().max(installation.last_stamp()?))),
    };
    // Nobody logs in meanwhile: the adapters are not asked.
    let app = Arc::new(installation.start(clock, None, Adapters::sandbox(), keys.as_deref())?);
    Ok(Stopped { app, _installation: installation })
}
