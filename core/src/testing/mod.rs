//! What the tests of several crates need: the store contract and the room simulator. Built only with
//! the feature `testing`.
pub mod room_simulator;
pub mod store_contract;
