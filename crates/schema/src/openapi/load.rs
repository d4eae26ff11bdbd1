//! From files to a contract.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::compile::compile;
use super::contract::{Contract, HostCheck};
use crate::document::{Diagnostic, Document, Level};
use crate::rules::{Library, Loader};

/// Largest document read, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What may be decided when loading.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Whether requests must name one of the servers' hosts.
    pub hosts: HostCheck,
    /// References may lead to files below this folder; by default below the folder of the document.
    pub folder: Option<PathBuf>,
}

/// What loading gave. There are diagnostics with a contract and without.
pub struct Loaded {
    /// The contract; `None` when the document could not be read as OpenAPI at all. With errors among the diagnostics it
    /// is incomplete: what they name is not enforced.
    pub contract: Option<Contract>,
    /// What is to be said, in the order of the document.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read, the document first: a change of any of them changes the contract.
    pub files: Vec<PathBuf>,
}

impl Loaded {
    /// True when nothing keeps the contract from being enforced as it is.
    pub fn is_sound(&self) -> bool {
        self.contract.is_some() && self.diagnostics.iter().all(|diagnostic| diagnostic.level != Level::Error)
    }

    fn failed(diagnostic: Diagnostic) -> Self {
        Self { contract: None, diagnostics: vec![diagnostic], files: Vec::new() }
    }
}

/// Loads a document and the local files it refers to.
pub fn load_file(path: &Path, options: &LoadOptions) -> Loaded {
    let name = path.display().to_string();
    let failed = |message: String| {
        Loaded::failed(Diagnostic {
            level: Level::Error,
            rule: "not-readable",
            file: name.as_str().into(),
            line: 0,
            column: 0,
            pointer: "".into(),
            message: message.into(),
        })
    };
    let absolute = match path.canonicalize() {
        Ok(absolute) => absolute,
        Err(error) => return failed(format!("cannot read `{name}`: {error}")),
    };
    let bytes = match read(&absolute) {
        Ok(bytes) => bytes,
        Err(error) => return failed(format!("cannot read `{name}`: {error}")),
    };
    let own_folder = absolute.parent().unwrap_or(Path::new("/")).to_path_buf();
    let folder = options.folder.as_ref().and_then(|folder| folder.canonicalize().ok()).unwrap_or(own_folder);
    // The document by the name it was asked for: a link may be turned to another file.
    let files = Rc::new(RefCell::new(vec![path.to_path_buf()]));
    let loader = file_loader(folder, Rc::clone(&files));
    let mut loaded = load(&name, &format!("file://{}", absolute.display()), &bytes, loader, options);
    loaded.files = files.take();
    loaded
}

/// Loads a document from memory; references to other documents are refused.
pub fn load_bytes(name: &str, bytes: &[u8], options: &LoadOptions) -> Loaded {
    let loader: Loader = Box::new(|uri| Err(format!("`{uri}` is another document; load the contract from a file")));
    load(name, &format!("memory:/{name}"), bytes, loader, options)
}

fn load(name: &str, uri: &str, bytes: &[u8], loader: Loader, options: &LoadOptions) -> Loaded {
    match Document::parse(name, bytes) {
        Ok(document) => {
            let mut library = Library::new(loader);
            let root = library.add(uri, document);
            compile(library, root, options.hosts)
        }
        Err(diagnostic) => Loaded::failed(diagnostic),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !size.is_file() {
        return Err("it is not a file".to_owned());
    }
    if size.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("it is larger than {DOCUMENT_BYTES_MAX} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}

/// Reads `file:` URIs below a folder, symbolic links resolved first; never anything else. Notes which files they were.
fn file_loader(folder: PathBuf, files: Rc<RefCell<Vec<PathBuf>>>) -> Loader {
    Box::new(move |uri| {
        let path = uri
            .strip_prefix("file://")
            .ok_or_else(|| format!("`{uri}` is not a local file; the network is never used"))?;
        let path = crate::rules::uri::decode(path);
        let absolute = Path::new(&path).canonicalize().map_err(|error| format!("cannot read `{path}`: {error}"))?;
        if !absolute.starts_with(&folder) {
            return Err(format!("`{path}` is outside of `{}`", folder.display()));
        }
        let bytes = read(&absolute).map_err(|error| format!("cannot read `{path}`: {error}"))?;
        files.borrow_mut().push(PathBuf::from(path));
        Ok(bytes)
    })
}
