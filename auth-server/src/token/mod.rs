//! POST /token.

