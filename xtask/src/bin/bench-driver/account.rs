//! The kernel's account of a process: processor time of all its threads, also of those that have ended.

use std::fs;
use std::io;

/// `utime` and `stime` are counted in these on every Linux (`USER_HZ`).
const TICK_NS: u64 = 10_000_000;
/// Where they stand in `/proc/<pid>/stat` behind the closing parenthesis of the name (proc(5): fields 14 and 15).
const UTIME: usize = 11;
const STIME: usize = 12;

/// User and system time of a process so far, in nanoseconds at the resolution of a tick.
pub(crate) fn cpu_ns(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|text| text.parse::<u64>().ok());
    match (ticks(UTIME), ticks(STIME)) {
        (Some(user), Some(system)) => Ok((user + system) * TICK_NS),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no processor time in /proc/<pid>/stat")),
    }
}
