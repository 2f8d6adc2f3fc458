//! The engine's errors as JavaScript's: class, `code`, `errno`, `syscall`, `segment`.

use napi::bindgen_prelude::*;
use napi::{JsError, JsRangeError, JsTypeError};
use shmkit::Class;

/// Throws JavaScript's error for one of the engine's, and gives what says so: for a call that JavaScript waits for. It is
/// not carried in an `Error`: to make one of an object napi asks that for its text, and where the stack is at its end it
/// asks the overflow's error for its own, and so on until the process has no stack either.
pub(crate) fn to_js(env: &Env, error: shmkit::Error) -> Error {
    let text = error.to_string();
    let status = match object(env, error).and_then(|object| env.throw(object)) {
        Ok(()) => Status::PendingException,
        Err(failed) => failed.status,
    };
    Error::new(status, text)
}

/// JavaScript's error for one of the engine's, to reject a promise with.
pub(crate) fn to_rejection(env: &Env, error: shmkit::Error) -> Error {
    object(env, error).map_or_else(|failed| failed, Error::from)
}

fn object<'env>(env: &'env Env, error: shmkit::Error) -> Result<Unknown<'env>> {
    let plain = Error::<String>::new(error.code.to_owned(), error.to_string());
    let unknown = match error.class {
        Class::Error => JsError::from(plain).into_unknown(*env),
        Class::Range => JsRangeError::from(plain).into_unknown(*env),
        Class::Type => JsTypeError::from(plain).into_unknown(*env),
    };
    let mut object = unknown.coerce_to_object()?;
    if let Some(errno) = error.errno {
        object.set("errno", -errno)?; // negative, as node:fs has it
    }
    if let Some(syscall) = error.syscall {
        object.set("syscall", syscall)?;
    }
    if let Some(segment) = error.segment {
        object.set("segment", segment)?;
    }
    object.into_unknown(env)
}

/// The error of a handle that was closed; the facade checks first, so this is a second line.
pub(crate) fn closed(name: &str) -> shmkit::Error {
    shmkit::Error::own("ERR_SHM_CLOSED", format!("the segment '{name}' is closed in this handle")).about(name)
}
