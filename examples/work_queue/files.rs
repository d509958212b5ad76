//! Which files there are.

use {
    std::{
        fmt, fs, io,
        path::{Path, PathBuf},
    },
    walkdir::{DirEntry, WalkDir},
};

/// What a walk found, in order of the names.
#[derive(Default)]
pub(crate) struct Found {
    /// Relative to the root.
    pub(crate) files: Vec<PathBuf>,
    /// Links, and what is neither file nor directory.
    pub(crate) passed_over: usize,
    /// Directories that could not be listed, and why.
    pub(crate) unlisted: Vec<(String, String)>,
}

/// Why there is nothing to walk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootError {
    #[error("{}: there is no such directory", .0.display())]
    Missing(PathBuf),
    #[error("{}: is not a directory; name the directory it is in", .0.display())]
    NotADirectory(PathBuf),
    #[error("{}: cannot be listed: {error}", root.display())]
    Unlistable { root: PathBuf, error: io::Error },
}

pub(crate) fn walk(root: &Path) -> Result<Found, RootError> {
    let unlistable = |error| {
        let root = root.to_owned();
        RootError::Unlistable { root, error }
    };
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(RootError::NotADirectory(root.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RootError::Missing(root.to_owned())),
        Err(error) => return Err(unlistable(error)),
    }
    if let Err(error) = fs::read_dir(root) {
        return Err(unlistable(error));
    }
    let mut found = Found::default();
    for entry in WalkDir::new(root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(is_wanted)
    {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) if entry.file_type().is_file() => {
                let relative = entry.path().strip_prefix(root).unwrap_or_else(|_| entry.path());
                found.files.push(relative.to_owned());
            }
            Ok(_) => found.passed_over += 1,
            Err(error) => found.unlisted.push(describe(&error)),
        }
    }
    Ok(found)
}

fn describe(error: &walkdir::Error) -> (String, String) {
    let path = error
        .path()
        .map_or_else(|| "?".to_owned(), |path| path.display().to_string());
    let reason = error.io_error().map_or_else(|| error.to_string(), io::Error::to_string);
    (path, reason)
}

fn is_wanted(entry: &DirEntry) -> bool {
    let unwanted = entry.file_name() == ".git" || entry.file_name() == "target";
    entry.depth() == 0 || !(unwanted && entry.file_type().is_dir())
}

/// A number of things in words.
pub(crate) fn some(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A name as it may be shown on a terminal.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(char::is_control) {
            write!(f, "{}", self.0.escape_debug())
        } else {
            f.write_str(self.0)
        }
    }
}
