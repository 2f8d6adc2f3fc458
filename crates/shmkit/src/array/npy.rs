//! numpy's `.npy` header, as `numpy.lib.format` describes it: a magic, a version, a length, and a dict as Python writes it.

use serde_json::Value;

use super::DType;
use super::literal;
use super::location::{is_dense, strides_of};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Elements begin at a multiple of so many bytes.
const ALIGNMENT: usize = 64;
/// numpy leaves room for the dimension that grows to have as many digits.
const DIGITS: usize = 21;
/// The longest header that is read, in bytes; numpy itself trusts none of more than 10,000.
pub const HEADER_MAX: usize = 1 << 20;
/// The longest dimension: JavaScript has exact numbers up to here.
const LENGTH_MAX: u64 = (1 << 53) - 1;

/// Bytes up to where the header's length is known, in all versions.
pub const PREAMBLE: usize = 12;

/// What a header says.
#[derive(Debug, Clone, PartialEq)]
pub struct Npy {
    /// numpy's description of the elements' type: a string, or a list of a record's fields.
    pub descr: Value,
    /// The first index goes from element to element, and not the last one.
    pub fortran: bool,
    /// How long each dimension is.
    pub shape: Vec<usize>,
    /// Where the elements begin, in bytes.
    pub start: usize,
}

impl Npy {
    /// Reads the header of a segment or file of `size` bytes, of which `read` gets some. `None` if it does not begin with a
    /// header of a version that there is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(size: usize, read: impl Fn(usize, usize) -> Option<Vec<u8>>) -> Result<Option<Self>, String> {
        let Some((at, len, is_utf8)) = read(0, PREAMBLE).as_deref().and_then(preamble) else {
            return Ok(None);
        };
        if len > HEADER_MAX {
            return Err(format!("its header would have {len} bytes"));
        }
        let text = read(at, len).filter(|text| text.len() == len && at + len <= size);
        let text = text.ok_or("its header is cut")?;
        let text = if is_utf8 {
            String::from_utf8(text).map_err(|_| "its header is no UTF-8")?
        } else {
            text.into_iter().map(char::from).collect()
        };
        Self::parse(&text, at + len).map(Some)
    }

    /// Reads the header's text.
    fn parse(text: &str, start: usize) -> Result<Self, String> {
        let Value::Object(mut header) = literal::parse(text)? else {
            return Err("its header is no dict".to_owned());
        };
        let shape = header.get("shape").and_then(Value::as_array);
        let length = |length: &Value| length.as_u64().filter(|length| *length <= LENGTH_MAX);
        let shape = shape.and_then(|lengths| lengths.iter().map(|one| Some(length(one)? as usize)).collect());
        let fortran = header.get("fortran_order").and_then(Value::as_bool);
        Ok(Npy {
            descr: header.remove("descr").ok_or("its header has no 'descr'")?,
            fortran: fortran.ok_or("its header has no 'fortran_order'")?,
            shape: shape.ok_or("its header has no 'shape'")?,
            start,
        })
    }
}

/// Where the header's text is, how long it is, and whether it is UTF-8 and not Latin-1, in what begins so.
fn preamble(start: &[u8]) -> Option<(usize, usize, bool)> {
    let rest = start.get(..PREAMBLE)?.strip_prefix(MAGIC)?;
    match rest {
        [1, _, a, b, ..] => Some((10, usize::from(u16::from_le_bytes([*a, *b])), false)),
        [version @ (2 | 3), _, length @ ..] => {
            Some((12, u32::from_le_bytes(length.try_into().ok()?) as usize, *version == 3))
        }
        _ => None,
    }
}

/// The header that numpy writes before such an array. As numpy's, it says C order of what is in both.
pub fn write(dtype: DType, fortran: bool, shape: &[usize]) -> Vec<u8> {
    let fortran = fortran && !is_dense(shape, &strides_of(shape, true), false);
    let lengths: Vec<_> = shape.iter().map(usize::to_string).collect();
    let tuple = if let [one] = lengths.as_slice() { format!("{one},") } else { lengths.join(", ") };
    let order = if fortran { "True" } else { "False" };
    let mut text =
        format!("{{'descr': '{}', 'fortran_order': {order}, 'shape': ({tuple}), }}", dtype.typestr());
    let growing = if fortran { lengths.last() } else { lengths.first() };
    if let Some(growing) = growing {
        text.push_str(&" ".repeat(DIGITS.saturating_sub(growing.len())));
    }
    let padded = (10 + text.len() + 1).next_multiple_of(ALIGNMENT);
    let length = u16::try_from(padded - 10).unwrap_or(u16::MAX); // of 64 dimensions it is less
    let mut header = [MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat();
    header.resize(padded - 1, b' ');
    header.push(b'\n');
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(bytes: &[u8]) -> Result<Option<Npy>, String> {
        Npy::read(bytes.len(), |at, len| bytes.get(at..at + len).map(<[u8]>::to_vec))
    }

    fn text(text: &str) -> Value {
        text.into()
    }

    #[test]
    fn what_is_written_is_read() {
        for dtype in DType::ALL {
            for shape in [&[][..], &[0], &[6], &[2, 3], &[1, 0, 300], &[1; 64], &[1, 5]] {
                for fortran in [false, true] {
                    let header = write(dtype, fortran, shape);
                    let npy = Npy {
                        descr: text(dtype.typestr()),
                        fortran: fortran && *shape == [2, 3],
                        shape: shape.to_vec(),
                        start: header.len(),
                    };
                    assert_eq!(read_all(&header), Ok(Some(npy)));
                    assert!(header.len().is_multiple_of(ALIGNMENT));
                }
            }
        }
    }

    #[test]
    fn others_write_it_in_other_ways() {
        let parsed = |text: &str| Npy::parse(text, 0);
        let npy =
            |shape: &[usize]| Ok(Npy { descr: text("<f8"), fortran: false, shape: shape.to_vec(), start: 0 });
        assert_eq!(parsed("{'descr':'<f8','fortran_order':False,'shape':(3,4)}"), npy(&[3, 4]));
        assert_eq!(
            parsed("{\"shape\": (3L,), 'x': -1.5, 'fortran_order': False, 'descr': '<f8'}\n"),
            npy(&[3])
        );
        let record =
            "{'descr': [('a', '<f8'), ('b', [('c', '<i4', (2,))])], 'fortran_order': True, 'shape': ()}";
        assert_eq!(
            parsed(record).map(|npy| (npy.descr.to_string(), npy.fortran, npy.shape)),
            Ok((r#"[["a","<f8"],["b",[["c","<i4",[2]]]]]"#.to_owned(), true, vec![]))
        );
        for broken in [
            "",
            "{",
            "[]",
            "{'descr': '<f8', 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2.5,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': 3}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), } {",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,",
            "{'fortran_order': False, 'shape': (3,)}",
        ] {
            assert!(parsed(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn versions_and_lengths() {
        let body = "{'descr': 'é', 'fortran_order': False, 'shape': ()}";
        let latin1: Vec<u8> = body.chars().map(|char| char as u8).collect();
        for (version, text_bytes) in [(2u8, latin1.as_slice()), (3, body.as_bytes())] {
            let mut bytes = [MAGIC, &[version, 0]].concat();
            bytes.extend((text_bytes.len() as u32).to_le_bytes());
            bytes.extend(text_bytes);
            assert_eq!(read_all(&bytes).map(|npy| npy.map(|npy| npy.descr)), Ok(Some(text("é"))));
        }
        assert_eq!(read_all(b"\x93NUMPY\x04\0\0\0\0\0"), Ok(None));
        assert_eq!(read_all(b"\x93NUMPY\x01\0"), Ok(None));
        assert_eq!(read_all(b"\x93NUMPY\x01\0\xff\xff{}"), Err("its header is cut".to_owned()));
        let long = read_all(b"\x93NUMPY\x02\0\x01\0\x10\0");
        assert_eq!(long, Err("its header would have 1048577 bytes".to_owned()));
        assert!(read_all(b"\x93NUMPY\x03\0\x01\0\0\0\xff").is_err(), "no UTF-8");
    }
}
