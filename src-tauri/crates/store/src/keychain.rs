//! Keys in the keychain of the system: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
//!
//! A keychain may be locked, slow, or not there; no call here blocks its caller for longer than it says.

use std::{sync::mpsc, time::Duration};

use keyring::{Entry, Error};
use secrecy::{ExposeSecret, SecretString};

/// What the keychain lists our entries under.
const SERVICE: &str = "vivavoce";

/// Why the keychain did not do what was asked. Never says anything of the key itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// This system has none, or it is not running.
    #[error("This system has no keychain that works ({0}).")]
    Absent(String),
    /// It has not answered: it is locked and waits for its password, or hangs.
    #[error("The keychain does not answer; it may be locked and waiting for its password.")]
    Silent,
    /// It answered with an error.
    #[error("The keychain refused ({0}).")]
    Refused(String),
}

/// Returns the key of an account; none where there is none. Blocks up to `limit`.
///
/// # Errors
/// The keychain's fault.
pub fn read_key(account: &str, limit: Duration) -> Result<Option<SecretString>, KeychainError> {
    with_entry(account, limit, |entry| match entry.get_password() {
        Ok(key) => Ok(Some(SecretString::from(key))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    })
}

/// Keeps a key in place of the one before. Blocks up to `limit`.
///
/// # Errors
/// The keychain's fault; what was there before is still there.
pub fn write_key(account: &str, key: &SecretString, limit: Duration) -> Result<(), KeychainError> {
    let key = key.clone();
    with_entry(account, limit, move |entry| entry.set_password(key.expose_secret()))
}

/// Forgets a key. Blocks up to `limit`.
///
/// # Errors
/// The keychain's fault.
pub fn clear_key(account: &str, limit: Duration) -> Result<(), KeychainError> {
    with_entry(account, limit, |entry| match entry.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(error),
    })
}

/// Works on an entry on a thread of its own: a locked Secret Service keeps a call until its password is typed.
fn with_entry<T: Send + 'static>(
    account: &str,
    limit: Duration,
    work: impl FnOnce(&Entry) -> keyring::Result<T> + Send + 'static,
) -> Result<T, KeychainError> {
    let account = account.to_owned();
    let (answer, answered) = mpsc::sync_channel(1);
    let run = move || {
        let result = match Entry::store_status() {
            Ok(()) => Entry::new(SERVICE, &account).and_then(|entry| work(&entry)).map_err(refused),
            Err(error) => Err(KeychainError::Absent(plain(error))),
        };
        let _ = answer.send(result);
    };
    std::thread::Builder::new()
        .name("keychain".into())
        .spawn(run)
        .map_err(|error| KeychainError::Absent(error.to_string()))?;
    answered.recv_timeout(limit).map_err(|_| KeychainError::Silent)?
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the crate's errors are open for more")]
fn refused(error: Error) -> KeychainError {
    match error {
        Error::NoDefaultStore | Error::PlatformFailure(_) | Error::NoStorageAccess(_) => {
            KeychainError::Absent(plain(&error))
        }
        other => KeychainError::Refused(plain(&other)),
    }
}

/// Returns an error's words; none of these has a secret in it but `BadEncoding`, whose bytes are left out.
fn plain(error: &Error) -> String {
    if matches!(error, Error::BadEncoding(_)) {
        return "what it keeps is no text".into();
    }
    let text = error.to_string();
    text.trim_end_matches('.').to_owned()
}
