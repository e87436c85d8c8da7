//! The front channel over the real routes and a real store, with a clock that stands still.
//!
//! The table of checks row by row, what is asked of whom, and what two clicks, two tabs and two accounts do to one another. What a
//! stranger meets end to end is in the protocol tests.

mod clicks;
mod consent;
mod house;
mod requests;
mod sign_in;
