//! What a person at a terminal reads: the only place that writes to standard output and standard error.

use std::io::Write as _;

/// A result: standard output, so that it can be piped.
pub(crate) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A remark: standard error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Why it did not work.
pub(crate) fn complain(problem: &str) {
    say(&format!("portico: {problem}"));
}
