//! The engine's errors as JavaScript's: class, `code`, `errno`, `syscall`, `segment`.

use napi::bindgen_prelude::*;
use napi::{JsError, JsRangeError, JsTypeError};
use shmkit::Class;

/// The JavaScript error for one of the engine's, to be thrown or to reject a promise with.
pub(crate) fn to_js(env: &Env, error: shmkit::Error) -> Error {
    let plain = Error::<String>::new(error.code.to_owned(), error.to_string());
    let unknown = match error.class {
        Class::Error => JsError::from(plain).into_unknown(*env),
        Class::Range => JsRangeError::from(plain).into_unknown(*env),
        Class::Type => JsTypeError::from(plain).into_unknown(*env),
    };
    let decorate = || -> Result<Error> {
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
        Ok(Error::from(object.into_unknown(env)?))
    };
    decorate().unwrap_or_else(|failed| failed)
}

/// The error of a handle that was closed; the facade checks first, so this is a second line.
pub(crate) fn closed(name: &str) -> shmkit::Error {
    shmkit::Error::own("ERR_SHM_CLOSED", format!("the segment '{name}' is closed in this handle")).about(name)
}
