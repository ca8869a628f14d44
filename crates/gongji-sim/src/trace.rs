//! A digest over everything that happened, so that two runs can be told to be the same; and the story itself for whoever wants to read it.

use std::fmt::Arguments;

/// FNV-1a in 64 bits over every line of the story.
pub struct Trace {
    hash: u64,
    pub is_told: bool,
    /// The last lines, for a failing run.
    last: std::collections::VecDeque<String>,
}

const LAST_MAX: usize = 40;

impl Trace {
    pub fn new(is_told: bool) -> Trace {
        Trace { hash: 0xCBF2_9CE4_8422_2325, is_told, last: Default::default() }
    }

    pub fn note(&mut self, line: Arguments) {
        let line = line.to_string();
        for byte in line.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        if self.is_told {
            println!("{line}");
        }
        if self.last.len() == LAST_MAX {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    pub fn digest(&self) -> u64 {
        self.hash
    }

    pub fn last(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}
