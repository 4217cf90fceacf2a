//! Random numbers from independent streams, each named by what it decides: leaving one event out of a
//! world does not change the others.

use fastrand::Rng;

/// What a stream decides.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    /// What is planned for a world.
    Plan = 1,
    /// How long frames take on one connection.
    Link,
    /// How long a Room's commits and loads take.
    Store,
    /// When a client tries again.
    Client,
    /// How late a host flushes.
    Host,
    /// How many clients a world has.
    ClientCount,
}

/// The stream of one thing in the world of `seed`.
pub(super) fn stream(seed: u64, what: Stream, of: u64, number: u64) -> Rng {
    let parts = [what as u64, of, number];
    let mixed = parts
        .into_iter()
        .fold(mix(seed), |state, part| mix(state ^ part));
    Rng::with_seed(mixed)
}

/// The finalizer of `SplitMix64`: neighbouring inputs share nothing visible.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
