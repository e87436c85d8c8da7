//! HTTP in and out.

