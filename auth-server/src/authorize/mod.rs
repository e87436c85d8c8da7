//! The front channel: GET and POST /authorize.

