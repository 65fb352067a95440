//! Compiled components, kept between runs.
//!
//! Loading compiled code is as good as running it, so the cache reads only what
//! this installation wrote: every file carries a code (HMAC-SHA-256) made with a
//! key of its own, and its name holds the digest of the component and of
//! everything that compilation depends on. A file that does not fit is no error,
//! the component is compiled again. Nothing else in the project is unsafe.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use wasmtime::component::Component;

/// Bytes of the key, and of the code in front of each file.
const KEY_BYTES: usize = 32;

/// Files that are kept; the oldest go first.
const MAX_FILES: usize = 64;

/// A folder of compiled components.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
}

impl Cache {
    /// Opens the cache in a folder, which is made if it is not there.
    ///
    /// Fails if the folder or its key can neither be read nor written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        restrict(folder, 0o700)?;
        let path = folder.join("key");
        let key = match fs::read(&path).ok().and_then(|key| key.try_into().ok()) {
            Some(key) => key,
            None => new_key(&path)?,
        };
        Ok(Self { folder: folder.to_owned(), key })
    }

    /// Returns the compiled form of the component with this digest, if it is
    /// here, whole and made by us for this engine.
    pub(super) fn load(&self, engine: &wasmtime::Engine, digest: &str) -> Option<Component> {
        let name = file_name(engine, digest);
        let file = fs::read(self.folder.join(&name)).ok()?;
        let (code, compiled) = file.split_at_checked(KEY_BYTES)?;
        self.code(&name, compiled)?.verify_slice(code).ok()?;
        #[expect(unsafe_code, reason = "wasmtime cannot check compiled code; the code in front shows that it is ours")]
        // SAFETY: the bytes are those that `Component::serialize` gave to
        // `store` below: nobody without this installation's key could have made
        // the code that was just verified. Another version of wasmtime or other
        // settings are refused by wasmtime itself.
        let component = unsafe { Component::deserialize(engine, compiled) };
        component.ok()
    }

    /// Keeps a compiled component under its digest.
    pub(super) fn store(&self, engine: &wasmtime::Engine, digest: &str, component: &Component) -> io::Result<()> {
        let name = file_name(engine, digest);
        let compiled = component.serialize().map_err(io::Error::other)?;
        let code = self.code(&name, &compiled).ok_or_else(|| io::Error::other("no key"))?.finalize().into_bytes();
        // Written beside and renamed, so that a reader never meets half a file.
        let partial = self.folder.join(format!("{name}.{}", std::process::id()));
        let mut file = fs::File::create(&partial)?;
        file.write_all(&code)?;
        file.write_all(&compiled)?;
        file.sync_all()?;
        fs::rename(&partial, self.folder.join(name))?;
        self.prune()
    }

    fn code(&self, name: &str, compiled: &[u8]) -> Option<Hmac<Sha256>> {
        let mut code = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        code.update(name.as_bytes());
        code.update(compiled);
        Some(code)
    }

    fn prune(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.folder)?
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name() != "key")
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(MAX_FILES);
        files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

fn file_name(engine: &wasmtime::Engine, digest: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{digest}-{:016x}.cwasm", hasher.finish())
}

fn new_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    fs::write(path, key)?;
    restrict(path, 0o600)?;
    Ok(key)
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn restrict(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}
