//! The figures as a table that a person reads, and their place in `docs/performance.md`.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::closing::say;
use crate::machine::Memory;

use super::figures::Figures;

/// Between two such lines the document is generated; the rest of it is written by hand.
#[derive(Clone, Copy)]
pub(super) struct Marks {
    begin: &'static str,
    end: &'static str,
}

pub(super) const FIGURES: Marks = Marks { begin: "<!-- figures: made by `cargo xtask bench --write` -->", end: "<!-- end of figures -->" };
pub(super) const PROFILE: Marks =
    Marks { begin: "<!-- profile: made by `cargo xtask bench --profile --write` -->", end: "<!-- end of profile -->" };

/// One measured row.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) target: f64,
    pub(super) figures: Figures,
    pub(super) signature_ns: f64,
    /// Processor time of the floor; not a number where no floor was measured.
    pub(super) floor_us: f64,
}

/// A fact with its promise, in words.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) promised: String,
    pub(super) is_kept: bool,
}

/// Everything one run found.
pub(super) struct Report {
    processor: String,
    binary_mib: f64,
    pub(super) signature_ns: Vec<f64>,
    pub(super) idle: Option<Memory>,
    pub(super) loaded: Option<Memory>,
    pub(super) rows: Vec<Row>,
    pub(super) facts: Vec<Fact>,
    /// Rows by name, with the shares of their purposes in percent.
    pub(super) profiles: Vec<(&'static str, Vec<(&'static str, f64)>)>,
}

/// Issue 3.
const BINARY_MIB_MAX: f64 = 20.0;
const IDLE_MIB_MAX: f64 = 20.0;
const LOADED_MIB_MAX: f64 = 60.0;

impl Report {
    pub(super) fn new(processor: String, binary_mib: f64) -> Self {
        Self {
            processor,
            binary_mib,
            signature_ns: Vec::new(),
            idle: None,
            loaded: None,
            rows: Vec::new(),
            facts: Vec::new(),
            profiles: Vec::new(),
        }
    }

    pub(super) fn markdown(&self) -> String {
        let mut signatures = self.signature_ns.clone();
        signatures.sort_by(f64::total_cmp);
        let middle = signatures.get(signatures.len() / 2).copied().unwrap_or_default() / 1000.0;
        let spread = (signatures.first().copied().unwrap_or_default() / 1000.0, signatures.last().copied().unwrap_or_default() / 1000.0);
        let mut text = format!(
            "{}; server on one core, driver on the other. 1 ES = one ES256 signature = {middle:.1} µs of processor time in this run \
             ({:.1} to {:.1} between the rows; each row uses the one taken right after it).\n\n",
            self.processor, spread.0, spread.1
        );
        text.push_str(
            "| Request | to reach, ES | **ES** | µs | floor, ES | times the floor | requests/s | p50 ms | p99 ms | driver busy |\n",
        );
        text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        for row in &self.rows {
            text.push_str(&row.markdown());
        }
        text.push_str("\n| Fact | to reach | found |\n| --- | --- | --- |\n");
        for fact in self.memory().iter().chain(&self.facts) {
            text.push_str(&format!("| {} | {} | {}{} |\n", fact.name, fact.promised, fact.value, mark(fact.is_kept)));
        }
        text
    }

    /// One column a request, one row a purpose.
    pub(super) fn profile_markdown(&self) -> String {
        let mut purposes: Vec<&str> = Vec::new();
        for (_, shares) in &self.profiles {
            for (purpose, _) in shares {
                if !purposes.contains(purpose) {
                    purposes.push(purpose);
                }
            }
        }
        let names = self.profiles.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | ");
        let mut text = format!("| % of the processor time | {names} |\n| --- |{}\n", " --- |".repeat(self.profiles.len()));
        for purpose in purposes {
            text.push_str(&format!("| {purpose} |"));
            for (_, shares) in &self.profiles {
                match shares.iter().find(|(known, _)| *known == purpose) {
                    Some((_, share)) => text.push_str(&format!(" {share:.1} |")),
                    None => text.push_str(" – |"),
                }
            }
            text.push('\n');
        }
        text
    }

    fn memory(&self) -> Vec<Fact> {
        let memory = |name: &str, found: Option<Memory>, max: f64| {
            let found = found?;
            Some(Fact {
                name: name.to_owned(),
                value: format!("{:.1} MiB resident, {:.1} proportional", found.resident_mib, found.proportional_mib),
                promised: format!("≤ {max:.0} MiB"),
                is_kept: found.resident_mib <= max,
            })
        };
        let binary = Fact {
            name: "binary of profile `dist`".to_owned(),
            value: format!("{:.1} MiB", self.binary_mib),
            promised: format!("≤ {BINARY_MIB_MAX:.0} MiB"),
            is_kept: self.binary_mib <= BINARY_MIB_MAX,
        };
        let memory = [memory("memory, idle", self.idle, IDLE_MIB_MAX), memory("memory after the load", self.loaded, LOADED_MIB_MAX)];
        memory.into_iter().flatten().chain([binary]).collect()
    }
}

impl Row {
    pub(super) fn signatures(&self) -> f64 {
        self.figures.cpu_us() * 1000.0 / self.signature_ns
    }

    fn markdown(&self) -> String {
        let figures = &self.figures;
        let signatures = self.signatures();
        let floor = if self.floor_us.is_nan() {
            "– | –".to_owned()
        } else {
            format!("{:.2} | {:.2}", self.floor_us * 1000.0 / self.signature_ns, figures.cpu_us() / self.floor_us)
        };
        format!(
            "| {} | {} | **{signatures:.2}**{} | {:.1} | {floor} | {:.0} | {:.2} | {:.2} | {:.0} % |\n",
            self.name,
            self.target,
            mark(signatures <= self.target),
            figures.cpu_us(),
            figures.per_second(),
            f64::from(figures.p50_us) / 1000.0,
            f64::from(figures.p99_us) / 1000.0,
            figures.driver_share() * 100.0,
        )
    }
}

fn mark(is_kept: bool) -> &'static str {
    if is_kept { "" } else { " (missed)" }
}

/// Puts `text` between the marks of the document.
pub(super) fn write_into(path: &Path, marks: Marks, text: &str) -> Result<()> {
    let kept = fs::read_to_string(path)?;
    let lost = || format!("{} has lost its marks", path.display());
    let (before, rest) = kept.split_once(marks.begin).ok_or_else(lost)?;
    let (_, after) = rest.split_once(marks.end).ok_or_else(lost)?;
    fs::write(path, format!("{before}{}\n\n{text}\n{}{after}", marks.begin, marks.end))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}
