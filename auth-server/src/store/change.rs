//! Hot writes as values: what may be asked of the writer, and what it answers.
//!
//! Redeeming, rotating, ending and registering are a closed enum. A judge is a plain function: it sees the row and the
//! question, decides, and touches nothing; the writer calls it between reading a group and writing it, so the row cannot move under it.
//! A refusal changes nothing and harms no neighbour.

use oauth_types::{
    AccessClaims, ClientId, CodeChallenge, CodeVerifier, Error, GrantId, RedirectUri, ResourceUri, Scope, Subject, Timestamp, TokenHash,
    UpstreamSessionId,
};
use tokio::sync::oneshot;

use super::{EndReason, GrantRow, NewClient, Store, StoreError, wake::Asker};
use crate::config::RefreshConfig;

/// Where a request came from, for the audit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// The address of whoever asked.
    pub source_ip: Option<String>,
    /// The reference that client and person saw.
    pub reference: Option<String>,
}

/// A person allowed it. It travels in its code (`code.rs`), and becomes a grant when that is redeemed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the columns of the grant, or the parameters")]
pub struct Approval {
    pub grant_id: GrantId,
    pub client_id: ClientId,
    pub subject: Subject,
    pub resource: ResourceUri,
    pub scope: Scope,
    pub redirect_uri: RedirectUri,
    pub upstream_session: Option<UpstreamSessionId>,
    pub auth_time: Timestamp,
    pub nonce: Option<String>,
    pub code_challenge: CodeChallenge,
    pub code_expires_at: Timestamp,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
    /// Where the browser came from.
    pub trail: Trail,
}

/// What a client presented with its code.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names are the parameters")]
pub struct RedemptionFacts {
    pub redirect_uri: Option<String>,
    pub verifier: Option<CodeVerifier>,
    pub resource: Option<ResourceUri>,
}

/// The first refresh token of a grant.
#[derive(Debug, Clone)]
pub struct NewRefresh {
    /// Its hash.
    pub hash: TokenHash,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
}

/// A code for tokens.
#[derive(Debug)]
pub struct Redemption {
    /// What the code says was approved.
    pub approval: Approval,
    /// Who proved to be asking.
    pub client_id: ClientId,
    /// What else was presented.
    pub presented: RedemptionFacts,
    /// `None`: the client did not register for refreshing.
    pub refresh: Option<NewRefresh>,
    /// Decides.
    pub judge: fn(&GrantRow, &Redemption, Timestamp) -> Result<Redeem, Error>,
    /// Where it came from.
    pub trail: Trail,
}

/// What a judge says of a redemption that proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeem {
    /// The first: go on.
    Good,
    /// A second: the grant ends, and the answer is `CodeReplayed`.
    Replay,
}

/// The token that follows.
#[derive(Debug, Clone)]
pub struct Successor {
    /// Its hash.
    pub hash: TokenHash,
    /// Itself, sealed under a key that needs the rotated token to open.
    pub sealed: String,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
}

/// A refresh token for its successor.
#[derive(Debug)]
pub struct Rotation {
    /// The grant that the token names.
    pub grant_id: GrantId,
    /// The generation that it names.
    pub generation: u32,
    /// Its hash.
    pub presented_hash: TokenHash,
    /// Who proved to be asking.
    pub client_id: ClientId,
    /// RFC 6749 §6.
    pub asked_scope: Option<Scope>,
    /// RFC 8707 §2.2.
    pub asked_resource: Option<ResourceUri>,
    /// The sign-in upstream that was asked, and stands.
    pub vouched_by: Option<UpstreamSessionId>,
    /// What replaces it, if the judge agrees.
    pub successor: Successor,
    /// How long and how often a rotated token is answered again.
    pub overlap: RefreshConfig,
    /// Decides.
    pub judge: fn(&GrantRow, &Rotation, Timestamp) -> Result<Rotate, Error>,
    /// Where it came from.
    pub trail: Trail,
}

/// What a judge says of a rotation by the grant's own client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotate {
    /// The newest token: the successor takes its place.
    Next,
    /// The one before, within the overlap: the same successor again.
    Again,
    /// An older one: the grant ends, and the answer is `RefreshReused`.
    Replay,
}

/// A rotation that was let through.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The grant, as it stands now.
    pub row: GrantRow,
    /// Which token to answer with.
    pub answer: Answer,
}

/// Which refresh token the client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The one that came with the rotation.
    New,
    /// The one that an earlier rotation made.
    Again {
        /// Sealed; the presented token opens it.
        successor_sealed: String,
        /// Its hash, so that what was opened can be checked.
        successor_hash: TokenHash,
    },
}

/// What shall end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A grant with everything made from it.
    Grant(GrantId),
    /// One access token.
    Token {
        /// Its `jti`.
        jti: String,
        /// Its grant, as the token names it.
        grant_id: String,
        /// Whose it was.
        client_id: String,
        /// About whom.
        subject: String,
        /// When it would have expired.
        expires_at: Timestamp,
    },
}

/// An ending.
#[derive(Debug, Clone)]
pub struct Ending {
    /// What ends.
    pub what: Ended,
    /// Why.
    pub reason: EndReason,
    /// When it was asked for.
    pub now: Timestamp,
    /// Where it came from.
    pub trail: Trail,
}

impl Ending {
    /// Of a grant.
    pub fn grant(grant_id: GrantId, reason: EndReason, now: Timestamp) -> Self {
        Self { what: Ended::Grant(grant_id), reason, now, trail: Trail::default() }
    }

    /// Of one access token.
    pub fn token(claims: &AccessClaims, reason: EndReason, now: Timestamp) -> Self {
        let what = Ended::Token {
            jti: claims.jti.clone(),
            grant_id: claims.grant_id.clone(),
            client_id: claims.client_id.clone(),
            subject: claims.sub.clone(),
            expires_at: Timestamp(claims.exp),
        };
        Self { what, reason, now, trail: Trail::default() }
    }

    /// With where it came from.
    #[must_use]
    pub fn by(mut self, trail: Trail) -> Self {
        self.trail = trail;
        self
    }
}

/// Where an answer goes. The asker may have left.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Every hot write there is. Boxed: a queue of them is a queue of pointers.
pub(super) enum Change {
    Redeem(Box<Redemption>, Reply<GrantRow>),
    Rotate(Box<Rotation>, Reply<Rotated>),
    End(Box<Ending>, Reply<bool>),
    Register(Box<NewClient>, Reply<()>),
}

/// What a change is about. Of two changes about the same thing the second waits for the next group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum About {
    Grant(GrantId),
    Token(String),
    Client(ClientId),
}

impl Change {
    pub(super) fn about(&self) -> About {
        match self {
            Self::Redeem(redemption, _) => About::Grant(redemption.approval.grant_id),
            Self::Rotate(rotation, _) => About::Grant(rotation.grant_id),
            Self::End(ending, _) => match &ending.what {
                Ended::Grant(id) => About::Grant(*id),
                Ended::Token { jti, .. } => About::Token(jti.clone()),
            },
            Self::Register(new, _) => About::Client(new.row.client_id.clone()),
        }
    }

    /// Answers with a failure.
    pub(super) fn fail(self, error: Error) {
        let _asker_left = match self {
            Self::Redeem(_, reply) => reply.send(Err(error)).is_err(),
            Self::Rotate(_, reply) => reply.send(Err(error)).is_err(),
            Self::End(_, reply) => reply.send(Err(error)).is_err(),
            Self::Register(_, reply) => reply.send(Err(error)).is_err(),
        };
    }
}

impl Store {
    /// Redeems a code, if the judge agrees: its approval becomes a grant, once for any number of redemptions. On disk when this returns.
    ///
    /// # Errors
    /// What the judge says; `invalid_grant` for a replayed code; `temporarily_unavailable`.
    pub async fn redeem(&self, redemption: Redemption) -> Result<GrantRow, Error> {
        self.change(|reply| Change::Redeem(Box::new(redemption), reply)).await
    }

    /// Rotates a refresh token, if the judge agrees: one line of descent, whatever comes at once. On disk when this returns.
    ///
    /// # Errors
    /// What the judge says; `invalid_grant` for an unknown or reused token; `temporarily_unavailable`.
    pub async fn rotate(&self, rotation: Rotation) -> Result<Rotated, Error> {
        self.change(|reply| Change::Rotate(Box::new(rotation), reply)).await
    }

    /// Ends a grant or a token. `false`: it had ended before, or there is no such grant. On disk, and refused here, when this returns.
    ///
    /// # Errors
    /// `temporarily_unavailable`.
    pub async fn end(&self, ending: Ending) -> Result<bool, Error> {
        self.change(|reply| Change::End(Box::new(ending), reply)).await
    }

    /// Registers a client. On disk when this returns.
    ///
    /// # Errors
    /// `temporarily_unavailable`, also for an id that is taken: ours are random.
    pub async fn register(&self, new: NewClient) -> Result<(), Error> {
        self.change(|reply| Change::Register(Box::new(new), reply)).await?;
        self.0.pending_clients.one_more();
        Ok(())
    }

    async fn change<T>(&self, change: impl FnOnce(Reply<T>) -> Change) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.0.writer.push(change(reply))?;
        Asker::of(answer).await.map_err(|_| Error::from(StoreError::Closed))?
    }
}
