//! Managers: a server process that is started, and the client's side of a connection. Sockets are the facade's.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use napi::JsDeferred;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::manager::{self, Address, ClientSession, ReturnValue, Server, Settings};
use shmkit::ownership::{self, LOCK_TIMEOUT, Token};
use shmkit::segment::Name;

use crate::errors::{to_js, to_rejection};
use crate::ledger::program;

/// A thread that waits for a process's end needs little.
const STACK: usize = 128 << 10;

type Started = Box<dyn FnOnce(Env) -> Result<()> + Send>;
type Ended = Box<dyn FnOnce(Env) -> Result<Option<i32>> + Send>;

/// A server process, which ends with this.
pub struct NativeServer {
    server: Server,
    state: Arc<Mutex<ServerState>>,
}

/// The state of a server process, and the promises that wait for it.
#[derive(Default)]
struct ServerState {
    started: Option<std::result::Result<(), shmkit::Error>>,
    starting: Vec<JsDeferred<(), Started>>,
    ended: Option<Option<i32>>,
    ending: Vec<JsDeferred<Option<i32>, Ended>>,
}

impl ServerState {
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

/// A handle on a server process.
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
        let started = start(&settings, LOCK_TIMEOUT);
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

fn start(settings: &Settings, timeout: Duration) -> std::result::Result<NativeServer, shmkit::Error> {
    let path = program().0.map_err(|why| {
        shmkit::Error::own("ERR_SHM_START", format!("there is no manager to be started: {why}"))
    })?;
    let (server, mut watch) = Server::start(&path, settings, timeout)?;
    let state = Arc::new(Mutex::new(ServerState::default()));
    let theirs = Arc::clone(&state);
    // This is the thread that sees it end, so that no zombie stays.
    thread(move || {
        let started = watch.started();
        lock(&theirs).starts(started);
        let code = watch.wait();
        lock(&theirs).ends(code);
    })?;
    Ok(NativeServer { server, state })
}

fn thread(work: impl FnOnce() + Send + 'static) -> std::result::Result<(), shmkit::Error> {
    let thread = thread::Builder::new().name("shmkit-manager".into()).stack_size(STACK).spawn(work);
    let failed = |error| shmkit::Error::own("ERR_SHM_START", format!("no thread can be started: {error}"));
    thread.map(drop).map_err(failed)
}

fn lock(state: &Mutex<ServerState>) -> std::sync::MutexGuard<'_, ServerState> {
    state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Resolves when the server serves; else says why it does not.
#[napi(ts_return_type = "Promise<void>")]
pub fn manager_started<'env>(env: &'env Env, server: &ServerHandle) -> Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred::<(), Started>()?;
    let mut state = lock(&server.state);
    match state.started.clone() {
        Some(started) => deferred.resolve(started_result(started)),
        None => state.starting.push(deferred),
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
    server.server.shut_down();
    let mut state = lock(&server.state);
    match state.ended {
        Some(code) => deferred.resolve(Box::new(move |_| Ok(code))),
        None => state.ending.push(deferred),
    }
    Ok(promise)
}

/// Ends a server by force.
#[napi]
pub fn kill_manager(server: &ServerHandle) {
    server.server.kill();
}

/// A handle on the client's side of a connection.
#[napi]
pub type ClientSessionHandle = External<ClientSession>;

/// A session with a manager that has this key.
#[napi]
pub fn create_client_session(key: Uint8Array) -> ClientSessionHandle {
    External::new(ClientSession::new(key.to_vec()))
}

/// Makes a request and returns the bytes to be sent now: none during the handshake.
#[napi]
pub fn client_session_request(
    session: &mut ClientSessionHandle,
    method: String,
    arguments: Vec<String>,
) -> Buffer {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    session.request(&method, &arguments).into()
}

/// The outcome of received bytes.
#[napi(object)]
pub struct Received {
    /// The bytes to be sent.
    pub send: Option<Buffer>,
    /// Whether a response is complete.
    pub responded: bool,
    /// What the response returns: nothing, a text, or names.
    pub response: Option<Vec<String>>,
    /// No more requests can be made.
    pub over: bool,
}

/// Processes received bytes; throws if the session cannot be used any more.
#[napi]
pub fn client_session_receive(
    env: Env,
    session: &mut ClientSessionHandle,
    bytes: Uint8Array,
) -> Result<Received> {
    let mut out = Vec::new();
    let returned = session.receive(&bytes, &mut out).map_err(|error| to_js(&env, error))?;
    Ok(Received {
        send: if out.is_empty() { None } else { Some(out.into()) },
        responded: returned.is_some(),
        response: match returned {
            None | Some(ReturnValue::Nothing) => None,
            Some(ReturnValue::Text(text)) => Some(vec![text]),
            Some(ReturnValue::Names(names)) => Some(names),
        },
        over: session.is_over(),
    })
}

/// Ends this process's ownership of a segment that a manager has tracked; false if that one is dead and forgotten.
/// `new_owner` is what it returned: the token of its ledger, if it has one.
#[napi]
pub fn hand_over(env: Env, name: String, id: String, new_owner: Option<String>) -> Result<bool> {
    let hand_over = || {
        let (name, id) = (Name::new(&name)?, id.parse()?);
        let new_owner = new_owner.as_deref().and_then(Token::parse);
        match ownership::existing() {
            Some(ledger) => ledger.hand_over(&name, id, new_owner),
            None => Ok(true),
        }
    };
    hand_over().map_err(|error| to_js(&env, error))
}
