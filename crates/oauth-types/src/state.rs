//! The client's own memory, which we echo byte by byte and never read (RFC 6749 §4.1.1).

use crate::{RequestFault, text::text_value};

/// Some clients carry whole JSON documents in it; nobody needs more than a header can hold.
const BYTES_MAX: usize = 4096;

/// The client's opaque text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    text: String,
}

impl State {
    /// # Errors
    /// [`RequestFault::StateTooLong`]; any text within the limit is good.
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        if text.len() > BYTES_MAX { Err(RequestFault::StateTooLong) } else { Ok(Self { text: text.to_owned() }) }
    }

    /// The text, as it came.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

text_value!(State, RequestFault);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_within_the_limit_is_echoed_as_it_came() {
        for text in ["", "a b+c/d==", "ä\n\0\"<script>", &"x".repeat(4096)] {
            assert_eq!(State::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(State::parse(&"x".repeat(4097)), Err(RequestFault::StateTooLong));
    }
}
