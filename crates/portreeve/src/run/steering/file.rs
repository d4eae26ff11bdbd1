//! The configuration file as the console reads and writes it: secrets stay hidden, and a file is replaced whole or not at all.

use std::io::Write as _;
use std::path::Path;

use console::steering::{ConfigText, Diagnostic};

use crate::config::{self, Settings};

/// Said when the gateway was started from flags.
pub const NO_FILE: &str = "the gateway was started without a configuration file; start it with `portreeve run --config FILE` to change it here";

/// The file with its secrets hidden.
pub fn shown(file: &Path) -> ConfigText {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let reason = why_not_writable(file);
    ConfigText {
        path: file.display().to_string(),
        revision: revision(&text),
        text: config::masked(&text),
        writable: reason.is_empty(),
        reason,
    }
}

/// Names a text without telling it: eight bytes of its SHA-256.
fn revision(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn why_not_writable(file: &Path) -> String {
    let metadata = match std::fs::symlink_metadata(file) {
        Ok(metadata) => metadata,
        Err(error) => return format!("`{}` cannot be read: {}", file.display(), config::meant::plain(&error)),
    };
    if metadata.file_type().is_symlink() {
        return format!("`{}` is a link, so it belongs to whoever made the link; change it there", file.display());
    }
    if metadata.permissions().readonly() {
        return format!("`{}` is read-only", file.display());
    }
    String::new()
}

/// A text as settings, and the text with the secrets that were hidden.
///
/// # Errors
/// Every mistake.
pub fn meant(file: &Path, text: &str, with_secrets: bool) -> Result<(Settings, String), Vec<Diagnostic>> {
    let kept = if with_secrets { std::fs::read_to_string(file).unwrap_or_default() } else { String::new() };
    let text = config::unmasked(text, &kept).map_err(|lines| {
        let unclear = |line: usize| Diagnostic {
            line: u32::try_from(line).unwrap_or(0),
            column: 1,
            message: "it is not clear which hidden secret stands here".to_owned(),
            help: "write the secret, or better `file:/run/secrets/name` or `${NAME}`".to_owned(),
        };
        lines.into_iter().map(unclear).collect::<Vec<_>>()
    })?;
    match config::parse(file, &config::base_of(file), &text, &|name| std::env::var(name).ok()) {
        Ok(settings) => Ok((settings, text)),
        Err(report) => Err(report.diagnostics.into_iter().map(diagnostic).collect()),
    }
}

fn diagnostic(diagnostic: config::diagnostic::Diagnostic) -> Diagnostic {
    Diagnostic {
        line: u32::try_from(diagnostic.spot.line).unwrap_or(0),
        column: u32::try_from(diagnostic.spot.column).unwrap_or(0),
        message: diagnostic.message,
        help: diagnostic.help,
    }
}

/// A mistake of the whole.
pub fn told(message: &str, help: &str) -> Diagnostic {
    Diagnostic { line: 0, column: 0, message: message.to_owned(), help: help.to_owned() }
}

/// Replaces the file: a new one beside it with the same rights, brought to the disk, then put in its place. Whoever reads sees
/// the old text or the new one, also after a crash.
///
/// # Errors
/// What the system says.
pub fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let directory = config::base_of(file);
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let beside = directory.join(format!(".{name}.{}.new", std::process::id()));
    let written = (|| {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        let mode = std::fs::metadata(file)?.permissions().mode();
        // Nobody else may read it while it has not the rights of the old one: it may hold secrets.
        let mut new = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        new.write_all(text.as_bytes())?;
        new.set_permissions(std::fs::Permissions::from_mode(mode))?;
        new.sync_all()?;
        std::fs::rename(&beside, file)?;
        std::fs::File::open(&directory)?.sync_all()
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_with_the_rights_it_had() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("portreeve.yaml");
        std::fs::write(&file, "old").expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("rights");
        write(&file, "new").expect("replaced");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "new");
        assert_eq!(std::fs::metadata(&file).expect("read").permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(directory.path()).expect("read").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_link_is_not_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, link) = (directory.path().join("real.yaml"), directory.path().join("portreeve.yaml"));
        std::fs::write(&file, "x: 1").expect("written");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        assert!(shown(&file).writable);
        assert!(!shown(&link).writable && shown(&link).reason.contains("is a link"));
    }
}
