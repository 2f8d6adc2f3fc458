//! Where the elements of an array lie in a segment: by its header, its descriptor or the caller.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use shmkit::array::{DType, npy};
use shmkit::segment::Segment;
use shmkit::{Error, Result};

use crate::descriptor::Target;
use crate::errors::Raise;
use crate::expectation::{TypeExpectation, refuse_mismatch};
use crate::numpy::{dtype_of, elements_of, out_of_range, shape_of, shown};
use crate::view;

/// The type of an array, and the location of its elements in a segment.
#[derive(Debug, Clone)]
pub(super) struct Location {
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Elements from one index to the next, by dimension.
    pub(super) strides: Vec<isize>,
    /// The element that all indexes 0 lead to.
    pub(super) offset: usize,
    /// Bytes before element 0.
    pub(super) start: usize,
}

/// What a caller of `attach` expects of the array.
pub(super) struct Expectation {
    pub(super) kind: TypeExpectation,
    pub(super) fortran: Option<bool>,
    /// Bytes.
    pub(super) offset: Option<usize>,
    /// Whether there must be one, or must not.
    pub(super) header: Option<bool>,
}

impl Location {
    /// Elements one after the other.
    pub(super) fn dense(dtype: DType, shape: Vec<usize>, fortran: bool, start: usize) -> Self {
        let strides = strides_of(&shape, fortran);
        Location { dtype, shape, strides, offset: 0, start }
    }

    /// How many elements.
    pub(super) fn len(&self) -> usize {
        elements_of(&self.shape).unwrap_or(0) // they can be counted
    }

    pub(super) fn bytes(&self) -> usize {
        self.len().saturating_mul(self.dtype.item_size())
    }

    /// The byte at which the element is that all indexes 0 lead to.
    pub(super) fn first_byte(&self) -> usize {
        self.start + self.offset * self.dtype.item_size()
    }

    /// As numpy has them.
    pub(super) fn strides_in_bytes(&self) -> Vec<isize> {
        let size = self.dtype.item_size().cast_signed();
        self.strides.iter().map(|stride| stride.saturating_mul(size)).collect()
    }

    /// Whether the elements lie one after the other in this order. Dimensions of one index have no say, as in numpy.
    pub(super) fn is_dense(&self, fortran: bool) -> bool {
        let dense = strides_of(&self.shape, fortran);
        self.len() == 0
            || (self.shape.iter().zip(&self.strides).zip(&dense))
                .all(|((len, stride), dense)| stride == dense || *len == 1)
    }

    /// Refuses it where not all of it is inside of the segment.
    fn within(self, segment: &Segment) -> Result<Self> {
        let refuse =
            |message: String| Err(Error::own("ERR_SHM_SIZE", message).about(segment.name().as_str()));
        let (name, size) = (segment.name().as_str(), segment.size());
        let (dtype, shape, start) = (self.dtype, shown(&self.shape), self.start);
        let reach = |ahead: bool| {
            let axes = self.shape.iter().zip(&self.strides).filter(|(_, stride)| (**stride >= 0) == ahead);
            axes.filter(|_| self.len() > 0).try_fold(self.offset as i128, |at, (len, stride)| {
                at.checked_add((*len as i128 - 1).checked_mul(*stride as i128)?)
            })
        };
        if reach(false).is_none_or(|least| least < 0) {
            let strides = shown(&self.strides);
            let offset = self.offset;
            return refuse(format!(
                "shape {shape} with strides {strides} from element {offset} on begins before '{name}' does"
            ));
        }
        let end = match self.len() {
            0 => Some(self.offset as i128),
            // At least as many as there are elements: with strides of 0, a descriptor could say that a few bytes are
            // billions of them.
            len => reach(true).and_then(|most| Some(most.checked_add(1)?.max(len as i128))),
        };
        let needed = end
            .and_then(|end| end.checked_mul(dtype.item_size() as i128)?.checked_add(start as i128))
            .filter(|needed| *needed <= size as i128);
        if needed.is_none() {
            let needed = end.map_or_else(
                || "more".to_owned(),
                |end| end.saturating_mul(dtype.item_size() as i128).saturating_add(start as i128).to_string(),
            );
            return refuse(format!(
                "{dtype} of shape {shape} from byte {start} on needs {needed} bytes, and '{name}' has {size}"
            ));
        }
        Ok(self)
    }

    /// Fails with `ERR_SHM_MISMATCH` if it is not what the caller expects.
    fn check_matches(self, name: &str, expectation: &Expectation) -> Result<Self> {
        let mut differences = Vec::new();
        if expectation.header == Some(false) {
            differences.push("its descriptor says where it is, and header is 'none'".to_owned());
        }
        differences.extend(expectation.kind.differences(self.dtype, &self.shape));
        if let Some(fortran) = expectation.fortran.filter(|fortran| !self.is_dense(*fortran)) {
            differences.push(format!("its order is not '{}'", if fortran { "F" } else { "C" }));
        }
        if let Some(offset) = expectation.offset.filter(|offset| *offset != self.start) {
            differences.push(format!("its elements begin at byte {}, not {offset}", self.start));
        }
        refuse_mismatch(name, "array", &differences)?;
        Ok(self)
    }
}

/// The strides of elements that lie one after the other.
fn strides_of(shape: &[usize], fortran: bool) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut next: isize = 1;
    let mut lay = |axis: usize| {
        strides[axis] = next;
        // Of an array without elements no stride is ever used.
        next = next.saturating_mul(isize::try_from(shape[axis].max(1)).unwrap_or(isize::MAX));
    };
    if fortran {
        (0..shape.len()).for_each(&mut lay)
    } else {
        (0..shape.len()).rev().for_each(&mut lay)
    }
    strides
}

/// Where the array of a segment is.
pub(super) fn locate(
    py: Python<'_>,
    segment: &Segment,
    target: &Target<'_>,
    expectation: Expectation,
) -> PyResult<Location> {
    let name = segment.name().as_str();
    if let Some(described) = described(py, target)? {
        return described
            .within(segment)
            .and_then(|location| location.check_matches(name, &expectation))
            .raise(py);
    }
    let bare = expectation.header == Some(false) || expectation.offset.is_some();
    if bare && expectation.header == Some(true) {
        let message = "offset is for segments without a header, and header is 'npy'";
        return Err(PyValueError::new_err(message));
    }
    let header = if bare { None } else { header_of(segment).raise(py)? };
    if let Some(location) = header {
        return location
            .within(segment)
            .and_then(|location| location.check_matches(name, &expectation))
            .raise(py);
    }
    let (Some(shape), Some(dtype), None | Some(false)) =
        (expectation.kind.shape, expectation.kind.dtype, expectation.header)
    else {
        let advice = match expectation.header {
            Some(true) => "attach without that argument",
            _ => "say what is in it: shape=, dtype=",
        };
        let what = if bare { "is to be read without a header" } else { "does not begin with a .npy header" };
        let message = format!("'{name}' {what}; {advice}");
        return Err(Error::own("ERR_SHM_NOT_AN_ARRAY", message).about(name)).raise(py);
    };
    let start = expectation.offset.unwrap_or(0);
    if !start.is_multiple_of(dtype.item_size()) {
        let message =
            format!("offset must be a multiple of {} bytes ({dtype}), not {start}", dtype.item_size());
        return Err(out_of_range(py, message));
    }
    Location::dense(dtype, shape, expectation.fortran.unwrap_or(false), start).within(segment).raise(py)
}

/// What a descriptor says; `None` if it says nothing.
fn described(py: Python<'_>, target: &Target<'_>) -> PyResult<Option<Location>> {
    let Some(shape) = target.get::<Bound<'_, PyAny>>("shape")? else { return Ok(None) };
    let shape = shape_of(&shape)?;
    let dtype = dtype_of(&target.required("dtype")?)?;
    let strides: Vec<isize> = target.required("strides")?;
    if strides.len() != shape.len() {
        let message = format!("the descriptor has {} strides for shape {}", strides.len(), shown(&shape));
        return Err(PyValueError::new_err(message));
    }
    let (offset, start): (usize, usize) = (target.required("offset")?, target.required("byteOffset")?);
    let size = dtype.item_size();
    if !start.is_multiple_of(size) {
        let message =
            format!("the descriptor's byteOffset must be a multiple of {size} ({dtype}), not {start}");
        return Err(out_of_range(py, message));
    }
    Ok(Some(Location { dtype, shape, strides, offset, start }))
}

/// What its header says; `None` if it has none.
fn header_of(segment: &Segment) -> Result<Option<Location>> {
    let name = segment.name().as_str();
    let own = |code, message: String| Error::own(code, message).about(name);
    let read = |at, len| view::read(segment, at, len).ok().flatten();
    let Some(header) = npy::read(segment.size(), read) else { return Ok(None) };
    let damaged = |why: &str| own("ERR_SHM_CORRUPT", format!("'{name}' is no array: {why}"));
    let (header, start) = header.map_err(damaged)?;
    let no_type = |what: &str, why: &str| {
        own("ERR_SHM_DTYPE", format!("the elements of '{name}' are {what}, and must be {why}"))
    };
    let descr = header.descr.ok_or_else(|| no_type("a record", "of one type"))?;
    let dtype = DType::parse(&descr).map_err(|_| {
        let why = if descr.starts_with('>') {
            "in this machine's byte order".to_owned()
        } else {
            format!("one of {}", DType::ALL.map(DType::name).join(", "))
        };
        no_type(&format!("'{descr}'"), &why)
    })?;
    if elements_of(&header.shape).is_none_or(|count| isize::try_from(count).is_err()) {
        return Err(damaged(&format!("shape {} has too many elements", shown(&header.shape))));
    }
    let size = dtype.item_size();
    if !start.is_multiple_of(size) {
        let what = format!(
            "the elements of '{name}' begin at byte {start}, which is no multiple of {size} ({dtype})"
        );
        return Err(own(
            "ERR_SHM_ALIGNMENT",
            format!("{what}; numpy writes headers of a multiple of 64 bytes"),
        ));
    }
    Ok(Some(Location::dense(dtype, header.shape, header.fortran, start)))
}
