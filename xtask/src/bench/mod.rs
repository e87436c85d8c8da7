//! `cargo xtask bench`: what a request costs, beside what it could cost at least.
//!
//! The server is the `dist` binary with everything on: consent, audit, limits (with room for one address to drive the
//! whole load), logs, full synchronisation. It is bound to one core, the driver to another. The unit is the ES: the
//! processor time of one ES256 signature, taken on the server's core in the same run, so that figures of different
//! machines can be compared. Each row has a floor beside it: the same bytes through bare actix-web.

mod figures;
mod prepare;
mod profile;
mod rows;
mod scale;
mod table;
mod verify;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::closing::say;
use crate::run::must;
use crate::server::House;
use crate::{Result, machine, setup, workspace};

/// Thin LTO in one unit, from nothing.
const BUILD_LIMIT: Duration = Duration::from_secs(2400);
/// An idle server has nothing left to start after this.
const SETTLE: Duration = Duration::from_secs(2);

/// The limits count, and a load from one address does not reach them.
const ROOM: u32 = 1_000_000;
/// A protected resource that introspects; its secret guards nothing but this run.
const INTROSPECTOR: &str = "bench-resource";
const INTROSPECTOR_SECRET: &str = "a-secret-of-the-bench-that-guards-nothing-else";

/// How much is measured and where it is written.
#[derive(Args)]
pub(crate) struct Options {
    /// Write docs/performance.md
    #[arg(long)]
    write: bool,
    /// Rows whose name contains this; none means all
    #[arg(long)]
    only: Option<String>,
    /// Seconds of each measurement, after a warm-up of a quarter of it
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Instead of figures: where the time of each request goes, by samples of a binary with symbols
    #[arg(long)]
    profile: bool,
    /// Grants in the file for the measurements at scale; 0 leaves them out
    #[arg(long, default_value_t = 1_000_000)]
    grants: u64,
}

/// The programs and cores of one run.
struct Bench {
    server: PathBuf,
    driver: PathBuf,
    floor: PathBuf,
    server_core: usize,
    driver_core: usize,
    measured: Duration,
    is_profiling: bool,
}

pub(crate) fn run(chosen: Option<&Path>, options: &Options) -> Result<()> {
    setup::system()?;
    let bench = build(chosen, options)?;
    let wanted = |name: &str| options.only.as_deref().is_none_or(|part| name.contains(part));
    let mut report = table::Report::new(machine::processor(), machine::file_mib(&bench.server)?);
    let house = bench.house("bench")?;
    let portico = house.open()?;
    std::thread::sleep(SETTLE);
    report.idle = Some(machine::memory(portico.pid())?);
    report.signature_ns.push(figures::signature_ns(&bench)?);
    let stage = prepare::Stage::set(&house)?;
    let mut run = rows::Run { bench: &bench, house: &house, portico, wanted: &wanted, report: &mut report };
    run.measure(&stage)?;
    run.portico.stop()?;
    let document = workspace::root().join("docs/performance.md");
    let (marks, text) = if options.profile {
        (table::PROFILE, report.profile_markdown())
    } else {
        if options.grants > 0 && wanted("scale") {
            scale::measure(&bench, options.grants, &mut report)?;
        }
        (table::FIGURES, report.markdown())
    };
    say(&text);
    if options.write { table::write_into(&document, marks, &text) } else { Ok(()) }
}

fn build(chosen: Option<&Path>, options: &Options) -> Result<Bench> {
    let (server_core, driver_core) = machine::two_cores()?;
    let mut tools = workspace::cargo(&["build", "--profile", "dist", "--package", "xtask", "--features", "bench", "--bins"])?;
    must("cargo build of the measuring tools", &mut tools, BUILD_LIMIT)?;
    let folder = workspace::target_folder()?.join("dist");
    let server = match chosen {
        Some(chosen) => chosen.canonicalize()?,
        None if options.profile => profile::binary_with_symbols()?,
        None => {
            let mut product = workspace::cargo(&["build", "--profile", "dist", "--package", "portico"])?;
            must("cargo build --profile dist", &mut product, BUILD_LIMIT)?;
            folder.join("portico")
        }
    };
    Ok(Bench {
        server,
        driver: folder.join("bench-driver"),
        floor: folder.join("bench-floor"),
        server_core,
        driver_core,
        measured: Duration::from_secs(options.seconds),
        is_profiling: options.profile,
    })
}

impl Bench {
    /// A house on the server's core whose limits have room for a load from one address.
    fn house(&self, name: &str) -> Result<House> {
        let mut house = House::build(name, &self.server, &[])?;
        house.pin_to(self.server_core);
        house.configure(&format!(
            "{}[registration]\nper_source_hourly = {ROOM}\npending_max = {ROOM}\n\n\
             [[resource_server]]\nid = \"{INTROSPECTOR}\"\npath = \"/mcp\"\nsecret = \"{INTROSPECTOR_SECRET}\"\n",
            verify::SETTINGS,
        ))?;
        Ok(house)
    }
}
