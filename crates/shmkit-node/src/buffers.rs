//! Buffers over mapped memory, and when their addresses may be given back.
//!
//! Each buffer holds an `Arc` of its mapping; its finalizer drops it, and the mapping then goes into
//! quarantine (see `shmkit::segment::Mapping`). When an environment ends, its buffers' finalizers run
//! although a buffer that a worker moved elsewhere lives on. A cleanup hook of ours is told first (hooks
//! run in the reverse order of their making, and ours is made after the buffer's own) and abandons the
//! mapping: its addresses stay mapped for good.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard};

use napi::bindgen_prelude::*;
use napi::sys;
use shmkit::segment::Mapping;

/// `napi_no_external_buffers_allowed`: Electron, and others with V8's memory cage.
const NO_EXTERNAL_BUFFERS: sys::napi_status = 22;

type Finalize = unsafe extern "C" fn(*mut c_void, *mut c_void);
/// `node_api_create_external_sharedarraybuffer`: Node 22.23.3, 24.16, 26.1, Bun 1.4.5 and later.
type CreateExternalShared = unsafe extern "C" fn(
    sys::napi_env,
    *mut c_void,
    usize,
    Option<Finalize>,
    *mut c_void,
    *mut sys::napi_value,
) -> sys::napi_status;

/// What a buffer's finalizer holds, by an `Arc` of its own. Where the buffer could not be made, nobody knows
/// whether the finalizer runs (a terminating worker, a buffer that Node finds too large): then the mapping is
/// taken out of here, and at worst an empty one of these stays.
struct Held(Mutex<Option<Arc<Mapping>>>);

impl Held {
    fn new(mapping: Arc<Mapping>) -> Arc<Self> {
        Arc::new(Held(Mutex::new(Some(mapping))))
    }

    fn mapping(&self) -> MutexGuard<'_, Option<Arc<Mapping>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// An `ArrayBuffer` over the mapping.
pub(crate) fn array_buffer<'env>(
    env: &'env Env,
    mapping: &Arc<Mapping>,
) -> std::result::Result<Unknown<'env>, shmkit::Error> {
    array_buffer_of(env, mapping, 0, usize::MAX)
}

/// An `ArrayBuffer` over so many bytes of the mapping at most, from the `at`-th on.
pub(crate) fn array_buffer_of<'env>(
    env: &'env Env,
    mapping: &Arc<Mapping>,
    at: usize,
    most: usize,
) -> std::result::Result<Unknown<'env>, shmkit::Error> {
    mapping.expose();
    let (start, len) = mapping.raw();
    let at = at.min(len);
    let (start, len) = (start.wrapping_add(at), (len - at).min(most));
    let held = Held::new(Arc::clone(mapping));
    let hint = Arc::into_raw(Arc::clone(&held)).cast_mut();
    let mut value = ptr::null_mut();
    // SAFETY: the range stays mapped while the hint's `Arc` holds the mapping, which the finalizer ends.
    let status = unsafe {
        sys::napi_create_external_arraybuffer(
            env.raw(),
            start.cast(),
            len,
            Some(finalize),
            hint.cast(),
            &mut value,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(refused(env, status, &held, hint));
    }
    // SAFETY: the hint lives until `finalize`, which removes the hook before it drops it. Where the hook
    // cannot be added the environment is ending already, and its finalizers find the zero pages.
    unsafe { sys::napi_add_env_cleanup_hook(env.raw(), Some(environment_ends), hint.cast()) };
    // SAFETY: `value` was made by this environment in the current handle scope.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
}

/// A `SharedArrayBuffer` over the mapping, which may outlive every environment.
pub(crate) fn shared_array_buffer(
    env: &Env,
    mapping: Mapping,
) -> std::result::Result<Unknown<'_>, shmkit::Error> {
    let Some(create) = resolve_create_external_shared() else {
        return Err(shmkit::Error::own(
            "ERR_SHM_UNSUPPORTED",
            "this runtime cannot make a SharedArrayBuffer over a segment (Node 22.23.3+, 24.16+, 26.1+ and \
             Bun 1.4.5+ can); post the segment's toJSON() and attach() to it in the worker",
        ));
    };
    mapping.expose();
    let (start, len) = mapping.raw();
    let held = Held::new(Arc::new(mapping));
    let hint = Arc::into_raw(Arc::clone(&held)).cast_mut();
    let mut value = ptr::null_mut();
    // SAFETY: the range stays mapped while the hint's `Arc` holds the mapping, which the finalizer ends.
    let status =
        unsafe { create(env.raw(), start.cast(), len, Some(finalize_shared), hint.cast(), &mut value) };
    if status != sys::Status::napi_ok {
        return Err(refused(env, status, &held, hint));
    }
    // SAFETY: `value` was made by this environment in the current handle scope.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), value) })
}

/// Detaches an `ArrayBuffer`: every view of it has length 0 from now on. One that was transferred or
/// detached before is left alone.
pub(crate) fn detach(env: &Env, buffer: &Unknown<'_>) {
    // SAFETY: a live value of this environment; the call checks what it is.
    unsafe { sys::napi_detach_arraybuffer(env.raw(), buffer.raw()) };
}

fn refused(env: &Env, status: sys::napi_status, held: &Held, hint: *mut Held) -> shmkit::Error {
    drop(held.mapping().take());
    if status == NO_EXTERNAL_BUFFERS {
        // SAFETY: Node-API answers so before it takes anything over: no finalizer will use the hint.
        drop(unsafe { Arc::from_raw(hint) });
    }
    let mut pending = ptr::null_mut();
    // SAFETY: a live environment. An exception that the engine left is replaced by ours.
    unsafe { sys::napi_get_and_clear_last_exception(env.raw(), &mut pending) };
    if status == NO_EXTERNAL_BUFFERS {
        shmkit::Error::own(
            "ERR_SHM_NO_EXTERNAL_BUFFERS",
            "this runtime (Electron?) allows no buffers over foreign memory; use read() and write() instead",
        )
    } else {
        shmkit::Error::own(
            "ERR_SHM_BUFFER_TOO_LARGE",
            format!(
                "this runtime refused a buffer over the segment (status {status}); use read() and write()"
            ),
        )
    }
}

/// The buffer's finalizer, on its environment's thread.
unsafe extern "C" fn finalize(env: sys::napi_env, _start: *mut c_void, held: *mut c_void) {
    // SAFETY: `held` is the `Arc` that `array_buffer` gave away, and this runs once.
    unsafe {
        sys::napi_remove_env_cleanup_hook(env, Some(environment_ends), held);
        drop(Arc::from_raw(held.cast::<Held>()));
    }
}

/// The shared buffer's finalizer, on any thread.
unsafe extern "C" fn finalize_shared(_start: *mut c_void, held: *mut c_void) {
    // SAFETY: `held` is the `Arc` that `shared_array_buffer` gave away, and this runs once.
    drop(unsafe { Arc::from_raw(held.cast::<Held>()) });
}

unsafe extern "C" fn environment_ends(held: *mut c_void) {
    // SAFETY: the hook is removed before the `Arc` is dropped, and both happen on this thread.
    if let Some(mapping) = &*unsafe { &*held.cast::<Held>() }.mapping() {
        mapping.abandon();
    }
}

#[cfg(unix)]
fn resolve_create_external_shared() -> Option<CreateExternalShared> {
    let symbol = shmkit::sys::module::symbol(c"node_api_create_external_sharedarraybuffer");
    // SAFETY: the symbol has this type by Node-API's documentation, in every runtime that has it.
    (!symbol.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, CreateExternalShared>(symbol) })
}
