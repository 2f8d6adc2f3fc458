//! numpy's `.npy` header, as `numpy.lib.format` describes it: a magic, a version, a length, and a dict as Python writes it.

use super::DType;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Elements begin at a multiple of so many bytes.
const ALIGNMENT: usize = 64;
/// numpy leaves room for the dimension that grows to have as many digits.
const DIGITS: usize = 21;
/// Longer headers are not read; numpy itself trusts none of more than 10,000 bytes.
const MOST: usize = 1 << 20;

/// Bytes up to where the header's length is known, in all versions.
pub const PREAMBLE: usize = 12;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Npy {
    /// numpy's string of the elements' type; `None` for a record of several.
    pub descr: Option<String>,
    /// The first index goes from element to element, and not the last one.
    pub fortran: bool,
    /// How long each dimension is.
    pub shape: Vec<usize>,
}

/// Where the header's text is, and how long it is, in what begins so; `None` if that is no `.npy` of a version that
/// there is.
pub fn preamble(start: &[u8]) -> Option<(usize, usize)> {
    let rest = start.get(..PREAMBLE)?.strip_prefix(MAGIC)?;
    match rest {
        [1, _, a, b, ..] => Some((10, usize::from(u16::from_le_bytes([*a, *b])))),
        [2 | 3, _, length @ ..] => Some((12, u32::from_le_bytes(length.try_into().ok()?) as usize)),
        _ => None,
    }
}

/// Reads the header of a segment or file of `size` bytes, of which `read` gets some; where the elements begin, too.
/// `None` if it has none.
///
/// # Errors
/// What is wrong with it.
pub fn read(
    size: usize,
    read: impl Fn(usize, usize) -> Option<Vec<u8>>,
) -> Option<Result<(Npy, usize), &'static str>> {
    let (at, len) = preamble(&read(0, PREAMBLE)?)?;
    Some(if len > MOST {
        Err("its header would have more than a megabyte")
    } else if at + len > size {
        Err("its header is cut")
    } else {
        let text = read(at, len).unwrap_or_default();
        parse(&text).map(|npy| (npy, at + len))
    })
}

/// The header that numpy writes before such an array.
pub fn write(dtype: DType, fortran: bool, shape: &[usize]) -> Vec<u8> {
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

/// What is wrong with a header.
type Fault = &'static str;

/// A value of the dict, as far as it is of use.
enum Value {
    Text(String),
    Truth(bool),
    /// The whole numbers in it, if it is a tuple or list of nothing else.
    List(Option<Vec<usize>>),
}

fn parse(text: &[u8]) -> Result<Npy, Fault> {
    let mut text = Text(text);
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    text.expect(b'{')?;
    while !text.eat(b'}') {
        let Value::Text(key) = text.value()? else { return Err("a key of its header is no string") };
        text.expect(b':')?;
        match (key.as_str(), text.value()?) {
            ("descr", Value::Text(text)) => descr = Some(Some(text)),
            ("descr", Value::List(_)) => descr = Some(None),
            ("fortran_order", Value::Truth(truth)) => fortran = Some(truth),
            ("shape", Value::List(Some(lengths))) => shape = Some(lengths),
            ("descr" | "fortran_order" | "shape", _) => return Err("its header has values of other types"),
            _ => {}
        }
        if !text.eat(b',') {
            text.expect(b'}')?;
            break;
        }
    }
    text.skip();
    if !text.0.is_empty() {
        return Err("its header goes on after its end");
    }
    Ok(Npy {
        descr: descr.ok_or("its header has no 'descr'")?,
        fortran: fortran.ok_or("its header has no 'fortran_order'")?,
        shape: shape.ok_or("its header has no 'shape'")?,
    })
}

/// What is left of the text. Nothing here calls itself, however deep somebody has nested a value.
struct Text<'t>(&'t [u8]);

impl Text<'_> {
    fn skip(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    fn eat(&mut self, wanted: u8) -> bool {
        self.skip();
        let eaten = self.0.first() == Some(&wanted);
        if eaten {
            self.0 = &self.0[1..];
        }
        eaten
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Fault> {
        if self.eat(wanted) { Ok(()) } else { Err("its header is no dict") }
    }

    fn value(&mut self) -> Result<Value, Fault> {
        self.skip();
        match self.0.first() {
            Some(b'\'' | b'"') => self.string().map(Value::Text),
            Some(b'(' | b'[') => self.list().map(Value::List),
            _ => match self.word() {
                b"True" => Ok(Value::Truth(true)),
                b"False" => Ok(Value::Truth(false)),
                b"" => Err("its header is no dict"),
                _ => Ok(Value::List(None)),
            },
        }
    }

    fn string(&mut self) -> Result<String, Fault> {
        let (quote, rest) = self.0.split_first().ok_or("its header is cut")?;
        let end = rest.iter().position(|byte| byte == quote).ok_or("its header is cut")?;
        self.0 = &rest[end + 1..];
        Ok(rest[..end].iter().map(|byte| char::from(*byte)).collect())
    }

    fn word(&mut self) -> &[u8] {
        let end = self.0.iter().position(|byte| !byte.is_ascii_alphanumeric() && !b"_.+-".contains(byte));
        let (word, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        word
    }

    fn list(&mut self) -> Result<Option<Vec<usize>>, Fault> {
        let mut numbers = Some(Vec::new());
        let mut depth = 0;
        loop {
            self.skip();
            match self.0.first().ok_or("its header is cut")? {
                b'(' | b'[' => {
                    depth += 1;
                    if depth > 1 {
                        numbers = None;
                    }
                    self.0 = &self.0[1..];
                }
                b')' | b']' => {
                    depth -= 1;
                    self.0 = &self.0[1..];
                    if depth == 0 {
                        return Ok(numbers);
                    }
                }
                b',' => self.0 = &self.0[1..],
                b'\'' | b'"' => {
                    self.string()?;
                    numbers = None;
                }
                _ => {
                    let word = self.word();
                    if word.is_empty() {
                        return Err("its header is no dict");
                    }
                    // Python 2 wrote an L behind it.
                    let digits = word.strip_suffix(b"L").unwrap_or(word);
                    let number = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                    numbers = numbers.zip(number).map(|(mut numbers, number)| {
                        numbers.push(number);
                        numbers
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> Option<Result<(Npy, usize), Fault>> {
        read(bytes.len(), |at, len| bytes.get(at..at + len).map(<[u8]>::to_vec))
    }

    #[test]
    fn what_is_written_is_read() {
        for dtype in DType::ALL {
            for shape in [&[][..], &[0], &[6], &[2, 3], &[1, 0, 300], &[1; 64]] {
                for fortran in [false, true] {
                    let header = write(dtype, fortran, shape);
                    let descr = Some(dtype.typestr().to_owned());
                    let npy = Npy { descr, fortran, shape: shape.to_vec() };
                    assert_eq!(read_all(&header), Some(Ok((npy, header.len()))));
                    assert!(header.len().is_multiple_of(ALIGNMENT));
                }
            }
        }
    }

    #[test]
    fn others_write_it_in_other_ways() {
        let parsed = |text: &str| parse(text.as_bytes());
        let npy = |shape: &[usize]| {
            Ok(Npy { descr: Some("<f8".to_owned()), fortran: false, shape: shape.to_vec() })
        };
        assert_eq!(parsed("{'descr':'<f8','fortran_order':False,'shape':(3,4)}"), npy(&[3, 4]));
        assert_eq!(
            parsed("{\"shape\": (3L,), 'x': -1.5, 'fortran_order': False, 'descr': '<f8'}\n"),
            npy(&[3])
        );
        let record =
            "{'descr': [('a', '<f8'), ('b', [('c', '<i4', (2,))])], 'fortran_order': True, 'shape': ()}";
        assert_eq!(parsed(record), Ok(Npy { descr: None, fortran: true, shape: vec![] }));
        for broken in [
            "",
            "{",
            "{'descr': '<f8', 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), } {",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,",
        ] {
            assert!(parsed(broken).is_err(), "{broken}");
        }
        assert_eq!(read_all(b"\x93NUMPY\x04\0\0\0\0\0"), None);
        assert_eq!(read_all(b"\x93NUMPY\x01\0\xff\xff{}"), Some(Err("its header is cut")));
    }

    proptest! {
        #[test]
        fn any_text_is_a_header_or_none(text in "[-{}'\"(),:\\[\\]a-zA-Z0-9 ]{0,200}") {
            let _ = parse(text.as_bytes());
        }
    }
}
