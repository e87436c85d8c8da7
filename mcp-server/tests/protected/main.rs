//! The protected server as clients see it: real tokens, real HTTP, a random port.

mod support;

mod access;
mod contract;
mod eras;
mod limits;
mod rest;
mod sessions;
mod tools;
