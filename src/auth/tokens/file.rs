//! The file that holds the tokens of a data folder.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{MOST, Token};
use crate::storage::{Links, found, give_to_owner, open_or_create, read_small, replace_for_owner};

/// The version of the file that is read and written.
const VERSION: u32 = 1;

/// The most bytes that are read of it.
const MAX_LEN: u64 = 4 << 20;

/// Why tokens cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The name is not allowed.
    #[error("--name: a name has at most 64 characters, and no control characters")]
    Name,
    /// Any other reason, with the solution.
    #[error("{0}")]
    Failed(String),
}

/// The tokens of a data folder.
#[derive(Clone, Debug)]
pub struct TokenFile {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Content {
    profiletrail_tokens: u32,
    tokens: Vec<Token>,
}

impl TokenFile {
    /// Those of the folder at that path.
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    /// All tokens, oldest first; empty without a file.
    pub fn read(&self) -> Result<Vec<Token>, TokensError> {
        let path = self.path();
        let read = found(read_small(&path, MAX_LEN, Links::Refuse));
        let Some(bytes) = read.map_err(failed("reading", &path))? else {
            return Ok(Vec::new());
        };
        let damaged = |_| {
            TokensError::Failed(format!(
                "the file {} is damaged: remove it, and create the tokens again with \
                 `profiletrail token create`",
                path.display()
            ))
        };
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
        // A newer version writes its number in the same place.
        let version = value.get("profiletrail_tokens").and_then(|it| it.as_u64());
        if version.is_some_and(|version| version > u64::from(VERSION)) {
            return Err(TokensError::Failed(format!(
                "the file {} was written by a newer profiletrail: use that version, or remove the \
                 file",
                path.display()
            )));
        }
        serde_json::from_value(value)
            .map(|content: Content| content.tokens)
            .map_err(damaged)
    }

    /// Adds a token. When this returns it is on stable storage.
    pub fn add(&self, token: Token) -> Result<(), TokensError> {
        let _lock = self.lock()?;
        let mut tokens = self.read()?;
        if tokens.len() >= MOST {
            return Err(TokensError::Failed(format!(
                "there are {MOST} tokens, which is the limit: revoke some with `profiletrail token \
                 revoke ID`"
            )));
        }
        tokens.push(token);
        self.write(tokens)
    }

    /// Removes the token with this ID and returns it; `None` if there is none. When this returns,
    /// the removal is on stable storage.
    pub fn remove(&self, id: &str) -> Result<Option<Token>, TokensError> {
        let _lock = self.lock()?;
        let mut tokens = self.read()?;
        let Some(place) = tokens.iter().position(|token| token.id == id) else {
            return Ok(None);
        };
        let removed = tokens.remove(place);
        self.write(tokens)?;
        Ok(Some(removed))
    }

    /// Waits for another process that changes the tokens, which takes an instant.
    fn lock(&self) -> Result<File, TokensError> {
        let path = self.folder.join("tokens.lock");
        let lock = open_or_create(&path)
            .and_then(|file| give_to_owner(&path, &self.folder).map(|()| file))
            .map_err(failed("opening", &path))?;
        lock.lock().map_err(failed("locking", &path))?;
        Ok(lock)
    }

    fn write(&self, tokens: Vec<Token>) -> Result<(), TokensError> {
        let content = Content {
            profiletrail_tokens: VERSION,
            tokens,
        };
        let path = self.path();
        let mut text =
            serde_json::to_vec(&content).map_err(|error| failed("writing", &path)(error.into()))?;
        text.push(b'\n');
        replace_for_owner(&path, &self.folder, &text).map_err(failed("writing", &path))
    }
}

fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> TokensError {
    move |cause| TokensError::Failed(format!("{doing} {}: {cause}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::auth::tokens::Scope;

    #[test]
    fn tokens_that_are_made_at_one_time_are_all_kept() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::of(dir.path());
        assert_eq!(file.read().unwrap(), []);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let file = &file;
                scope.spawn(move || {
                    let (token, _) = Token::new(&format!("n{number}"), Scope::Read).unwrap();
                    file.add(token).unwrap();
                });
            }
        });
        let tokens = file.read().unwrap();
        assert_eq!(tokens.len(), 8);
        let gone = file.remove(&tokens[3].id).unwrap();
        assert_eq!(gone.as_ref(), Some(&tokens[3]));
        assert_eq!(file.remove(&tokens[3].id).unwrap(), None);
        assert_eq!(file.read().unwrap().len(), 7);
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::of(dir.path());
        let (token, _) = Token::new("", Scope::Read).unwrap();
        for text in [
            "",
            "{}",
            "[]",
            "{\"profiletrail_tokens\":1}",
            "{\"profiletrail_tokens\":1,\"tokens\":[{\"id\":\"a\"}]}",
        ] {
            fs::write(file.path(), text).unwrap();
            let error = file.read().unwrap_err().to_string();
            assert!(error.contains(" is damaged: "), "{text}: {error}");
            file.add(token.clone()).unwrap_err();
            assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
        }
        fs::write(file.path(), "{\"profiletrail_tokens\":2,\"keys\":[]}").unwrap();
        let error = file.read().unwrap_err().to_string();
        assert!(error.contains(" was written by a newer "), "{error}");
    }
}
