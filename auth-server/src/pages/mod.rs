//! What people see.

