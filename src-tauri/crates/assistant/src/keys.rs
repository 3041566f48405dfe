//! Keys: where they are read from, and what a window may know of them. Never the key itself.

use std::{collections::BTreeMap, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use store::KeychainError;
use tokio::sync::{mpsc, oneshot};
use ts_rs::TS;

/// A person may have to type a password for the keychain first; the page that asks waits so long.
const KEYCHAIN_LIMIT: Duration = Duration::from_secs(60);
/// Less than a session waits for a link to open.
const LINK_LIMIT: Duration = Duration::from_secs(12);
/// Requests that may wait for the vault.
const REQUESTS: usize = 16;

/// Where a key comes from.
#[derive(Clone)]
pub enum KeySource {
    /// None is shown.
    None,
    /// This one.
    Given(SecretString),
    /// The vault's, of this account.
    Vault(Vault, String),
}

impl KeySource {
    /// Returns the key; none where there is none.
    ///
    /// # Errors
    /// The keychain's fault.
    pub async fn read(&self) -> Result<Option<SecretString>, KeyError> {
        match self {
            Self::None => Ok(None),
            Self::Given(key) => Ok(Some(key.clone())),
            Self::Vault(vault, account) => vault.read(account).await,
        }
    }

    /// Returns the key, or says that the keychain keeps it waiting; the session waits for a link no longer than that.
    pub(crate) async fn read_soon(&self) -> Result<Option<SecretString>, KeyError> {
        match tokio::time::timeout(LINK_LIMIT, self.read()).await {
            Ok(key) => key,
            Err(_) => Err(KeychainError::Silent.into()),
        }
    }

    /// Notes that a server has rejected the key.
    pub(crate) fn reject(&self) {
        match self {
            Self::None | Self::Given(_) => {}
            Self::Vault(vault, account) => vault.reject(account),
        }
    }
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The keychain's fault.
    #[error("{0} Use the key for this run only, or put it into the environment.")]
    Keychain(#[from] KeychainError),
    /// The program is ending.
    #[error("The keys are not there any more.")]
    Gone,
}

impl KeyError {
    /// Returns what is said where a server wants a key and there is none.
    pub fn missing(name: &str) -> String {
        format!("{name} wants a key. Put one into the settings.")
    }
}

/// What a window may know of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum KeyState {
    /// There is none.
    Missing,
    /// There is one.
    Present {
        /// Its last four characters; empty for a short one.
        last4: String,
        /// Where it comes from.
        kept: KeyKept,
    },
    /// A server has rejected it.
    Rejected {
        /// Its last four characters; empty for a short one.
        last4: String,
    },
    /// The keychain does not say.
    Unavailable {
        /// Why, in words.
        words: String,
    },
}

/// Where a key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum KeyKept {
    /// In the system's keychain.
    Keychain,
    /// In memory, until the program ends.
    ThisRun,
    /// In the environment.
    Environment,
}

/// How a key that is given is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In the system's keychain.
    InKeychain,
    /// Until the program ends.
    ThisRun,
}

/// A handle of the one owner of keys in this program.
#[derive(Clone)]
pub struct Vault {
    requests: mpsc::Sender<Request>,
}

enum Request {
    Read(String, oneshot::Sender<Result<Option<SecretString>, KeyError>>),
    State(String, oneshot::Sender<KeyState>),
    Set(String, SecretString, Keep, oneshot::Sender<Result<(), KeyError>>),
    Clear(String, oneshot::Sender<Result<(), KeyError>>),
    /// The keychain has the key now.
    Kept(String),
    Reject(String),
    Rejected(String, SecretString),
}

#[derive(Default)]
struct Keys {
    /// Given for this run.
    given: BTreeMap<String, SecretString>,
    rejected: BTreeMap<String, SecretString>,
}

impl Vault {
    /// Starts the owner on the current tokio runtime; it ends with the last handle.
    pub fn start() -> Self {
        let (requests, mut inbox) = mpsc::channel(REQUESTS);
        let own = requests.downgrade();
        tokio::spawn(async move {
            let mut keys = Keys::default();
            while let Some(request) = inbox.recv().await {
                keys.handle(request, &own);
            }
        });
        Self { requests }
    }

    /// Returns an account's key: given for this run, else the keychain's, else the environment's.
    ///
    /// # Errors
    /// The keychain's fault, and the environment has none.
    pub async fn read(&self, account: &str) -> Result<Option<SecretString>, KeyError> {
        self.ask(|answer| Request::Read(account.to_owned(), answer)).await.unwrap_or(Err(KeyError::Gone))
    }

    /// Returns what a window may know.
    pub async fn state(&self, account: &str) -> KeyState {
        let gone = || KeyState::Unavailable { words: KeyError::Gone.to_string() };
        self.ask(|answer| Request::State(account.to_owned(), answer)).await.unwrap_or_else(gone)
    }

    /// Keeps a key.
    ///
    /// # Errors
    /// The keychain's fault; the key is kept nowhere then.
    pub async fn set(&self, account: &str, key: SecretString, keep: Keep) -> Result<(), KeyError> {
        let set = |answer| Request::Set(account.to_owned(), key, keep, answer);
        self.ask(set).await.unwrap_or(Err(KeyError::Gone))
    }

    /// Forgets a key.
    ///
    /// # Errors
    /// The keychain's fault.
    pub async fn clear(&self, account: &str) -> Result<(), KeyError> {
        self.ask(|answer| Request::Clear(account.to_owned(), answer)).await.unwrap_or(Err(KeyError::Gone))
    }

    fn reject(&self, account: &str) {
        // The owner of the keys waits for nothing, so there is room.
        let _ = self.requests.try_send(Request::Reject(account.to_owned()));
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.ok()?;
        answered.await.ok()
    }
}

impl Keys {
    /// What may take as long as a person needs to type a password goes on beside the loop.
    fn handle(&mut self, request: Request, requests: &mpsc::WeakSender<Request>) {
        match request {
            Request::Read(account, answer) => {
                let given = self.given.get(&account).cloned();
                tokio::spawn(async move {
                    let key = find(&account, given).await.map(|found| found.map(|(key, _)| key));
                    let _ = answer.send(key);
                });
            }
            Request::State(account, answer) => {
                let (given, rejected) = (self.given.get(&account).cloned(), self.rejected.get(&account).cloned());
                tokio::spawn(async move {
                    let _ = answer.send(state(find(&account, given).await, rejected.as_ref()));
                });
            }
            Request::Set(account, key, Keep::ThisRun, answer) => {
                self.rejected.remove(&account);
                self.given.insert(account, key);
                let _ = answer.send(Ok(()));
            }
            Request::Set(account, key, Keep::InKeychain, answer) => {
                self.rejected.remove(&account);
                let requests = requests.clone();
                tokio::spawn(async move {
                    let name = account.clone();
                    let kept = blocking(move || store::write_key(&name, &key, KEYCHAIN_LIMIT)).await;
                    if kept.is_ok()
                        && let Some(requests) = requests.upgrade()
                    {
                        let _ = requests.send(Request::Kept(account)).await;
                    }
                    let _ = answer.send(kept);
                });
            }
            Request::Kept(account) => {
                self.given.remove(&account);
            }
            Request::Clear(account, answer) => {
                self.rejected.remove(&account);
                let given = self.given.remove(&account).is_some();
                tokio::spawn(async move {
                    let cleared = blocking(move || store::clear_key(&account, KEYCHAIN_LIMIT)).await;
                    // Without a keychain there is nothing in it to forget.
                    let _ = answer.send(if given { Ok(()) } else { cleared });
                });
            }
            Request::Reject(account) => {
                let (given, requests) = (self.given.get(&account).cloned(), requests.clone());
                tokio::spawn(async move {
                    if let (Ok(Some((key, _))), Some(requests)) = (find(&account, given).await, requests.upgrade()) {
                        let _ = requests.send(Request::Rejected(account, key)).await;
                    }
                });
            }
            Request::Rejected(account, key) => {
                self.rejected.insert(account, key);
            }
        }
    }
}

fn state(found: Result<Option<(SecretString, KeyKept)>, KeyError>, rejected: Option<&SecretString>) -> KeyState {
    match found {
        Ok(None) => KeyState::Missing,
        Ok(Some((key, kept))) => {
            let last4 = last4(&key);
            if rejected.is_some_and(|r| r.expose_secret() == key.expose_secret()) {
                KeyState::Rejected { last4 }
            } else {
                KeyState::Present { last4, kept }
            }
        }
        Err(error) => KeyState::Unavailable { words: error.to_string() },
    }
}

/// Returns a key: given for this run, else the keychain's, else the environment's.
async fn find(account: &str, given: Option<SecretString>) -> Result<Option<(SecretString, KeyKept)>, KeyError> {
    if let Some(key) = given {
        return Ok(Some((key, KeyKept::ThisRun)));
    }
    let name = account.to_owned();
    let kept = blocking(move || store::read_key(&name, KEYCHAIN_LIMIT)).await;
    if let Ok(Some(key)) = kept {
        return Ok(Some((key, KeyKept::Keychain)));
    }
    match from_environment(account) {
        Some(key) => Ok(Some((key, KeyKept::Environment))),
        None => kept.map(|_| None),
    }
}

/// Returns the variable that an account's key is read from: the one that its own tools read, too, where they have one.
pub fn variable(account: &str) -> String {
    let own = || format!("VIVAVOCE_{}_KEY", account.to_uppercase().replace('-', "_"));
    protocol::profile(account).key_variable.unwrap_or_else(own)
}

fn from_environment(account: &str) -> Option<SecretString> {
    std::env::var(variable(account)).ok().filter(|k| !k.is_empty()).map(SecretString::from)
}

/// The last four characters of a key that has many more; a short one would be half given away.
fn last4(key: &SecretString) -> String {
    let chars: Vec<char> = key.expose_secret().chars().collect();
    if chars.len() >= 12 { chars[chars.len() - 4..].iter().collect() } else { String::new() }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeychainError> + Send + 'static,
) -> Result<T, KeyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(KeyError::from),
        Err(_) => Err(KeyError::Gone),
    }
}
