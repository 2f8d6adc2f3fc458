//! The client's side of one connection.

use super::auth::{self, Challenge};
use super::frame::{Frames, frame};
use super::pickle::Value;
use super::request::{Response, encode_request};
use super::{RESPONSE_MAX, UNKNOWN_MAX, protocol};
use crate::{Error, Result};

/// A connection to a manager. Requests that are made during the handshake are sent after it.
#[derive(Debug, Clone)]
pub struct ClientSession {
    key: Vec<u8>,
    frames: Frames,
    step: Step,
    /// Requests to be sent after the handshake.
    waiting: Vec<u8>,
    /// Number of requests without a response.
    unanswered: usize,
}

#[derive(Debug, Clone)]
enum Step {
    /// The server's challenge is to come.
    New,
    /// It was answered, and ours was sent along: the server is to say whether it liked the answer.
    Answered(Challenge),
    /// It did, and is to answer ours.
    Welcomed(Challenge),
    /// Responses.
    Open,
    /// Nothing more.
    Over,
}

/// What a manager's methods return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnValue {
    /// `None`
    Nothing,
    /// A `str`
    Text(String),
    /// A list of `str`
    Names(Vec<String>),
}

impl ClientSession {
    /// A session with the server at the other end of a new connection.
    pub fn new(key: Vec<u8>) -> Self {
        ClientSession { key, frames: Frames::default(), step: Step::New, waiting: Vec::new(), unanswered: 0 }
    }

    /// Makes a request and returns the bytes to be sent now: none during the handshake.
    pub fn request(&mut self, method: &str, arguments: &[&str]) -> Vec<u8> {
        self.unanswered += 1;
        let message = frame(&encode_request(method, arguments));
        if matches!(self.step, Step::Open) {
            return message;
        }
        self.waiting.extend(message);
        Vec::new()
    }

    /// Whether no more requests can be made, because a response came without a request.
    pub fn is_over(&self) -> bool {
        matches!(self.step, Step::Over)
    }

    /// Processes received `bytes`, and appends what is to be sent to `out`. Returns the response to the oldest request without
    /// one, if it is complete; call it again without bytes for the next one.
    ///
    /// # Errors
    /// `ERR_SHM_AUTH`, `ERR_SHM_PROTOCOL`: the connection cannot be used any more. `ERR_SHM_MANAGER`: the request failed, for
    /// the reason in the message.
    pub fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<ReturnValue>> {
        self.frames.push(bytes);
        loop {
            let max = if matches!(self.step, Step::Open) { RESPONSE_MAX } else { UNKNOWN_MAX };
            let Some(message) = self.frames.next(max)? else { return Ok(None) };
            match &self.step {
                Step::Over => return Err(protocol("the manager answered what it was not asked")),
                Step::New => {
                    // Ours goes along with the answer: the server reads one after the other, and this spares a way
                    // there and back.
                    let challenge = Challenge::new()?;
                    out.extend(frame(&auth::answer(message, &self.key)?));
                    out.extend(frame(&challenge.message()));
                    self.step = Step::Answered(challenge);
                }
                Step::Answered(_) if message == auth::WELCOME => {
                    if let Step::Answered(challenge) = std::mem::replace(&mut self.step, Step::New) {
                        self.step = Step::Welcomed(challenge);
                    }
                }
                Step::Answered(_) if message == auth::FAILURE => {
                    return Err(Error::own("ERR_SHM_AUTH", "the manager has another authkey"));
                }
                Step::Answered(_) => return Err(protocol("a server that neither welcomes nor refuses")),
                Step::Welcomed(challenge) if challenge.is_answered_by(message, &self.key) => {
                    out.extend(frame(auth::WELCOME));
                    out.append(&mut self.waiting);
                    self.step = Step::Open;
                }
                Step::Welcomed(_) => {
                    out.extend(frame(auth::FAILURE));
                    let message = "what listens there does not know the authkey, so it is not the manager";
                    return Err(Error::own("ERR_SHM_AUTH", message));
                }
                Step::Open => {
                    let response = Response::read(message)?;
                    if self.unanswered == 0 {
                        return Err(protocol("the manager answers what it was not asked"));
                    }
                    self.unanswered -= 1;
                    // More would be taken for the response to the next request. CPython sends two when it ends.
                    if self.unanswered == 0 && self.frames.is_within() {
                        self.step = Step::Over;
                    }
                    return return_value(response).map(Some);
                }
            }
        }
    }
}

fn return_value(response: Response) -> Result<ReturnValue> {
    let shape = || protocol("the manager returned something that none of its methods does");
    match response {
        Response::Failed(why) => {
            // Of a traceback the last line says what went wrong.
            let line = why.trim_end().lines().next_back().unwrap_or_default();
            Err(Error::own("ERR_SHM_MANAGER", format!("the manager says: {line}")))
        }
        Response::Returned(Value::None) => Ok(ReturnValue::Nothing),
        Response::Returned(Value::Str(text)) => Ok(ReturnValue::Text(text.to_string())),
        Response::Returned(Value::List(items)) => {
            let names: Option<_> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            names.map(ReturnValue::Names).ok_or_else(shape)
        }
        Response::Returned(_) => Err(shape()),
    }
}
