//! Arrays: the bulk work. A view crosses as one `Float64Array`, its geometry: the type's place in `array_types`, how many
//! elements lie between the segment's first byte and the view's first element, the shape, and as many strides.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::array::location::{self, header_of};
use shmkit::array::npy::{self, Npy};
use shmkit::array::{DType, Expectation, Location, Scalar, View};
use shmkit::bytes::SharedBytes;
use shmkit::segment::{CreateOptions, Segment};
use shmkit::sys::file;

use crate::errors::{to_js, to_rejection};
use crate::segment::{Handle, Made, NativeSegment, create_options, private_bytes, size_from, uint8_array};

type Outcome<T> = std::result::Result<T, shmkit::Error>;
/// A value on its way in or out. Those of 64-bit integers go out as `BigInt`.
#[napi]
pub type ArrayValue = Either<f64, BigInt>;

/// The bytes of a file that are read at a time.
const CHUNK: usize = 1 << 20;

/// A type of elements.
#[napi(object)]
pub struct ArrayType {
    /// numpy's name.
    pub name: String,
    /// What numpy writes into headers.
    pub typestr: String,
    /// Bytes of one element.
    pub item_size: u32,
}

/// All of them.
#[napi]
pub fn array_types() -> Vec<ArrayType> {
    let facts = |dtype: DType| ArrayType {
        name: dtype.name().to_owned(),
        typestr: dtype.typestr().to_owned(),
        item_size: dtype.item_size() as u32,
    };
    DType::ALL.into_iter().map(facts).collect()
}

/// The place in `array_types` of the type that numpy writes so.
#[napi]
pub fn parse_array_type(env: Env, text: String) -> Result<u32> {
    let dtype = DType::parse(&text).map_err(|error| to_js(&env, error))?;
    Ok(number_of(dtype))
}

/// Where the elements of a segment are: by `described`, which a descriptor said, or its header, or what is expected. A location
/// crosses as numbers: the type's place in `array_types`, bytes before element 0, the element that all indexes 0 lead to, the
/// shape, and as many strides in elements.
#[napi(ts_return_type = "Float64Array")]
pub fn locate_array(
    env: Env,
    segment: &Handle,
    described: Option<&[f64]>,
    dtype: Option<u32>,
    shape: Option<Vec<f64>>,
    fortran: Option<bool>,
    offset: Option<f64>,
    header: Option<bool>,
) -> Result<Float64Array> {
    let find = || {
        let expected = Expectation {
            dtype: dtype.map(|at| dtype_at(f64::from(at))).transpose()?,
            shape: shape.map(|shape| shape.into_iter().map(size_from).collect()),
            fortran,
            offset: offset.map(size_from),
            header,
        };
        let described = described.map(location_from).transpose()?;
        Location::find(fresh(segment)?, described, &expected)
    };
    let location = find().map_err(|error| to_js(&env, segment.about(error)))?;
    Ok(numbers_of(&location).into())
}

fn number_of(dtype: DType) -> u32 {
    DType::ALL.iter().position(|one| *one == dtype).unwrap_or_default() as u32
}

fn dtype_at(place: f64) -> Outcome<DType> {
    DType::ALL.get(size_from(place)).copied().ok_or_else(malformed)
}

/// The segment, of which a read-only handle sees what others have written since.
fn fresh(segment: &Handle) -> Outcome<&Segment> {
    let open = segment.open()?;
    open.refresh()?;
    Ok(open)
}

fn location_from(numbers: &[f64]) -> Outcome<Location> {
    let [dtype, start, offset, axes @ ..] = numbers else { return Err(malformed()) };
    let (shape, strides) = axes.split_at(axes.len() / 2);
    Ok(Location {
        dtype: dtype_at(*dtype)?,
        shape: shape.iter().map(|length| size_from(*length)).collect(),
        strides: strides.iter().map(|stride| *stride as isize).collect(),
        offset: size_from(*offset),
        start: size_from(*start),
    })
}

fn numbers_of(Location { dtype, shape, strides, offset, start }: &Location) -> Vec<f64> {
    let shape = shape.iter().map(|length| *length as f64);
    let strides = strides.iter().map(|stride| *stride as f64);
    [f64::from(number_of(*dtype)), *start as f64, *offset as f64]
        .into_iter()
        .chain(shape)
        .chain(strides)
        .collect()
}

/// What a `.npy` header says.
#[napi(object)]
pub struct NpyFacts {
    /// numpy's description of the type, as JSON.
    pub descr: String,
    /// Whether the first index goes from element to element.
    pub fortran: bool,
    /// How long each dimension is.
    pub shape: Vec<f64>,
    /// Where the elements begin, in bytes.
    pub start: f64,
}

/// The `.npy` header of a segment; null if it does not begin with one.
#[napi]
pub fn npy_of_segment(env: Env, segment: &Handle) -> Result<Option<NpyFacts>> {
    let npy = fresh(segment).and_then(header_of).map_err(|error| to_js(&env, segment.about(error)))?;
    Ok(npy.map(|Npy { descr, fortran, shape, start }| NpyFacts {
        descr: descr.to_string(),
        fortran,
        shape: shape.into_iter().map(|length| length as f64).collect(),
        start: start as f64,
    }))
}

/// Where the elements of a `.npy` file of `size` bytes are, as in `locate_array`; `head` are its first bytes.
#[napi(ts_return_type = "Float64Array")]
pub fn locate_in_file(env: Env, head: &[u8], size: f64, file: String) -> Result<Float64Array> {
    let location = location::of_file(head, size_from(size), &file).map_err(|error| to_js(&env, error))?;
    Ok(numbers_of(&location).into())
}

/// The header that numpy writes before such an array.
#[napi]
pub fn npy_header_for(env: Env, dtype: u32, fortran: bool, shape: Vec<f64>) -> Result<Buffer> {
    let dtype = dtype_at(f64::from(dtype)).map_err(|error| to_js(&env, error))?;
    let shape: Vec<usize> = shape.into_iter().map(size_from).collect();
    Ok(npy::write(dtype, fortran, &shape).into())
}

/// The longest header that is read, and the bytes before it.
#[napi(object)]
pub struct NpyConstants {
    /// Bytes of a file that have all of the header.
    pub head: u32,
}

/// The same everywhere.
#[napi]
pub fn npy_constants() -> NpyConstants {
    NpyConstants { head: (npy::PREAMBLE + npy::HEADER_MAX) as u32 }
}

/// Makes a segment of `size` bytes that begins with `header` and then `contents`, published whole.
#[napi(
    ts_args_type = "size: number, header: Uint8Array, contents: Uint8Array, name: string | undefined | null, mode: number, reserve: boolean, populate: boolean, track: boolean"
)]
pub fn create_array(
    env: Env,
    size: f64,
    header: Unknown<'_>,
    contents: Unknown<'_>,
    name: Option<String>,
    mode: u32,
    reserve: bool,
    populate: bool,
    track: bool,
) -> Result<Handle> {
    let (header, contents) = (uint8_array(&env, &header)?, uint8_array(&env, &contents)?);
    let create = || {
        let options = create_options(name, mode, reserve, populate, track)?;
        let cancelled = AtomicBool::new(false);
        let size = size_from(size);
        if header.1 + contents.1 == 0 {
            return Segment::create(size, &options, &cancelled);
        }
        Segment::create_with(size, &options, &cancelled, |bytes| {
            // SAFETY: both arrays are alive for this call; their bytes may be shared, which the copy allows.
            let copied = unsafe {
                bytes
                    .copy_from(0, header.0, header.1)
                    .and_then(|()| bytes.copy_from(header.1, contents.0, contents.1))
            };
            copied.ok_or_else(malformed)
        })
    };
    create().map(|segment| NativeSegment::handle(segment, None)).map_err(|error| to_js(&env, error))
}

/// Opens the segment of this name, or makes one of `size` bytes that begins with `header`.
#[napi]
pub fn create_or_attach_array(
    env: Env,
    name: String,
    size: f64,
    header: &[u8],
    mode: u32,
    populate: bool,
    track: bool,
) -> Result<Handle> {
    let open = || {
        let options = create_options(Some(name), mode, true, populate, track)?;
        let fill = |bytes: SharedBytes<'_>| bytes.store(0, header).ok_or_else(malformed);
        Segment::create_or_attach_with(size_from(size), &options, fill)
    };
    open().map(|segment| NativeSegment::handle(segment, None)).map_err(|error| to_js(&env, error))
}

/// Makes a segment that begins with `header`, and then what `path` has from `from` on until `size` bytes are full.
/// On a thread of the pool.
#[napi(ts_return_type = "Promise<ExternalObject<NativeSegment>>")]
pub fn load_array(
    env: Env,
    size: f64,
    header: &[u8],
    path: String,
    from: f64,
    name: Option<String>,
    mode: u32,
    populate: bool,
    track: bool,
) -> Result<AsyncTask<LoadTask>> {
    let options = create_options(name, mode, true, populate, track).map_err(|error| to_js(&env, error))?;
    let (size, from) = (size_from(size), size_from(from) as u64);
    Ok(AsyncTask::new(LoadTask { size, header: header.to_vec(), path, from, options }))
}

/// A creation from a file, off the event loop's thread.
pub struct LoadTask {
    size: usize,
    header: Vec<u8>,
    path: String,
    from: u64,
    options: CreateOptions,
}

impl LoadTask {
    fn load(&self) -> Outcome<Segment> {
        let file = file::open(Path::new(&self.path)).map_err(|error| self.unreadable(&error))?;
        Segment::create_with(self.size, &self.options, &AtomicBool::new(false), |bytes| {
            bytes.store(0, &self.header).ok_or_else(malformed)?;
            let mut buffer = vec![0; CHUNK];
            let mut at = self.header.len();
            while at < self.size {
                let chunk = &mut buffer[..CHUNK.min(self.size - at)];
                let offset = self.from + (at - self.header.len()) as u64;
                file::read_exact_at(&file, chunk, offset).map_err(|error| self.unreadable(&error))?;
                bytes.store(at, chunk).ok_or_else(malformed)?;
                at += chunk.len();
            }
            Ok(())
        })
    }

    fn unreadable(&self, error: &std::io::Error) -> shmkit::Error {
        shmkit::Error::own("ERR_SHM_FILE", format!("{} cannot be read: {error}", self.path))
    }
}

impl Task for LoadTask {
    type Output = Outcome<Segment>;
    type JsValue = Made;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(self.load())
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> Result<Made> {
        output.map(Made::new).map_err(|error| to_rejection(&env, error))
    }
}

/// All elements become `value`.
#[napi]
pub fn array_fill(env: Env, segment: &Handle, geometry: &[f64], value: ArrayValue) -> Result<()> {
    on(env, segment, geometry, |view| view.fill(scalar(value)?))
}

/// All elements are multiplied by `factor`.
#[napi]
pub fn array_scale(env: Env, segment: &Handle, geometry: &[f64], factor: ArrayValue) -> Result<()> {
    on(env, segment, geometry, |view| view.scale(scalar(factor)?))
}

/// `value` is added to all elements.
#[napi]
pub fn array_add_number(env: Env, segment: &Handle, geometry: &[f64], value: ArrayValue) -> Result<()> {
    on(env, segment, geometry, |view| view.add_scalar(scalar(value)?))
}

/// The sum of all elements.
#[napi]
pub fn array_sum(env: Env, segment: &Handle, geometry: &[f64]) -> Result<ArrayValue> {
    on(env, segment, geometry, |view| Ok(number(view, view.sum())))
}

/// Their mean.
#[napi]
pub fn array_mean(env: Env, segment: &Handle, geometry: &[f64]) -> Result<f64> {
    on(env, segment, geometry, |view| Ok(view.mean()))
}

/// The least of them.
#[napi]
pub fn array_min(env: Env, segment: &Handle, geometry: &[f64]) -> Result<ArrayValue> {
    on(env, segment, geometry, |view| Ok(number(view, view.min()?)))
}

/// The greatest of them.
#[napi]
pub fn array_max(env: Env, segment: &Handle, geometry: &[f64]) -> Result<ArrayValue> {
    on(env, segment, geometry, |view| Ok(number(view, view.max()?)))
}

/// Where the least is, in C order.
#[napi]
pub fn array_argmin(env: Env, segment: &Handle, geometry: &[f64]) -> Result<f64> {
    on(env, segment, geometry, |view| Ok(view.argmin()? as f64))
}

/// Where the greatest is, in C order.
#[napi]
pub fn array_argmax(env: Env, segment: &Handle, geometry: &[f64]) -> Result<f64> {
    on(env, segment, geometry, |view| Ok(view.argmax()? as f64))
}

/// The dot product of two views.
#[napi]
pub fn array_dot(
    env: Env,
    segment: &Handle,
    geometry: &[f64],
    other: &Handle,
    others: &[f64],
) -> Result<ArrayValue> {
    on_both(env, (segment, geometry), (other, others), |view, other| Ok(number(view, view.dot(other)?)))
}

/// The elements of another view are added.
#[napi]
pub fn array_add(env: Env, segment: &Handle, geometry: &[f64], other: &Handle, others: &[f64]) -> Result<()> {
    on_both(env, (segment, geometry), (other, others), |view, other| view.add(other))
}

/// The elements become those of another view.
#[napi]
pub fn array_copy(
    env: Env,
    segment: &Handle,
    geometry: &[f64],
    other: &Handle,
    others: &[f64],
) -> Result<()> {
    on_both(env, (segment, geometry), (other, others), |view, other| view.copy_from(other))
}

/// The elements become those of private memory, which has them in C order.
#[napi(ts_args_type = "segment: ExternalObject<NativeSegment>, geometry: Float64Array, source: Uint8Array")]
pub fn array_copy_in(env: Env, segment: &Handle, geometry: &[f64], source: Unknown<'_>) -> Result<()> {
    let (bytes, skipped) = private_bytes(&env, &source)?;
    on(env, segment, geometry, |view| view.copy_from(&in_c_order(view, bytes, skipped)?))
}

/// Copies the elements to private memory, in C order.
#[napi(ts_args_type = "segment: ExternalObject<NativeSegment>, geometry: Float64Array, target: Uint8Array")]
pub fn array_copy_out(env: Env, segment: &Handle, geometry: &[f64], target: Unknown<'_>) -> Result<()> {
    let (bytes, skipped) = private_bytes(&env, &target)?;
    on(env, segment, geometry, |view| in_c_order(view, bytes, skipped)?.copy_from(view))
}

/// A view of the same type and shape on private memory.
fn in_c_order<'a>(view: &View<'_>, bytes: SharedBytes<'a>, skipped: usize) -> Outcome<View<'a>> {
    let size = view.dtype().item_size();
    if !skipped.is_multiple_of(size) {
        return Err(malformed());
    }
    View::contiguous(bytes, view.dtype(), view.shape().to_vec(), skipped / size)
}

fn on<T>(
    env: Env,
    segment: &Handle,
    geometry: &[f64],
    kernel: impl FnOnce(&View<'_>) -> Outcome<T>,
) -> Result<T> {
    let run = || kernel(&view_of(segment, geometry)?);
    run().map_err(|error| to_js(&env, segment.about(error)))
}

fn on_both<T>(
    env: Env,
    (segment, geometry): (&Handle, &[f64]),
    (other, others): (&Handle, &[f64]),
    kernel: impl FnOnce(&View<'_>, &View<'_>) -> Outcome<T>,
) -> Result<T> {
    let run = || {
        other.open()?;
        // By one mapping where it is one segment, for kernels tell by addresses whether views overlap.
        let source = if segment.id() == other.id() { segment } else { other };
        kernel(&view_of(segment, geometry)?, &view_of(source, others)?)
    };
    run().map_err(|error| to_js(&env, segment.about(error)))
}

fn view_of<'a>(segment: &'a Handle, geometry: &[f64]) -> Outcome<View<'a>> {
    let bytes = segment.open()?.mapping()?.bytes();
    let [dtype, offset, axes @ ..] = geometry else { return Err(malformed()) };
    let dtype = dtype_at(*dtype)?;
    let (shape, strides) = axes.split_at(axes.len() / 2);
    let shape = shape.iter().map(|len| size_from(*len)).collect();
    let strides = strides.iter().map(|stride| *stride as isize).collect(); // saturating
    View::new(bytes, dtype, shape, strides, size_from(*offset))
}

fn scalar(value: ArrayValue) -> Outcome<Scalar> {
    Ok(match value {
        Either::A(value) => Scalar::Float(value),
        Either::B(value) => {
            let (int, lossless) = value.get_i128();
            let message = || shmkit::Error::range("ERR_OUT_OF_RANGE", "the integer has more than 128 bits");
            Scalar::Int(lossless.then_some(int).ok_or_else(message)?)
        }
    })
}

fn number(view: &View<'_>, value: Scalar) -> ArrayValue {
    match value {
        Scalar::Int(value) if matches!(view.dtype(), DType::Int64 | DType::Uint64) => {
            Either::B(BigInt::from(value))
        }
        Scalar::Int(value) => Either::A(value as f64),
        Scalar::Float(value) => Either::A(value),
        Scalar::Bool(value) => Either::A(f64::from(u8::from(value))),
    }
}

fn malformed() -> shmkit::Error {
    shmkit::Error::own("ERR_INVALID_ARG_VALUE", "the array's description does not fit together")
}
