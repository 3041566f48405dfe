//! What the user has asked to be remembered: sentences in SQLite, found by their words.

use std::path::Path;

use rusqlite::{Connection, params};

/// Longest sentence that is kept.
const LONGEST: usize = 2000;

/// Why something could not be remembered or recalled.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The disk's fault, or the file is damaged.
    #[error("the memories cannot be used: {0}")]
    Database(#[from] rusqlite::Error),
    /// The disk's fault.
    #[error("the folder of the memories cannot be made: {0}")]
    Io(#[from] std::io::Error),
    /// There was nothing to remember, or too much.
    #[error("a memory is a sentence of up to {LONGEST} characters")]
    Length,
}

/// Something remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Stable number.
    pub id: i64,
    /// What.
    pub text: String,
    /// When, in Unix seconds.
    pub at: i64,
}

/// The memories of one user.
#[derive(Debug)]
pub struct Memories {
    database: Connection,
}

impl Memories {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// The disk's fault, or the file is no database.
    pub fn open(path: &Path) -> Result<Self, MemoryError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let database = Connection::open(path)?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        database.execute_batch(
            "CREATE TABLE IF NOT EXISTS memory (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, at INTEGER NOT NULL);
             CREATE VIRTUAL TABLE IF NOT EXISTS memory_words
                USING fts5(text, content='memory', content_rowid='id', tokenize='porter unicode61');
             CREATE TRIGGER IF NOT EXISTS memory_added AFTER INSERT ON memory BEGIN
                INSERT INTO memory_words(rowid, text) VALUES (new.id, new.text); END;
             CREATE TRIGGER IF NOT EXISTS memory_removed AFTER DELETE ON memory BEGIN
                INSERT INTO memory_words(memory_words, rowid, text) VALUES ('delete', old.id, old.text); END;",
        )?;
        Ok(Self { database })
    }

    /// Keeps a sentence; one that is known already is kept once.
    ///
    /// # Errors
    /// It is empty or too long, or the disk's fault.
    pub fn remember(&self, text: &str, now: i64) -> Result<(), MemoryError> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > LONGEST {
            return Err(MemoryError::Length);
        }
        self.database.execute("INSERT OR IGNORE INTO memory (text, at) VALUES (?1, ?2)", params![text, now])?;
        Ok(())
    }

    /// Returns what has any of the words of `query`, the best first; the latest where there is no word.
    ///
    /// # Errors
    /// The disk's fault.
    pub fn recall(&self, query: &str, most: u32) -> Result<Vec<Memory>, MemoryError> {
        // Each word in quotes: nothing of a query is an operator.
        let words = query.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        let words: Vec<String> = words.map(|w| format!("\"{w}\"")).collect();
        let read = |row: &rusqlite::Row<'_>| Ok(Memory { id: row.get(0)?, text: row.get(1)?, at: row.get(2)? });
        let found = if words.is_empty() {
            let sql = "SELECT id, text, at FROM memory ORDER BY at DESC, id DESC LIMIT ?1";
            self.database.prepare(sql)?.query_map(params![most], read)?.collect::<Result<_, _>>()?
        } else {
            let sql = "SELECT memory.id, memory.text, memory.at FROM memory_words JOIN memory ON memory.id = memory_words.rowid
                       WHERE memory_words MATCH ?1 ORDER BY rank LIMIT ?2";
            let mut statement = self.database.prepare(sql)?;
            statement.query_map(params![words.join(" OR "), most], read)?.collect::<Result<_, _>>()?
        };
        Ok(found)
    }

    /// Forgets one; returns whether it was there.
    ///
    /// # Errors
    /// The disk's fault.
    pub fn forget(&self, id: i64) -> Result<bool, MemoryError> {
        Ok(self.database.execute("DELETE FROM memory WHERE id = ?1", params![id])? > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled_by_its_words_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/memories.sqlite");
        let memories = Memories::open(&path).unwrap();
        for (n, text) in
            ["My dog is called Bello.", "I drink tea without sugar.", "My dog is called Bello."].iter().enumerate()
        {
            memories.remember(text, n as i64).unwrap();
        }
        drop(memories);
        let memories = Memories::open(&path).unwrap();
        let texts = |query: &str| memories.recall(query, 5).unwrap().into_iter().map(|m| m.text).collect::<Vec<_>>();
        assert_eq!(texts("what are my dogs called?"), ["My dog is called Bello."]);
        assert_eq!(texts("").len(), 2);
        assert_eq!(texts("\" OR * NEAR(").len(), 0);
        let id = memories.recall("tea", 1).unwrap()[0].id;
        assert!(memories.forget(id).unwrap() && !memories.forget(id).unwrap());
        assert_eq!(texts("tea").len(), 0);
    }

    #[test]
    fn a_memory_has_words_and_an_end() {
        let dir = tempfile::tempdir().unwrap();
        let memories = Memories::open(&dir.path().join("m.sqlite")).unwrap();
        assert!(matches!(memories.remember("  ", 0), Err(MemoryError::Length)));
        assert!(matches!(memories.remember(&"x".repeat(LONGEST + 1), 0), Err(MemoryError::Length)));
    }
}
