//! The server's side of one connection.

use super::auth::{self, Challenge};
use super::frame::{Frames, frame};
use super::request::{Request, Response};
use super::{REQUEST_MAX, UNKNOWN_MAX, protocol};
use crate::{Error, Result};

/// At most this many bytes of responses wait to be read by the client: short requests have long responses.
const RESPONSES_MAX: usize = 64 << 10;

/// A connection from a client.
#[derive(Debug, Clone)]
pub struct ServerSession {
    frames: Frames,
    step: Step,
}

#[derive(Debug, Clone)]
enum Step {
    /// The challenge is to be answered.
    Challenged(Challenge),
    /// The client's own is to come.
    Welcomed,
    /// The client is to say that it was answered well.
    Answered,
    /// Requests.
    Open,
}

impl ServerSession {
    /// A session, and what is sent first.
    ///
    /// # Errors
    /// Only if the system has no random numbers to give.
    pub fn new() -> Result<(Self, Vec<u8>)> {
        let challenge = Challenge::new()?;
        let greeting = frame(&challenge.message());
        Ok((ServerSession { frames: Frames::default(), step: Step::Challenged(challenge) }, greeting))
    }

    /// Takes in what arrived, has requests answered, and adds what is to be sent to `out`. Beyond some length of that it
    /// leaves the rest until it is called again, when the other side has read.
    ///
    /// # Errors
    /// `ERR_SHM_AUTH`, `ERR_SHM_PROTOCOL`: the connection ends, once `out` is sent.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        key: &[u8],
        out: &mut Vec<u8>,
        mut answer: impl FnMut(Request) -> Response,
    ) -> Result<()> {
        self.frames.push(bytes);
        while out.len() < RESPONSES_MAX {
            let max = if self.is_known() { REQUEST_MAX } else { UNKNOWN_MAX };
            let Some(message) = self.frames.next(max)? else { return Ok(()) };
            match &self.step {
                Step::Challenged(challenge) if challenge.is_answered_by(message, key) => {
                    out.extend(frame(auth::WELCOME));
                    self.step = Step::Welcomed;
                }
                Step::Challenged(_) => {
                    out.extend(frame(auth::FAILURE));
                    return Err(Error::own("ERR_SHM_AUTH", "a client with another key"));
                }
                Step::Welcomed => {
                    out.extend(frame(&auth::answer(message, key)?));
                    self.step = Step::Answered;
                }
                Step::Answered if message == auth::WELCOME => self.step = Step::Open,
                Step::Answered => return Err(protocol("a client that does not welcome the server")),
                Step::Open => match Request::read(message) {
                    Ok(request) => out.extend(frame(&answer(request).write())),
                    Err(error) => {
                        out.extend(frame(&Response::Failed(format!("{}: {error}", error.code)).write()));
                        return Err(error);
                    }
                },
            }
        }
        Ok(())
    }

    /// Whether it has shown that it knows the key.
    pub fn is_known(&self) -> bool {
        matches!(self.step, Step::Open)
    }

    /// Whether it is neither in a handshake nor in a message.
    pub fn is_idle(&self) -> bool {
        self.is_known() && !self.frames.is_within()
    }
}
