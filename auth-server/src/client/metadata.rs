//! Client metadata in, client out.
