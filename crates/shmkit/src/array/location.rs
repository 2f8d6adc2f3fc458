//! Where the elements of a segment are: by its `.npy` header, by a descriptor, or by what the caller says.

use std::cell::RefCell;

use super::DType;
use super::npy::Npy;
use super::view::{count, reach};
use crate::segment::Segment;
use crate::{Error, Result};

/// As many dimensions as numpy has at most.
pub const DIMENSIONS_MAX: usize = 64;

/// The type of an array, and where its elements are in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The type of the elements.
    pub dtype: DType,
    /// How long each dimension is.
    pub shape: Vec<usize>,
    /// Elements from one index to the next, by dimension.
    pub strides: Vec<isize>,
    /// The element that all indexes 0 lead to.
    pub offset: usize,
    /// Bytes before element 0.
    pub start: usize,
}

/// What a caller expects of an array. `None` is whatever there is.
#[derive(Debug, Clone, Default)]
pub struct Expectation {
    /// The type of the elements.
    pub dtype: Option<DType>,
    /// How long each dimension is.
    pub shape: Option<Vec<usize>>,
    /// Whether the first index goes from element to element, and not the last one.
    pub fortran: Option<bool>,
    /// Bytes before element 0, in a segment without a header.
    pub offset: Option<usize>,
    /// Whether there must be a `.npy` header, or must be none.
    pub header: Option<bool>,
}

impl Location {
    /// Elements one after the other.
    pub fn dense(dtype: DType, shape: Vec<usize>, fortran: bool, start: usize) -> Self {
        let strides = strides_of(&shape, fortran);
        Location { dtype, shape, strides, offset: 0, start }
    }

    /// Where the array of a segment is. `described` is what a descriptor says.
    ///
    /// # Errors
    /// `ERR_SHM_NOT_AN_ARRAY`, `ERR_SHM_CORRUPT`, `ERR_SHM_DTYPE`, `ERR_SHM_ALIGNMENT`, `ERR_SHM_SIZE`, `ERR_SHM_MISMATCH`;
    /// `ERR_OUT_OF_RANGE` for an offset that does not fit the type, or beside a header.
    pub fn find(segment: &Segment, described: Option<Self>, expected: &Expectation) -> Result<Self> {
        let find = || {
            if let Some(described) = described {
                return described.within(segment)?.matching(segment, expected);
            }
            let is_bare = expected.header == Some(false) || expected.offset.is_some();
            if is_bare && expected.header == Some(true) {
                let message = "offset is for segments without a header, and header is 'npy'";
                return Err(Error::range("ERR_OUT_OF_RANGE", message));
            }
            let npy = if is_bare { None } else { header_of(segment)? };
            match npy {
                Some(npy) => Self::of_npy(&npy, segment)?.within(segment)?.matching(segment, expected),
                None => Self::bare(segment, expected, is_bare),
            }
        };
        find().map_err(|error| error.about(segment.name().as_str()))
    }

    fn bare(segment: &Segment, expected: &Expectation, is_bare: bool) -> Result<Self> {
        let (Some(shape), Some(dtype), None | Some(false)) =
            (&expected.shape, expected.dtype, expected.header)
        else {
            let advice = match expected.header {
                Some(true) => "attach without that option",
                _ => "say what is in it: { shape, dtype }",
            };
            let what =
                if is_bare { "is to be read without a header" } else { "does not begin with a .npy header" };
            let message = format!("'{}' {what}; {advice}", segment.name());
            return Err(Error::own("ERR_SHM_NOT_AN_ARRAY", message));
        };
        let (start, size) = (expected.offset.unwrap_or(0), dtype.item_size());
        if !start.is_multiple_of(size) {
            let message = format!("offset must be a multiple of {size} bytes ({dtype}), and is {start}");
            return Err(Error::range("ERR_OUT_OF_RANGE", message));
        }
        Self::dense(dtype, shape.clone(), expected.fortran.unwrap_or(false), start).within(segment)
    }

    fn of_npy(npy: &Npy, segment: &Segment) -> Result<Self> {
        let name = segment.name();
        let dtype = dtype_of(npy, &format!("'{name}'"))?;
        let (start, size) = (npy.start, dtype.item_size());
        if !start.is_multiple_of(size) {
            let what = format!(
                "the elements of '{name}' begin at byte {start}, which is no multiple of {size} ({dtype})"
            );
            let message =
                format!("{what}; numpy writes headers of a multiple of 64 bytes, and load() one too");
            return Err(Error::own("ERR_SHM_ALIGNMENT", message));
        }
        Ok(Self::dense(dtype, npy.shape.clone(), npy.fortran, start))
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        count(&self.shape).unwrap_or(usize::MAX)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.len().saturating_mul(self.dtype.item_size())
    }

    /// The byte at which the element is that all indexes 0 lead to.
    pub fn first_byte(&self) -> usize {
        self.start + self.offset * self.dtype.item_size()
    }

    /// As numpy has them.
    pub fn strides_in_bytes(&self) -> Vec<isize> {
        let size = self.dtype.item_size().cast_signed();
        self.strides.iter().map(|stride| stride.saturating_mul(size)).collect()
    }

    /// Whether the elements lie one after the other in this order.
    pub fn is_dense(&self, fortran: bool) -> bool {
        is_dense(&self.shape, &self.strides, fortran)
    }

    /// The location, if all of it is inside the segment.
    ///
    /// # Errors
    /// `ERR_SHM_SIZE`.
    fn within(self, segment: &Segment) -> Result<Self> {
        let Location { dtype, shape, strides, offset, start } = &self;
        let (name, size) = (segment.name(), segment.size());
        let refuse = |message: String| Err(Error::own("ERR_SHM_SIZE", message));
        if shape.len() != strides.len() {
            return refuse(format!("{} dimensions cannot have {} strides", shape.len(), strides.len()));
        }
        let item = dtype.item_size() as i128;
        let reached = if self.is_empty() { Some((0, -1)) } else { reach(shape, strides, *offset) };
        if reached.is_none_or(|(least, _)| least < 0) {
            return refuse(format!(
                "shape {shape:?} with strides {strides:?} from element {offset} on begins before '{name}' does"
            ));
        }
        // At least as many as there are elements: with strides of 0, a descriptor could say that a few bytes are billions of
        // them.
        let (_, most) = reached.unwrap_or_default();
        let needed = most.saturating_add(1).max(*offset as i128).max(self.len() as i128);
        let needed = needed.saturating_mul(item).saturating_add(*start as i128);
        if needed > size as i128 {
            return refuse(format!(
                "{dtype} of shape {shape:?} from byte {start} on needs {needed} bytes, and '{name}' has {size}"
            ));
        }
        Ok(self)
    }

    /// The location, if it is what the caller expects.
    fn matching(self, segment: &Segment, expected: &Expectation) -> Result<Self> {
        let mut differences = Vec::new();
        if expected.header == Some(false) {
            differences.push("its descriptor says where it is, and header is 'none'".to_owned());
        }
        differences.extend(differences_of(
            self.dtype,
            &self.shape,
            expected.dtype,
            expected.shape.as_deref(),
        ));
        if let Some(fortran) = expected.fortran.filter(|fortran| !self.is_dense(*fortran)) {
            differences.push(format!("its order is not '{}'", if fortran { 'F' } else { 'C' }));
        }
        if let Some(offset) = expected.offset.filter(|offset| *offset != self.start) {
            differences.push(format!("its elements begin at byte {}, not {offset}", self.start));
        }
        refuse_mismatch(segment.name().as_str(), "array", &differences)?;
        Ok(self)
    }
}

/// What the caller takes type and shape for, and they are not.
pub fn differences_of(
    dtype: DType,
    shape: &[usize],
    expected_dtype: Option<DType>,
    expected_shape: Option<&[usize]>,
) -> Vec<String> {
    let dtypes = expected_dtype.filter(|expected| *expected != dtype);
    let shapes = expected_shape.filter(|expected| *expected != shape);
    let dtypes = dtypes.map(|expected| format!("its elements are {dtype}, not {expected}"));
    let shapes = shapes.map(|expected| format!("its shape is {shape:?}, not {expected:?}"));
    dtypes.into_iter().chain(shapes).collect()
}

/// Refuses what is not as the caller expects.
///
/// # Errors
/// `ERR_SHM_MISMATCH`, if there are any differences.
pub fn refuse_mismatch(name: &str, what: &str, differences: &[String]) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("'{name}' is another {what}: {}", differences.join("; "));
    Err(Error::own("ERR_SHM_MISMATCH", message).about(name))
}

/// The header of a segment; `None` if it does not begin with one.
///
/// # Errors
/// `ERR_SHM_CORRUPT` if it is damaged; otherwise as [`Segment::read`].
pub fn header_of(segment: &Segment) -> Result<Option<Npy>> {
    let failed = RefCell::new(None);
    let read = |at, len| {
        segment.read_copy(at, len).unwrap_or_else(|error| {
            failed.replace(Some(error));
            None
        })
    };
    let npy = Npy::read(segment.size(), read);
    if let Some(error) = failed.into_inner() {
        return Err(error);
    }
    let name = segment.name();
    npy.map_err(|why| {
        Error::own("ERR_SHM_CORRUPT", format!("'{name}' is no array: {why}")).about(name.as_str())
    })
}

/// The elements of a `.npy` file of `size` bytes, which begins with `head`; where they begin.
///
/// # Errors
/// `ERR_SHM_NOT_AN_ARRAY`, `ERR_SHM_CORRUPT`, `ERR_SHM_DTYPE`, `ERR_SHM_SIZE`.
pub fn of_file(head: &[u8], size: usize, file: &str) -> Result<Location> {
    let read = |at: usize, len: usize| head.get(at..at + len).map(<[u8]>::to_vec);
    let npy = Npy::read(size, read)
        .map_err(|why| Error::own("ERR_SHM_CORRUPT", format!("{file} is damaged: {why}")))?
        .ok_or_else(|| Error::own("ERR_SHM_NOT_AN_ARRAY", format!("{file} is no .npy file")))?;
    let location = Location::dense(dtype_of(&npy, file)?, npy.shape, npy.fortran, npy.start);
    let needed = location.start.saturating_add(location.bytes());
    if size < needed {
        let Location { dtype, shape, .. } = &location;
        let message = format!("{dtype} of shape {shape:?} needs {needed} bytes, and {file} has {size}");
        return Err(Error::own("ERR_SHM_SIZE", message));
    }
    Ok(location)
}

/// The type that a header says. Error messages name `place`, where it is.
fn dtype_of(npy: &Npy, place: &str) -> Result<DType> {
    let refuse = |what: &str, why: &str| {
        Error::own("ERR_SHM_DTYPE", format!("the elements of {place} are {what}, and must be {why}"))
    };
    let Some(descr) = npy.descr.as_str() else {
        return Err(refuse("a record", "one type, and no record of several"));
    };
    let dtype = DType::parse(descr).map_err(|_| refuse(&format!("{descr:?}"), &DType::expected(descr)))?;
    let dimensions = npy.shape.len();
    let why = if dimensions > DIMENSIONS_MAX {
        format!("shape has {dimensions} dimensions, and {DIMENSIONS_MAX} are the most there can be")
    } else if count(&npy.shape).is_ok_and(|count| count < 1 << 53) {
        return Ok(dtype); // as many as JavaScript can count
    } else {
        format!("shape {:?} has too many elements", npy.shape)
    };
    Err(Error::own("ERR_SHM_CORRUPT", format!("{place} is no array: {why}")))
}

/// The strides of elements that lie one after the other.
pub fn strides_of(shape: &[usize], fortran: bool) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut next: isize = 1;
    let mut put = |axis: usize| {
        strides[axis] = next;
        // Of an array without elements no stride is ever used.
        next = next.saturating_mul(isize::try_from(shape[axis].max(1)).unwrap_or(isize::MAX));
    };
    if fortran {
        (0..shape.len()).for_each(&mut put);
    } else {
        (0..shape.len()).rev().for_each(&mut put);
    }
    strides
}

/// Whether elements lie one after the other in this order. Dimensions of one index have no say, as in numpy.
pub(super) fn is_dense(shape: &[usize], strides: &[isize], fortran: bool) -> bool {
    let dense = strides_of(shape, fortran);
    shape.contains(&0)
        || (shape.iter().zip(strides).zip(&dense)).all(|((len, stride), dense)| stride == dense || *len == 1)
}
