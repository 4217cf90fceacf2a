//! The Room in its object's memory, and what becomes of it when it panics.
//!
//! A panic unwinds out of one call and may leave the Room half changed, so the Room is dropped: the
//! next event restores it from its sockets, as after hibernation. The other Rooms of the isolate are
//! not affected. Jobs of the dropped Room go on; each knows the [`Generation`] that started it, and a
//! later one is not passed their results.
//!
//! In a build whose panics abort, nothing here is ever reached: the instance ends.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// So many calls in a row may restore the Room and panic; then its sockets' state is unusable.
const MAX_FAILED_RESTORES: u8 = 3;

/// One life of a Room in memory. A new one begins when the Room is dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Generation(u64);

/// The Room panicked and was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked {
    /// Whether it panics whenever it is restored.
    pub(crate) is_unusable: bool,
}

/// A Room that is restored when it is needed.
#[derive(Debug)]
pub(crate) struct RoomSlot<R> {
    room: RefCell<Option<R>>,
    generation: Cell<Generation>,
    failed_restores: Cell<u8>,
}

impl<R> Default for RoomSlot<R> {
    fn default() -> Self {
        Self {
            room: RefCell::new(None),
            generation: Cell::default(),
            failed_restores: Cell::new(0),
        }
    }
}

impl<R> RoomSlot<R> {
    /// Calls `input` with the Room, restored if need be.
    pub(crate) fn with<T>(
        &self,
        restore: impl FnOnce() -> R,
        input: impl FnOnce(&mut R) -> T,
    ) -> Result<T, Panicked> {
        let mut slot = self.room.borrow_mut();
        let is_restored = slot.is_none();
        // Nothing half changed is seen again: the Room is dropped, and all else is set below.
        let called = catch_unwind(AssertUnwindSafe(|| input(slot.get_or_insert_with(restore))));
        let Ok(result) = called else {
            self.end_generation();
            *slot = None;
            let failed = u8::from(is_restored) * self.failed_restores.get().saturating_add(1);
            self.failed_restores.set(failed % MAX_FAILED_RESTORES);
            let is_unusable = failed == MAX_FAILED_RESTORES;
            return Err(Panicked { is_unusable });
        };
        self.failed_restores.set(0);
        Ok(result)
    }

    /// Looks at the Room if it is in memory.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&R) -> T) -> Option<T> {
        self.room.borrow().as_ref().map(look)
    }

    /// The generation of the Room in memory, or of the one that is restored next.
    pub(crate) fn generation(&self) -> Generation {
        self.generation.get()
    }

    /// Drops the Room of this generation, if it is still in memory: one of its jobs panicked, and the
    /// Room would wait for the result permanently.
    pub(crate) fn drop_generation(&self, generation: Generation) {
        if self.generation.get() == generation {
            self.end_generation();
            *self.room.borrow_mut() = None;
        }
    }

    fn end_generation(&self) {
        let Generation(number) = self.generation.get();
        self.generation.set(Generation(number + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Room of these tests is the list of its inputs.
    type Slot = RoomSlot<Vec<&'static str>>;

    #[expect(clippy::panic, reason = "the subject of these tests")]
    fn panics(_: &mut Vec<&'static str>) {
        panic!("requested by a test");
    }

    fn input(slot: &Slot, name: &'static str) -> Vec<&'static str> {
        let called = slot.with(Vec::new, |room| {
            room.push(name);
            room.clone()
        });
        called.expect("no panic")
    }

    #[test]
    fn room_that_panicked_is_restored_by_the_next_call() {
        let slot = Slot::default();
        assert_eq!(input(&slot, "a"), ["a"]);
        assert_eq!(input(&slot, "b"), ["a", "b"]);
        let before = slot.generation();
        let panicked = slot.with(Vec::new, panics);
        assert_eq!(panicked, Err(Panicked { is_unusable: false }));
        assert_eq!(slot.peek(Vec::len), None);
        assert_ne!(slot.generation(), before);
        assert_eq!(input(&slot, "c"), ["c"]);
    }

    #[test]
    fn room_that_panics_whenever_it_is_restored_is_unusable() {
        let slot = Slot::default();
        let attempts = [false, false, true, false, false];
        for is_unusable in attempts {
            let panicked = slot.with(Vec::new, panics);
            assert_eq!(panicked, Err(Panicked { is_unusable }));
        }
        input(&slot, "recovers");
        // Panics of a Room that has worked since are not counted.
        for _ in 0..10 {
            input(&slot, "works");
            let panicked = slot.with(Vec::new, panics);
            assert_eq!(panicked, Err(Panicked { is_unusable: false }));
        }
    }

    #[test]
    fn only_the_generation_of_a_job_that_panicked_is_dropped() {
        let slot = Slot::default();
        input(&slot, "a");
        let first = slot.generation();
        slot.drop_generation(first);
        assert_eq!(slot.peek(Vec::len), None);
        input(&slot, "b");
        slot.drop_generation(first);
        assert_eq!(slot.peek(Vec::len), Some(1));
    }
}
