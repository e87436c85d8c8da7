//! Why something was refused: one closed list for each kind of refusal.
//!
//! Each fault has three texts. `reason` is the slug that logs, audit and tests carry. `explanation` is the operator's sentence: the
//! rule, what was expected, what to do. `description` is what the client reads; faults that an attacker could learn from (grants,
//! clients, tokens) share one, so that unknown, expired, used and stolen look alike from outside.
//!
//! The explanation is also the variant's documentation: it is written once.

mod client;
mod grant;
mod registration;
mod request;
mod token;

pub use client::{ClientFault, Refusal};
pub use grant::GrantFault;
pub use registration::{IssuerFault, MetadataFault, RedirectFault};
pub use request::{RequestFault, ScopeFault, TargetFault};
pub use token::TokenFault;

/// One enum of faults: `Variant(payload)? = "reason", "explanation" [, say "what the client reads"];`
macro_rules! faults {
    (
        $(#[$meta:meta])*
        $name:ident says $default:literal {
            $( $variant:ident $(($payload:ty))? = $reason:literal, $explanation:literal $(, say $say:literal)?; )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $( #[doc = $explanation] $variant $(($payload))?, )+
        }

        impl $name {
            /// The slug for logs, audit and tests.
            pub const fn reason(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $reason, )+ }
            }

            /// The sentence for operators: the rule, what was expected, what to do.
            pub const fn explanation(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $explanation, )+ }
            }

            /// The fixed text that the client reads.
            pub const fn description(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $crate::faults::said!($default $(, $say)?), )+ }
            }

            #[cfg(test)]
            pub(crate) const TEXTS: &[(&'static str, &'static str, &'static str)] =
                &[ $( ($reason, $explanation, $crate::faults::said!($default $(, $say)?)), )+ ];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.reason())
            }
        }

        impl std::error::Error for $name {}
    };
}

/// A fault's own text for the client, or that of its list.
macro_rules! said {
    ($default:literal) => {
        $default
    };
    ($default:literal, $own:literal) => {
        $own
    };
}

pub(crate) use faults;
pub(crate) use said;

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[(&str, &[(&str, &str, &str)])] = &[
        ("ClientFault", ClientFault::TEXTS),
        ("GrantFault", GrantFault::TEXTS),
        ("IssuerFault", IssuerFault::TEXTS),
        ("MetadataFault", MetadataFault::TEXTS),
        ("RedirectFault", RedirectFault::TEXTS),
        ("Refusal", Refusal::TEXTS),
        ("RequestFault", RequestFault::TEXTS),
        ("ScopeFault", ScopeFault::TEXTS),
        ("TargetFault", TargetFault::TEXTS),
        ("TokenFault", TokenFault::TEXTS),
    ];

    #[test]
    fn a_reason_names_one_fault_only() {
        let mut seen = std::collections::HashMap::new();
        for (list, texts) in ALL {
            for (reason, ..) in *texts {
                assert!(reason.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{reason}");
                if let Some(other) = seen.insert(*reason, *list) {
                    panic!("`{reason}` is in {other} and in {list}");
                }
            }
        }
    }

    /// RFC 6749 §5.2: error_description is %x20-21 / %x23-5B / %x5D-7E.
    #[test]
    fn what_clients_read_is_plain_ascii_without_quotes() {
        for (list, texts) in ALL {
            for (reason, explanation, description) in *texts {
                let plain = description.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b'"' && b != b'\\');
                assert!(plain && !description.is_empty(), "{list} {reason}: {description}");
                assert!(explanation.ends_with('.'), "{list} {reason}: an explanation is a sentence");
            }
        }
    }

    /// Unknown, expired, used and stolen look alike from outside.
    #[test]
    fn grants_clients_and_tokens_are_refused_in_one_voice() {
        for texts in [GrantFault::TEXTS, ClientFault::TEXTS, TokenFault::TEXTS] {
            assert!(texts.iter().all(|(_, _, description)| *description == texts[0].2));
        }
    }
}
