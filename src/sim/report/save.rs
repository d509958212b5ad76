//! A report as files.

use {
    super::Report,
    std::{
        fs::{self, File},
        io::{self, BufWriter, Write},
        path::{Path, PathBuf},
    },
};

/// A file of a report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", .path.display())]
#[non_exhaustive]
pub struct SaveError {
    /// The file or directory.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

impl Report {
    /// Writes `report.html`, `report.json`, `series.csv`, `totals.csv`, and each chart of the page as an SVG file, into
    /// a directory, which is made if there is none.
    ///
    /// Files of the same names are replaced.
    ///
    /// # Errors
    /// [`SaveError`] names the path that could not be written.
    ///
    /// # Examples
    /// ```no_run
    /// # let scenario = requeue::sim::Scenario::from_toml("")?;
    /// scenario.run()?.save("target/lab")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save(&self, directory: impl AsRef<Path>) -> Result<(), SaveError> {
        let directory = Directory::new(directory.as_ref())?;
        directory.write("report.html", |to| to.write_all(self.to_html().as_bytes()))?;
        directory.write("report.json", |to| self.write_json(to))?;
        directory.write("series.csv", |to| self.write_series(to))?;
        directory.write("totals.csv", |to| self.write_totals(to))?;
        for (name, svg) in self.charts() {
            directory.write(&format!("{name}.svg"), |to| to.write_all(svg.as_bytes()))?;
        }
        Ok(())
    }
}

/// A directory that is there.
pub(in crate::sim) struct Directory<'a>(&'a Path);

impl<'a> Directory<'a> {
    pub(in crate::sim) fn new(path: &'a Path) -> Result<Self, SaveError> {
        match fs::create_dir_all(path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(SaveError {
                path: path.to_owned(),
                source,
            }),
        }
    }

    pub(in crate::sim) fn write(
        &self,
        name: &str,
        content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), SaveError> {
        let path = self.0.join(name);
        let written = File::create(&path).map(BufWriter::new).and_then(|mut file| {
            content(&mut file)?;
            file.flush()
        });
        written.map_err(|source| SaveError { path, source })
    }
}
