//! Lists: the bulk work. Items cross as three arrays: a kind for each, a word for each (the integer, the
//! float's bits, 0 or 1, or a payload's length), and the payloads one after the other.

use std::sync::atomic::AtomicBool;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::list::{Item, Layout, Needle, format};
use shmkit::segment::Segment;

use crate::errors::to_js;
use crate::segment::{Handle, NativeSegment, create_options};

type Outcome<T> = std::result::Result<T, shmkit::Error>;

/// Kind of an item: an integer,
#[napi]
pub const LIST_INT: u8 = 0;
/// a float,
#[napi]
pub const LIST_FLOAT: u8 = 1;
/// a boolean,
#[napi]
pub const LIST_BOOL: u8 = 2;
/// `None`,
#[napi]
pub const LIST_NONE: u8 = 3;
/// text,
#[napi]
pub const LIST_STR: u8 = 4;
/// bytes.
#[napi]
pub const LIST_BYTES: u8 = 5;

/// What the facade's element access must know of the layout; see `shmkit::list`.
#[napi(object)]
pub struct ListConstants {
    /// Format words, as one 64-bit load gives them.
    pub format_int: BigInt,
    /// `d`
    pub format_float: BigInt,
    /// `xxxxxxx?`
    pub format_bool: BigInt,
    /// `xxxxxx?x`
    pub format_none: BigInt,
    /// Codes beside the formats.
    pub code_plain: u8,
    /// `str`
    pub code_str: u8,
    /// `bytes`
    pub code_bytes: u8,
    /// `None`
    pub code_none: u8,
}

/// The constants of the list layout.
#[napi]
pub fn list_constants() -> ListConstants {
    let word = |word: u64| BigInt::from(word.cast_signed());
    ListConstants {
        format_int: word(format::INT),
        format_float: word(format::FLOAT),
        format_bool: word(format::BOOL),
        format_none: word(format::NONE),
        code_plain: format::CODE_PLAIN,
        code_str: format::CODE_STR,
        code_bytes: format::CODE_BYTES,
        code_none: format::CODE_NONE,
    }
}

fn malformed() -> shmkit::Error {
    shmkit::Error::own("ERR_INVALID_ARG_VALUE", "the items' arrays do not fit together")
}

/// The items in the three arrays.
fn items<'a>(kinds: &'a [u8], words: &[i64], mut payload: &'a [u8]) -> Outcome<Vec<Item<'a>>> {
    if kinds.len() != words.len() {
        return Err(malformed());
    }
    let mut next = |len: i64| {
        let (head, rest) = usize::try_from(len).ok().and_then(|len| payload.split_at_checked(len))?;
        payload = rest;
        Some(head)
    };
    let mut items = Vec::with_capacity(kinds.len());
    for (kind, word) in kinds.iter().zip(words) {
        items.push(match *kind {
            LIST_INT => Item::Int(*word),
            LIST_FLOAT => Item::Float(f64::from_bits(word.cast_unsigned())),
            LIST_BOOL => Item::Bool(*word != 0),
            LIST_NONE => Item::None,
            LIST_STR => {
                let text = next(*word).and_then(|bytes| std::str::from_utf8(bytes).ok());
                Item::Str(text.ok_or_else(malformed)?)
            }
            LIST_BYTES => Item::Bytes(next(*word).ok_or_else(malformed)?),
            _ => return Err(malformed()),
        });
    }
    Ok(items)
}

/// Makes a segment that holds these items as a list, published whole.
#[napi]
pub fn create_list(
    env: Env,
    kinds: &[u8],
    words: BigInt64Array,
    payload: &[u8],
    name: Option<String>,
    mode: u32,
    reserve: bool,
    populate: bool,
    track: bool,
) -> Result<Handle> {
    let create = || {
        let items = items(kinds, &words, payload)?;
        let layout = Layout::new(&items)?;
        let options = create_options(name, mode, reserve, populate, track)?;
        let segment = Segment::create_with(layout.size(), &options, &AtomicBool::new(false), |bytes| {
            layout.write(bytes, &items)
        })?;
        Ok((segment, layout))
    };
    let (segment, layout) = create().map_err(|error| to_js(&env, error))?;
    Ok(NativeSegment::handle(segment, Some(layout)))
}

/// Where each slot starts, in words of 8 bytes; the last is where the formats start. Reads and checks
/// the header at the first call.
#[napi]
pub fn list_slots(env: Env, segment: &mut Handle) -> Result<Uint32Array> {
    if segment.layout.is_none() {
        let read = || Layout::read(segment.open()?.mapping()?.bytes());
        let layout = read().map_err(|error| to_js(&env, segment.about(error)))?;
        segment.layout = Some(layout);
    }
    Ok(Uint32Array::from(segment.layout.as_ref().map_or(&[][..], Layout::slots)))
}

/// All struct formats, joined.
#[napi]
pub fn list_format(env: Env, segment: &Handle) -> Result<String> {
    let format = || list(segment)?.format(segment.open()?.mapping()?.bytes());
    format().map_err(|error| to_js(&env, segment.about(error)))
}

/// The first index whose item equals the one in the arrays, or -1. NaN equals nothing, or with `nan`
/// another NaN.
#[napi]
pub fn list_index_of(
    env: Env,
    segment: &Handle,
    kinds: &[u8],
    words: BigInt64Array,
    payload: &[u8],
    nan: bool,
) -> Result<f64> {
    let find = || {
        let items = items(kinds, &words, payload)?;
        let needle = needle(&items, nan)?;
        list(segment)?.position(segment.open()?.mapping()?.bytes(), &needle, 0)
    };
    let found = find().map_err(|error| to_js(&env, segment.about(error)))?;
    Ok(found.map_or(-1.0, |index| index as f64))
}

/// How many items equal the one in the arrays.
#[napi]
pub fn list_count(
    env: Env,
    segment: &Handle,
    kinds: &[u8],
    words: BigInt64Array,
    payload: &[u8],
) -> Result<f64> {
    let count = || {
        let items = items(kinds, &words, payload)?;
        let needle = needle(&items, false)?;
        list(segment)?.count(segment.open()?.mapping()?.bytes(), &needle)
    };
    Ok(count().map_err(|error| to_js(&env, segment.about(error)))? as f64)
}

fn list(segment: &NativeSegment) -> Outcome<&Layout> {
    segment.layout.as_ref().ok_or_else(|| shmkit::Error::own("ERR_INVALID_ARG_VALUE", "no list is open"))
}

fn needle<'a>(items: &[Item<'a>], nan: bool) -> Outcome<Needle<'a>> {
    Ok(match items.first().ok_or_else(malformed)? {
        Item::Int(value) => Needle::Int(*value),
        Item::Float(value) if nan && value.is_nan() => Needle::Nan,
        Item::Float(value) => Needle::Float(*value),
        Item::Bool(value) => Needle::Bool(*value),
        Item::None => Needle::None,
        Item::Str(text) => Needle::Str(text.as_bytes()),
        Item::Bytes(bytes) => Needle::Bytes(bytes),
    })
}
