//! A segment's handle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use napi::bindgen_prelude::*;
use napi::sys;
use napi_derive::napi;
use shmkit::bytes::SharedBytes;
use shmkit::descriptor::{self, Descriptor};
use shmkit::list::Layout;
use shmkit::segment::{Access, AttachOptions, CreateOptions, Identity, Mapping, Name, Segment};

use crate::buffers;
use crate::errors::{closed, to_js, to_rejection};
use crate::ledger;

type Outcome<T> = std::result::Result<T, shmkit::Error>;

/// A segment and what is known of it, until `close_segment`.
pub struct NativeSegment {
    name: Name,
    id: Identity,
    segment: Option<Segment>,
    /// A private view of it, for those who only read for a while.
    view: Option<Arc<Mapping>>,
    /// Of the list that the segment holds, once that is known.
    pub(crate) layout: Option<Layout>,
}

/// How JavaScript holds one.
#[napi]
pub type Handle = External<NativeSegment>;

impl NativeSegment {
    pub(crate) fn handle(segment: Segment, layout: Option<Layout>) -> Handle {
        External::new(NativeSegment {
            name: segment.name().clone(),
            id: segment.id(),
            segment: Some(segment),
            view: None,
            layout,
        })
    }

    pub(crate) fn open(&self) -> Outcome<&Segment> {
        self.segment.as_ref().ok_or_else(|| closed(self.name.as_str()))
    }

    pub(crate) fn id(&self) -> Identity {
        self.id
    }

    pub(crate) fn about(&self, error: shmkit::Error) -> shmkit::Error {
        error.about(self.name.as_str())
    }
}

pub(crate) fn create_options(
    name: Option<String>,
    mode: u32,
    reserve: bool,
    populate: bool,
    track: bool,
) -> Outcome<CreateOptions> {
    let name = name.as_deref().map(Name::new).transpose()?;
    let owner = if track { ledger::owner()? } else { None };
    Ok(CreateOptions { name, mode, reserve, populate, owner })
}

/// A JavaScript number that the facade has checked.
pub(crate) fn size_from(size: f64) -> usize {
    size as usize // saturating
}

/// Makes a segment of `size` bytes.
#[napi]
pub fn create_segment(
    env: Env,
    size: f64,
    name: Option<String>,
    mode: u32,
    reserve: bool,
    populate: bool,
    track: bool,
) -> Result<Handle> {
    let create = || {
        let options = create_options(name, mode, reserve, populate, track)?;
        Segment::create(size_from(size), &options, &AtomicBool::new(false))
    };
    create().map(|segment| NativeSegment::handle(segment, None)).map_err(|error| to_js(&env, error))
}

/// The same on a thread of the pool.
#[napi(ts_return_type = "Promise<ExternalObject<NativeSegment>>")]
pub fn create_segment_async(
    env: Env,
    size: f64,
    name: Option<String>,
    mode: u32,
    reserve: bool,
    populate: bool,
    track: bool,
    cancel: &CancelFlag,
) -> Result<AsyncTask<CreateTask>> {
    let options = create_options(name, mode, reserve, populate, track).map_err(|error| to_js(&env, error))?;
    Ok(AsyncTask::new(CreateTask { size: size_from(size), options, cancelled: Arc::clone(&cancel.0) }))
}

/// Opens the segment `name`, or only the one of that `id`.
#[napi]
pub fn attach_segment(
    env: Env,
    name: String,
    read_only: bool,
    foreign: bool,
    reserve: bool,
    id: Option<String>,
) -> Result<Handle> {
    let attach = || {
        let expect = expected_id(id)?;
        let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
        Segment::attach(&Name::new(&name)?, &AttachOptions { access, foreign, reserve, expect })
    };
    attach().map(|segment| NativeSegment::handle(segment, None)).map_err(|error| to_js(&env, error))
}

/// Opens the segment `name`, or makes it.
#[napi]
pub fn create_or_attach_segment(
    env: Env,
    name: String,
    size: f64,
    mode: u32,
    reserve: bool,
    populate: bool,
    track: bool,
) -> Result<Handle> {
    let open = || {
        let options = create_options(Some(name), mode, reserve, populate, track)?;
        Segment::create_or_attach(size_from(size), &options)
    };
    open().map(|segment| NativeSegment::handle(segment, None)).map_err(|error| to_js(&env, error))
}

/// Its name.
#[napi]
pub fn segment_name(segment: &Handle) -> &str {
    segment.name.as_str()
}

/// Its bytes; 0 when closed.
#[napi]
pub fn segment_size(segment: &Handle) -> f64 {
    segment.segment.as_ref().map_or(0.0, |segment| segment.size() as f64)
}

/// Whether this handle made it; false when closed.
#[napi]
pub fn segment_created(segment: &Handle) -> bool {
    segment.segment.as_ref().is_some_and(Segment::created)
}

/// What tells it from others that had its name.
#[napi]
pub fn segment_id(segment: &Handle) -> String {
    segment.id.to_string()
}

/// A new buffer over its bytes.
#[napi(ts_return_type = "ArrayBuffer")]
pub fn segment_buffer<'env>(env: &'env Env, segment: &Handle) -> Result<Unknown<'env>> {
    let buffer = || buffers::array_buffer(env, segment.open()?.mapping()?);
    buffer().map_err(|error| to_js(env, segment.about(error)))
}

/// A new shared buffer over a mapping of its own.
#[napi(ts_return_type = "SharedArrayBuffer")]
pub fn segment_shared_buffer<'env>(env: &'env Env, segment: &Handle) -> Result<Unknown<'env>> {
    let buffer = || buffers::shared_array_buffer(env, segment.open()?.map_again()?);
    buffer().map_err(|error| to_js(env, segment.about(error)))
}

/// Copies bytes from `offset` on until `target` is full.
#[napi(ts_args_type = "segment: ExternalObject<NativeSegment>, target: Uint8Array, offset: number")]
pub fn read_segment(env: Env, segment: &Handle, target: Unknown<'_>, offset: f64) -> Result<()> {
    let (start, len) = uint8_array(&env, &target)?;
    let copy = || {
        let open = segment.open()?;
        open.refresh()?;
        // SAFETY: the array is alive for this call, and nothing of ours refers to its bytes.
        unsafe { open.read(size_from(offset), start, len) }?.ok_or_else(out_of_range)
    };
    copy().map_err(|error| to_js(&env, segment.about(error)))
}

/// Copies all of `source` to `offset`.
#[napi(ts_args_type = "segment: ExternalObject<NativeSegment>, source: Uint8Array, offset: number")]
pub fn write_segment(env: Env, segment: &Handle, source: Unknown<'_>, offset: f64) -> Result<()> {
    let (start, len) = uint8_array(&env, &source)?;
    let copy = || {
        let bytes = segment.open()?.mapping()?.bytes();
        // SAFETY: the array is alive for this call; its bytes may be shared, which the copy allows.
        unsafe { bytes.copy_from(size_from(offset), start, len) }.ok_or_else(out_of_range)
    };
    copy().map_err(|error| to_js(&env, segment.about(error)))
}

/// A new buffer over a view of its bytes whose writes reach nobody.
#[napi(ts_return_type = "ArrayBuffer")]
pub fn segment_view<'env>(env: &'env Env, segment: &mut Handle) -> Result<Unknown<'env>> {
    let view = || {
        let view = Arc::new(segment.open()?.map_privately()?);
        Ok((buffers::array_buffer(env, &view)?, view))
    };
    let (buffer, view) = view().map_err(|error| to_js(env, segment.about(error)))?;
    segment.view = Some(view);
    Ok(buffer)
}

/// Lets what only reads show what the segment holds now: a read-only handle, and the view of any.
#[napi]
pub fn refresh_segment(env: Env, segment: &Handle) -> Result<()> {
    let refresh = || {
        segment.open()?.refresh()?;
        segment.view.as_ref().map_or(Ok(()), |view| view.refresh())
    };
    refresh().map_err(|error| to_js(&env, segment.about(error)))
}

/// Detaches `buffer` and `view`, gives the memory back and closes the descriptor. Idempotent.
#[napi(
    ts_args_type = "segment: ExternalObject<NativeSegment>, buffer: ArrayBuffer | undefined, view?: ArrayBuffer | undefined"
)]
pub fn close_segment(env: Env, segment: &mut Handle, buffer: Unknown<'_>, view: Unknown<'_>) -> Result<()> {
    let Some(open) = segment.segment.take() else { return Ok(()) };
    if matches!(view.get_type(), Ok(ValueType::Object)) {
        buffers::detach(&env, &view);
    }
    if let Some(view) = segment.view.take() {
        view.zero_map();
    }
    if matches!(buffer.get_type(), Ok(ValueType::Object)) {
        buffers::detach(&env, &buffer);
        open.mapping().map_err(|error| to_js(&env, error))?.zero_map();
    }
    Ok(())
}

/// Removes its name.
#[napi]
pub fn unlink_segment(env: Env, segment: &Handle) -> Result<()> {
    shmkit::ownership::unlink(&segment.name, segment.id).map_err(|error| to_js(&env, error))
}

/// Makes this process an owner.
#[napi]
pub fn adopt_segment(env: Env, segment: &Handle) -> Result<()> {
    let adopt = || {
        segment.open()?;
        ledger::require()?.adopt(&segment.name, segment.id)
    };
    adopt().map_err(|error| to_js(&env, segment.about(error)))
}

/// What descriptors have in common.
#[napi(object)]
pub struct DescriptorConstants {
    /// The version that this build makes and reads.
    pub version: u32,
}

/// The same in every process of this build.
#[napi]
pub fn descriptor_constants() -> DescriptorConstants {
    DescriptorConstants { version: descriptor::VERSION }
}

/// Checks the fields of a descriptor, which must be of the expected kind, if there is one.
#[napi]
pub fn check_descriptor(
    env: Env,
    version: Option<u32>,
    kind: String,
    name: String,
    id: Option<String>,
    expected: Option<String>,
) -> Result<()> {
    let check = || {
        let expected = expected.as_deref().map(str::parse).transpose()?;
        Descriptor::read(version, &kind, &name, id.as_deref(), expected)
    };
    check().map(|_| ()).map_err(|error| to_js(&env, error))
}

/// The identity in a descriptor, if it has one.
pub(crate) fn expected_id(id: Option<String>) -> Outcome<Option<Identity>> {
    id.map(|id| id.parse()).transpose()
}

fn out_of_range() -> shmkit::Error {
    shmkit::Error::range("ERR_OUT_OF_RANGE", "these bytes are not all inside of the segment")
}

/// Address and length of a `Uint8Array`, never as a slice: it may be a view of shared memory.
pub(crate) fn uint8_array(env: &Env, value: &Unknown<'_>) -> Result<(*mut u8, usize)> {
    let (mut kind, mut len, mut start) = (0, 0, std::ptr::null_mut());
    // SAFETY: a live value of this environment; the call checks that it is a typed array.
    let status = unsafe {
        sys::napi_get_typedarray_info(
            env.raw(),
            value.raw(),
            &mut kind,
            &mut len,
            &mut start,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    };
    if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
        let error = shmkit::Error {
            class: shmkit::Class::Type,
            ..shmkit::Error::own("ERR_INVALID_ARG_TYPE", "a Uint8Array is wanted")
        };
        return Err(to_js(env, error));
    }
    if len == 0 {
        start = std::ptr::dangling_mut(); // a detached one has no address
    }
    Ok((start.cast(), len))
}

/// The bytes of a `Uint8Array` as shared ones, and which of them is the first: shared bytes begin at a multiple of 8.
pub(crate) fn private_bytes<'a>(env: &Env, value: &'a Unknown<'_>) -> Result<(SharedBytes<'a>, usize)> {
    let (start, len) = uint8_array(env, value)?;
    if len == 0 {
        return Ok((SharedBytes::over(&mut []), 0));
    }
    let skipped = start.addr() % 8;
    // SAFETY: the array is alive for this call, and nothing of ours refers to its bytes. The few before its first are in
    // the same 8 bytes of memory; they count for alignment, and nobody touches them who begins at `skipped`.
    Ok((unsafe { SharedBytes::new(start.sub(skipped), skipped + len) }, skipped))
}

/// Set by JavaScript to call off a creation that another thread is at.
#[napi]
pub struct CancelFlag(Arc<AtomicBool>);

#[napi]
impl CancelFlag {
    /// Not set.
    #[napi(constructor)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        CancelFlag(Arc::new(AtomicBool::new(false)))
    }

    /// Calls it off.
    #[napi]
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A creation off the event loop's thread.
pub struct CreateTask {
    size: usize,
    options: CreateOptions,
    cancelled: Arc<AtomicBool>,
}

impl Task for CreateTask {
    type Output = Outcome<Segment>;
    type JsValue = Made;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(Segment::create(self.size, &self.options, &self.cancelled))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> Result<Made> {
        output.map(Made::new).map_err(|error| to_rejection(&env, error))
    }
}

/// A handle that a task resolves to.
pub struct Made(Handle);

impl Made {
    pub(crate) fn new(segment: Segment) -> Self {
        Made(NativeSegment::handle(segment, None))
    }
}

impl TypeName for Made {
    fn type_name() -> &'static str {
        "External"
    }

    fn value_type() -> ValueType {
        ValueType::External
    }
}

impl ToNapiValue for Made {
    unsafe fn to_napi_value(env: sys::napi_env, made: Self) -> Result<sys::napi_value> {
        // SAFETY: the caller's environment, which is all that the inner conversion asks for.
        unsafe { Handle::to_napi_value(env, made.0) }
    }
}
