//! The part of Python's pickle that is plain data: `None`, booleans, int, str, bytes, tuples, lists and dicts.
//!
//! A pickle is a program, and most of its instructions make a reader import and call things. This one knows those that
//! build data, and refuses a pickle with any other. It reads what CPython 3.8 to 3.15 writes (protocols 2 to 5), and
//! writes protocol 2, which all of them read.

mod read;

use std::rc::Rc;

pub use read::read;

/// A value that can be in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `None`
    None,
    /// `bool`
    Bool(bool),
    /// `int`, as far as 64 bits go
    Int(i64),
    /// `str`; shared, so that a pickle that repeats a long one takes no more memory than it has bytes.
    Str(Rc<str>),
    /// `bytes`
    Bytes(Rc<[u8]>),
    /// `tuple`
    Tuple(Vec<Value>),
    /// `list`
    List(Vec<Value>),
    /// `dict`, in the order of its pickle
    Dict(Vec<(Value, Value)>),
}

impl Value {
    /// The text of a `str`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Str(text.into())
    }
}

mod code {
    pub(super) const PROTO: u8 = 0x80;
    pub(super) const FRAME: u8 = 0x95;
    pub(super) const STOP: u8 = b'.';
    pub(super) const MARK: u8 = b'(';
    pub(super) const NONE: u8 = b'N';
    pub(super) const TRUE: u8 = 0x88;
    pub(super) const FALSE: u8 = 0x89;
    pub(super) const INT4: u8 = b'J';
    pub(super) const INT1: u8 = b'K';
    pub(super) const INT2: u8 = b'M';
    pub(super) const LONG1: u8 = 0x8a;
    pub(super) const STR1: u8 = 0x8c;
    pub(super) const STR4: u8 = b'X';
    pub(super) const BYTES1: u8 = b'C';
    pub(super) const BYTES4: u8 = b'B';
    pub(super) const EMPTY_TUPLE: u8 = b')';
    pub(super) const TUPLE1: u8 = 0x85;
    pub(super) const TUPLE2: u8 = 0x86;
    pub(super) const TUPLE3: u8 = 0x87;
    pub(super) const TUPLE: u8 = b't';
    pub(super) const EMPTY_LIST: u8 = b']';
    pub(super) const APPEND: u8 = b'a';
    pub(super) const APPENDS: u8 = b'e';
    pub(super) const EMPTY_DICT: u8 = b'}';
    pub(super) const SET_ITEM: u8 = b's';
    pub(super) const SET_ITEMS: u8 = b'u';
    pub(super) const MEMOIZE: u8 = 0x94;
    pub(super) const PUT1: u8 = b'q';
    pub(super) const PUT4: u8 = b'r';
    pub(super) const GET1: u8 = b'h';
    pub(super) const GET4: u8 = b'j';
}

/// The pickle of a value.
pub fn write(value: &Value) -> Vec<u8> {
    let mut pickle = vec![code::PROTO, 2];
    write_value(value, &mut pickle);
    pickle.push(code::STOP);
    pickle
}

fn write_value(value: &Value, pickle: &mut Vec<u8>) {
    match value {
        Value::None => pickle.push(code::NONE),
        Value::Bool(value) => pickle.push(if *value { code::TRUE } else { code::FALSE }),
        Value::Int(value) => {
            pickle.extend([code::LONG1, 8]);
            pickle.extend(value.to_le_bytes());
        }
        Value::Str(text) => write_bytes(code::STR4, text.as_bytes(), pickle),
        Value::Bytes(bytes) => write_bytes(code::BYTES4, bytes, pickle),
        Value::Tuple(items) => {
            pickle.push(code::MARK);
            items.iter().for_each(|item| write_value(item, pickle));
            pickle.push(code::TUPLE);
        }
        Value::List(items) => {
            pickle.extend([code::EMPTY_LIST, code::MARK]);
            items.iter().for_each(|item| write_value(item, pickle));
            pickle.push(code::APPENDS);
        }
        Value::Dict(items) => {
            pickle.extend([code::EMPTY_DICT, code::MARK]);
            for (key, value) in items {
                write_value(key, pickle);
                write_value(value, pickle);
            }
            pickle.push(code::SET_ITEMS);
        }
    }
}

fn write_bytes(code: u8, bytes: &[u8], pickle: &mut Vec<u8>) {
    debug_assert!(u32::try_from(bytes.len()).is_ok(), "none of ours is as long");
    pickle.push(code);
    pickle.extend((bytes.len() as u32).to_le_bytes());
    pickle.extend(bytes);
}
