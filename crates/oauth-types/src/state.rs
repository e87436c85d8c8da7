//! `state`: opaque to us, echoed byte for byte (RFC 6749 §4.1.1).

use crate::{
    RequestFault,
    text::{Parsed, textual},
};

/// Longest state. VS Code's are long base64; nobody's pass 2,000.
const BYTES_MAX: usize = 4096;

/// What the client wants back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(Box<str>);

impl State {
    /// Takes it.
    ///
    /// # Errors
    /// [`RequestFault::StateTooLong`].
    pub fn parse(text: &str) -> Result<Self, RequestFault> {
        if text.len() <= BYTES_MAX { Ok(Self(text.into())) } else { Err(RequestFault::StateTooLong) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Parsed for State {
    type Fault = RequestFault;
}
textual!(State);

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
