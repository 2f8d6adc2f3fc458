//! The client's side of one connection.

use super::auth::{self, Challenge};
use super::frame::{Frames, frame};
use super::pickle::Value;
use super::request::{Reply, request};
use super::{REPLY_MAX, UNKNOWN_MAX, protocol};
use crate::{Error, Result};

/// A connection to a manager. Requests that are made before the two know each other wait until they do.
#[derive(Debug, Clone)]
pub struct Conversation {
    key: Vec<u8>,
    frames: Frames,
    step: Step,
    /// What is sent once the server is known.
    waiting: Vec<u8>,
    /// Requests that have no answer yet.
    asked: usize,
}

#[derive(Debug, Clone)]
enum Step {
    /// The server's challenge is to come.
    New,
    /// It was answered, and ours was sent along: the server is to say whether it liked the answer.
    Answered(Challenge),
    /// It did, and is to answer ours.
    Welcomed(Challenge),
    /// Replies.
    Open,
    /// Nothing more.
    Over,
}

/// What a manager's methods return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `None`
    Nothing,
    /// A `str`
    Text(String),
    /// A list of `str`
    Names(Vec<String>),
}

impl Conversation {
    /// With the server at the other end of a connection that was just made.
    pub fn new(key: Vec<u8>) -> Self {
        Conversation { key, frames: Frames::default(), step: Step::New, waiting: Vec::new(), asked: 0 }
    }

    /// What is to be sent now to have this done.
    pub fn ask(&mut self, method: &str, arguments: &[&str]) -> Vec<u8> {
        self.asked += 1;
        let asked = frame(&request(method, arguments));
        if matches!(self.step, Step::Open) {
            return asked;
        }
        self.waiting.extend(asked);
        Vec::new()
    }

    /// Whether nothing more can be asked: something came that was not asked for.
    pub fn is_over(&self) -> bool {
        matches!(self.step, Step::Over)
    }

    /// Takes in what arrived, and adds what is to be sent to `out`. The answer to the first request that had none, once
    /// it is there; call it again without bytes for the next one.
    ///
    /// # Errors
    /// `ERR_SHM_AUTH`, `ERR_SHM_PROTOCOL`: the connection is of no use any more. `ERR_SHM_MANAGER`: the manager could not
    /// do what was asked for, and says why.
    pub fn receive(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<Answer>> {
        self.frames.push(bytes);
        loop {
            let max = if matches!(self.step, Step::Open) { REPLY_MAX } else { UNKNOWN_MAX };
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
                    let reply = Reply::read(message)?;
                    if self.asked == 0 {
                        return Err(protocol("the manager answers what it was not asked"));
                    }
                    self.asked -= 1;
                    // More would be taken for the answer to what is asked next. CPython answers twice when it ends.
                    if self.asked == 0 && self.frames.is_within() {
                        self.step = Step::Over;
                    }
                    return answer(reply).map(Some);
                }
            }
        }
    }
}

fn answer(reply: Reply) -> Result<Answer> {
    let shape = || protocol("the manager returned something that none of its methods does");
    match reply {
        Reply::Failed(why) => {
            // Of a traceback the last line says what went wrong.
            let line = why.trim_end().lines().next_back().unwrap_or_default();
            Err(Error::own("ERR_SHM_MANAGER", format!("the manager says: {line}")))
        }
        Reply::Returned(Value::None) => Ok(Answer::Nothing),
        Reply::Returned(Value::Str(text)) => Ok(Answer::Text(text.to_string())),
        Reply::Returned(Value::List(items)) => {
            let names: Option<_> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            names.map(Answer::Names).ok_or_else(shape)
        }
        Reply::Returned(_) => Err(shape()),
    }
}
