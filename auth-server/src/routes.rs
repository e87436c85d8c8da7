//! Every URL, one line each.

