//! The asking, with a provider that does what the test tells it, over a real store and a clock that stands still.

mod asking;
mod ending;
mod house;
mod tokens;
