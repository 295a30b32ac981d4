//! Whether a place may hold a store, and files that only their owner can read.
//!
//! Owns permissions and kinds of file systems. Must not know what is in the files.
use std::ffi::CString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What is beside a store: its name with something behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The directory that a file is in.
pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the directory of a store, for its owner alone, if it isn't there.
pub fn make_directory(path: &Path) -> Result<()> {
    let directory = directory(path);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| Error::system("make the directory", directory, &error))
}

/// Opens a file of ours for reading and writing, and makes it if it isn't there: for its owner alone, and no link.
pub fn open_private(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(path).map_err(|error| Error::system("open", path, &error))
}

/// Refuses a store that others own or may write: what is read from it may be loaded as code.
pub fn check_owner(path: &Path) -> Result<()> {
    let place = directory(path);
    let found = fs::metadata(place).map_err(|error| Error::system("look at", place, &error))?;
    let (shared, sticky) = (found.mode() & 0o022 != 0, found.mode() & libc::S_ISVTX != 0);
    if shared && !sticky {
        let reason =
            "others may write there, and could put another store in its place; use another directory, or chmod go-w";
        return Err(Error::Refused { path: place.to_owned(), reason: reason.to_owned() });
    }
    for suffix in ["", "-wal", "-shm", "-journal", "-lock"] {
        check_file(&beside(path, suffix))?;
    }
    Ok(())
}

/// The same of one file; a file that isn't there is nobody's.
pub fn check_file(path: &Path) -> Result<()> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::system("look at", path, &error)),
    };
    let refused = |reason: String| Err(Error::Refused { path: path.to_owned(), reason });
    if !found.is_file() {
        return refused("it is not a file".to_owned());
    }
    // SAFETY: geteuid only answers.
    let own = unsafe { libc::geteuid() };
    if found.uid() != own {
        return refused(format!(
            "it belongs to another user (uid {}, you are {own}), and reading a store may run code of its owner's; copy it first if you trust it",
            found.uid()
        ));
    }
    if found.mode() & 0o022 != 0 {
        return refused(format!(
            "others may write to it (mode {:04o}), and reading a store may run code that they put there; chmod 600 it if you trust what is in it",
            found.mode() & 0o7777
        ));
    }
    Ok(())
}

/// Refuses file systems on which locks and shared maps can't be trusted.
pub fn check_file_system(path: &Path) -> Result<()> {
    let place = directory(path);
    let name = CString::new(place.as_os_str().as_bytes())
        .map_err(|_| Error::Refused { path: path.to_owned(), reason: "a path can't have a zero byte".to_owned() })?;
    // SAFETY: all bytes zero is a valid statfs.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the name is terminated, and the pointer is to a live statfs.
    if unsafe { libc::statfs(name.as_ptr(), &mut found) } < 0 {
        return Err(Error::system("look at", place, &io::Error::last_os_error()));
    }
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let device = fs::metadata(place).map(|found| found.dev()).unwrap_or(0);
    match network(found.f_type as i64, device, mounts) {
        None => Ok(()),
        Some(kind) => Err(Error::Refused {
            path: path.to_owned(),
            reason: format!(
                "it is on a network file system ({kind}), where locks and mapped files can't be trusted; use a local disk, by the path or GRAFLOW_FAST_STORE"
            ),
        }),
    }
}

/// Which network file system that is: by the number that `statfs` gives, and FUSE's by the table of mounts.
fn network(kind: i64, device: u64, mounts: impl Fn() -> String) -> Option<String> {
    let name = match kind & 0xFFFF_FFFF {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x0102_1997 => "9P",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x7461_636F => "OCFS2",
        0x0116_1970 => "GFS2",
        0x6573_5546 => return fuse(device, &mounts()),
        _ => return None,
    };
    Some(name.to_owned())
}

/// Which of FUSE's file systems that is, if it is one over the network.
fn fuse(device: u64, mounts: &str) -> Option<String> {
    const FAR: [&str; 12] = [
        "sshfs",
        "s3fs",
        "gcsfuse",
        "goofys",
        "rclone",
        "glusterfs",
        "ceph",
        "juicefs",
        "davfs",
        "blobfuse",
        "moosefs",
        "curlftpfs",
    ];
    let number = format!("{}:{}", libc::major(device), libc::minor(device));
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(&number))?;
    let kind = line.split(" - ").nth(1)?.split(' ').next()?;
    FAR.iter().any(|far| kind.contains(far)).then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        let none = String::new;
        assert_eq!(network(0x6969, 0, none).as_deref(), Some("NFS"));
        assert_eq!(network(0xFF53_4D42u32 as i32 as i64, 0, none).as_deref(), Some("SMB"), "a negative number, too");
        assert_eq!(network(0xEF53, 0, none), None, "ext4");
        assert_eq!(network(0x0102_1994, 0, none), None, "tmpfs");
    }

    #[test]
    fn a_file_system_of_fuse_is_known_by_the_table_of_mounts() {
        let mounts = || {
            "36 35 0:41 / /far rw,noatime - fuse.sshfs host:/ rw\n37 35 0:42 / /near rw - fuse.ntfs-3g /dev/sda1 rw\n"
                .to_owned()
        };
        assert_eq!(network(0x6573_5546, libc::makedev(0, 41), mounts).as_deref(), Some("fuse.sshfs"));
        assert_eq!(network(0x6573_5546, libc::makedev(0, 42), mounts), None);
        assert_eq!(network(0x6573_5546, libc::makedev(0, 43), mounts), None, "not in the table");
    }
}
