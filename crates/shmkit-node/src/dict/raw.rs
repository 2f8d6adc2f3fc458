//! The hot calls, as plain Node-API callbacks that take a number for the dict: a third of what others cost.

use std::cell::RefCell;
use std::mem::offset_of;
use std::ptr;
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::{JsError, sys};
use napi_derive::napi;
use shmkit::dict::value::{canonical, is_same_kind};
use shmkit::dict::{Batch, HASHED_AS_WORDS, Lookup, SharedDict, ValueKind};
use shmkit::segment::Mapping;

use super::value::{self, BUSY, Failed, decode, encode, ok};
use crate::errors::{closed, to_js};

type Outcome<T> = std::result::Result<T, shmkit::Error>;

/// A dict that is open in this environment, and memory that its calls use again.
pub(super) struct Open {
    pub(super) dict: SharedDict,
    pub(super) batch: Batch,
    /// All of it once more, for views of values in place.
    pub(super) views: Option<Arc<Mapping>>,
}

/// An open dict, if the index is in use. `generation` counts the uses of the index, so the number of a closed dict never
/// belongs to another one.
#[derive(Default)]
struct Registration {
    generation: u32,
    open: Option<Open>,
}

/// The bits of a number that are the index in the list of open dicts.
const INDEX_BITS: u32 = 12;
const INDEX: u32 = (1 << INDEX_BITS) - 1;

#[derive(Default)]
struct EnvironmentState {
    open: Vec<Registration>,
    key: Vec<u8>,
    value: Vec<u8>,
    other: Vec<u8>,
}

/// Buffers of at most this many bytes are kept for the next call.
const RETAINED_MAX: usize = 1 << 20;

impl EnvironmentState {
    fn forget_large(&mut self) {
        for bytes in [&mut self.value, &mut self.other] {
            if bytes.capacity() > RETAINED_MAX {
                *bytes = Vec::new();
            }
        }
    }
}

thread_local! {
    /// Of this thread, which is an environment's.
    static STATE: RefCell<EnvironmentState> = RefCell::default();
}

/// Registers an open dict and returns its number.
pub(super) fn register(open: Open) -> Outcome<u32> {
    STATE.with_borrow_mut(|state| {
        let free = state.open.iter().position(|entry| entry.open.is_none());
        let at = free.unwrap_or_else(|| {
            state.open.push(Registration::default());
            state.open.len() - 1
        });
        if at > INDEX as usize {
            let message = format!("this thread has {at} dicts open, which is as many as can");
            return Err(shmkit::Error::own("ERR_SHM_TOO_MANY", message));
        }
        let entry = &mut state.open[at];
        entry.generation = entry.generation.wrapping_add(1) & (u32::MAX >> INDEX_BITS);
        entry.open = Some(open);
        Ok(entry.generation << INDEX_BITS | at as u32)
    })
}

/// The dict of a number.
fn dict(state: &mut [Registration], number: u32) -> Outcome<&mut Open> {
    let entry =
        state.get_mut((number & INDEX) as usize).filter(|entry| entry.generation == number >> INDEX_BITS);
    entry.and_then(|entry| entry.open.as_mut()).ok_or_else(|| closed("the dict"))
}

/// Takes it out; nothing once the thread is at its end.
pub(super) fn take(number: u32) -> Option<Open> {
    let take = |state: &RefCell<EnvironmentState>| {
        let mut state = state.try_borrow_mut().ok()?;
        let entry = state.open.get_mut((number & INDEX) as usize)?;
        if entry.generation == number >> INDEX_BITS { entry.open.take() } else { None }
    };
    STATE.try_with(take).ok().flatten()
}

pub(super) fn with<T>(number: u32, use_it: impl FnOnce(&mut Open) -> Outcome<T>) -> Outcome<T> {
    STATE.with_borrow_mut(|state| {
        let open = dict(&mut state.open, number)?;
        use_it(open).map_err(|error| error.about(open.dict.segment().name().as_str()))
    })
}

/// Why a call ends without a result.
enum Ended {
    /// An exception of JavaScript's is pending, or there is none to be made.
    Failed,
    Error(shmkit::Error),
}

impl From<Failed> for Ended {
    fn from(_: Failed) -> Self {
        Ended::Failed
    }
}

impl From<shmkit::Error> for Ended {
    fn from(error: shmkit::Error) -> Self {
        Ended::Error(error)
    }
}

fn wrong_type(message: &str) -> shmkit::Error {
    shmkit::Error { class: shmkit::Class::Type, ..shmkit::Error::own("ERR_INVALID_ARG_TYPE", message) }
}

/// A call's environment and arguments.
struct Call {
    env: sys::napi_env,
    arguments: [sys::napi_value; 4],
}

impl Call {
    /// # Safety
    /// `env` and `info` are those of a callback that is running.
    unsafe fn new(env: sys::napi_env, info: sys::napi_callback_info) -> std::result::Result<Self, Failed> {
        let (mut count, mut arguments) = (4, [ptr::null_mut(); 4]);
        // SAFETY: room for four, of which those that are missing become `undefined`.
        ok(unsafe {
            sys::napi_get_cb_info(
                env,
                info,
                &mut count,
                arguments.as_mut_ptr(),
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        Ok(Call { env, arguments })
    }

    fn number(&self, at: usize) -> std::result::Result<u32, Failed> {
        let mut number = 0;
        // SAFETY: a live value of the call's environment.
        ok(unsafe { sys::napi_get_value_uint32(self.env, self.arguments[at], &mut number) })?;
        Ok(number)
    }

    fn key(&self, into: &mut Vec<u8>) -> std::result::Result<(), Ended> {
        // SAFETY: as above.
        if unsafe { value::utf8(self.env, self.arguments[1], into) }.is_err() {
            return Err(wrong_type("a key must be a string").into());
        }
        // SAFETY: as above.
        if unsafe { value::is_ill_formed(self.env, self.arguments[1], into) }? {
            return Err(shmkit::Error::own("ERR_SHM_KEY", "a key must not have lone surrogates").into());
        }
        Ok(())
    }

    /// The value's kind; its bytes are put into `into`. Of a Buffer the kind is the next argument.
    fn value(&self, into: &mut Vec<u8>) -> std::result::Result<u8, Ended> {
        // SAFETY: as above.
        if let Some(kind) = unsafe { encode(self.env, self.arguments[2], into) }? {
            return Ok(kind.byte());
        }
        let (mut start, mut len) = (ptr::null_mut(), 0);
        // SAFETY: as above; the call checks that it is a Buffer.
        if ok(unsafe { sys::napi_get_buffer_info(self.env, self.arguments[2], &mut start, &mut len) })
            .is_err()
        {
            return Err(wrong_type("the value cannot be stored").into());
        }
        into.clear();
        into.reserve(len);
        if len > 0 {
            // SAFETY: the Buffer has so many bytes and lives as long as the call; the copy has room for them and is
            // ours alone. A Buffer over shared memory may change meanwhile: the copy is then of no one moment.
            unsafe {
                ptr::copy_nonoverlapping(start.cast::<u8>(), into.as_mut_ptr(), len);
                into.set_len(len);
            }
        }
        self.number(3)?.try_into().map_err(|_| wrong_type("a kind must be a byte").into())
    }

    /// Puts bytes into the scratch, if there is one with room for them.
    fn to_scratch(&self, kind: u8, bytes: &[u8]) -> bool {
        let (mut start, mut len) = (ptr::null_mut(), 0);
        // SAFETY: a live value of the call's environment; the call checks that it is a Buffer or Uint8Array.
        let status = unsafe { sys::napi_get_buffer_info(self.env, self.arguments[2], &mut start, &mut len) };
        if ok(status).is_err() || len < bytes.len() + 8 {
            return false;
        }
        let head = [bytes.len() as u32, u32::from(kind)];
        // SAFETY: the array has so many bytes, lives as long as the call, and is the facade's own.
        unsafe {
            ptr::copy_nonoverlapping(head.as_ptr().cast::<u8>(), start.cast::<u8>(), 8);
            ptr::copy_nonoverlapping(bytes.as_ptr(), start.cast::<u8>().add(8), bytes.len());
        }
        true
    }

    fn boolean(&self, truth: bool) -> std::result::Result<sys::napi_value, Ended> {
        let mut value = ptr::null_mut();
        // SAFETY: the call's environment.
        ok(unsafe { sys::napi_get_boolean(self.env, truth, &mut value) })?;
        Ok(value)
    }

    fn busy(&self) -> std::result::Result<sys::napi_value, Ended> {
        // SAFETY: the call's environment.
        Ok(unsafe { decode(self.env, BUSY, &mut Vec::new()) }?)
    }

    fn undefined(&self) -> sys::napi_value {
        let mut value = ptr::null_mut();
        // SAFETY: the call's environment; where it fails there is nothing to return.
        unsafe { sys::napi_get_undefined(self.env, &mut value) };
        value
    }
}

/// Whether the binding makes it; the facade makes what it does not.
fn is_primitive(kind: u8) -> bool {
    ValueKind::from_byte(kind).is_some_and(ValueKind::is_primitive)
}

type Raw = fn(&Call, &mut EnvironmentState) -> std::result::Result<sys::napi_value, Ended>;

/// `get(dict, key, scratch)`: undefined where there is none. What is the facade's to make is put into the scratch, a
/// Uint8Array, and that is returned: 4 bytes of length, 4 of kind, and so many bytes. Where it does not fit it comes as
/// a Buffer, with the kind behind the bytes.
fn get(call: &Call, state: &mut EnvironmentState) -> std::result::Result<sys::napi_value, Ended> {
    let open = dict(&mut state.open, call.number(0)?)?;
    call.key(&mut state.key)?;
    match open.dict.get(&state.key, &mut state.value)? {
        Lookup::Found(kind) if !is_primitive(kind) && call.to_scratch(kind, &state.value) => {
            Ok(call.arguments[2])
        }
        // SAFETY: the call's environment.
        Lookup::Found(kind) => Ok(unsafe { decode(call.env, kind, &mut state.value) }?),
        Lookup::Missing => Ok(call.undefined()),
        Lookup::Busy => call.busy(),
    }
}

/// `has(dict, key)`
fn has(call: &Call, state: &mut EnvironmentState) -> std::result::Result<sys::napi_value, Ended> {
    let open = dict(&mut state.open, call.number(0)?)?;
    call.key(&mut state.key)?;
    match open.dict.has(&state.key)? {
        Lookup::Busy => call.busy(),
        look => call.boolean(look != Lookup::Missing),
    }
}

/// `set(dict, key, value, kind?)`, with the lock: whether the key is new.
fn set(call: &Call, state: &mut EnvironmentState) -> std::result::Result<sys::napi_value, Ended> {
    let open = dict(&mut state.open, call.number(0)?)?;
    call.key(&mut state.key)?;
    let kind = call.value(&mut state.value)?;
    call.boolean(open.dict.set(&state.key, kind, &state.value)?)
}

/// Where the facade puts the arguments, in words up to `at` and then in bytes.
#[napi(object)]
pub struct CallBufferLayout {
    /// The length of the key.
    pub key_length: u32,
    /// The value's kind.
    pub kind: u32,
    /// The value's length.
    pub length: u32,
    /// Where the value is in `values`.
    pub at: u32,
    /// The key.
    pub key: u32,
    /// The values.
    pub values: u32,
    /// The longest value; there is room for two.
    pub most: u32,
}

/// The layout of the call buffer, which is the same in all environments.
#[napi]
pub fn call_buffer_layout() -> CallBufferLayout {
    let word = |at: usize| (at / 4) as u32;
    CallBufferLayout {
        key_length: word(offset_of!(CallBuffer, key_len)),
        kind: word(offset_of!(CallBuffer, kind)),
        length: word(offset_of!(CallBuffer, value_len)),
        at: word(offset_of!(CallBuffer, value_at)),
        key: offset_of!(CallBuffer, key) as u32,
        values: offset_of!(CallBuffer, values) as u32,
        most: CALL_VALUE as u32,
    }
}

/// A buffer in which JavaScript puts the arguments of some calls, which makes them as cheap as a call can be. Of one
/// facade, whose thread alone uses it.
#[repr(C)]
struct CallBuffer {
    number: u32,
    key_len: u32,
    kind: u32,
    value_len: u32,
    /// Where the value is in `values`.
    value_at: u32,
    key: [u8; CALL_KEY + 12],
    /// A primitive one has the first half, and what is packed the second: a getter among it may lay a primitive one there.
    values: [u8; 2 * CALL_VALUE],
}

/// The longest key in the call buffer, in bytes: those that JavaScript hashes.
const CALL_KEY: usize = HASHED_AS_WORDS;
/// The longest value in the call buffer, in bytes.
const CALL_VALUE: usize = 4096;

// JavaScript has views of words on the key, and of doubles on the values.
const _: () = assert!(offset_of!(CallBuffer, key).is_multiple_of(4));
const _: () = assert!(offset_of!(CallBuffer, values).is_multiple_of(8));

type CallBufferFn = fn(&mut Open, &[u8], u8, &[u8]) -> Outcome<()>;

/// `set_staged()`, with the lock: sets the staged value.
fn set_staged(open: &mut Open, key: &[u8], kind: u8, value: &[u8]) -> Outcome<()> {
    open.dict.set(key, kind, value).map(|_| ())
}

/// `add_staged()`, with the lock: adds the staged value to the changes of `dict_commit`.
fn add_staged(open: &mut Open, key: &[u8], kind: u8, value: &[u8]) -> Outcome<()> {
    open.dict.stage(&mut open.batch, key, kind, value)
}

/// Runs a call with what is in the call buffer, and throws its error.
///
/// # Safety
/// `env` and `info` are those of a callback that is running, and was made with the call buffer's address.
unsafe fn run_from_call_buffer(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    function: CallBufferFn,
) -> sys::napi_value {
    let mut data = ptr::null_mut();
    // SAFETY: a callback that is running, which is asked for its data alone.
    unsafe {
        sys::napi_get_cb_info(env, info, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut data);
    }
    // SAFETY: the data are the call buffer's address, or null: its buffer is never collected nor detached, and
    // JavaScript, which writes to it, waits for this call.
    let Some(call_buffer) = (unsafe { data.cast::<CallBuffer>().cast_const().as_ref() }) else {
        return ptr::null_mut();
    };
    let run = |state: &mut EnvironmentState| -> Outcome<()> {
        let key = call_buffer.key.get(..(call_buffer.key_len as usize).min(CALL_KEY)).unwrap_or_default();
        let value = call_buffer.values.get(call_buffer.value_at as usize..).unwrap_or_default();
        let value = value.get(..call_buffer.value_len as usize).unwrap_or_default();
        let open = dict(&mut state.open, call_buffer.number)?;
        let kind = call_buffer.kind as u8; // the facade's own
        function(open, key, kind, canonical(kind, value))
    };
    let done = STATE.with(|state| match state.try_borrow_mut() {
        Ok(mut state) => run(&mut state),
        Err(_) => Err(shmkit::Error::own("ERR_SHM_REFUSED", "the runtime refused the call")),
    });
    if let Err(error) = done {
        throw(env, error);
    }
    ptr::null_mut()
}

/// `delete(dict, key)`, with the lock: whether it was there.
fn delete(call: &Call, state: &mut EnvironmentState) -> std::result::Result<sys::napi_value, Ended> {
    let open = dict(&mut state.open, call.number(0)?)?;
    call.key(&mut state.key)?;
    call.boolean(open.dict.delete(&state.key)?)
}

/// `add(dict, key, value, kind?)`, with the lock: adds a change for `dict_commit`.
fn add(call: &Call, state: &mut EnvironmentState) -> std::result::Result<sys::napi_value, Ended> {
    let open = dict(&mut state.open, call.number(0)?)?;
    call.key(&mut state.key)?;
    let kind = call.value(&mut state.value)?;
    open.dict.stage(&mut open.batch, &state.key, kind, &state.value)?;
    Ok(call.undefined())
}

/// `add_delete(dict, key)`, with the lock: adds a deletion for `dict_commit`.
fn add_delete(call: &Call, state: &mut EnvironmentState) -> std::result::Result<sys::napi_value, Ended> {
    let open = dict(&mut state.open, call.number(0)?)?;
    call.key(&mut state.key)?;
    open.dict.stage_delete(&mut open.batch, &state.key);
    Ok(call.undefined())
}

/// `matches(dict, key, value, kind?)`, with the lock: whether the key has that very value.
fn matches(call: &Call, state: &mut EnvironmentState) -> std::result::Result<sys::napi_value, Ended> {
    let open = dict(&mut state.open, call.number(0)?)?;
    call.key(&mut state.key)?;
    let kind = call.value(&mut state.value)?;
    let found = open.dict.get(&state.key, &mut state.other)?;
    let is_same = matches!(found, Lookup::Found(found) if is_same_kind(found, kind));
    call.boolean(is_same && state.other == state.value)
}

/// Runs a call, and throws what it ends with.
///
/// # Safety
/// `env` and `info` are those of a callback that is running.
unsafe fn run(env: sys::napi_env, info: sys::napi_callback_info, raw: Raw) -> sys::napi_value {
    // SAFETY: the caller's promise.
    let Ok(call) = (unsafe { Call::new(env, info) }) else { return ptr::null_mut() };
    let ended = STATE.with(|state| match state.try_borrow_mut() {
        Ok(mut state) => {
            let ended = raw(&call, &mut state);
            state.forget_large();
            ended
        }
        Err(_) => Err(Ended::Failed), // none of these calls runs JavaScript
    });
    match ended {
        Ok(value) => value,
        Err(Ended::Failed) => {
            throw(env, shmkit::Error::own("ERR_SHM_REFUSED", "the runtime refused the call"))
        }
        Err(Ended::Error(error)) => throw(env, error),
    }
}

/// Throws the error, unless an exception is pending already.
fn throw(env: sys::napi_env, error: shmkit::Error) -> sys::napi_value {
    let mut pending = false;
    // SAFETY: a live environment.
    let known = unsafe { sys::napi_is_exception_pending(env, &mut pending) };
    if known == sys::Status::napi_ok && !pending {
        let error = JsError::from(to_js(&Env::from_raw(env), error));
        // SAFETY: a live environment, in which no exception is pending.
        unsafe { error.throw_into(env) };
    }
    ptr::null_mut()
}

macro_rules! callbacks {
    ($($name:ident => $run:ident($raw:ident)),* $(,)?) => {
        $(unsafe extern "C" fn $name(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
            // SAFETY: Node-API calls this with those of the call.
            unsafe { $run(env, info, $raw) }
        })*

        /// The functions by their names in JavaScript, which are those of the Rust functions in `callbacks!`.
        const CALLBACKS: &[(&std::ffi::CStr, unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value)] =
            &[$((name_of(concat!(stringify!($raw), "\0")), $name)),*];
    };
}

const fn name_of(name: &str) -> &std::ffi::CStr {
    match std::ffi::CStr::from_bytes_with_nul(name.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

callbacks! {
    dict_get => run(get),
    dict_has => run(has),
    dict_set => run(set),
    dict_set_staged => run_from_call_buffer(set_staged),
    dict_delete => run(delete),
    dict_add => run(add),
    dict_add_staged => run_from_call_buffer(add_staged),
    dict_add_delete => run(add_delete),
    dict_matches => run(matches),
}

/// An object that has them as functions, and the call buffer.
pub(super) fn functions(env: &Env) -> Result<Unknown<'_>> {
    let raw = env.raw();
    let (mut object, mut call_buffer, mut address, mut reference) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: a live environment; the names are static, and the functions live as long as the module, which is never
    // unloaded. The reference keeps the call buffer for as long as the environment lives.
    unsafe {
        check_status!(sys::napi_create_object(raw, &mut object))?;
        check_status!(sys::napi_create_arraybuffer(
            raw,
            size_of::<CallBuffer>(),
            &mut address,
            &mut call_buffer
        ))?;
        check_status!(sys::napi_create_reference(raw, call_buffer, 1, &mut reference))?;
        check_status!(sys::napi_set_named_property(raw, object, c"buffer".as_ptr(), call_buffer))?;
        for (name, callback) in CALLBACKS {
            let mut function = ptr::null_mut();
            check_status!(sys::napi_create_function(
                raw,
                name.as_ptr(),
                name.count_bytes() as isize,
                Some(*callback),
                address,
                &mut function,
            ))?;
            check_status!(sys::napi_set_named_property(raw, object, name.as_ptr(), function))?;
        }
        Ok(Unknown::from_raw_unchecked(raw, object))
    }
}
