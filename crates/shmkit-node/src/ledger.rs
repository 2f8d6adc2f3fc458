//! Who owns what, and what there is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use shmkit::ownership::inventory::{abandoned_by_python, inventory, stray_locks};
use shmkit::ownership::python_tracker::{self, Format};
use shmkit::ownership::tracker;
use shmkit::ownership::{self, LOCK_TIMEOUT, Ledger, LedgerDirectory, orphans, reap};
use shmkit::segment::{Name, Owner};
use shmkit::sys::module;

use crate::errors::to_js;

type Outcome<T> = std::result::Result<T, shmkit::Error>;
/// Calls into an environment from any thread, without keeping its event loop alive.
type Listener = ThreadsafeFunction<String, (), String, Status, false, true>;

/// The companion process's file, in the directory of this module's own.
const PROGRAM: &str = "shmkitd";
/// Another path of it; `off` for none, and no word about it.
const PROGRAM_VARIABLE: &str = "SHMKIT_TRACKER";

static LISTENERS: Mutex<Vec<Listener>> = Mutex::new(Vec::new());

/// Who is told that segments cannot be tracked, or not at once: one of the callbacks, one time. The main thread
/// is; a worker's callback is kept only where there is no other.
#[napi(ts_args_type = "callback: (why: string) => void, main: boolean")]
pub fn on_tracking_trouble(callback: Function<'_, String, ()>, main: bool) -> Result<()> {
    let mut listeners = listeners();
    if main || listeners.is_empty() {
        listeners.push(callback.build_threadsafe_function().weak::<true>().build()?);
    }
    Ok(())
}

fn listeners() -> std::sync::MutexGuard<'static, Vec<Listener>> {
    LISTENERS.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Tells the first environment that still is one.
fn notify_listeners(why: String) {
    listeners()
        .drain(..)
        .rev()
        .any(|listener| listener.call(why.clone(), ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok);
}

/// Why nothing is tracked here, for whoever asks first. At the first creation it is known at once, and must not wait
/// for an event loop that may have nothing else to do.
#[napi]
pub fn untracked_because() -> Option<String> {
    if listeners().is_empty() { None } else { unreported().take().inspect(|_| listeners().clear()) }
}

fn unreported() -> std::sync::MutexGuard<'static, Option<String>> {
    static UNREPORTED: Mutex<Option<String>> = Mutex::new(None);
    UNREPORTED.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Makes this process an owner of the segment of this name and `id`.
#[napi]
pub fn adopt_identity(env: Env, name: String, id: String) -> Result<()> {
    let adopt = || require()?.adopt(&Name::new(&name)?, id.parse()?);
    adopt().map_err(|error| to_js(&env, error.about(&name)))
}

/// Removes the name of the segment of this `id`.
#[napi]
pub fn unlink_identity(env: Env, name: String, id: String) -> Result<()> {
    let unlink = || ownership::unlink(&Name::new(&name)?, id.parse()?);
    unlink().map_err(|error| to_js(&env, error))
}

/// Whether this process owns the segment of this `id`.
#[napi]
pub fn owns(env: Env, id: String) -> Result<bool> {
    let owns = || ownership::current()?.owns(id.parse()?);
    owns().map_err(|error| to_js(&env, error))
}

/// This process as the owner of what it makes; `None`, and a word about it, where it cannot be one.
pub(crate) fn owner() -> Outcome<Option<Arc<dyn Owner>>> {
    match require() {
        Ok(ledger) => Ok(Some(ledger)),
        // Those pass, and what is made meanwhile would leak.
        Err(error)
            if matches!(
                error.code,
                "ENOSPC" | "ENOMEM" | "EMFILE" | "ENFILE" | "EDQUOT" | "ERR_SHM_BUSY"
            ) =>
        {
            Err(error)
        }
        Err(error) => {
            let why = format!("what this process leaves at its end stays until somebody unlinks it: {error}");
            *unreported() = Some(why);
            Ok(None)
        }
    }
}

/// This process as an owner, with a tracker on its way.
pub(crate) fn require() -> Outcome<Arc<Ledger>> {
    let ledger = ownership::current()?;
    tracker::ensure(ledger.ledgers(), ledger.token(), || {
        let (program, tracked) = program();
        tracked.then(|| tracker::Start {
            program,
            on_trouble: Box::new(|why| {
                notify_listeners(format!(
                    "the resource tracker cannot be started, so what this process leaves when it is killed stays \
                     until another one that uses shmkit starts, or collectGarbage() is called: {why}"
                ));
            }),
        })
    });
    Ok(ledger)
}

/// The companion process's path, or why there is none; and whether there is to be a tracker.
pub(crate) fn program() -> (std::result::Result<PathBuf, String>, bool) {
    match std::env::var_os(PROGRAM_VARIABLE) {
        Some(value) if value == "off" => (default_program(), false),
        Some(path) => (Ok(PathBuf::from(path)), true),
        None => (default_program(), true),
    }
}

fn default_program() -> std::result::Result<PathBuf, String> {
    let Some(file) = module::path_of(default_program as *const ()) else {
        return Err("this module cannot tell where it was loaded from".into());
    };
    let file = Path::new(std::ffi::OsStr::new(file.to_str().map_err(|error| error.to_string())?));
    Ok(file.with_file_name(PROGRAM))
}

/// A segment, as others can see it.
#[napi(object)]
pub struct SegmentFacts {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: f64,
    /// As descriptors have it.
    pub kind: String,
    /// Live owners; 0 is one of another PID namespace.
    pub owners: Vec<u32>,
    /// Who has it open.
    pub attached: Vec<u32>,
    /// Nobody will remove it.
    pub leaked: bool,
    /// Whose it is.
    pub uid: u32,
    /// Permission bits.
    pub mode: u32,
    /// Milliseconds since 1970.
    pub created: f64,
}

/// Every segment of the system.
#[napi]
pub fn list_segments(env: Env) -> Result<Vec<SegmentFacts>> {
    let infos = inventory(&LedgerDirectory::default()).map_err(|error| to_js(&env, error))?;
    let facts = infos.into_iter().map(|info| SegmentFacts {
        name: info.name.as_str().to_owned(),
        size: info.size as f64,
        kind: info.kind.as_str().to_owned(),
        owners: info.owners,
        attached: info.attached,
        leaked: info.leaked,
        uid: info.uid,
        mode: info.mode,
        created: info.created.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1000.0),
    });
    Ok(facts.collect())
}

/// Removes what dead owners left, and if asked to what Python's processes seem to have, or only says what that is.
#[napi]
pub fn collect_segments(env: Env, dry_run: bool, python: bool) -> Result<Vec<String>> {
    let ledgers = LedgerDirectory::default();
    let collect = || -> Outcome<Vec<Name>> {
        let mut names = if dry_run { orphans(&ledgers)? } else { reap(&ledgers, LOCK_TIMEOUT)?.removed };
        if python {
            let mut abandoned = abandoned_by_python(&ledgers)?;
            abandoned.retain(|info| !names.contains(&info.name));
            // That very segment: another of its name is not meant.
            abandoned.retain(|info| dry_run || ownership::unlink(&info.name, info.id).is_ok());
            names.extend(abandoned.into_iter().map(|info| info.name));
        }
        for info in stray_locks(&ledgers)? {
            if dry_run || ownership::unlink(&info.name, info.id).is_ok() {
                names.push(info.name);
            }
        }
        names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        names.dedup();
        Ok(names)
    };
    let names = collect().map_err(|error| to_js(&env, error))?;
    Ok(names.iter().map(|name| name.as_str().to_owned()).collect())
}

/// Removes a name that no handle is open for.
#[napi]
pub fn unlink_name(env: Env, name: String) -> Result<()> {
    let unlink = || ownership::unlink_by_name(&Name::new(&name)?);
    unlink().map_err(|error| to_js(&env, error))
}

/// Tells CPython's resource tracker behind this descriptor of what this process makes and unlinks.
#[napi]
pub fn join_python_tracker(env: Env, descriptor: i32, json: bool) -> Result<()> {
    let format = if json { Format::Json } else { Format::Colon };
    python_tracker::join(descriptor, format).map_err(|error| to_js(&env, error))
}
