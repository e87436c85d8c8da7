//! Files that commands write: whole or not at all, and secrets for their owner alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

/// A file of this text stands at `path` afterwards, or what stood there before. Who watches the folder never sees half of it.
///
/// # Errors
/// Operation and file.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), String> {
    let wrong = |cause: std::io::Error| format!("could not write {}: {cause}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(wrong)?;
    // Another ending, so that nobody takes it for a file of the folder.
    let beside = folder.join(format!(".{}.{}.new", path.file_name().unwrap_or_default().display(), std::process::id()));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).and_then(|()| File::open(folder)?.sync_all()).map_err(|cause| {
        // It may be the file that could not be made.
        let _ = fs::remove_file(&beside);
        wrong(cause)
    })
}

/// Makes a file that only its owner reads. What is there already stays as it is: was one made?
///
/// # Errors
/// Operation and file.
pub(crate) fn write_secret_once(path: &Path, text: &str) -> Result<bool, String> {
    let wrong = |cause: std::io::Error| format!("could not write {}: {cause}", path.display());
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(cause) => return Err(wrong(cause)),
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)?;
    Ok(true)
}

/// Makes a folder that only its owner enters; one that is there stays as it is.
///
/// # Errors
/// Operation and folder.
pub(crate) fn make_private_folder(path: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| format!("could not make {}: {cause}", path.display()))
}

/// Removes a file; was it there?
///
/// # Errors
/// Operation and file.
pub(crate) fn remove(path: &Path) -> Result<bool, String> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(format!("could not remove {}: {cause}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        assert!(write_secret_once(&file, "first").unwrap());
        assert!(!write_secret_once(&file, "second").unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), "first");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/route.yaml");
        write_whole(&file, "one").unwrap();
        write_whole(&file, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
        assert!(remove(&file).unwrap() && !remove(&file).unwrap());
    }

    #[test]
    fn what_cannot_be_written_is_said_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("is-a-folder");
        fs::create_dir(&file).unwrap();
        assert!(write_whole(&file, "x").unwrap_err().contains("is-a-folder"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
