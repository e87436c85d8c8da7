//! POST /revoke (RFC 7009).
