//! Where the coins went: which transactions mix, which addresses are one wallet, which satoshi a theft taints, and who
//! holds them now. Everything here is a claim with its evidence and its confidence, except taint, which is arithmetic.
//!
//! Pure: no clock, no network, no files. Graphs and labels are passed in, results are plain types that the shell prints.

pub mod bridge;
pub mod change;
pub mod cluster;
pub mod coinjoin;
pub mod join;
pub mod labels;
pub mod path;
pub mod peel;
pub mod risk;
pub mod taint;
pub mod view;
