//! Rule files on disk: a folder with a set-up file and rules, or one file that includes them.

use std::path::{Path, PathBuf};

use super::{Loaded, Reader, Settings, load};
use crate::error::Problem;
use crate::lex::File;

/// Largest rule or data file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Most files that one pattern may mean.
const FILES_MAX: usize = 1000;

/// Loads the rules of a folder or of one file. In a folder these are looked for: `*.load` (as Debian's package has it,
/// which includes the rest), else `crs-setup.conf` (or its `.example`) and `rules/*.conf`, else `*.conf`, by name.
///
/// # Errors
/// Every mistake, or that there is nothing to load.
pub fn load_path(path: &Path, settings: &Settings) -> Result<Loaded, Vec<Problem>> {
    let files = files(path).map_err(|problem| vec![problem])?;
    load(&files, &Disk, settings)
}

/// The files of a folder, in the order they are read.
fn files(path: &Path) -> Result<Vec<File>, Problem> {
    let shown = path.display().to_string();
    let wrong = |message: String, help: &str| Problem::of_file(&shown, message, help);
    if path.is_file() {
        return Ok(vec![read_file(path).map_err(|error| wrong(error, ""))?]);
    }
    let listed = |folder: &Path, end: &str| list(folder, &format!("*{end}")).unwrap_or_default();
    let mut paths = listed(path, ".load");
    if paths.is_empty() {
        let rules = path.join("rules");
        let setup = [path.join("crs-setup.conf"), path.join("crs-setup.conf.example")];
        let setup: Vec<PathBuf> = setup.into_iter().find(|setup| setup.is_file()).into_iter().collect();
        let found = listed(if rules.is_dir() { &rules } else { path }, ".conf");
        paths = setup.iter().cloned().chain(found.into_iter().filter(|found| !setup.contains(found))).collect();
    }
    if paths.is_empty() {
        let help = "give the folder of the OWASP Core Rule Set: the one with `crs-setup.conf` and `rules`";
        return Err(wrong(format!("there are no rules in `{shown}`"), help));
    }
    paths.iter().map(|path| read_file(path).map_err(|error| wrong(error, ""))).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let fails = |error: std::io::Error| format!("`{}` cannot be read: {}", path.display(), error.kind());
    let length = std::fs::metadata(path).map_err(fails)?.len();
    if length > FILE_BYTES_MAX {
        return Err(format!("`{}` is larger than 16 MiB", path.display()));
    }
    std::fs::read(path).map_err(fails)
}

fn read_file(path: &Path) -> Result<File, String> {
    let text = String::from_utf8(read(path)?).map_err(|_| format!("`{}` is not UTF-8 text", path.display()))?;
    Ok(File::new(&path.display().to_string(), &text))
}

/// Files of a folder whose names fit a pattern with stars, by name.
fn list(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("`{}`: {}", folder.display(), error.kind()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file() && path.file_name().is_some_and(|name| fits(&name.to_string_lossy(), pattern)))
        .collect();
    found.sort();
    if found.len() > FILES_MAX {
        return Err(format!("`{}` means more than {FILES_MAX} files", folder.join(pattern).display()));
    }
    Ok(found)
}

/// Whether a name fits a pattern in which stars stand for anything.
fn fits(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The disk.
struct Disk;

impl Disk {
    /// Relative names start at the folder of the file that names them.
    fn beside(from: &str, name: &str) -> PathBuf {
        Path::new(from).parent().unwrap_or(Path::new(".")).join(name)
    }
}

impl Reader for Disk {
    fn include(&self, from: &str, pattern: &str) -> Result<Vec<File>, String> {
        let path = Self::beside(from, pattern);
        if path.is_file() {
            return Ok(vec![read_file(&path)?]);
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        list(folder, &name.to_string_lossy())?.iter().map(|path| read_file(path)).collect()
    }

    fn data(&self, from: &str, name: &str) -> Result<Vec<u8>, String> {
        read(&Self::beside(from, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_fit() {
        for (name, pattern, expected) in [
            ("a.conf", "*.conf", true),
            ("a.conf", "a*", true),
            ("a.conf.example", "*.conf", false),
            ("REQUEST-1-x.conf", "REQUEST-*-x.*", true),
            ("a", "a", true),
            ("ab", "a", false),
        ] {
            assert_eq!(fits(name, pattern), expected, "{name} {pattern}");
        }
    }
}
