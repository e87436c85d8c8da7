//! What a person sees of a run: a line for each long step, the failures, and the closing line.
//!
//! The closing line is `N passed, N failed` alone on its line: it sums every suite, and machines read it.
#![expect(clippy::print_stdout, reason = "this is the one place where xtask speaks")]

use std::process::ExitCode;
use std::sync::Mutex;

/// The failures said so far: the end of a long run tells them again, where its reader looks.
static FAILURES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// How many tests of a suite passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    pub(crate) fn one_failure() -> Self {
        Self { passed: 0, failed: 1 }
    }

    pub(crate) fn of(good: bool) -> Self {
        Self { passed: u64::from(good), failed: u64::from(!good) }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// A suite that ran nothing has not passed: its own breakdown must not look like success.
    pub(crate) fn or_failed_for_nothing(self, suite: &str) -> Self {
        if self.is_nothing() {
            say(&format!("not ok {suite}: it ran no test"));
            return Self::one_failure();
        }
        self
    }

    /// Counts the lines `ok …` and `not ok …` that the suites of other languages print.
    pub(crate) fn of_lines(output: &str) -> Self {
        let passed = output.lines().filter(|line| line.starts_with("ok ")).count();
        let failed = output.lines().filter(|line| line.starts_with("not ok ")).count();
        Self { passed: passed as u64, failed: failed as u64 }
    }

    /// Sums the `test result:` lines of `cargo test`.
    pub(crate) fn of_cargo_test(output: &str) -> Self {
        let mut tally = Self::default();
        for line in output.lines().filter_map(|line| line.trim_start().strip_prefix("test result: ")) {
            for part in line.split([';', '.']) {
                let mut words = part.split_whitespace();
                let Some(count) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
                    continue;
                };
                match words.next() {
                    Some("passed") => tally.passed += count,
                    Some("failed") => tally.failed += count,
                    _ => {}
                }
            }
        }
        tally
    }

    /// Prints the failures again, then the closing line, and turns it into the exit code.
    pub(crate) fn close(self) -> ExitCode {
        let failures = std::mem::take(&mut *FAILURES.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if !failures.is_empty() {
            say("what failed:");
            for failure in failures {
                println!("  {failure}");
            }
        }
        say(&format!("{} passed, {} failed", self.passed, self.failed));
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// One line to the person.
pub(crate) fn say(line: &str) {
    println!("{line}");
    if line.trim_start().starts_with("not ok ") {
        FAILURES.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line.trim().to_owned());
    }
}

/// The tests that `cargo test` says have failed, each with the first line of what it panicked with.
pub(crate) fn failed_tests(output: &str) -> Vec<String> {
    let names = output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    names.map(|name| format!("not ok {name}: {}", cause_of(output, name))).collect()
}

/// The line after "panicked at", in what this test printed.
fn cause_of<'a>(output: &'a str, name: &str) -> &'a str {
    let said = output.split_once(&format!("---- {name} stdout ----")).map_or("", |(_, after)| after);
    let own = said.split_once("\n---- ").map_or(said, |(own, _)| own);
    let mut lines = own.lines().skip_while(|line| !line.contains("panicked at")).skip(1);
    lines.next().unwrap_or("it says why above")
}

#[cfg(test)]
mod tests {
    use super::{Tally, failed_tests};

    #[test]
    fn the_lines_of_cargo_test_are_summed() {
        let output = "running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 4 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.50s\n";
        assert_eq!(Tally::of_cargo_test(output), Tally { passed: 7, failed: 2 });
    }

    #[test]
    fn lines_of_other_suites_are_counted_and_their_noise_is_not() {
        let output = "ok one: 3 steps\nnot ok two: no\nokay then\nis not ok three\nok four\n";
        assert_eq!(Tally::of_lines(output), Tally { passed: 2, failed: 1 });
    }

    #[test]
    fn a_failed_test_is_named_with_its_cause() {
        let output = "test good ... ok\ntest one::bad ... FAILED\ntest mute ... FAILED\n\n---- one::bad stdout ----\n\n\
            thread 'one::bad' panicked at src/lib.rs:1:1:\nassertion failed\nmore\n\n---- other stdout ----\nthread panicked at x:\nwrong\n";
        assert_eq!(failed_tests(output), ["not ok one::bad: assertion failed", "not ok mute: it says why above"]);
    }

    #[test]
    fn a_suite_that_ran_nothing_has_failed() {
        assert_eq!(Tally::default().or_failed_for_nothing("empty"), Tally::one_failure());
        let ran = Tally { passed: 1, failed: 0 };
        assert_eq!(ran.or_failed_for_nothing("full"), ran);
    }
}
