//! Arrays: the bulk work. A view crosses as one `Float64Array`, its geometry: the type's place in `array_types`, how many
//! elements lie between the segment's first byte and the view's first element, the shape, and as many strides.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::array::{DType, Scalar, View};
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

/// Whether all elements of the view are inside of the segment; throws where they are not.
#[napi]
pub fn array_check(env: Env, segment: &Handle, geometry: &[f64]) -> Result<()> {
    on(env, segment, geometry, |_| Ok(()))
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
    let dtype = DType::ALL.get(size_from(*dtype)).copied().ok_or_else(malformed)?;
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
