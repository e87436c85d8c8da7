//! POST /register (RFC 7591).
