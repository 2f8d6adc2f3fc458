//! How positions are made of laps and slots, and slot words of laps, owners and states.

use super::{FREE, LAP_AT, OWNER_AT, OWNERS};
use crate::ring::items::MOST_SLOTS;

const LAP_BITS: u32 = 32 - LAP_AT;

/// How positions are made of laps and slots. Counting needs no division, whatever the number of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    slots: u32,
    bits: u32,
}

impl Shape {
    /// Of so many slots, from 1 to `MOST_SLOTS`.
    pub fn new(slots: u32) -> Self {
        let slots = slots.clamp(1, MOST_SLOTS);
        Shape { slots, bits: u32::BITS - (slots - 1).leading_zeros() }
    }

    /// How many slots there are.
    pub fn slots(self) -> u32 {
        self.slots
    }

    /// Bits of a position that say which slot it is.
    pub fn bits(self) -> u32 {
        self.bits
    }

    /// Of a lap, what a slot's word can say.
    pub fn lap_mask(self) -> u32 {
        (1 << LAP_BITS.min(u32::BITS - self.bits)) - 1
    }

    /// Which slot; may be none where the position is damaged.
    pub fn index(self, position: u32) -> u32 {
        position & ((1 << self.bits) - 1)
    }

    pub(super) fn lap(self, position: u32) -> u32 {
        (position >> self.bits) & self.lap_mask()
    }

    pub(super) fn next(self, position: u32) -> u32 {
        if self.index(position) + 1 < self.slots {
            return position + 1;
        }
        (position >> self.bits).wrapping_add(1) << self.bits
    }

    /// How many positions lie between, 0 if the one is not behind the other.
    pub fn distance(self, head: u32, tail: u32) -> u32 {
        let laps = (tail >> self.bits).wrapping_sub(head >> self.bits) & (u32::MAX >> self.bits);
        let ahead = u64::from(laps) * u64::from(self.slots) + u64::from(self.index(tail));
        match ahead.checked_sub(u64::from(self.index(head))) {
            Some(many) if many <= u64::from(self.slots) => many as u32,
            _ => 0,
        }
    }

    /// How a slot's word lies to a lap: 0 it is of that, 1 of the next one, -1 of the one before.
    pub(super) fn compare(self, lap: u32, word: u32) -> Lag {
        match (word >> LAP_AT).wrapping_sub(lap) & self.lap_mask() {
            0 => Lag::Same,
            1 => Lag::Later,
            far if far == self.lap_mask() => Lag::Earlier,
            _ => Lag::Far,
        }
    }

    pub(super) fn free(self, lap: u32) -> u32 {
        (lap & self.lap_mask()) << LAP_AT | FREE
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lag {
    Same,
    Later,
    Earlier,
    Far,
}

pub(super) fn owned(lap: u32, owner: u32, state: u32) -> u32 {
    lap << LAP_AT | owner << OWNER_AT | state
}

/// The owner in a slot's word; 0 for none.
pub fn owner(word: u32) -> u32 {
    (word >> OWNER_AT) & OWNERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_through_every_number_of_slots() {
        for slots in [1, 2, 3, 5, 64, 100, 1 << 20, (1 << 20) + 1, MOST_SLOTS] {
            let shape = Shape::new(slots);
            let (mut position, mut lap) = (0, 0);
            for count in 0..3 * slots.min(1000) {
                assert_eq!(shape.index(position), count % slots);
                assert_eq!(shape.lap(position), lap & shape.lap_mask());
                let next = shape.next(position);
                assert_eq!(shape.distance(position, next), 1);
                lap += u32::from(shape.index(next) == 0);
                position = next;
            }
            // The last position of all is followed by the first.
            let last = (u32::MAX >> shape.bits()) << shape.bits() | (slots - 1);
            assert_eq!(shape.next(last), 0);
            assert_eq!(shape.distance(last, 0), 1);
            assert_eq!(shape.distance(0, last), 0);
        }
    }

    #[test]
    fn laps_are_compared_round_the_end() {
        for slots in [1, 4, 1 << 12, MOST_SLOTS] {
            let shape = Shape::new(slots);
            let mask = shape.lap_mask();
            for lap in [0, 1, 5, mask - 1, mask] {
                assert_eq!(shape.compare(lap, shape.free(lap)), Lag::Same);
                assert_eq!(shape.compare(lap, shape.free(lap + 1)), Lag::Later);
                assert_eq!(shape.compare(lap, shape.free(lap.wrapping_sub(1))), Lag::Earlier);
                assert_eq!(shape.compare(lap, shape.free(lap + 2)), Lag::Far);
            }
        }
    }
}
