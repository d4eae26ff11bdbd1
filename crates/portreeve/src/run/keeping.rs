//! The learner's memory on disk: `learner.state` in the data directory, written beside the traffic every minute and at the end.
//!
//! The file is a line of text (`portreeve-learner 1`), the SHA-256 of what follows, and zstd of the inventory's ids and the
//! learner's bytes. It is written under another name and renamed, so that there is always a whole one. A file that cannot be
//! used is set aside with a clear line, and learning begins anew; the inventory keeps what it has.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use learn::snapshot::VERSION;
use learn::{Learner, LearnerLimits, Models};

use crate::learned::Identities;

/// Most bytes of a memory, unpacked.
const BYTES_MAX: u64 = 1 << 30;
const HASH_BYTES: usize = 32;

fn path(data: &Path) -> PathBuf {
    data.join("learner.state")
}

fn first_line() -> String {
    format!("portreeve-learner {VERSION}\n")
}

/// The learner of a data directory, with the ids it has given; a new one where there is no memory that can be used.
pub fn load(data: &Path, models: Models, key: u64) -> (Learner, Identities) {
    let path = path(data);
    let read = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error.to_string())),
        Ok(bytes) => Some(unpacked(&bytes).and_then(|(identities, memory)| {
            let learner = Learner::from_bytes(models.clone(), LearnerLimits::default(), &memory);
            learner.map(|learner| (learner, identities)).map_err(|error| error.to_string())
        })),
    };
    match read {
        Some(Ok(restored)) => return restored,
        Some(Err(why)) => {
            let aside = path.with_extension("state.damaged");
            let _ = fs::rename(&path, &aside);
            tracing::warn!(
                file = %path.display(), %why, aside = %aside.display(),
                "what was learned before cannot be used; the file is set aside and learning begins anew"
            );
        }
        None => {}
    }
    (Learner::new(models, LearnerLimits::default(), key), Identities::default())
}

/// Writes the memory down. Gives the bytes written.
///
/// # Errors
/// One sentence for the log; the file before stays.
pub fn save(data: &Path, learner: &Learner, identities: &Identities) -> Result<u64, String> {
    let memory = learner.to_bytes().map_err(|error| error.to_string())?;
    let ids = serde_json::to_vec(&identities.list()).map_err(|error| error.to_string())?;
    if (memory.len() + ids.len()) as u64 > BYTES_MAX {
        return Err(format!("it has {} bytes, and at most {BYTES_MAX} are kept", memory.len()));
    }
    let say = |error: std::io::Error| error.to_string();
    let mut packed = zstd::Encoder::new(Vec::new(), 1).map_err(say)?;
    packed.write_all(&(ids.len() as u64).to_le_bytes()).map_err(say)?;
    packed.write_all(&ids).map_err(say)?;
    packed.write_all(&memory).map_err(say)?;
    let packed = packed.finish().map_err(say)?;
    let path = path(data);
    let fresh = path.with_extension("state.new");
    let mut file = fs::File::create(&fresh).map_err(say)?;
    file.write_all(first_line().as_bytes()).map_err(say)?;
    file.write_all(hash(&packed).as_ref()).map_err(say)?;
    file.write_all(&packed).map_err(say)?;
    file.sync_all().map_err(say)?;
    fs::rename(&fresh, &path).map_err(say)?;
    Ok(packed.len() as u64)
}

fn hash(bytes: &[u8]) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes)
}

fn unpacked(bytes: &[u8]) -> Result<(Identities, Vec<u8>), String> {
    let line = first_line();
    let rest = bytes.strip_prefix(line.as_bytes()).ok_or_else(|| {
        let is_ours = bytes.starts_with(b"portreeve-learner ");
        if is_ours { "it is of another version".to_owned() } else { "it does not begin as such a file does".to_owned() }
    })?;
    let (sum, packed) = rest.split_at_checked(HASH_BYTES).ok_or("it ends too early")?;
    if hash(packed).as_ref() != sum {
        return Err("its checksum is wrong".to_owned());
    }
    let mut all = Vec::new();
    let unpacking = zstd::Decoder::new(packed).and_then(|decoder| decoder.take(BYTES_MAX + 8).read_to_end(&mut all));
    unpacking.map_err(|error| error.to_string())?;
    let (length, rest) = all.split_first_chunk::<8>().ok_or("it ends too early")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|error| error.to_string())?;
    let (ids, memory) = rest.split_at_checked(length).ok_or("it ends too early")?;
    let ids: Vec<(u64, String, u64)> = serde_json::from_slice(ids).map_err(|error| error.to_string())?;
    Ok((Identities::from_list(ids), memory.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_survives_and_what_is_damaged_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let models = || Models::shipped().unwrap();
        let (mut learner, mut identities) = load(folder.path(), models(), 1);
        (1..40).for_each(|at| learner.observe(&learn::snapshot::example(at * 1_000)));
        learner.refresh_all();
        let rows = crate::learned::endpoints(&learner, &learner.endpoints(), &mut identities, model::Timestamp(0));
        assert!(!rows.is_empty());
        save(folder.path(), &learner, &identities).unwrap();
        let (again, mut ids) = load(folder.path(), models(), 2);
        assert_eq!(crate::learned::endpoints(&again, &again.endpoints(), &mut ids, model::Timestamp(0)), rows);

        let file = folder.path().join("learner.state");
        let whole = fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damaged in [&flipped[..], &whole[..whole.len() / 2], b"", b"portreeve-learner 999\n"] {
            fs::write(&file, damaged).unwrap();
            let (fresh, _) = load(folder.path(), models(), 3);
            assert_eq!(fresh.observed, 0);
            assert!(!file.exists() && folder.path().join("learner.state.damaged").exists());
        }
    }
}
