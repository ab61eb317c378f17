//! The tokens in a running server.

use parking_lot::Mutex;

use super::file::TokenFile;
use super::{Token, token_of};
use crate::storage::{FileIdentity, Links, identity};

/// The tokens of a data folder, reloaded whenever their file is replaced.
#[derive(Debug)]
pub struct Watched {
    file: TokenFile,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    file: FileIdentity,
    tokens: Vec<Token>,
}

impl Watched {
    /// Those of a file.
    pub fn new(file: TokenFile) -> Self {
        Self {
            file,
            known: Mutex::default(),
        }
    }

    /// The token with this text; `None` if there is none, or if the file cannot be read, which is
    /// logged once.
    pub fn find(&self, text: &str) -> Option<Token> {
        self.look(|tokens| token_of(tokens, text).cloned())
    }

    /// Whether a token that was found is still valid.
    pub fn has(&self, token: &Token) -> bool {
        self.look(|tokens| tokens.contains(token))
    }

    fn look<T>(&self, look: impl FnOnce(&[Token]) -> T) -> T {
        let mut known = self.known.lock();
        // Taken before the file is read: a change in between is seen at the next look.
        let file = identity(&self.file.path(), Links::Refuse);
        if file != known.file {
            known.tokens = self.file.read().unwrap_or_else(|error| {
                tracing::error!("every token is refused over HTTP: {error}");
                Vec::new()
            });
            known.file = file;
        }
        look(&known.tokens)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;
    use crate::auth::tokens::Scope;

    #[test]
    fn a_change_is_known_at_the_next_look() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::of(dir.path());
        let watched = Watched::new(file.clone());
        let scope_of = |text: &str| watched.find(text).map(|token| token.scope);
        assert_eq!(scope_of("ptr_x"), None);
        for _ in 0..50 {
            let (token, text) = Token::new("", Scope::Metrics).unwrap();
            let id = token.id.clone();
            file.add(token).unwrap();
            assert_eq!(scope_of(&text), Some(Scope::Metrics));
            let found = watched.find(&text).unwrap();
            assert!(found.id == id && watched.has(&found));
            file.remove(&id).unwrap();
            assert_eq!(scope_of(&text), None);
            assert!(watched.find(&text).is_none() && !watched.has(&found));
        }
        let (token, text) = Token::new("", Scope::Read).unwrap();
        file.add(token).unwrap();
        assert_eq!(scope_of(&text), Some(Scope::Read));
        fs::write(file.path(), "rubbish").unwrap();
        assert_eq!(scope_of(&text), None);
        fs::remove_file(file.path()).unwrap();
        assert_eq!(scope_of(&text), None);
    }
}
