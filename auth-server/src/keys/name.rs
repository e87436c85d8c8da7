//! Names of refresh tokens: each says which grant it belongs to, and proves that we made it.
//!
//! architecture.md 11a.2. Garbage is refused here, without a look into the store; what passes is authentic, which is not yet good:
//! only the grant's row knows whether it is current, used, or old.

use oauth_types::{GrantFault, GrantId, RefreshTokenSecret, SealedName, TokenHash};

use super::{KeyError, KeyStore, Purpose};
use crate::secret;

/// Tells people and secret scanners what was leaked; [`is_refresh_token`] asks for it.
const REFRESH_PREFIX: &str = "prt_";

/// A refresh token before anybody has it, and the row's view of it.
pub(crate) struct Successor {
    pub(crate) token: RefreshTokenSecret,
    /// The token, sealed under the rotated one and our key.
    pub(crate) sealed: String,
}

/// Does it look like one? Only for choosing what to look up.
pub(crate) fn is_refresh_token(text: &str) -> bool {
    text.starts_with(REFRESH_PREFIX)
}

impl KeyStore {
    /// A refresh token of this generation; `upstream`: its grant hangs on a sign-in at a provider.
    pub(crate) fn mint_refresh(&self, grant: GrantId, generation: u32, upstream: bool) -> RefreshTokenSecret {
        let name = SealedName { key_id: self.0.sealing.current_id(), grant, generation, upstream, random: secret::fresh_bytes() };
        RefreshTokenSecret::new(name.encode(REFRESH_PREFIX, |parts| self.0.sealing.mac(Purpose::RefreshToken, parts)))
    }

    /// # Errors
    /// It is no refresh token that we made.
    pub(crate) fn read_refresh(&self, presented: &str) -> Result<SealedName, GrantFault> {
        SealedName::decode(REFRESH_PREFIX, presented, |id, parts, tag| self.0.sealing.proves(id, Purpose::RefreshToken, parts, tag))
            .ok_or(GrantFault::RefreshMalformed)
    }

    /// The next token of a family, and its seal: a retry with the rotated token finds the same successor (decision 4), while
    /// neither the database nor an old token alone yields a live one.
    pub(crate) fn mint_successor(&self, rotated: &str, name: &SealedName) -> Result<Successor, KeyError> {
        // A grant that is refreshed every second for a century stays below; past that it must sign in again.
        let generation = name.generation.checked_add(1).ok_or(KeyError::Crypto("a grant was refreshed too often"))?;
        let token = self.mint_refresh(name.grant, generation, name.upstream);
        let sealed =
            self.0.sealing.seal_under(Purpose::Successor, rotated.as_bytes(), &name.grant.to_bytes(), token.expose().as_bytes())?;
        Ok(Successor { token, sealed })
    }

    /// The successor that was made before, with the rotated token in the hand. It must be the one that the row knows.
    pub(crate) fn open_successor(
        &self,
        rotated: &str,
        grant: GrantId,
        sealed: &str,
        expected: &TokenHash,
    ) -> Result<RefreshTokenSecret, KeyError> {
        let plain = self.0.sealing.open_under(Purpose::Successor, rotated.as_bytes(), &grant.to_bytes(), sealed)?;
        let token = RefreshTokenSecret::new(String::from_utf8(plain).map_err(|_| KeyError::SealBroken)?);
        if token.hash() == *expected { Ok(token) } else { Err(KeyError::SealBroken) }
    }
}
