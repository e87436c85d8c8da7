//! What a large file costs: the start, and a refresh among a million grants.

use crate::Result;

use super::Bench;
use super::table::Report;

pub(super) fn measure(_bench: &Bench, _grants: u64, _report: &mut Report) -> Result<()> {
    Err("the file at scale is not seeded yet".into())
}
