//! Managers: a server process that is started, and the client's side of a connection. Sockets are the facade's.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use napi::JsDeferred;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::manager::{self, Address, Answer, Conversation, Server, Settings};
use shmkit::ownership::{self, PATIENCE, Token};
use shmkit::segment::Name;

use crate::errors::{to_js, to_rejection};
use crate::ledger::program;
use crate::segment::identity_from;

/// A thread that waits for a process's end needs little.
const STACK: usize = 128 << 10;

type Started = Box<dyn FnOnce(Env) -> Result<()> + Send>;
type Ended = Box<dyn FnOnce(Env) -> Result<Option<i32>> + Send>;

/// A server process, which ends with this.
pub struct NativeServer {
    server: Server,
    life: Arc<Mutex<Life>>,
}

/// What has become of it, and who wants to know.
#[derive(Default)]
struct Life {
    started: Option<std::result::Result<(), shmkit::Error>>,
    starting: Vec<JsDeferred<(), Started>>,
    ended: Option<Option<i32>>,
    ending: Vec<JsDeferred<Option<i32>, Ended>>,
}

impl Life {
    fn starts(&mut self, started: std::result::Result<(), shmkit::Error>) {
        self.starting.drain(..).for_each(|waiting| waiting.resolve(started_result(started.clone())));
        self.started = Some(started);
    }

    fn ends(&mut self, code: Option<i32>) {
        self.ended = Some(code);
        self.ending.drain(..).for_each(|waiting| waiting.resolve(Box::new(move |_| Ok(code))));
    }
}

fn started_result(started: std::result::Result<(), shmkit::Error>) -> Started {
    Box::new(move |env| started.map_err(|error| to_rejection(&env, error)))
}

/// How JavaScript holds one.
#[napi]
pub type ServerHandle = External<NativeServer>;

/// A key that nobody else has. `node:crypto` takes a tenth of a millisecond for its first.
#[napi]
pub fn draw_key(env: Env) -> Result<Buffer> {
    manager::draw_key().map(|key| key.to_vec().into()).map_err(|error| to_js(&env, error))
}

/// Starts a server, at a path or at a port of a host, or where it likes; undefined where something would have to be waited
/// for.
#[napi]
pub fn start_manager(
    env: Env,
    path: Option<String>,
    host: Option<String>,
    port: u32,
    key: Uint8Array,
) -> Result<Option<ServerHandle>> {
    match start(&settings(path, host, port, &key), Duration::ZERO) {
        Ok(server) => Ok(Some(External::new(server))),
        Err(error) if error.code == "ERR_SHM_BUSY" => Ok(None),
        Err(error) => Err(to_js(&env, error)),
    }
}

/// The same, and waits.
#[napi(ts_return_type = "Promise<ServerHandle>")]
pub fn start_manager_later<'env>(
    env: &'env Env,
    path: Option<String>,
    host: Option<String>,
    port: u32,
    key: Uint8Array,
) -> Result<Object<'env>> {
    let settings = settings(path, host, port, &key);
    let (deferred, promise) = env.create_deferred()?;
    thread(move || {
        let started = start(&settings, PATIENCE);
        deferred.resolve(move |env| started.map(External::new).map_err(|error| to_rejection(&env, error)));
    })
    .map_err(|error| to_js(env, error))?;
    Ok(promise)
}

fn settings(path: Option<String>, host: Option<String>, port: u32, key: &[u8]) -> Settings {
    let address = match (path, host) {
        (Some(path), _) => Address::Path(path),
        (None, Some(host)) => Address::Tcp(host, u16::try_from(port).unwrap_or(0)),
        (None, None) => Address::Default,
    };
    Settings { address, key: key.to_vec(), tracked: program().1 }
}

fn start(settings: &Settings, patience: Duration) -> std::result::Result<NativeServer, shmkit::Error> {
    let path = program().0.map_err(|why| {
        shmkit::Error::own("ERR_SHM_START", format!("there is no manager to be started: {why}"))
    })?;
    let (server, mut watch) = Server::start(&path, settings, patience)?;
    let life = Arc::new(Mutex::new(Life::default()));
    let theirs = Arc::clone(&life);
    // This is the thread that sees it end, so that no zombie stays.
    thread(move || {
        let started = watch.started();
        lock(&theirs).starts(started);
        let code = watch.wait();
        lock(&theirs).ends(code);
    })?;
    Ok(NativeServer { server, life })
}

fn thread(work: impl FnOnce() + Send + 'static) -> std::result::Result<(), shmkit::Error> {
    let thread = thread::Builder::new().name("shmkit-manager".into()).stack_size(STACK).spawn(work);
    let failed = |error| shmkit::Error::own("ERR_SHM_START", format!("no thread can be started: {error}"));
    thread.map(drop).map_err(failed)
}

fn lock(life: &Mutex<Life>) -> std::sync::MutexGuard<'_, Life> {
    life.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Resolves when the server serves; else says why it does not.
#[napi(ts_return_type = "Promise<void>")]
pub fn manager_started<'env>(env: &'env Env, server: &ServerHandle) -> Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred::<(), Started>()?;
    let mut life = lock(&server.life);
    match life.started.clone() {
        Some(started) => deferred.resolve(started_result(started)),
        None => life.starting.push(deferred),
    }
    Ok(promise)
}

/// Where a server listens: a path, or a host and a port.
#[napi(object)]
pub struct ServerFacts {
    /// The path of its socket.
    pub path: Option<String>,
    /// The host's address.
    pub host: Option<String>,
    /// And the port, or 0.
    pub port: u32,
    /// The id of its process.
    pub pid: u32,
}

/// Says where it listens.
#[napi]
pub fn server_facts(server: &ServerHandle) -> ServerFacts {
    let pid = server.server.pid;
    match &server.server.address {
        Address::Default => ServerFacts { path: None, host: None, port: 0, pid },
        Address::Path(path) => ServerFacts { path: Some(path.clone()), host: None, port: 0, pid },
        Address::Tcp(host, port) => {
            ServerFacts { path: None, host: Some(host.clone()), port: (*port).into(), pid }
        }
    }
}

/// Lets a server end, which unlinks what it owns. Resolves to its exit code when it is gone; null for a signal.
#[napi(ts_return_type = "Promise<number | null>")]
pub fn end_manager<'env>(env: &'env Env, server: &ServerHandle) -> Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred::<Option<i32>, Ended>()?;
    server.server.let_go();
    let mut life = lock(&server.life);
    match life.ended {
        Some(code) => deferred.resolve(Box::new(move |_| Ok(code))),
        None => life.ending.push(deferred),
    }
    Ok(promise)
}

/// Ends a server by force.
#[napi]
pub fn kill_manager(server: &ServerHandle) {
    server.server.kill();
}

/// How JavaScript holds the client's side of a connection.
#[napi]
pub type ConversationHandle = External<Conversation>;

/// With a manager whose key is this.
#[napi]
pub fn create_conversation(key: Uint8Array) -> ConversationHandle {
    External::new(Conversation::new(key.to_vec()))
}

/// The bytes to be sent for this request; none as long as the two do not know each other.
#[napi]
pub fn ask_manager(conversation: &mut ConversationHandle, method: String, arguments: Vec<String>) -> Buffer {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    conversation.ask(&method, &arguments).into()
}

/// What is to be done about bytes that arrived.
#[napi(object)]
pub struct Heard {
    /// To be sent.
    pub send: Option<Buffer>,
    /// There is an answer.
    pub answered: bool,
    /// It: nothing, a text, or names.
    pub answer: Option<Vec<String>>,
    /// Nothing more can be asked.
    pub over: bool,
}

/// Takes in what arrived; throws where the conversation is over.
#[napi]
pub fn hear_manager(env: Env, conversation: &mut ConversationHandle, bytes: Uint8Array) -> Result<Heard> {
    let mut out = Vec::new();
    let answer = conversation.receive(&bytes, &mut out).map_err(|error| to_js(&env, error))?;
    Ok(Heard {
        send: if out.is_empty() { None } else { Some(out.into()) },
        answered: answer.is_some(),
        answer: match answer {
            None | Some(Answer::Nothing) => None,
            Some(Answer::Text(text)) => Some(vec![text]),
            Some(Answer::Names(names)) => Some(names),
        },
        over: conversation.is_over(),
    })
}

/// Ends this process's ownership of a segment that a manager has tracked; false if that one is dead and forgotten.
/// `heir` is what it returned: the token of its ledger, if it has one.
#[napi]
pub fn hand_over(env: Env, name: String, id: String, heir: Option<String>) -> Result<bool> {
    let hand_over = || {
        let (name, id) = (Name::new(&name)?, identity_from(&id)?);
        let heir = heir.as_deref().and_then(Token::parse);
        match ownership::existing() {
            Some(ledger) => ledger.hand_over(&name, id, heir),
            None => Ok(true),
        }
    };
    hand_over().map_err(|error| to_js(&env, error))
}
