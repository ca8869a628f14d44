//! What the machine says of this process, where it says it as Linux does; elsewhere these lines are missing.

/// Of this process; `None` where the machine does not tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Memory in use (bytes).
    pub resident: Option<u64>,
    pub open_files: Option<u64>,
    /// Most files that may be open.
    pub open_files_max: Option<u64>,
    /// Processor time used (ms).
    pub cpu_ms: Option<u64>,
}

pub fn read() -> Machine {
    let text = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    Machine {
        resident: resident(&text("status")),
        open_files: std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
        open_files_max: open_files_max(&text("limits")),
        cpu_ms: cpu_ms(&text("stat")),
    }
}

/// `VmRSS: 12345 kB`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// `Max open files            1048576              1048576              files`.
fn open_files_max(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// Fields 14 and 15, in hundredths of a second on every Linux there is; the second field may hold spaces and parentheses.
fn cpu_ms(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_linux_are_read() {
        assert_eq!(resident("Name:\tgongji\nVmRSS:\t   12345 kB\n"), Some(12_345 * 1024));
        assert_eq!(open_files_max("Limit  Soft Limit\nMax open files            1024                 4096                 files\n"), Some(1024));
        assert_eq!(cpu_ms("7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0"), Some(3_000));
        assert_eq!((resident(""), open_files_max(""), cpu_ms("")), (None, None, None));
    }
}
