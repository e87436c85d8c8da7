//! `calculate`: arithmetic, so that a model need not guess. A parser of its own: numbers, `+ - * / % ^`, brackets and a
//! handful of functions; nothing is evaluated that is not in this file.

use rmcp::model::Tool;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, Call, Fault, Kind, reading, tool};

/// Longest expression; also bounds the work, which is linear in it.
const EXPRESSION_BYTES_MAX: usize = 1024;
/// Deepest nesting of brackets, signs and powers: bounds the stack.
const DEPTH_MAX: usize = 64;

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// For example (2 + 3) * sqrt(16) / 7 ^ 2. Functions: sqrt, abs, ln, log10, exp, sin, cos, tan, round, floor, ceil, min, max. Constants: pi, e.
    expression: String,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    expression: String,
    /// Double precision.
    value: f64,
}

pub(super) fn describe() -> Tool {
    tool::<Arguments, Output>(Kind::Calculate, "Calculate", "Evaluates an arithmetic expression in double precision.")
        .with_annotations(reading("Calculate"))
}

pub(super) fn run(call: &Call<'_>) -> Result<Answer, Fault> {
    let Arguments { expression } = call.arguments()?;
    let value = evaluate(&expression).map_err(|wrong| Fault::Arguments(wrong.sentence()))?;
    Answer::done(&Output { expression, value })
}

#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    TooLong,
    TooDeep,
    Unexpected(usize),
    UnknownName(usize),
    NotANumber,
}

impl Wrong {
    fn sentence(&self) -> String {
        match self {
            Self::TooLong => format!("expression must have at most {EXPRESSION_BYTES_MAX} bytes"),
            Self::TooDeep => "expression is nested too deeply".into(),
            Self::Unexpected(at) => format!("expression cannot be read at byte {at}"),
            Self::UnknownName(at) => format!("expression names an unknown function or constant at byte {at}"),
            Self::NotANumber => "the result is not a finite number".into(),
        }
    }
}

fn evaluate(expression: &str) -> Result<f64, Wrong> {
    if expression.len() > EXPRESSION_BYTES_MAX {
        return Err(Wrong::TooLong);
    }
    let mut parser = Parser { source: expression.as_bytes(), at: 0, depth: 0 };
    let value = parser.sum()?;
    parser.space();
    if parser.at < parser.source.len() {
        return Err(Wrong::Unexpected(parser.at));
    }
    if value.is_finite() { Ok(value) } else { Err(Wrong::NotANumber) }
}

/// sum := product (('+'|'-') product)*; product := signed (('*'|'/'|'%') signed)*; signed := '-' signed | power;
/// power := atom ('^' signed)?; atom := number | name | name '(' sum (',' sum)* ')' | '(' sum ')'
struct Parser<'s> {
    source: &'s [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        while self.source.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn next_is(&mut self, wanted: u8) -> bool {
        self.space();
        let found = self.source.get(self.at) == Some(&wanted);
        self.at += usize::from(found);
        found
    }

    fn sum(&mut self) -> Result<f64, Wrong> {
        let mut value = self.product()?;
        loop {
            if self.next_is(b'+') {
                value += self.product()?;
            } else if self.next_is(b'-') {
                value -= self.product()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<f64, Wrong> {
        let mut value = self.signed()?;
        loop {
            if self.next_is(b'*') {
                value *= self.signed()?;
            } else if self.next_is(b'/') {
                value /= self.signed()?;
            } else if self.next_is(b'%') {
                value %= self.signed()?;
            } else {
                return Ok(value);
            }
        }
    }

    fn signed(&mut self) -> Result<f64, Wrong> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Wrong::TooDeep);
        }
        let value = if self.next_is(b'-') {
            -self.signed()?
        } else if self.next_is(b'+') {
            self.signed()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn power(&mut self) -> Result<f64, Wrong> {
        let base = self.atom()?;
        // `2 ^ 3 ^ 2` is 2 ^ 9, and `2 ^ -1` is a half.
        if self.next_is(b'^') { Ok(base.powf(self.signed()?)) } else { Ok(base) }
    }

    fn atom(&mut self) -> Result<f64, Wrong> {
        self.space();
        match self.source.get(self.at) {
            Some(b'(') => {
                self.at += 1;
                let value = self.sum()?;
                if self.next_is(b')') { Ok(value) } else { Err(Wrong::Unexpected(self.at)) }
            }
            Some(byte) if byte.is_ascii_digit() || *byte == b'.' => self.number(),
            Some(byte) if byte.is_ascii_alphabetic() => self.named(),
            _ => Err(Wrong::Unexpected(self.at)),
        }
    }

    fn number(&mut self) -> Result<f64, Wrong> {
        let start = self.at;
        let digits = |parser: &mut Self| {
            while parser.source.get(parser.at).is_some_and(u8::is_ascii_digit) {
                parser.at += 1;
            }
        };
        digits(self);
        if self.source.get(self.at) == Some(&b'.') {
            self.at += 1;
            digits(self);
        }
        if matches!(self.source.get(self.at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.source.get(self.at + 1), Some(b'+' | b'-')));
            if self.source.get(self.at + 1 + sign).is_some_and(u8::is_ascii_digit) {
                self.at += 1 + sign;
                digits(self);
            }
        }
        let text = std::str::from_utf8(&self.source[start..self.at]).map_err(|_| Wrong::Unexpected(start))?;
        text.parse().map_err(|_| Wrong::Unexpected(start))
    }

    fn named(&mut self) -> Result<f64, Wrong> {
        let start = self.at;
        while self.source.get(self.at).is_some_and(u8::is_ascii_alphanumeric) {
            self.at += 1;
        }
        let name = self.source[start..self.at].to_ascii_lowercase();
        if !self.next_is(b'(') {
            return match name.as_slice() {
                b"pi" => Ok(std::f64::consts::PI),
                b"e" => Ok(std::f64::consts::E),
                _ => Err(Wrong::UnknownName(start)),
            };
        }
        let mut values = vec![self.sum()?];
        while self.next_is(b',') {
            values.push(self.sum()?);
        }
        if !self.next_is(b')') {
            return Err(Wrong::Unexpected(self.at));
        }
        applied(&name, &values).ok_or(Wrong::UnknownName(start))
    }
}

fn applied(name: &[u8], values: &[f64]) -> Option<f64> {
    Some(match (name, values) {
        (b"min", values) => values.iter().copied().fold(f64::INFINITY, f64::min),
        (b"max", values) => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        (b"sqrt", [x]) => x.sqrt(),
        (b"abs", [x]) => x.abs(),
        (b"ln", [x]) => x.ln(),
        (b"log10", [x]) => x.log10(),
        (b"exp", [x]) => x.exp(),
        (b"sin", [x]) => x.sin(),
        (b"cos", [x]) => x.cos(),
        (b"tan", [x]) => x.tan(),
        (b"round", [x]) => x.round(),
        (b"floor", [x]) => x.floor(),
        (b"ceil", [x]) => x.ceil(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_follows_the_usual_order() {
        for (expression, value) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("2 ^ 3 ^ 2", 512.0),
            ("-2 ^ 2", -4.0),
            ("2 ^ -1", 0.5),
            ("7 % 4 - .5", 2.5),
            ("1e3 + 1.5E-1", 1000.15),
            ("max(1, 2, min(9, 3)) + sqrt(16)", 7.0),
            ("--3", 3.0),
        ] {
            assert_eq!(evaluate(expression), Ok(value), "{expression}");
        }
    }

    #[test]
    fn what_is_not_arithmetic_is_refused() {
        assert_eq!(evaluate("1 +"), Err(Wrong::Unexpected(3)));
        assert_eq!(evaluate("1 2"), Err(Wrong::Unexpected(2)));
        assert_eq!(evaluate("system(1)"), Err(Wrong::UnknownName(0)));
        assert_eq!(evaluate("1 / 0"), Err(Wrong::NotANumber));
        assert_eq!(evaluate(""), Err(Wrong::Unexpected(0)));
        assert_eq!(evaluate("1e"), Err(Wrong::Unexpected(1)));
    }

    #[test]
    fn depth_and_length_are_bounded() {
        assert_eq!(evaluate(&format!("{}1{}", "(".repeat(300), ")".repeat(300))), Err(Wrong::TooDeep));
        assert_eq!(evaluate(&"-".repeat(300)), Err(Wrong::TooDeep));
        assert_eq!(evaluate(&format!("{}1{}", "(".repeat(50), ")".repeat(50))), Ok(1.0));
        assert_eq!(evaluate(&"1".repeat(EXPRESSION_BYTES_MAX + 1)), Err(Wrong::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn garbage_never_panics(expression in "[0-9.+*/%^()a-z, ü-]{0,200}") {
            if let Ok(value) = evaluate(&expression) {
                proptest::prop_assert!(value.is_finite());
            }
        }
    }
}
