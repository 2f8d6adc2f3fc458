//! Values as they lie in a dict: a kind, and bytes.

use std::ptr;

use napi::sys;

/// `null`, `false`, `true`: no bytes.
const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
/// A number: an IEEE double, native-endian.
const NUMBER: u8 = 3;
/// A bigint: its sign in one word, then its magnitude in 64-bit words, the lowest first.
const BIGINT: u8 = 4;
/// Text of characters up to U+00FF, a byte each.
const LATIN1: u8 = 5;
/// Other text: UTF-16 units, native-endian.
const UTF16: u8 = 6;
/// A number that Python wrote as a float although it is a whole one; to JavaScript they are all the same.
const FLOAT: u8 = 7;
/// From here on the kinds are the facade's: see `src/dict/values.ts`.
pub(super) const FACADE: u8 = 16;
/// As the last byte of what `get` returns, in place of a kind: others wrote all the time.
pub(super) const BUSY: u8 = 255;

const STACK: usize = 256;

/// What could not be done: Node-API said so, and there may be an exception pending.
#[derive(Debug)]
pub(super) struct Failed;

pub(super) fn ok(status: sys::napi_status) -> Result<(), Failed> {
    if status == sys::Status::napi_ok { Ok(()) } else { Err(Failed) }
}

/// A string's UTF-8; lone surrogates become U+FFFD.
///
/// # Safety
/// `env` is the current environment and `value` one of its live values.
pub(super) unsafe fn utf8(
    env: sys::napi_env,
    value: sys::napi_value,
    into: &mut Vec<u8>,
) -> Result<(), Failed> {
    into.clear();
    into.reserve(STACK);
    let mut len = 0;
    // SAFETY: the buffer has room for so many bytes, and the call writes no more and says how many.
    unsafe {
        let room = into.capacity();
        ok(sys::napi_get_value_string_utf8(env, value, into.as_mut_ptr().cast(), room, &mut len))?;
        // One that was filled to the last character may have been cut.
        if len + 4 >= room {
            ok(sys::napi_get_value_string_utf8(env, value, ptr::null_mut(), 0, &mut len))?;
            into.reserve(len + 8); // enough for the next one of this length at once
            ok(sys::napi_get_value_string_utf8(env, value, into.as_mut_ptr().cast(), len + 1, &mut len))?;
        }
        into.set_len(len);
    }
    Ok(())
}

/// Whether a string has lone surrogates, whose UTF-8 this is.
///
/// # Safety
/// As `utf8`.
pub(super) unsafe fn is_ill_formed(
    env: sys::napi_env,
    value: sys::napi_value,
    utf8: &[u8],
) -> Result<bool, Failed> {
    // They have become U+FFFD, which may stand for itself as well.
    if utf8.is_ascii() || !utf8.windows(3).any(|bytes| bytes == "\u{fffd}".as_bytes()) {
        return Ok(false);
    }
    // SAFETY: the caller's promise.
    let units = unsafe { units(env, value) }?;
    Ok(char::decode_utf16(units).any(|unit| unit.is_err()))
}

/// The kind of a primitive value, whose bytes are put into `into`; `None` for what is no such value.
///
/// # Safety
/// As `utf8`.
pub(super) unsafe fn encode(
    env: sys::napi_env,
    value: sys::napi_value,
    into: &mut Vec<u8>,
) -> Result<Option<u8>, Failed> {
    let mut kind = 0;
    into.clear();
    // SAFETY: the caller's promise; what the calls write to lives as long as they do.
    unsafe {
        ok(sys::napi_typeof(env, value, &mut kind))?;
        match kind {
            sys::ValueType::napi_number => {
                let mut number = 0.0;
                ok(sys::napi_get_value_double(env, value, &mut number))?;
                into.extend_from_slice(normal(NUMBER, &number.to_ne_bytes()));
                Ok(Some(NUMBER))
            }
            sys::ValueType::napi_string => text(env, value, into).map(Some),
            sys::ValueType::napi_boolean => {
                let mut truth = false;
                ok(sys::napi_get_value_bool(env, value, &mut truth))?;
                Ok(Some(if truth { TRUE } else { FALSE }))
            }
            sys::ValueType::napi_null => Ok(Some(NULL)),
            sys::ValueType::napi_bigint => {
                let (mut sign, mut count) = (0, 0);
                // Asked for the count alone it wants no place for the sign either.
                let none = (ptr::null_mut(), ptr::null_mut());
                ok(sys::napi_get_value_bigint_words(env, value, none.0, &mut count, none.1))?;
                let mut words = vec![0u64; count];
                ok(sys::napi_get_value_bigint_words(env, value, &mut sign, &mut count, words.as_mut_ptr()))?;
                into.extend_from_slice(&(sign as u64).to_ne_bytes());
                words.iter().for_each(|word| into.extend_from_slice(&word.to_ne_bytes()));
                Ok(Some(BIGINT))
            }
            _ => Ok(None),
        }
    }
}

/// # Safety
/// As `utf8`.
unsafe fn text(env: sys::napi_env, value: sys::napi_value, into: &mut Vec<u8>) -> Result<u8, Failed> {
    // SAFETY: the caller's promise.
    let units = unsafe { units(env, value) }?;
    into.clear();
    if units.iter().fold(0, |all, unit| all | unit) < 256 {
        into.extend(units.iter().map(|unit| *unit as u8));
        return Ok(LATIN1);
    }
    into.reserve(units.len() * 2);
    units.iter().for_each(|unit| into.extend_from_slice(&unit.to_ne_bytes()));
    Ok(UTF16)
}

/// A string's UTF-16.
///
/// # Safety
/// As `utf8`.
unsafe fn units(env: sys::napi_env, value: sys::napi_value) -> Result<Vec<u16>, Failed> {
    let mut len = 0;
    // SAFETY: the first call asks for the length alone, the second writes no more than that and a NUL, and says how much.
    unsafe {
        ok(sys::napi_get_value_string_utf16(env, value, ptr::null_mut(), 0, &mut len))?;
        let mut units = Vec::with_capacity(len + 1);
        ok(sys::napi_get_value_string_utf16(env, value, units.as_mut_ptr(), len + 1, &mut len))?;
        units.set_len(len);
        Ok(units)
    }
}

/// The bytes to store for these. Of NaNs there are many; which one the runtime gives is its own affair, and all are equal
/// here.
pub(super) fn normal(kind: u8, bytes: &[u8]) -> &[u8] {
    const NAN: [u8; 8] = f64::NAN.to_ne_bytes();
    let is_nan = kind == NUMBER && word(bytes, 0).is_some_and(|word| f64::from_bits(word).is_nan());
    if is_nan { &NAN } else { bytes }
}

/// Whether two kinds, with the same bytes, are the same value.
pub(super) fn is_same(kind: u8, other: u8) -> bool {
    let plain = |kind| if kind == FLOAT { NUMBER } else { kind };
    plain(kind) == plain(other)
}

/// The value of a kind and its bytes. What is the facade's to make comes as a Buffer, the kind behind its bytes.
///
/// # Safety
/// `env` is the current environment.
pub(super) unsafe fn decode(
    env: sys::napi_env,
    kind: u8,
    bytes: &mut Vec<u8>,
) -> Result<sys::napi_value, Failed> {
    let mut value = ptr::null_mut();
    let len = bytes.len() as isize;
    // SAFETY: the calls read so many bytes as they are told, which `bytes` has.
    let status = unsafe {
        match (kind, bytes.len()) {
            (NULL, _) => sys::napi_get_null(env, &mut value),
            (FALSE | TRUE, _) => sys::napi_get_boolean(env, kind == TRUE, &mut value),
            (NUMBER | FLOAT, 8) => {
                sys::napi_create_double(env, word(bytes, 0).map_or(0.0, f64::from_bits), &mut value)
            }
            (LATIN1, _) => sys::napi_create_string_latin1(env, bytes.as_ptr().cast(), len, &mut value),
            (UTF16, _) => {
                let units: Vec<u16> =
                    bytes.as_chunks().0.iter().map(|unit| u16::from_ne_bytes(*unit)).collect();
                sys::napi_create_string_utf16(env, units.as_ptr(), units.len() as isize, &mut value)
            }
            (BIGINT, 8..) => {
                let words: Vec<u64> =
                    bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
                let (sign, words) = (i32::from(words[0] != 0), &words[1..]);
                sys::napi_create_bigint_words(env, sign, words.len(), words.as_ptr(), &mut value)
            }
            _ => {
                bytes.push(kind);
                sys::napi_create_buffer_copy(
                    env,
                    bytes.len(),
                    bytes.as_ptr().cast(),
                    ptr::null_mut(),
                    &mut value,
                )
            }
        }
    };
    ok(status).map(|()| value)
}

fn word(bytes: &[u8], index: usize) -> Option<u64> {
    bytes.as_chunks().0.get(index).map(|word| u64::from_ne_bytes(*word))
}
