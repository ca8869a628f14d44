//! Physical lines of a stream, bounded in length, counted and digested as they pass.

use std::io::{self, BufRead, BufReader, Read};

use sm3::{Digest as _, Sm3};

use super::field::Reason;

pub(crate) struct Lines<I> {
    input: BufReader<I>,
    digest: Sm3,
    bytes: u64,
    number: u32,
    line_bytes_max: usize,
    file_bytes_max: u64,
}

pub(crate) enum Next {
    Line,
    /// The line was passed over.
    LineTooLong,
    FileTooLarge,
    End,
}

impl<I: Read> Lines<I> {
    pub(crate) fn new(input: I, line_bytes_max: usize, file_bytes_max: u64) -> Lines<I> {
        Lines { input: BufReader::with_capacity(64 << 10, input), digest: Sm3::new(), bytes: 0, number: 0, line_bytes_max, file_bytes_max }
    }

    /// Number of the line last returned, the first being 1; 1 before any.
    pub(crate) fn number(&self) -> u32 {
        self.number.max(1)
    }

    /// The next line without its line end (LF or CRLF).
    pub(crate) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Next> {
        line.clear();
        let mut is_too_long = false;
        let mut has_begun = false;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                if !has_begun {
                    return Ok(Next::End);
                }
                break;
            }
            if !has_begun {
                has_begun = true;
                self.number = self.number.saturating_add(1);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let content = &available[..end.unwrap_or(available.len())];
            // One byte more than allowed, since a CR may still follow from the line end.
            if line.len() + content.len() > self.line_bytes_max + 1 {
                is_too_long = true;
                line.clear();
            } else if !is_too_long {
                line.extend_from_slice(content);
            }
            self.digest.update(&available[..taken]);
            self.bytes += taken as u64;
            self.input.consume(taken);
            if self.bytes > self.file_bytes_max {
                return Ok(Next::FileTooLarge);
            }
            if end.is_some() {
                break;
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(if is_too_long || line.len() > self.line_bytes_max { Next::LineTooLong } else { Next::Line })
    }

    pub(crate) fn finish(self) -> (u64, [u8; 32]) {
        (self.bytes, self.digest.finalize().into())
    }
}

/// Whether bytes that are not UTF-8 read as GBK: pairs of a lead byte and a trail byte among ASCII.
pub(super) fn looks_like_gbk(bytes: &[u8]) -> bool {
    let mut at = 0;
    let mut pairs = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (0..=0x7F, _) => at += 1,
            // GB 18030 keeps rare characters in four bytes: 81–FE 30–39 81–FE 30–39.
            (0x81..=0xFE, Some(0x30..=0x39 | 0x40..=0x7E | 0x80..=0xFE)) => {
                pairs += 1;
                at += 2;
            }
            _ => return false,
        }
    }
    pairs > 0
}

pub(super) fn gbk_reason() -> Reason {
    Reason::new("文件像是 GBK 编码。请在表格软件里另存为“CSV UTF-8”格式后再导入。", "the file looks like GBK; save it as CSV UTF-8 and import it again")
}
