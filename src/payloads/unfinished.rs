//! Files that a process has left in a directory when it died in a put: `key#1` and so on. The store does not list them.

use {
    super::{error::PayloadStoreError, store::StoredPayload},
    crate::time::Timestamp,
    std::{
        fs, io,
        path::{Path, PathBuf},
        time::UNIX_EPOCH,
    },
};

/// The key whose object such a file was to be.
pub(super) fn whole(key: &str) -> Option<&str> {
    let (whole, number) = key.rsplit_once('#')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(whole)
}

/// The files whose keys begin with `prefix`. What cannot be read is left out: the store tells of it.
pub(super) fn list(directory: &Path, prefix: &str) -> Vec<StoredPayload> {
    let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
    let (mut folders, mut found) = (vec![directory.join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            let path = entry.path();
            if meta.is_dir() {
                folders.push(path);
            } else if let Some(key) =
                key_of(directory, &path).filter(|key| whole(key).is_some() && key.starts_with(prefix))
            {
                let age = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                let millis = age.map_or(0, |age| age.as_millis().try_into().unwrap_or(u64::MAX));
                found.push(StoredPayload {
                    key,
                    size_bytes: meta.len(),
                    last_modified: Timestamp::from_millis(millis),
                });
            }
        }
    }
    found
}

fn key_of(directory: &Path, path: &Path) -> Option<String> {
    let parts = path.strip_prefix(directory).ok()?.iter();
    let parts: Option<Vec<&str>> = parts.map(|part| part.to_str()).collect();
    Some(parts?.join("/"))
}

pub(super) fn remove(directory: &Path, key: &str) -> Result<(), PayloadStoreError> {
    let path: PathBuf = key.split('/').fold(directory.to_owned(), |path, part| path.join(part));
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(PayloadStoreError::other(error)),
        _ => Ok(()),
    }
}
