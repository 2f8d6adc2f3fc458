//! The segments that a manager owns.

use std::collections::HashMap;
use std::sync::Arc;

use super::pickle::Value;
use super::request::{Request, Response};
use crate::ownership::{self, Ledger};
use crate::segment::{self, Identity, Name};
use crate::{Error, Result};

/// What the server process owns for its clients. All of it is on the process's ledger, so that whoever finds the process
/// dead removes it.
#[derive(Debug)]
pub struct Holdings {
    ledger: Arc<Ledger>,
    /// Which segment it is, and how many came before.
    segments: HashMap<Name, (Identity, u64)>,
    count: u64,
}

impl Holdings {
    /// Nothing yet.
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Holdings { ledger, segments: HashMap::new(), count: 0 }
    }

    /// Whether it owns nothing.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Does what a client asks for.
    pub fn answer(&mut self, request: Request) -> Response {
        let done = match request {
            // Whose ledger it will be on what is tracked; a client may go on with this connection.
            Request::Dummy => Ok(self.token()),
            Request::Stay => Ok(Value::None),
            Request::Track(name) => self.track(&name),
            Request::Release(name) => self.release(&name),
            Request::List => Ok(Value::List(self.names().into_iter().map(Value::from).collect())),
            Request::Shutdown => {
                self.release_all();
                Ok(Value::None)
            }
            Request::Count => Ok(Value::Int(0)),
            Request::DebugInfo => Ok("".into()),
            Request::Refused(why) => return Response::Failed(why),
        };
        match done {
            Ok(value) => Response::Returned(value),
            Err(error) if error.errno.is_some() => Response::Failed(format!("OSError: {error}")),
            Err(error) => Response::Failed(format!("{}: {error}", error.code)),
        }
    }

    /// Owns a segment from now on. Says whose ledger it is on, for clients that strike it off their own then; CPython's
    /// do not look at what is returned.
    fn track(&mut self, name: &str) -> Result<Value> {
        let name = Name::new(name)?;
        let id = segment::identify(&name)?;
        self.ledger.adopt(&name, id)?;
        let count = self.count;
        let (known, _) = self.segments.entry(name).or_insert((id, count));
        if *known != id {
            *known = id; // the other one was unlinked by somebody
        }
        self.count += 1;
        Ok(self.token())
    }

    fn token(&self) -> Value {
        Value::from(self.ledger.token().to_string().as_str())
    }

    fn release(&mut self, name: &str) -> Result<Value> {
        let Some((name, (id, _))) = Name::new(name).ok().and_then(|name| self.segments.remove_entry(&name))
        else {
            let message = format!("'{}' is none of this manager's segments", name.escape_debug());
            return Err(Error::own("ValueError", message));
        };
        match ownership::unlink(&name, id) {
            Err(error) if error.code != "ENOENT" => {
                self.segments.insert(name, (id, self.count));
                Err(error)
            }
            // Somebody else may have unlinked it.
            _ => Ok(Value::None),
        }
    }

    /// The names of what it owns, and nobody has unlinked, in the order in which they came.
    fn names(&mut self) -> Vec<&str> {
        let ledgers = self.ledger.ledgers();
        self.segments.retain(|name, (id, _)| !ledgers.is_gone(name, *id));
        let mut names: Vec<_> =
            self.segments.iter().map(|(name, (_, count))| (count, name.as_str())).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// Unlinks all of them. What cannot be unlinked stays on the ledger.
    pub fn release_all(&mut self) {
        for (name, (id, _)) in self.segments.drain() {
            let _ = ownership::unlink(&name, id);
        }
    }
}
