//! The tools of `requeue::testing`.

#[path = "../common/mod.rs"]
mod common;

mod assertions;
mod check;
mod shapes;
mod strategies;
