//! Pairwise names of people: what a client is told instead of our own name for them.
//!
//! OpenID Connect Core §8.1. A name is the HMAC of sector and person under a salt. The salt is made once and kept in the store, sealed:
//! a name that changed with the sealing key would make a stranger of everybody at every client.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use oauth_types::Subject;

use super::{KeyError, Purpose, SealingKeys};
use crate::{secret, store::Store};

/// What the salt is called in the store.
const NAME: &str = "pairwise";
/// As strong as the hash that it salts.
const SALT_BYTES: usize = 32;

/// Makes pairwise names.
pub(crate) struct Pairwise(hmac::Key);

impl Pairwise {
    /// Reads the salt; the first server of all makes it. Sealed again when another sealing key came into use.
    pub(super) async fn open(store: &Store, sealing: &SealingKeys) -> Result<Self, KeyError> {
        let fresh = sealing.seal(Purpose::PairwiseSalt, NAME.as_bytes(), &secret::fresh_bytes::<SALT_BYTES>())?;
        let sealed = store.salt(NAME, fresh).await?;
        let salt = sealing.open_sealed(Purpose::PairwiseSalt, NAME.as_bytes(), &sealed)?;
        if SealingKeys::sealed_by(&sealed) != Some(sealing.current_id()) {
            let again = sealing.seal(Purpose::PairwiseSalt, NAME.as_bytes(), &salt)?;
            // If another replica was quicker, its seal is as good as ours.
            store.reseal_salt(NAME, sealed, again).await?;
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &salt)))
    }

    /// The name of this person in this sector.
    pub(crate) fn name(&self, sector: &str, subject: &Subject) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(sector.as_bytes());
        // No host, no client id and no name of ours holds a line break.
        context.update(b"\n");
        context.update(subject.as_str().as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salted(salt: &[u8]) -> Pairwise {
        Pairwise(hmac::Key::new(hmac::HMAC_SHA256, salt))
    }

    /// OpenID Connect Core §8.1: different values for different sectors, the same for the same, and not reversible.
    #[test]
    fn a_name_is_of_one_person_in_one_sector_under_one_salt() {
        let (alice, bob) = (Subject::from_trusted("alice"), Subject::from_trusted("bob"));
        let pairwise = salted(b"salt");
        let name = pairwise.name("app.example", &alice);
        assert_eq!(name, salted(b"salt").name("app.example", &alice));
        assert_eq!(name.len(), 43, "a name of ours has room for it: {name}");
        for other in
            [pairwise.name("other.example", &alice), pairwise.name("app.example", &bob), salted(b"pepper").name("app.example", &alice)]
        {
            assert_ne!(name, other);
        }
        assert!(!name.contains("alice"));
    }
}
