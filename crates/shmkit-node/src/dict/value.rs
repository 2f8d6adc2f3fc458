//! Values of JavaScript as the engine's kinds and bytes.

use std::ptr;

use napi::sys;
use shmkit::dict::ValueKind;
use shmkit::dict::value::{bigint_bytes, bigint_words, encode_text, number_bytes, utf16_units};

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
) -> Result<Option<ValueKind>, Failed> {
    let mut kind = 0;
    into.clear();
    // SAFETY: the caller's promise; what the calls write to lives as long as they do.
    unsafe {
        ok(sys::napi_typeof(env, value, &mut kind))?;
        match kind {
            sys::ValueType::napi_number => {
                let mut number = 0.0;
                ok(sys::napi_get_value_double(env, value, &mut number))?;
                into.extend_from_slice(&number_bytes(number));
                Ok(Some(ValueKind::Number))
            }
            sys::ValueType::napi_string => Ok(Some(encode_text(&units(env, value)?, into))),
            sys::ValueType::napi_boolean => {
                let mut truth = false;
                ok(sys::napi_get_value_bool(env, value, &mut truth))?;
                Ok(Some(if truth { ValueKind::True } else { ValueKind::False }))
            }
            sys::ValueType::napi_null => Ok(Some(ValueKind::Null)),
            sys::ValueType::napi_bigint => {
                let (mut sign, mut count) = (0, 0);
                // Asked for the count alone it wants no place for the sign either.
                let none = (ptr::null_mut(), ptr::null_mut());
                ok(sys::napi_get_value_bigint_words(env, value, none.0, &mut count, none.1))?;
                let mut words = vec![0u64; count];
                ok(sys::napi_get_value_bigint_words(env, value, &mut sign, &mut count, words.as_mut_ptr()))?;
                into.extend(bigint_bytes(sign != 0, words));
                Ok(Some(ValueKind::Bigint))
            }
            _ => Ok(None),
        }
    }
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
        match (ValueKind::from_byte(kind), bytes.len()) {
            (Some(ValueKind::Null), _) => sys::napi_get_null(env, &mut value),
            (Some(truth @ (ValueKind::False | ValueKind::True)), _) => {
                sys::napi_get_boolean(env, truth == ValueKind::True, &mut value)
            }
            (Some(ValueKind::Number | ValueKind::Float), 8) => {
                let number = f64::from_ne_bytes(bytes.as_slice().try_into().unwrap_or_default());
                sys::napi_create_double(env, number, &mut value)
            }
            (Some(ValueKind::Latin1), _) => {
                sys::napi_create_string_latin1(env, bytes.as_ptr().cast(), len, &mut value)
            }
            (Some(ValueKind::Utf16), length) if length.is_multiple_of(2) => {
                let units = utf16_units(bytes).unwrap_or_default();
                sys::napi_create_string_utf16(env, units.as_ptr(), units.len() as isize, &mut value)
            }
            (Some(ValueKind::Bigint), 8..) => {
                let (is_negative, words) = bigint_words(bytes).unwrap_or_default();
                sys::napi_create_bigint_words(
                    env,
                    is_negative.into(),
                    words.len(),
                    words.as_ptr(),
                    &mut value,
                )
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
