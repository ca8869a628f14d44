//! Any text as the settings of an installation: read, or refused in sentences.
#![no_main]

use gongji::config::Config;
use gongji_store::postgres::is_on_this_machine;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = is_on_this_machine(text);
    if let Ok(config) = Config::parse(text, |_| None)
        && let Err(error) = config.for_production()
    {
        assert!(!error.to_string().is_empty());
    }
});
