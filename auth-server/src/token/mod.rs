//! POST /token.
