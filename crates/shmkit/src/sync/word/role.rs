//! What is one's at a time, of those who have a number: turn << 8 | number. Nobody has the same turn twice: who found its
//! owner dead and is late must not take it from the next one of that number.

use super::{Word, update};

/// Numbers go from 1 to this.
pub const NUMBERS: u32 = 255;

/// Makes `me` its owner. The word as it is then; `None` if somebody was faster. Or who has it, and lives.
///
/// # Errors
/// What `is_dead` says.
pub fn assume<W: Word, E>(
    word: &W,
    me: u32,
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<Result<Option<u32>, u32>, E> {
    let seen = word.load();
    let has_it = seen & NUMBERS;
    if has_it != 0 && has_it != me && !is_dead(has_it)? {
        return Ok(Err(has_it));
    }
    let turn = (seen & !NUMBERS).wrapping_add(NUMBERS + 1) | me;
    Ok(Ok(word.compare_exchange(seen, turn).ok().map(|_| turn)))
}

/// Makes `me` its owner, if it is not yet; or says who is, where that one lives.
///
/// # Errors
/// What `is_dead` says.
pub fn enlist<W: Word, E>(
    word: &W,
    me: u32,
    is_dead: impl Fn(u32) -> Result<bool, E>,
) -> Result<Result<(), u32>, E> {
    if word.load() & NUMBERS == me {
        return Ok(Ok(()));
    }
    Ok(match assume(word, me, is_dead)? {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(word.load() & NUMBERS),
        Err(other) => Err(other),
    })
}

/// It is nobody's, if it was that number's.
pub fn resign<W: Word>(word: &W, me: u32) {
    let _ = update(word, |seen| (seen & NUMBERS == me).then_some(seen & !NUMBERS));
}
