use std::path::PathBuf;

/// Where every file of the program lies. `VIVAVOCE_HOME` moves them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
    config: PathBuf,
}

impl Paths {
    /// Returns the paths of this user; `home` (of `VIVAVOCE_HOME`) moves all.
    pub fn new(home: Option<PathBuf>) -> Self {
        if let Some(home) = home {
            return Self { config: home.clone(), root: home };
        }
        match directories::ProjectDirs::from("", "", "vivavoce") {
            Some(dirs) => Self { root: dirs.data_dir().to_owned(), config: dirs.config_dir().to_owned() },
            None => Self { root: PathBuf::from(".vivavoce"), config: PathBuf::from(".vivavoce") },
        }
    }

    /// Returns the paths that the environment asks for.
    pub fn from_env() -> Self {
        Self::new(std::env::var_os("VIVAVOCE_HOME").filter(|v| !v.is_empty()).map(PathBuf::from))
    }

    /// Folder of the models.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Folder of the logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// What the user has asked to be remembered.
    pub fn memories(&self) -> PathBuf {
        self.root.join("memories.sqlite")
    }

    /// The user's own list of prices, in place of the one that ships.
    pub fn prices(&self) -> PathBuf {
        self.config.join("prices.json")
    }

    /// The settings file.
    pub fn settings(&self) -> PathBuf {
        self.config.join("settings.json")
    }
}
