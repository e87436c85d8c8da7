//! What a person or a script reads of the findings. No secret reaches this file.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::finding::{Cure, Finding, State};

/// For a person: each finding a line, what is wrong as a diff with its reason.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let word = word(&finding.state);
        let _ = writeln!(out, "  {word:<7} {}", finding.title);
        match &finding.state {
            State::Good => {}
            State::Notice { why } => {
                let _ = writeln!(out, "            why: {why}");
            }
            State::Wrong(wrong) => {
                for line in wrong.is.iter().filter(|line| !wrong.should.contains(line)) {
                    let _ = writeln!(out, "          - {line}");
                }
                for line in &wrong.should {
                    let mark = if wrong.is.contains(line) { ' ' } else { '+' };
                    let _ = writeln!(out, "          {mark} {line}");
                }
                let _ = writeln!(out, "            why: {}", wrong.why);
                let _ = match &wrong.cure {
                    Cure::Repair(_) => writeln!(out, "            fix: --fix changes it   [{}]", finding.check),
                    Cure::ByHand(what) => writeln!(out, "            fix: {what}   [{}]", finding.check),
                };
            }
        }
    }
    printable(&out)
}

/// The sum, in one line.
pub(super) fn sum(findings: &[Finding]) -> String {
    let of = |wanted: &str| findings.iter().filter(|finding| word(&finding.state) == wanted).count();
    format!("{} good, {} worth knowing, {} wrong", of("good"), of("notice"), of("wrong"))
}

/// For a script.
pub(super) fn json(findings: &[Finding]) -> Vec<Value> {
    let one = |finding: &Finding| {
        let mut entry = json!({ "check": finding.check, "state": word(&finding.state), "title": finding.title });
        match &finding.state {
            State::Good => {}
            State::Notice { why } => entry["why"] = (*why).into(),
            State::Wrong(wrong) => {
                entry["why"] = wrong.why.into();
                entry["is"] = json!(wrong.is);
                entry["should"] = json!(wrong.should);
                entry["repairable"] = matches!(wrong.cure, Cure::Repair(_)).into();
                if let Cure::ByHand(what) = wrong.cure {
                    entry["by_hand"] = what.into();
                }
            }
        }
        entry
    };
    findings.iter().map(one).collect()
}

fn word(state: &State) -> &'static str {
    match state {
        State::Good => "good",
        State::Notice { .. } => "notice",
        State::Wrong(_) => "wrong",
    }
}

/// Somebody else chose these strings: one that moves the cursor could paint over what stands above it.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() && letter != '\n' { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::{Repair, Wrong};
    use super::*;

    fn wrong(is: &[&str], should: &[&str], cure: Cure) -> Finding {
        let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect();
        Finding::wrong("redirect-uris", "codes may go anywhere", Wrong { is: lines(is), should: lines(should), why: "because", cure })
    }

    #[test]
    fn what_is_wrong_is_a_diff_with_its_reason() {
        let finding = wrong(&["uri = a", "uri = *"], &["uri = a", "uri = b"], Cure::Repair(Repair::CreateClient));
        let shown = text(&[Finding::good("pkce", "PKCE is required"), finding]);
        assert_eq!(
            shown,
            "  good    PKCE is required\n  wrong   codes may go anywhere\n          - uri = *\n            uri = a\n          + uri = b\n\
             \u{20}           why: because\n            fix: --fix changes it   [redirect-uris]\n"
        );
    }

    #[test]
    fn a_string_from_the_realm_cannot_paint_over_the_screen() {
        let shown = text(&[wrong(&["uri = \u{1b}[2Jgood"], &[], Cure::ByHand("by hand"))]);
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert!(shown.contains("fix: by hand"));
    }

    #[test]
    fn a_script_learns_what_can_be_repaired() {
        let entries = json(&[wrong(&["a"], &["b"], Cure::Repair(Repair::ClientSecret)), wrong(&[], &[], Cure::ByHand("turn it on"))]);
        assert_eq!(entries[0]["repairable"], true);
        assert_eq!(entries[1]["repairable"], false);
        assert_eq!(entries[1]["by_hand"], "turn it on");
        assert_eq!(entries[0]["is"], json!(["a"]));
    }

    #[test]
    fn the_sum_counts_each_state() {
        let findings = [Finding::good("a", "a"), Finding::notice("b", "b", "why"), wrong(&[], &[], Cure::ByHand("x"))];
        assert_eq!(sum(&findings), "1 good, 1 worth knowing, 1 wrong");
    }
}
