//! Drives a load at one server over kept HTTP/1.1 connections, closed loop, and says what it cost the server.
//!
//! Light on purpose: one thread, requests written from prepared bytes, answers read only as far as the next request
//! needs them. It is given a job on standard input and prints its figures as one JSON object. The server's processor
//! time is read from the kernel's own account of the process at the edges of the measured phase.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

mod account;
mod connection;
mod job;
mod load;

use std::io::Read;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}", serde_json::json!({ "error": error.to_string() }));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let job: job::Job = serde_json::from_str(&text)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(tokio::task::LocalSet::new().run_until(load::drive(job)))?;
    Ok(serde_json::to_string(&figures)?)
}
