//! What expires, and when it goes.
//!
//! Everything goes in slices: a purge that holds the writer for seconds is an outage. Grants are walked in the order of their birth
//! with a place that is kept between slices, so that no index of their expiry is needed, which every rotation would have to move.
//! Nothing goes from which something presentable still lives.

use oauth_types::{GrantId, Timestamp, Ttl};

use super::{
    Store, StoreError,
    db::{Row, Value},
};

/// Rows of one kind looked at in one slice: under 10 ms of the writer's time.
const SLICE: i64 = 500;
/// A grant's row outlives its redemption and its last refresh token by this and the life of an access token: what was made last is past,
/// too, and so is its code, which lives ten minutes at most: while that could come again, the row says that it came.
const GRANT_KEPT_BEYOND: Ttl = Ttl::days(1);
/// How long the audit is kept.
const AUDIT_KEPT: Ttl = Ttl::days(90);
/// How long the tombstone of a client or sign-in is kept, and a sign-in that nobody asked about: longer than any grant lives, for its
/// grants read it.
const CLIENT_TOMBSTONE_KEPT: Ttl = Ttl::days(400);
/// A retired key goes this long after it was last published.
const KEY_KEPT_BEYOND: Ttl = Ttl::days(30);

/// What one round removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the tables")]
pub struct PurgeReport {
    pub grants: u64,
    /// Sealed successors whose overlap is over.
    pub successors: u64,
    pub clients: u64,
    pub browser_sessions: u64,
    pub upstream_sessions: u64,
    pub consents: u64,
    pub seen: u64,
    pub ended: u64,
    pub stale: u64,
    pub audit: u64,
    pub keys: u64,
    /// The slices were full: there is more to do.
    pub more: bool,
}

/// Where the walk over the grants stands.
#[derive(Default)]
pub(super) struct Walk(String);

const WALKED: &str = "SELECT max(grant_id) AS last, count(*) AS walked
  FROM (SELECT grant_id FROM grants WHERE grant_id > $1 ORDER BY grant_id LIMIT $2) AS slice";
const GRANTS: &str = "DELETE FROM grants WHERE grant_id > $1 AND grant_id <= $2
  AND (expires_at <= $3 OR (refresh_expires_at IS NULL AND redeemed_at <= $3) OR refresh_expires_at <= $3)";
const SUCCESSORS: &str = "UPDATE grants SET previous_hash = NULL, successor_sealed = NULL
  WHERE grant_id > $1 AND grant_id <= $2 AND successor_sealed IS NOT NULL AND rotated_at <= $3";
const CLIENTS: &str = "DELETE FROM clients WHERE client_id IN (SELECT client_id FROM clients
    WHERE last_used_at IS NULL AND ended_at IS NULL AND kind = 'registered' AND created_at <= $1 ORDER BY created_at LIMIT $2)
  RETURNING client_id";
const TOMBSTONES: &str = "DELETE FROM clients WHERE client_id IN (SELECT client_id FROM clients WHERE ended_at <= $1 LIMIT $2)";
const BROWSER_SESSIONS: &str = "DELETE FROM browser_sessions WHERE session_hash IN
  (SELECT session_hash FROM browser_sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
const UPSTREAM_SESSIONS: &str = "DELETE FROM upstream_sessions WHERE upstream_session IN
  (SELECT u.upstream_session FROM upstream_sessions AS u WHERE u.ended_at <= $1
    AND NOT EXISTS (SELECT 1 FROM browser_sessions AS b WHERE b.upstream_session = u.upstream_session) LIMIT $2)";
/// Every use of a sign-in asks about it, so one that nobody asked about for so long has nothing left that could be presented.
const UNASKED_SESSIONS: &str = "DELETE FROM upstream_sessions WHERE upstream_session IN
  (SELECT u.upstream_session FROM upstream_sessions AS u WHERE u.ended_at IS NULL AND u.checked_at <= $1 LIMIT $2)";
const CONSENTS: &str = "DELETE FROM consents WHERE expires_at <= $1 AND (subject, client_id, redirect_uri, resource) IN
  (SELECT subject, client_id, redirect_uri, resource FROM consents WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
const SEEN: &str = "DELETE FROM seen WHERE (kind, id) IN (SELECT kind, id FROM seen WHERE until <= $1 ORDER BY until LIMIT $2)";
const ENDED: &str = "DELETE FROM ended WHERE number IN (SELECT number FROM ended WHERE forget_after <= $1 ORDER BY number LIMIT $2)";
const STALE: &str = "DELETE FROM stale WHERE number IN (SELECT number FROM stale WHERE forget_after <= $1 ORDER BY number LIMIT $2)";
const AUDIT: &str = "DELETE FROM audit WHERE audit_id IN (SELECT audit_id FROM audit WHERE audit_id < $1 ORDER BY audit_id LIMIT $2)";
const KEYS: &str = "DELETE FROM signing_keys WHERE kid IN (SELECT kid FROM signing_keys WHERE retire_at <= $1 LIMIT $2)";

impl Store {
    /// One slice of everything that is past. Called again while it says that there is more.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn purge(&self, now: Timestamp) -> Result<PurgeReport, StoreError> {
        let mut report = PurgeReport::default();
        self.purge_grants(now, &mut report).await?;
        let forgotten_clients = self.purge_clients(now).await?;
        self.0.pending_clients.forget();
        report.clients = forgotten_clients + self.slice(TOMBSTONES, (now - CLIENT_TOMBSTONE_KEPT).0).await?;
        report.browser_sessions = self.slice(BROWSER_SESSIONS, now.0).await?;
        report.upstream_sessions = self.slice(UPSTREAM_SESSIONS, (now - CLIENT_TOMBSTONE_KEPT).0).await?
            + self.slice(UNASKED_SESSIONS, (now - CLIENT_TOMBSTONE_KEPT).0).await?;
        report.consents = self.slice(CONSENTS, now.0).await?;
        report.seen = self.slice(SEEN, now.0).await?;
        report.ended = self.slice(ENDED, now.0).await?;
        report.stale = self.slice(STALE, now.0).await?;
        report.keys = self.slice(KEYS, (now - KEY_KEPT_BEYOND).0).await?;
        report.audit = self.purge_audit(now).await?;
        let full = SLICE.unsigned_abs();
        report.more |= [report.clients, report.browser_sessions, report.consents, report.seen, report.ended, report.stale, report.audit]
            .into_iter()
            .any(|removed| removed >= full);
        Ok(report)
    }

    async fn slice(&self, sql: &'static str, until: i64) -> Result<u64, StoreError> {
        self.write(move |tx| Box::pin(async move { tx.run(sql, &[Value::Int(until), Value::Int(SLICE)]).await })).await
    }

    /// The next slice of grants, in the order of their birth; at the end the walk begins again.
    async fn purge_grants(&self, now: Timestamp, report: &mut PurgeReport) -> Result<(), StoreError> {
        let mut walk = self.0.purge.lock().await;
        let from = walk.0.clone();
        let row = self.0.readers.row(WALKED, &[Value::Text(&from), Value::Int(SLICE)]).await?;
        let Some((last, walked)) = row.map(|row| Ok::<_, StoreError>((last(&row)?, row.int("walked")?))).transpose()? else {
            return Ok(());
        };
        let Some(last) = last else {
            walk.0.clear();
            return Ok(());
        };
        let nothing_lives = now - self.0.config.access_token - GRANT_KEPT_BEYOND;
        let overlap_over = now - self.0.config.refresh_overlap;
        let to = last.clone();
        (report.grants, report.successors) = self
            .write(move |tx| {
                Box::pin(async move {
                    let slice = |until: Timestamp| [Value::Text(&from), Value::Text(&to), Value::Int(until.0)];
                    let grants = tx.run(GRANTS, &slice(nothing_lives)).await?;
                    let successors = tx.run(SUCCESSORS, &slice(overlap_over)).await?;
                    Ok((grants, successors))
                })
            })
            .await?;
        report.more = walked == SLICE;
        walk.0 = if report.more { last } else { String::new() };
        Ok(())
    }

    /// Registrations that never came to a grant. They are forgotten here at once and elsewhere when their copy ages: a client that was
    /// never used has nothing that could be presented but a code of the last minute, and begins again.
    async fn purge_clients(&self, now: Timestamp) -> Result<u64, StoreError> {
        let until = (now - self.0.config.registration_unused).0;
        let caches = std::sync::Arc::clone(&self.0.caches);
        self.write(move |tx| {
            Box::pin(async move {
                let rows = tx.rows(CLIENTS, &[Value::Int(until), Value::Int(SLICE)]).await?;
                for row in &rows {
                    caches.clients.forget(row.text("client_id")?);
                }
                Ok(rows.len() as u64)
            })
        })
        .await
    }

    async fn purge_audit(&self, now: Timestamp) -> Result<u64, StoreError> {
        // Ids begin with their birth.
        let born = GrantId::born((now - AUDIT_KEPT).0.max(0) * 1000, [0; 10]).to_string();
        self.write(move |tx| Box::pin(async move { tx.run(AUDIT, &[Value::Text(&born), Value::Int(SLICE)]).await })).await
    }
}

fn last(row: &Row) -> Result<Option<String>, StoreError> {
    Ok(row.maybe_text("last")?.map(str::to_owned))
}
