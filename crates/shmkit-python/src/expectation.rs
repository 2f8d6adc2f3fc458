//! The shape and type that a caller of `attach` expects.

use pyo3::prelude::*;
use shmkit::array::DType;
use shmkit::{Error, Result};

use crate::numpy::{dtype_of, shape_of, shown};

/// As far as he says.
pub(crate) struct TypeExpectation {
    pub(crate) shape: Option<Vec<usize>>,
    pub(crate) dtype: Option<DType>,
}

impl TypeExpectation {
    /// By the arguments of `attach`.
    pub(crate) fn of(shape: Option<&Bound<'_, PyAny>>, dtype: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(TypeExpectation {
            shape: shape.map(shape_of).transpose()?,
            dtype: dtype.map(dtype_of).transpose()?,
        })
    }

    /// What of it is not so.
    pub(crate) fn differences(&self, dtype: DType, shape: &[usize]) -> Vec<String> {
        let mut differences = Vec::new();
        if let Some(wanted) = self.dtype.filter(|wanted| *wanted != dtype) {
            differences.push(format!("its elements are {dtype}, not {wanted}"));
        }
        if let Some(wanted) = self.shape.as_ref().filter(|wanted| **wanted != *shape) {
            differences.push(format!("its shape is {}, not {}", shown(shape), shown(wanted)));
        }
        differences
    }
}

/// `ERR_SHM_MISMATCH`, if there are any.
pub(crate) fn refuse_mismatch(name: &str, what: &str, differences: &[String]) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    let message = format!("'{name}' is another {what}: {}", differences.join("; "));
    Err(Error::own("ERR_SHM_MISMATCH", message).about(name))
}
