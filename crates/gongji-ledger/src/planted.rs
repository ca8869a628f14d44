//! Bugs on purpose: small wrong changes taken from real ledgers and payment systems, to see whether the simulator finds them.
//!
//! They exist only where the compiler is told `--cfg planted`, which `cargo xtask planted` does in a target folder of its own. Everywhere else
//! [`planted`] is the constant `false` and nothing of them is left in the program. The list, with the issue of each, is `gongji-sim`'s.

/// Whether the planted bug of this name is at work.
#[cfg(not(planted))]
pub const fn planted(_name: &str) -> bool {
    false
}

/// Whether the planted bug of this name is at work.
#[cfg(planted)]
pub fn planted(name: &str) -> bool {
    CHOSEN.get().is_some_and(|chosen| chosen == name)
}

#[cfg(planted)]
static CHOSEN: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// Lets one planted bug loose in this process.
#[cfg(planted)]
pub fn plant(name: &str) {
    CHOSEN.set(name.to_owned()).expect("one bug is planted in a process");
}
