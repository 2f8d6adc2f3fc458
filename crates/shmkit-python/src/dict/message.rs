//! Dicts, lists and times as MessagePack, as Node's msgpackr writes and reads it.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTzInfo};
use rmp::{Marker, decode, encode};
use shmkit::dict::value::number_bytes;

use super::value::{Value, corrupt, is_exact, is_whole, number_of, out_of_range, unreadable, wrong_type};

/// How deep a value may be nested, as in Node: whoever reads it does so with a stack of his own.
const DEEPEST: usize = 100;
/// The type of MessagePack's own extension.
const TIMESTAMP: i8 = -1;

/// The bytes of a value.
pub(super) fn write(py: Python<'_>, value: Value<'_>) -> PyResult<Vec<u8>> {
    let mut bytes = Vec::new();
    write_to(py, &mut bytes, value, 0)?;
    Ok(bytes)
}

fn write_to(py: Python<'_>, into: &mut Vec<u8>, value: Value<'_>, depth: usize) -> PyResult<()> {
    if depth == DEEPEST && matches!(value, Value::Dict(_) | Value::List(_)) {
        let message = format!("the value is nested deeper than {DEEPEST}, or in itself");
        return Err(out_of_range(py, message));
    }
    match value {
        Value::None => written(py, encode::write_nil(into)),
        Value::Bool(truth) => written(py, encode::write_bool(into, truth)),
        Value::Int(int) => {
            if let Ok(int) = int.extract::<i64>() {
                return write_int(py, into, int);
            }
            let int = int.extract::<u64>().map_err(|_| {
                out_of_range(
                    py,
                    "an int inside of a list or dict has 64 bits at most: store it by itself, or as text",
                )
            })?;
            written(py, encode::write_u64(into, int))
        }
        Value::Float(float) => written(py, encode::write_f64(into, f64::from_ne_bytes(number_bytes(float)))),
        Value::Text(text) => {
            let text = text.to_cow().map_err(|_| {
                out_of_range(py, "a text inside of a list or dict must not have lone surrogates")
            })?;
            length(py, text.len())?;
            written(py, encode::write_str(into, &text))
        }
        Value::Bytes(bytes) => {
            length(py, bytes.len())?;
            written(py, encode::write_bin(into, &bytes))
        }
        Value::Array(..) => Err(wrong_type(
            py,
            "an array is stored by itself, and not inside of a list or dict: store its tolist() there",
        )),
        Value::Time(time) => write_time(&time, into),
        Value::List(list) => {
            written(py, encode::write_array_len(into, length(py, list.len())?))?;
            list.iter().try_for_each(|item| write_to(py, into, Value::of(&item)?, depth + 1))
        }
        Value::Dict(dict) => {
            let items = dict.items(); // its own, whatever becomes of the dict meanwhile
            written(py, encode::write_map_len(into, length(py, items.len())?))?;
            for item in items {
                let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
                let Ok(key) = key.cast_into::<PyString>() else {
                    return Err(wrong_type(py, "the keys of a dict that is stored must be strings"));
                };
                if key == "__proto__" {
                    return Err(out_of_range(py, "Node has no '__proto__' as a key inside of a value"));
                }
                write_to(py, into, Value::Text(key), depth + 1)?;
                write_to(py, into, Value::of(&value)?, depth + 1)?;
            }
            Ok(())
        }
    }
}

/// To Node what has 64 bits is a bigint, so a number that has more than 32 is a double.
fn write_int(py: Python<'_>, into: &mut Vec<u8>, int: i64) -> PyResult<()> {
    if is_short(int) {
        written(py, encode::write_sint(into, int))
    } else if is_exact(int) {
        written(py, encode::write_f64(into, int as f64))
    } else {
        written(py, encode::write_i64(into, int))
    }
}

/// Whether msgpackr writes it as an int.
fn is_short(int: i64) -> bool {
    (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&int)
}

fn length(py: Python<'_>, length: usize) -> PyResult<u32> {
    u32::try_from(length).map_err(|_| out_of_range(py, "the value is too long"))
}

/// Memory takes all that is written to it.
fn written<T, E>(py: Python<'_>, result: Result<T, E>) -> PyResult<()> {
    result.map(drop).map_err(|_| out_of_range(py, "the value is too long"))
}

fn write_time(time: &Bound<'_, PyAny>, into: &mut Vec<u8>) -> PyResult<()> {
    let py = time.py();
    if time.call_method0("utcoffset")?.is_none() {
        return Err(wrong_type(
            py,
            "a datetime without a timezone is no moment: use datetime.now(timezone.utc)",
        ));
    }
    let since = time.sub(epoch(py)?)?;
    let days: i64 = since.getattr("days")?.extract()?;
    let seconds: i64 = since.getattr("seconds")?.extract()?;
    let nanos = since.getattr("microseconds")?.extract::<u32>()?.saturating_mul(1000);
    let seconds = days.saturating_mul(86_400).saturating_add(seconds);
    let extension = |into: &mut Vec<u8>, bytes: &[u8]| {
        written(py, encode::write_ext_meta(into, length(py, bytes.len())?, TIMESTAMP))?;
        into.extend_from_slice(bytes);
        Ok(())
    };
    match (u32::try_from(seconds), u64::try_from(seconds)) {
        (Ok(seconds), _) if nanos == 0 => extension(into, &seconds.to_be_bytes()),
        (_, Ok(seconds)) if seconds < 1 << 34 => {
            extension(into, &(u64::from(nanos) << 34 | seconds).to_be_bytes())
        }
        _ => extension(into, &[nanos.to_be_bytes().as_slice(), &seconds.to_be_bytes()].concat()),
    }
}

fn epoch(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static EPOCH: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || {
        let class = py.import("datetime")?.getattr("datetime")?;
        class.call1((1970, 1, 1, 0, 0, 0, 0, PyTzInfo::utc(py)?)).map(Bound::unbind)
    };
    Ok(EPOCH.get_or_try_init(py, make)?.bind(py))
}

/// The value that these bytes are.
pub(super) fn read<'py>(py: Python<'py>, bytes: &[u8], key: &str) -> PyResult<Bound<'py, PyAny>> {
    let mut reader = Reader { py, rest: bytes, key };
    let value = reader.value(0)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(reader.corrupt("something follows it")) }
}

/// What is left of the bytes, which anybody may have written.
struct Reader<'py, 'b> {
    py: Python<'py>,
    rest: &'b [u8],
    key: &'b str,
}

impl<'py, 'b> Reader<'py, 'b> {
    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let marker = Marker::from_u8(*self.rest.first().ok_or_else(|| self.corrupt("it ends too early"))?);
        match marker {
            Marker::Null => self.read(decode::read_nil).map(|()| py.None().into_bound(py)),
            Marker::True | Marker::False => {
                Ok(self.read(decode::read_bool)?.into_pyobject(py)?.to_owned().into_any())
            }
            Marker::U64 => Ok(self.read(decode::read_u64)?.into_pyobject(py)?.into_any()),
            Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::U8
            | Marker::U16
            | Marker::U32
            | Marker::I8
            | Marker::I16
            | Marker::I32
            | Marker::I64 => Ok(self.read(decode::read_int::<i64, _>)?.into_pyobject(py)?.into_any()),
            Marker::F32 => self.read(decode::read_f32).and_then(|float| self.number(f64::from(float))),
            Marker::F64 => self.read(decode::read_f64).and_then(|float| self.number(float)),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
                let length = self.read(decode::read_str_len)?;
                let bytes = self.take(length)?;
                self.text(bytes)
            }
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = self.read(decode::read_bin_len)?;
                Ok(PyBytes::new(py, self.take(length)?).into_any())
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => {
                let depth = self.deeper(depth)?;
                let length = self.read(decode::read_array_len)?;
                // As long as there are bytes, and not as long as they say.
                let list = PyList::empty(py);
                (0..length).try_for_each(|_| list.append(self.value(depth)?))?;
                Ok(list.into_any())
            }
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => {
                let depth = self.deeper(depth)?;
                let length = self.read(decode::read_map_len)?;
                let dict = PyDict::new(py);
                for _ in 0..length {
                    let key = self.value(depth)?;
                    if key.hash().is_err() {
                        return Err(self.unreadable("a map whose keys Python cannot have"));
                    }
                    dict.set_item(key, self.value(depth)?)?;
                }
                Ok(dict.into_any())
            }
            Marker::FixExt1
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => self.extension(),
            Marker::Reserved => Err(self.corrupt("a value has no type")),
        }
    }

    /// By one of the decoder's functions, which take what they read from the front.
    fn read<T, E>(&mut self, how: impl FnOnce(&mut &'b [u8]) -> Result<T, E>) -> PyResult<T> {
        how(&mut self.rest).map_err(|_| self.corrupt("it ends too early"))
    }

    fn take(&mut self, length: u32) -> PyResult<&'b [u8]> {
        let (taken, rest) =
            self.rest.split_at_checked(length as usize).ok_or_else(|| self.corrupt("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn deeper(&self, depth: usize) -> PyResult<usize> {
        if depth == DEEPEST { Err(self.corrupt("it is nested too deep")) } else { Ok(depth + 1) }
    }

    /// Node's whole numbers of more than 32 bits are doubles.
    fn number(&self, float: f64) -> PyResult<Bound<'py, PyAny>> {
        number_of(self.py, float, is_whole(float) && !is_short(float as i64))
    }

    fn text(&self, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        PyString::from_bytes(self.py, bytes)
            .map(Bound::into_any)
            .map_err(|_| self.corrupt("a text is not UTF-8"))
    }

    fn extension(&mut self) -> PyResult<Bound<'py, PyAny>> {
        let meta = self.read(decode::read_ext_meta)?;
        let bytes = self.take(meta.size)?;
        if meta.typeid != TIMESTAMP {
            return Err(self.unreadable("a value that only Node can read"));
        }
        let (seconds, nanos) = if let Ok(seconds) = bytes.try_into().map(u32::from_be_bytes) {
            (i64::from(seconds), 0)
        } else if let Ok(both) = bytes.try_into().map(u64::from_be_bytes) {
            ((both & ((1 << 34) - 1)) as i64, (both >> 34) as u32)
        } else if let (Some(nanos), Some(seconds)) = (bytes.first_chunk(), bytes.last_chunk())
            && bytes.len() == 12
        {
            (i64::from_be_bytes(*seconds), u32::from_be_bytes(*nanos))
        } else {
            return Err(self.unreadable("a Date that is none"));
        };
        let py = self.py;
        let time = || {
            let since = py.import("datetime")?.getattr("timedelta")?.call1((0, seconds, nanos / 1000))?;
            epoch(py)?.add(since)
        };
        time().map_err(|_| self.unreadable("a time that no datetime can be"))
    }

    fn corrupt(&self, why: &str) -> PyErr {
        corrupt(self.py, self.key, why)
    }

    fn unreadable(&self, what: &str) -> PyErr {
        unreadable(self.py, self.key, what)
    }
}
