//! Dicts: `raw` has the calls that are made for each access, this the others.

mod raw;
mod value;

use std::collections::HashMap;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use shmkit::dict::{
    BLOCKS_AT, Batch, COUNT_AT, FREE_AT, HASHED_AS_WORDS, LIMIT_AT, ROOT_AT, SharedDict, VERSION_AT,
    ValueKind, class_sizes,
};
use shmkit::segment::{Access, AttachOptions, Identity, Name};
use shmkit::sync::SharedLock;

use crate::buffers;
use crate::errors::to_js;
use crate::segment::{create_options, expected_id, size_from};
use crate::sync::{LockHandle, NativeLock};

type Outcome<T> = std::result::Result<T, shmkit::Error>;

/// What keeps a dict open in its environment: when it is collected, the dict is closed.
pub struct NativeDict {
    number: u32,
    name: Name,
    id: Identity,
    most: usize,
}

/// How JavaScript holds one.
#[napi]
pub type DictHandle = External<NativeDict>;

impl NativeDict {
    fn handle(dict: SharedDict) -> Outcome<DictHandle> {
        let (name, id) = (dict.segment().name().clone(), dict.segment().id());
        let most = dict.mapping().raw().1;
        let number = raw::register(raw::Open { dict, batch: Batch::default(), views: None })?;
        Ok(External::new(NativeDict { number, name, id, most }))
    }
}

impl Drop for NativeDict {
    fn drop(&mut self) {
        raw::take(self.number);
    }
}

/// The calls that take a dict's number.
#[napi(
    ts_return_type = "{ buffer: ArrayBuffer; set_staged(): void; add_staged(): void; get(dict: number, key: string, scratch: Uint8Array): unknown; has(dict: number, key: string): unknown; set(dict: number, key: string, value: unknown, kind?: number): boolean; delete(dict: number, key: string): boolean; add(dict: number, key: string, value: unknown, kind?: number): void; add_delete(dict: number, key: string): void; matches(dict: number, key: string, value: unknown, kind?: number): boolean }"
)]
pub fn dict_calls(env: &Env) -> Result<Unknown<'_>> {
    raw::functions(env)
}

/// Makes a dict; `max` 0 for a quarter of what the filesystem has left. `attach`: or opens the one of that name.
#[napi]
pub fn create_dict(
    env: Env,
    size: f64,
    max: f64,
    name: Option<String>,
    mode: u32,
    track: bool,
    attach: bool,
) -> Result<DictHandle> {
    let create = || {
        let max = if max == 0.0 { SharedDict::default_max()? } else { size_from(max) };
        let options = create_options(name, mode, true, false, track)?;
        let open = if attach { SharedDict::create_or_attach } else { SharedDict::create };
        open(size_from(size), max, &options)
    };
    create().and_then(NativeDict::handle).map_err(|error| to_js(&env, error))
}

/// Opens a dict, or only the one of that `id`.
#[napi]
pub fn attach_dict(
    env: Env,
    name: String,
    read_only: bool,
    foreign: bool,
    id: Option<String>,
) -> Result<DictHandle> {
    let attach = || {
        let expect = expected_id(id)?;
        let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
        let options = AttachOptions { access, foreign, reserve: false, expect };
        SharedDict::attach(&Name::new(&name)?, &options)
    };
    attach().and_then(NativeDict::handle).map_err(|error| to_js(&env, error))
}

/// What a handle says of its dict.
#[napi(object)]
pub struct DictFacts {
    /// What the calls want.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// What tells it from others that had its name.
    pub id: String,
    /// Bytes that it may take.
    pub most: f64,
}

/// Where a dict's buffer has what JavaScript looks at itself, in 32-bit words.
#[napi(object)]
pub struct DictLayout {
    /// The version.
    pub version: u32,
    /// The number of entries.
    pub count: u32,
    /// The table.
    pub root: u32,
    /// Its length.
    pub limit: u32,
    /// For each size class the place of the first block that is free, as 64 bits.
    pub free: u32,
    /// The first place that a block can be at, in bytes.
    pub blocks: u32,
    /// Bytes of the blocks of each size class.
    pub class_sizes: Vec<f64>,
    /// The longest key whose hash is made of its words, in bytes.
    pub hashed: u32,
    /// The longest buffer, in bytes.
    pub most: u32,
}

/// The same for all dicts.
#[napi]
pub fn dict_layout() -> DictLayout {
    let word = |at: usize| (at / 4) as u32;
    DictLayout {
        version: word(VERSION_AT),
        count: word(COUNT_AT),
        root: word(ROOT_AT),
        limit: word(LIMIT_AT),
        free: word(FREE_AT),
        blocks: BLOCKS_AT as u32,
        class_sizes: class_sizes().map(|size| size as f64).collect(),
        hashed: HASHED_AS_WORDS as u32,
        most: LOOKED_AT as u32,
    }
}

/// The bytes of all kinds of values, by the engine's names: a typed array has that of its class.
#[napi]
pub fn value_kind_constants() -> HashMap<String, u32> {
    ValueKind::ALL.map(|kind| (format!("{kind:?}"), kind.byte().into())).into()
}

/// Of an open dict.
#[napi]
pub fn dict_facts(dict: &DictHandle) -> DictFacts {
    DictFacts {
        number: dict.number,
        name: dict.name.as_str().to_owned(),
        id: dict.id.to_string(),
        most: dict.most as f64,
    }
}

/// A new buffer over what it has now, or as much of that as JavaScript looks at.
#[napi(ts_return_type = "ArrayBuffer")]
pub fn dict_buffer<'env>(env: &'env Env, dict: &DictHandle) -> Result<Unknown<'env>> {
    let buffer = || {
        let (mapping, length) = raw::with(dict.number, |open| {
            Ok((std::sync::Arc::clone(open.dict.mapping()), open.dict.current_size()?))
        })?;
        buffers::array_buffer_of(env, &mapping, 0, length.min(LOOKED_AT) / 8 * 8)
    };
    buffer().map_err(|error| to_js(env, error))
}

/// What lies beyond is left to Rust: so far an index of 32-bit words is a small integer to JavaScript's engine.
const LOOKED_AT: usize = 1 << 30;

/// Detaches a buffer that is used no more.
#[napi(ts_args_type = "buffer: ArrayBuffer")]
pub fn detach_dict_buffer(env: Env, buffer: Unknown<'_>) {
    buffers::detach(&env, &buffer);
}

/// A value in place.
#[napi(object)]
pub struct DictView<'env> {
    /// A new buffer over its bytes; what is written to it reaches nobody. Undefined where there are none.
    #[napi(ts_type = "ArrayBuffer | undefined")]
    pub buffer: Option<Unknown<'env>>,
    /// Its kind.
    pub kind: u32,
}

/// The value of a key in place, with the lock; undefined where there is no such key.
#[napi]
pub fn dict_view<'env>(env: &'env Env, dict: &DictHandle, key: String) -> Result<Option<DictView<'env>>> {
    let view = || {
        let located = raw::with(dict.number, |open| {
            let Some((kind, at, len)) = open.dict.locate(key.as_bytes())? else { return Ok(None) };
            let views = match &open.views {
                Some(views) => std::sync::Arc::clone(views),
                None => std::sync::Arc::new(open.dict.map_privately()?),
            };
            open.views = Some(std::sync::Arc::clone(&views));
            Ok(Some((kind, at, len, views)))
        })?;
        let Some((kind, at, len, views)) = located else { return Ok(None) };
        let buffer = (len > 0).then(|| buffers::array_buffer_of(env, &views, at, len)).transpose()?;
        Ok(Some(DictView { buffer, kind: kind.into() }))
    };
    view().map_err(|error| to_js(env, error))
}

/// Forgets what was written to views, all of which are detached.
#[napi]
pub fn dict_refresh_views(env: Env, dict: &DictHandle) -> Result<()> {
    let refresh = raw::with(dict.number, |open| open.views.as_ref().map_or(Ok(()), |views| views.refresh()));
    refresh.map_err(|error| to_js(&env, error))
}

/// The lock of those who write.
#[napi]
pub fn dict_lock(env: Env, dict: &DictHandle) -> Result<LockHandle> {
    let lock = raw::with(dict.number, |open| SharedLock::sidecar(open.dict.segment()));
    lock.map(NativeLock::of_lock).map_err(|error| to_js(&env, error))
}

/// How many entries there are.
#[napi]
pub fn dict_size(env: Env, dict: &DictHandle) -> Result<f64> {
    let size = raw::with(dict.number, |open| open.dict.len());
    size.map(|size| size as f64).map_err(|error| to_js(&env, error))
}

/// Bytes that it has taken.
#[napi]
pub fn dict_byte_length(env: Env, dict: &DictHandle) -> Result<f64> {
    let length = raw::with(dict.number, |open| open.dict.byte_length());
    length.map(|length| length as f64).map_err(|error| to_js(&env, error))
}

/// How full a dict is.
#[napi(object)]
pub struct DictFill {
    /// Bytes that its entries and their table have.
    pub used: f64,
    /// How many commits there were.
    pub generation: f64,
}

/// How full it is, about.
#[napi]
pub fn dict_fill(env: Env, dict: &DictHandle) -> Result<DictFill> {
    let fill = raw::with(dict.number, |open| {
        Ok(DictFill { used: open.dict.used()? as f64, generation: (open.dict.version()? / 2 - 1) as f64 })
    });
    fill.map_err(|error| to_js(&env, error))
}

/// All keys.
#[napi]
pub fn dict_keys(env: Env, dict: &DictHandle) -> Result<Vec<String>> {
    let keys = || -> Outcome<Vec<String>> {
        let (bytes, ends) = raw::with(dict.number, |open| open.dict.keys())?;
        let starts = [0].into_iter().chain(ends.iter().copied());
        let key = |(start, end): (usize, &usize)| String::from_utf8_lossy(&bytes[start..*end]).into_owned();
        Ok(starts.zip(&ends).map(key).collect())
    };
    keys().map_err(|error| to_js(&env, error))
}

/// Removes all keys, with the lock.
#[napi]
pub fn dict_clear(env: Env, dict: &DictHandle) -> Result<()> {
    raw::with(dict.number, |open| open.dict.clear()).map_err(|error| to_js(&env, error))
}

/// Puts in order what a writer left who died, with the lock.
#[napi]
pub fn dict_recover(env: Env, dict: &DictHandle) -> Result<()> {
    raw::with(dict.number, |open| open.dict.recover()).map_err(|error| to_js(&env, error))
}

/// Makes what was staged so, all of it or nothing; with the lock.
#[napi]
pub fn dict_commit(env: Env, dict: &DictHandle) -> Result<()> {
    let commit = |open: &mut raw::Open| open.dict.commit(std::mem::take(&mut open.batch));
    raw::with(dict.number, commit).map_err(|error| to_js(&env, error))
}

/// Drops what was staged, with the lock; `recovered` where the dict was put in order since, which has freed it.
#[napi]
pub fn dict_roll_back(env: Env, dict: &DictHandle, recovered: bool) -> Result<()> {
    let roll_back = |open: &mut raw::Open| {
        let batch = std::mem::take(&mut open.batch);
        if recovered { Ok(()) } else { open.dict.roll_back(batch) }
    };
    raw::with(dict.number, roll_back).map_err(|error| to_js(&env, error))
}

/// Detaches `buffer`, and gives the memory back. Idempotent.
#[napi(ts_args_type = "dict: ExternalObject<NativeDict>, buffer: ArrayBuffer")]
pub fn close_dict(env: Env, dict: &DictHandle, buffer: Unknown<'_>) {
    if let Some(open) = raw::take(dict.number) {
        buffers::detach(&env, &buffer);
        open.dict.mapping().zero_map();
        if let Some(views) = open.views {
            views.zero_map();
        }
    }
}
