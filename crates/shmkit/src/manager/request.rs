//! Requests and responses.

use std::rc::Rc;

use super::pickle::{self, Value};
use super::protocol;
use crate::Result;

const RETURN: &str = "#RETURN";
const TRACEBACK: &str = "#TRACEBACK";

/// What a client asks for: CPython's `(object, method, arguments, keywords)`, as far as there are such methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Nothing; a client shows that it can connect.
    Dummy,
    /// Own a segment.
    Track(String),
    /// Unlink one that is owned.
    Release(String),
    /// The names of those.
    List,
    /// Unlink all of them, and end.
    Shutdown,
    /// Go on with this connection; here they all do.
    Stay,
    /// How many objects of other kinds there are, which is none.
    Count,
    /// Some words about each of them.
    DebugInfo,
    /// Something that there is in CPython only where a program registered types of its own with its manager; or that
    /// there is nowhere. The words are for the one who asked.
    Refused(String),
}

impl Request {
    /// What these bytes ask for.
    ///
    /// # Errors
    /// `ERR_SHM_PROTOCOL` if they are no request at all.
    pub fn read(pickle: &[u8]) -> Result<Self> {
        let shape = || protocol("this is no request: (object, method, arguments, keywords) is one");
        let Value::Tuple(parts) = pickle::read(pickle)? else { return Err(shape()) };
        let Ok([object, method, arguments, keywords]) = <[Value; 4]>::try_from(parts) else {
            return Err(shape());
        };
        let (Some(method), Value::Tuple(arguments) | Value::List(arguments), Value::Dict(keywords)) =
            (method.as_str(), arguments, keywords)
        else {
            return Err(shape());
        };
        if object != Value::None {
            return Ok(Request::Refused("KeyError: this manager has no such object".into()));
        }
        if !keywords.is_empty() {
            return Ok(Request::Refused(format!("TypeError: {method}() takes no keyword arguments here")));
        }
        Ok(Self::of(method, &arguments))
    }

    fn of(method: &str, arguments: &[Value]) -> Self {
        match (method, arguments) {
            ("dummy", []) => Request::Dummy,
            ("track_segment", [Value::Str(name)]) => Request::Track(without_slash(name)),
            ("release_segment", [Value::Str(name)]) => Request::Release(without_slash(name)),
            ("list_segments", []) => Request::List,
            ("shutdown", []) => Request::Shutdown,
            ("accept_connection", [_]) => Request::Stay,
            ("number_of_objects", []) => Request::Count,
            ("debug_info", []) => Request::DebugInfo,
            ("create", [kind, ..]) => {
                let kind = kind.as_str().unwrap_or("?");
                Request::Refused(format!("KeyError: this manager makes no '{kind}', it only has segments"))
            }
            ("incref" | "decref" | "get_methods", _) => {
                Request::Refused("KeyError: this manager has no such object".into())
            }
            (
                "dummy" | "track_segment" | "release_segment" | "list_segments" | "shutdown"
                | "accept_connection" | "number_of_objects" | "debug_info" | "create",
                _,
            ) => Request::Refused(format!("TypeError: {method}() does not take these arguments")),
            _ => Request::Refused(format!("AssertionError: '{}' unrecognized", method.escape_debug())),
        }
    }
}

/// The name as segments have it; some Pythons say it with the slash that POSIX puts before it.
fn without_slash(name: &Rc<str>) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

/// The bytes of a request.
pub(super) fn encode_request(method: &str, arguments: &[&str]) -> Vec<u8> {
    let arguments = arguments.iter().map(|argument| Value::from(*argument)).collect();
    pickle::write(&Value::Tuple(vec![
        Value::None,
        method.into(),
        Value::Tuple(arguments),
        Value::Dict(Vec::new()),
    ]))
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// What the method returned.
    Returned(Value),
    /// In words, as the other side's exception will have them.
    Failed(String),
}

impl Response {
    /// Its bytes.
    pub fn write(&self) -> Vec<u8> {
        let (kind, value) = match self {
            Response::Returned(value) => (RETURN, value.clone()),
            Response::Failed(why) => (TRACEBACK, Value::from(format!("{why}\n").as_str())),
        };
        pickle::write(&Value::Tuple(vec![kind.into(), value]))
    }

    /// What these bytes say.
    ///
    /// # Errors
    /// `ERR_SHM_PROTOCOL` if they are no response.
    pub fn read(pickle: &[u8]) -> Result<Self> {
        let shape = || protocol("this is no response of a manager");
        let Value::Tuple(parts) = pickle::read(pickle)? else { return Err(shape()) };
        let Ok([kind, value]) = <[Value; 2]>::try_from(parts) else { return Err(shape()) };
        match (kind.as_str(), value) {
            (Some(RETURN), value) => Ok(Response::Returned(value)),
            (Some(TRACEBACK | "#UNSERIALIZABLE"), Value::Str(why)) => Ok(Response::Failed(why.to_string())),
            _ => Err(shape()),
        }
    }
}
