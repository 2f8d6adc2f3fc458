//! Reading a pickle that anybody may have written.

use std::collections::HashMap;

use super::{Value, code};
use crate::Result;
use crate::manager::protocol;

/// Values within values; a request has three, and dropping what is nested without an end would take all of the stack.
const DEPTH: u8 = 32;
const PROTOCOLS: std::ops::RangeInclusive<u8> = 2..=5;

/// The value of a pickle. It takes a few times the memory that the pickle does, whatever it says.
///
/// # Errors
/// `ERR_SHM_PROTOCOL` for one with an instruction that is not on the list, and for one that is damaged.
pub fn read(pickle: &[u8]) -> Result<Value> {
    let mut reader = Reader { rest: pickle, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        let code = reader.byte()?;
        if code == code::STOP {
            break;
        }
        reader.step(code)?;
    }
    match (reader.stack.pop(), reader.stack.is_empty() && reader.marks.is_empty()) {
        (Some(Nested { value, .. }), true) => Ok(value),
        _ => Err(damaged()),
    }
}

fn damaged() -> crate::Error {
    protocol("a damaged pickle")
}

/// A value, and how many are within each other in it.
struct Nested {
    value: Value,
    depth: u8,
}

struct Reader<'a> {
    rest: &'a [u8],
    stack: Vec<Nested>,
    /// How long the stack was at each mark that is open.
    marks: Vec<usize>,
    /// What may come again: strings and bytes; `None` for what has parts, of which nobody needs a second.
    memo: HashMap<u32, Option<Value>>,
}

impl<'a> Reader<'a> {
    fn step(&mut self, code: u8) -> Result<()> {
        match code {
            code::PROTO => {
                let version = self.byte()?;
                if !PROTOCOLS.contains(&version) {
                    return Err(protocol(format!("a pickle of protocol {version}")));
                }
                Ok(())
            }
            // How long the next part is, for who reads from a file.
            code::FRAME => self.array::<8>().map(drop),
            code::MARK => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            code::NONE => self.push(Value::None),
            code::TRUE => self.push(Value::Bool(true)),
            code::FALSE => self.push(Value::Bool(false)),
            code::INT1 => {
                let value = self.byte()?;
                self.push(Value::Int(value.into()))
            }
            code::INT2 => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))
            }
            code::INT4 => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))
            }
            code::LONG1 => self.long(),
            code::STR1 | code::STR4 => {
                let bytes = self.sized(code == code::STR4)?;
                let text = std::str::from_utf8(bytes).map_err(|_| protocol("text that is not UTF-8"))?;
                self.push(Value::Str(text.into()))
            }
            code::BYTES1 | code::BYTES4 => {
                let bytes = self.sized(code == code::BYTES4)?;
                self.push(Value::Bytes(bytes.into()))
            }
            code::EMPTY_TUPLE => self.push(Value::Tuple(Vec::new())),
            code::TUPLE1 => self.tuple(1),
            code::TUPLE2 => self.tuple(2),
            code::TUPLE3 => self.tuple(3),
            code::TUPLE => {
                let count = self.since_mark()?;
                self.tuple(count)
            }
            code::EMPTY_LIST => self.push(Value::List(Vec::new())),
            code::APPEND => self.append(1),
            code::APPENDS => {
                let count = self.since_mark()?;
                self.append(count)
            }
            code::EMPTY_DICT => self.push(Value::Dict(Vec::new())),
            code::SET_ITEM => self.set_items(2),
            code::SET_ITEMS => {
                let count = self.since_mark()?;
                self.set_items(count)
            }
            code::MEMOIZE => {
                let index = self.memo.len() as u32;
                self.put(index)
            }
            code::PUT1 => {
                let index = self.byte()?;
                self.put(index.into())
            }
            code::PUT4 => {
                let index = u32::from_le_bytes(self.array()?);
                self.put(index)
            }
            code::GET1 => {
                let index = self.byte()?;
                self.get(index.into())
            }
            code::GET4 => {
                let index = u32::from_le_bytes(self.array()?);
                self.get(index)
            }
            other => Err(protocol(format!(
                "a pickle with the instruction {other:#04x}, which is not for plain data, so it is not carried out"
            ))),
        }
    }

    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(damaged)?;
        self.rest = rest;
        Ok(*array)
    }

    /// So many bytes as the length in front of them says, which has one byte or four.
    fn sized(&mut self, long: bool) -> Result<&'a [u8]> {
        let length =
            if long { u32::from_le_bytes(self.array()?) as usize } else { usize::from(self.byte()?) };
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn long(&mut self) -> Result<()> {
        let bytes = self.sized(false)?;
        if bytes.len() > 8 {
            return Err(protocol("a whole number of more than 64 bits"));
        }
        // As many bytes as it takes, the last one with the sign.
        let sign = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
        let mut word = [sign; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        self.push(Value::Int(i64::from_le_bytes(word)))
    }

    fn push(&mut self, value: Value) -> Result<()> {
        self.stack.push(Nested { value, depth: 0 });
        Ok(())
    }

    /// How many values there are since the last mark, which is closed.
    fn since_mark(&mut self) -> Result<usize> {
        let mark = self.marks.pop().ok_or_else(damaged)?;
        self.stack.len().checked_sub(mark).ok_or_else(damaged)
    }

    /// Takes the last so many values, all of them after the last mark, and how deep what has them is.
    fn take(&mut self, count: usize) -> Result<(Vec<Value>, u8)> {
        let open = self.marks.last().copied().unwrap_or(0);
        let from = self.stack.len().checked_sub(count).filter(|from| *from >= open).ok_or_else(damaged)?;
        let depth = self.stack[from..].iter().map(|nested| nested.depth + 1).max().unwrap_or(0);
        if depth > DEPTH {
            return Err(protocol("a pickle of values within values within values"));
        }
        Ok((self.stack.drain(from..).map(|nested| nested.value).collect(), depth))
    }

    fn tuple(&mut self, count: usize) -> Result<()> {
        let (items, depth) = self.take(count)?;
        self.stack.push(Nested { value: Value::Tuple(items), depth });
        Ok(())
    }

    /// The container below what was taken, which becomes as deep as that.
    fn container(&mut self, depth: u8) -> Result<&mut Value> {
        let open = self.marks.last().copied().unwrap_or(0);
        let below = self.stack.len().checked_sub(1).is_some_and(|last| last >= open);
        let nested = self.stack.last_mut().filter(|_| below).ok_or_else(damaged)?;
        nested.depth = nested.depth.max(depth);
        Ok(&mut nested.value)
    }

    fn append(&mut self, count: usize) -> Result<()> {
        let (items, depth) = self.take(count)?;
        match self.container(depth)? {
            Value::List(list) => list.extend(items),
            _ => return Err(damaged()),
        }
        Ok(())
    }

    fn set_items(&mut self, count: usize) -> Result<()> {
        if !count.is_multiple_of(2) {
            return Err(damaged());
        }
        let (items, depth) = self.take(count)?;
        let Value::Dict(dict) = self.container(depth)? else { return Err(damaged()) };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            dict.push((key, value));
        }
        Ok(())
    }

    fn put(&mut self, index: u32) -> Result<()> {
        let value = match &self.stack.last().ok_or_else(damaged)?.value {
            value @ (Value::Str(_) | Value::Bytes(_)) => Some(value.clone()),
            _ => None,
        };
        self.memo.insert(index, value);
        Ok(())
    }

    fn get(&mut self, index: u32) -> Result<()> {
        match self.memo.get(&index) {
            Some(Some(value)) => {
                let value = value.clone();
                self.push(value)
            }
            // One value in two places may be one that contains itself.
            Some(None) => Err(protocol("a pickle that has a tuple, a list or a dict in two places")),
            None => Err(damaged()),
        }
    }
}
