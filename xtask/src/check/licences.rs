//! Licences of everything that is linked into what we give away, read from Cargo's own metadata.

use serde_json::Value;

use crate::{Result, run, workspace};

/// Licences that Apache-2.0 software may be given away with. `deny.toml` has the same list.
const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// Weak copyleft of single files: used unchanged, so nothing of ours falls under it. (package, licence)
const EXCEPTIONS: [(&str, &str); 0] = [];

pub(super) fn faults() -> Result<Vec<String>> {
    let words = ["metadata", "--format-version", "1", "--locked"];
    let metadata: Value = serde_json::from_str(&run::read(&mut workspace::cargo(&words)?)?)?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata has no packages")?;
    Ok(packages.iter().filter_map(fault).collect())
}

fn fault(package: &Value) -> Option<String> {
    let name = package["name"].as_str()?;
    let Some(licence) = package["license"].as_str() else {
        return Some(format!("{name} names no licence"));
    };
    if is_allowed(licence) || EXCEPTIONS.contains(&(name, licence)) {
        return None;
    }
    Some(format!("{name} is under {licence}"))
}

/// An SPDX expression: `OR` needs one side, `AND` both, parentheses group. `/` is an old spelling of `OR`.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words };
    let allowed = reader.either();
    allowed && reader.words.is_empty()
}

struct Reader<'a> {
    words: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.words.first() == Some(&word);
        if is_next {
            self.next();
        }
        is_next
    }

    fn either(&mut self) -> bool {
        let mut allowed = self.both();
        while self.takes("OR") {
            // Read the other side in any case: the words after it must be reached.
            allowed |= self.both();
        }
        allowed
    }

    fn both(&mut self) -> bool {
        let mut allowed = self.one();
        while self.takes("AND") {
            allowed &= self.one();
        }
        allowed
    }

    fn one(&mut self) -> bool {
        if self.takes("(") {
            return self.either() & self.takes(")");
        }
        let Some(name) = self.next() else {
            return false;
        };
        if self.takes("WITH") {
            let exception = self.next().unwrap_or_default();
            return ALLOWED.contains(&format!("{name} WITH {exception}").as_str());
        }
        ALLOWED.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn an_expression_is_read_as_spdx_means_it() {
        assert!(is_allowed("MIT"));
        assert!(is_allowed("GPL-3.0 OR MIT"));
        assert!(is_allowed("Unlicense/MIT"));
        assert!(is_allowed("(MIT OR GPL-3.0) AND Unicode-3.0"));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR GPL-2.0"));
    }

    #[test]
    fn what_is_not_on_the_list_is_refused() {
        assert!(!is_allowed("GPL-3.0"));
        assert!(!is_allowed("MIT AND GPL-3.0"));
        assert!(!is_allowed("GPL-3.0 WITH LLVM-exception"));
        assert!(!is_allowed("(MIT"));
        assert!(!is_allowed(""));
    }
}
