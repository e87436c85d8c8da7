//! What is asked of the machine while measuring: cores, memory of a process, sizes of files.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::run::{find_program, read};

/// `program`, bound to one core. `taskset` replaces itself by it, so the child's id is the program's.
pub(crate) fn on_core(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    command
}

/// Two cores that this process may use: one for the server, one for the load.
pub(crate) fn two_cores() -> Result<(usize, usize)> {
    if find_program("taskset").is_none() {
        return Err("taskset is missing (package util-linux)".into());
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).ok_or("no list of cores")?;
    let cores = cores_of(list.trim());
    match cores[..] {
        [first, second, ..] => Ok((first, second)),
        _ => Err(format!("two cores are needed, there is {list}").into()),
    }
}

/// `0-2,5` → 0, 1, 2, 5.
fn cores_of(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Resident and proportional memory of a process, in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident_mib: f64,
    pub(crate) proportional_mib: f64,
}

/// What the process holds now.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let mib = |name: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(name)).ok_or("smaps_rollup lacks a line")?;
        let kib: f64 = line.split_whitespace().next().unwrap_or_default().parse()?;
        Ok::<_, Box<dyn std::error::Error>>(kib / 1024.0)
    };
    Ok(Memory { resident_mib: mib("Rss:")?, proportional_mib: mib("Pss:")? })
}

/// The size of a file in MiB.
pub(crate) fn file_mib(path: &Path) -> Result<f64> {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let bytes = fs::metadata(path)?.len() as f64;
    Ok(bytes / (1024.0 * 1024.0))
}

/// How the processor calls itself.
pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    let cores = read(&mut Command::new("nproc")).unwrap_or_default();
    format!("{}, {} cores", name.map_or("unknown", |(_, name)| name.trim()), cores.trim())
}

#[cfg(test)]
mod tests {
    use super::cores_of;

    #[test]
    fn a_list_of_cores_is_read() {
        assert_eq!(cores_of("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(cores_of("3"), [3]);
        assert!(cores_of("").is_empty());
    }
}
