//! What `attach` of an array is told: by its arguments, and by a descriptor. The engine finds the elements.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use shmkit::array::Location;

use crate::descriptor::Target;
use crate::numpy::{dtype_of, out_of_range, shape_of, shown};

/// What a descriptor says of the elements; `None` if it says nothing.
pub(super) fn described(py: Python<'_>, target: &Target<'_>) -> PyResult<Option<Location>> {
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
