//! A participant's word that says that it reads, which keeps those who write out.

use super::{Word, update};

/// It reads.
pub const READING: u32 = 1;
/// Somebody sleeps until it does not.
pub const AWAITED: u32 = 2;

/// Reads from now on, if nobody has the lock: whoever takes it later sees the reader.
pub fn enter<W: Word>(reading: &W, lock_word: &W) -> bool {
    begin(reading);
    W::fence();
    if lock_word.load() == 0 {
        return true;
    }
    leave(reading);
    false
}

/// Reads from now on; for one who has the lock.
pub fn begin<W: Word>(reading: &W) {
    let _ = update(reading, |_| Some(READING));
}

/// Reads no more, and wakes those who wait for that.
pub fn leave<W: Word>(reading: &W) {
    if update(reading, |seen| (seen != 0).then_some(0)).is_ok_and(|seen| seen & AWAITED != 0) {
        reading.wake(i32::MAX as u32);
    }
}

/// `None` if it does not read; else leaves a mark and says what is to be slept on. For one who has the lock.
pub fn attempt<W: Word>(reading: &W) -> Option<u32> {
    W::fence();
    match update(reading, |seen| (seen & READING != 0 && seen & AWAITED == 0).then_some(seen | AWAITED)) {
        Ok(seen) => Some(seen | AWAITED),
        Err(seen) if seen & READING != 0 => Some(seen),
        Err(_) => None,
    }
}
