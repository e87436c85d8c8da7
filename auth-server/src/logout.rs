//! Ends a browser session.

