//! An array that Node and numpy have too, in place.

mod described;

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use shmkit::array::{Expectation, Location, npy};
use shmkit::descriptor::ObjectKind;
use shmkit::segment::{AttachOptions, Segment};

use crate::descriptor::Target;
use crate::errors::Raise;
use crate::memory::{Open, SharedMemory};
use crate::numpy::{array_over, dtype_of, is_fortran, out_of_range, shape_of, shown, tuple};
use crate::opening::create_options;
use crate::shared_object::{Opened, Reduced, SharedObject, reduce, shared_object_methods};
use crate::view;
use described::described;

/// An n-dimensional array of numbers in shared memory: any process reads and writes its elements in place.
#[pyclass(frozen, module = "shmkit", weakref)]
pub(crate) struct SharedArray {
    /// The segment that it lies in.
    #[pyo3(get)]
    shm: Py<SharedMemory>,
    location: Location,
    foreign: bool,
    /// numpy's, once it was indexed.
    indexed: Mutex<Option<Py<PyAny>>>,
}

impl SharedArray {
    fn new(py: Python<'_>, segment: Segment, location: Location, foreign: bool) -> PyResult<Self> {
        let shm = Py::new(py, SharedMemory::new(segment))?;
        Ok(SharedArray { shm, location, foreign, indexed: Mutex::new(None) })
    }

    fn indexed(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.indexed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The array as numpy has it.
    fn array<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let (py, this) = (slf.py(), slf.get());
        this.shm.get().segment(py)?; // it is open
        let known = this.indexed().as_ref().map(|array| array.clone_ref(py));
        if let Some(known) = known {
            return Ok(known.into_bound(py));
        }
        let array = array_over(slf)?;
        let fresh = array.clone().unbind();
        let before = this.indexed().replace(fresh);
        drop(before); // no longer under the lock
        Ok(array)
    }
}

impl SharedObject for SharedArray {
    const KIND: ObjectKind = ObjectKind::Array;
    type State = Open;

    fn opened(&self) -> &Opened<Open> {
        self.shm.get().opened()
    }

    fn release(&self) {
        self.shm.get().release();
        let indexed = self.indexed().take();
        drop(indexed); // no longer under the lock
    }

    fn add_details(&self, details: &Bound<'_, PyDict>) -> PyResult<()> {
        let location = &self.location;
        self.shm.get().add_details(details)?;
        details.set_item("dtype", location.dtype.name())?;
        details.set_item("shape", location.shape.as_slice())?;
        details.set_item("strides", location.strides.as_slice())?;
        details.set_item("offset", location.offset)?;
        details.set_item("byteOffset", location.start)
    }

    fn notes(&self, _py: Python<'_>) -> String {
        let state = match (self.is_closed(), self.read_only()) {
            (true, _) => ", closed",
            (false, true) => ", read-only",
            (false, false) => "",
        };
        format!(", {} of shape {}{state}", self.location.dtype, shown(&self.location.shape))
    }
}

shared_object_methods!(
    SharedArray,
    "Closes this handle. Arrays that numpy made of it are not disturbed.",
    adopt
);

/// Whether there is one.
fn has_header(header: &str) -> PyResult<bool> {
    match header {
        "npy" => Ok(true),
        "none" => Ok(false),
        _ => Err(PyValueError::new_err(format!("header must be 'npy' or 'none', not '{header}'"))),
    }
}

#[pymethods]
impl SharedArray {
    /// Makes an array of zeros. With the header 'npy' the segment begins as numpy's files do, and `numpy.load` opens it
    /// in place; with 'none' it is nothing but elements.
    #[staticmethod]
    #[pyo3(signature = (
        shape, dtype = None, order = "C", header = "npy", *, name = None, mode = 0o600, track = true,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn create(
        py: Python<'_>,
        shape: &Bound<'_, PyAny>,
        dtype: Option<&Bound<'_, PyAny>>,
        order: &str,
        header: &str,
        name: Option<&str>,
        mode: u32,
        track: bool,
    ) -> PyResult<Self> {
        let shape = shape_of(shape)?;
        let dtype = dtype.map_or(Ok(shmkit::array::DType::Float64), dtype_of)?;
        let (fortran, with_header) = (is_fortran(order)?, has_header(header)?);
        let dense = Location::dense(dtype, shape, fortran, 0);
        // What is both is C, as in numpy.
        let header = if with_header {
            npy::write(dtype, fortran && !dense.is_dense(false), &dense.shape)
        } else {
            Vec::new()
        };
        let location = Location { start: header.len(), ..dense };
        let size = location.start.checked_add(location.bytes()).filter(|size| isize::try_from(*size).is_ok());
        let size = size.ok_or_else(|| {
            out_of_range(py, format!("{dtype} of shape {} is more than there can be", shown(&location.shape)))
        })?;
        let options = create_options(py, name, mode, track)?;
        // No segment is empty.
        let make = || {
            Segment::create_with(size.max(1), &options, &AtomicBool::new(false), |bytes| {
                bytes
                    .store(0, &header)
                    .ok_or_else(|| shmkit::Error::own("ERR_SHM_SIZE", "no room for a header"))
            })
        };
        let segment = py.detach(make).raise(py)?;
        Self::new(py, segment, location, false)
    }

    /// An existing array, by its name or by a descriptor: the header says what it is, or the descriptor, or else `shape`
    /// and `dtype`. Of another user only if `foreign`.
    #[staticmethod]
    #[pyo3(signature = (
        target, *, read_only = None, foreign = false,
        shape = None, dtype = None, order = None, offset = None, header = None,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn attach(
        py: Python<'_>,
        target: &Bound<'_, PyAny>,
        read_only: Option<bool>,
        foreign: bool,
        shape: Option<&Bound<'_, PyAny>>,
        dtype: Option<&Bound<'_, PyAny>>,
        order: Option<&str>,
        offset: Option<usize>,
        header: Option<&str>,
    ) -> PyResult<Self> {
        let expected = Expectation {
            dtype: dtype.map(dtype_of).transpose()?,
            shape: shape.map(shape_of).transpose()?,
            fortran: order.map(is_fortran).transpose()?,
            offset,
            header: header.map(has_header).transpose()?,
        };
        let target = Target::of(target, ObjectKind::Array)?;
        let access = target.access(read_only)?;
        let options = AttachOptions { access, foreign, expect: target.id, ..AttachOptions::default() };
        let segment = py.detach(|| Segment::attach(&target.name, &options)).raise(py)?;
        let location = Location::find(&segment, described(py, &target)?, &expected).raise(py)?;
        Self::new(py, segment, location, foreign)
    }

    /// The very array that was pickled.
    #[staticmethod]
    fn _attach_again(py: Python<'_>, descriptor: &Bound<'_, PyAny>, foreign: bool) -> PyResult<Self> {
        Self::attach(py, descriptor, None, foreign, None, None, None, None, None)
    }

    /// Another process attaches to the same array.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        reduce(slf, slf.get().foreign)
    }

    /// The length of each dimension.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, &self.location.shape)
    }

    /// numpy's name of the elements' type.
    #[getter]
    fn dtype(&self) -> &'static str {
        self.location.dtype.name()
    }

    /// Bytes from one index to the next, by dimension.
    #[getter]
    fn strides<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, &self.location.strides_in_bytes())
    }

    #[getter]
    fn ndim(&self) -> usize {
        self.location.shape.len()
    }

    /// How many elements there are.
    #[getter]
    fn size(&self) -> usize {
        self.location.len()
    }

    /// Bytes of all elements.
    #[getter]
    fn nbytes(&self) -> usize {
        self.location.bytes()
    }

    #[getter]
    fn read_only(&self) -> bool {
        self.shm.get().read_only()
    }

    /// So that `numpy.asarray` is the same memory. An array of numpy's stays valid memory, whatever is closed.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (shm, location) = (self.shm.get(), &self.location);
        let segment = shm.segment(py)?;
        let mapping = segment.mapping().raise(py)?;
        let (_, len) = mapping.raw();
        let memory = view::memory(py, mapping, 0..len, shm.read_only(), std::sync::Arc::clone(mapping))?;
        let interface = view::interface(&memory, &location.shape, location.dtype.typestr())?;
        interface.set_item("strides", tuple(py, &location.strides_in_bytes())?)?;
        interface.set_item("offset", location.first_byte())?;
        Ok(interface)
    }

    /// The length of the first dimension.
    fn __len__(&self) -> PyResult<usize> {
        let first = self.location.shape.first().copied();
        first.ok_or_else(|| PyTypeError::new_err("an array without dimensions has no len()"))
    }

    /// As numpy's: an element, or a view of the same memory.
    fn __getitem__<'py>(slf: &Bound<'py, Self>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Self::array(slf)?.get_item(index)
    }

    /// As numpy's.
    fn __setitem__(
        slf: &Bound<'_, Self>,
        index: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        Self::array(slf)?.set_item(index, value)
    }
}
