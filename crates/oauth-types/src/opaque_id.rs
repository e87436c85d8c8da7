//! Names that we made ourselves: opaque, short, safe in a URL, a log line and a database key.

use crate::{RequestFault, text::text_value};

/// 64 characters hold 32 random bytes in hexadecimal, and any subject that an account may have.
const CHARS_MAX: usize = 64;

macro_rules! opaque_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            text: String,
        }

        impl $name {
            /// For a text that we made or stored ourselves; it is not checked again.
            pub fn from_trusted(text: String) -> Self {
                debug_assert!(is_opaque(&text), "an id that we made is well-formed");
                Self { text }
            }

            /// # Errors
            /// [`RequestFault::IdentifierMalformed`] when it is none that we could have made.
            pub fn parse(text: &str) -> Result<Self, RequestFault> {
                if is_opaque(text) { Ok(Self { text: text.to_owned() }) } else { Err(RequestFault::IdentifierMalformed) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }

        text_value!($name, RequestFault);
    };
}

opaque_id! {
    /// Our stable name for a person.
    Subject
}
opaque_id! {
    /// A person signed in with us in one browser: the public name of the row, not the cookie's secret.
    BrowserSessionId
}
opaque_id! {
    /// One person's sign-in at one identity provider.
    UpstreamSessionId
}
opaque_id! {
    /// One browser journey from the authorization request to the redirect back.
    FlowId
}

fn is_opaque(text: &str) -> bool {
    (1..=CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_as_it_shows(text in "[A-Za-z0-9_-]{1,64}") {
            let id = Subject::parse(&text).unwrap();
            prop_assert_eq!(id.to_string(), text);
        }

        #[test]
        fn what_we_never_make_is_refused(text in ".{0,70}") {
            let made = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            prop_assert_eq!(FlowId::parse(&text).is_ok(), made);
        }
    }
}
