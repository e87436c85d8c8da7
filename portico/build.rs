//! How the program of profile `dist` is linked: with its relocations packed.
//!
//! Two thirds of a hundred thousand pointers are corrected when the program starts, and each correction is 24 bytes in the file and in
//! memory; packed they are a few bits each (decision 136). The dynamic linker reads that form since glibc 2.36, so an older system
//! builds without it.

#![expect(clippy::disallowed_methods, reason = "this is how Cargo speaks to a build script")]

use std::{env, path::Path, process::Command};

/// Where the dynamic linker learned to read them.
const GLIBC_MIN: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if is_dist() && env::var("TARGET").is_ok_and(|target| target.ends_with("-linux-gnu")) && glibc().is_some_and(|found| found >= GLIBC_MIN)
    {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Cargo tells a build script `release` for every profile that inherits it; the folder has the profile's own name.
fn is_dist() -> bool {
    env::var_os("OUT_DIR").is_some_and(|folder| Path::new(&folder).components().any(|part| part.as_os_str() == "dist"))
}

/// Of the system that builds: the program runs on this version or a newer one, as ever.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
