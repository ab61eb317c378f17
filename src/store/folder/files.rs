//! Every file of a data folder, and the personal data that it can hold.

/// A kind of file.
#[derive(Debug)]
pub struct DataFile {
    /// Its path in the data folder; `*` stands for any text without a `/`.
    pub path: &'static str,
    /// The personal data that it can hold; empty if none.
    pub holds: &'static str,
    /// The effect of an erasure on it; empty if it holds no personal data.
    pub erased: &'static str,
}

impl DataFile {
    /// Whether a path in the data folder is of this kind.
    pub fn matches(&self, path: &str) -> bool {
        let (kind, path) = (self.path.split('/'), path.split('/'));
        kind.clone().count() == path.clone().count()
            && kind.zip(path).all(|(kind, name)| matches(kind, name))
    }

    /// Whether a name in the data folder is of this kind, or a folder of such files.
    pub fn matches_name(&self, name: &str) -> bool {
        let first = self.path.split('/').next();
        first.is_some_and(|first| matches(first, name))
    }
}

fn matches(kind: &str, name: &str) -> bool {
    let Some((begin, rest)) = kind.split_once('*') else {
        return kind == name;
    };
    let Some(name) = name.strip_prefix(begin) else {
        return false;
    };
    (0..=name.len())
        .filter_map(|at| name.get(at..))
        .any(|end| matches(rest, end))
}

const fn file(path: &'static str, [holds, erased]: [&'static str; 2]) -> DataFile {
    DataFile {
        path,
        holds,
        erased,
    }
}

const CALLS: [&str; 2] = [
    "calls: head and body",
    "written again without them; control records stay, with the profile's number",
];

const REJECTED: [&str; 2] = [
    "calls that could not be read",
    "written again without those that name the person",
];

const ASIDE: [&str; 2] = ["bytes that a recovery or a repair has set aside", "removed"];

const UNFINISHED: [&str; 2] = [
    "a segment that is being written",
    "removed by the next start",
];

const BASELINES: [&str; 2] = [
    "the state after pruned events, and whose the subprofiles are",
    "written again without the person's",
];

const INDEX: [&str; 2] = [
    "numbers and times; the beginnings of looked-up values",
    "built again from the log",
];

const FORMAT: [&str; 2] = [
    "the salts' secrets; who was erased",
    "written again without the secrets of erased events; the profile's number, the time and the reason stay",
];

const NOTHING: [&str; 2] = ["", ""];

/// Every file of a data folder. A new kind of file belongs into this table.
pub const FILES: &[DataFile] = &[
    file("log/*.log", CALLS),
    file("log/*.log.zst", CALLS),
    file("log/*.torn-*", ASIDE),
    file("log/*.damaged-*", ASIDE),
    file("log/*.new", UNFINISHED),
    file("rejected/*.log", REJECTED),
    file("rejected/*.log.zst", REJECTED),
    file("rejected/*.torn-*", ASIDE),
    file("rejected/*.damaged-*", ASIDE),
    file("rejected/*.new", UNFINISHED),
    file("baselines/*.log.zst", BASELINES),
    file("baselines/*.new", UNFINISHED),
    file("index/*", INDEX),
    file("index/*/*", INDEX),
    file("index.*/*", INDEX),
    file("index.*/*/*", INDEX),
    file("format", FORMAT),
    file("format.new", FORMAT),
    file("proofs/*", NOTHING),
    file("cluster", NOTHING),
    file("cluster.new", NOTHING),
    file("keys", NOTHING),
    file("keys.new", NOTHING),
    file("tokens", NOTHING),
    file("tokens.lock", NOTHING),
    file("tokens.new", NOTHING),
    file("validation/*", NOTHING),
    file("lock", NOTHING),
    file("socket", NOTHING),
    file("private", NOTHING),
    file("private-api", NOTHING),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_of_its_kind_alone() {
        let of = |path: &str| {
            let found = FILES.iter().find(|file| file.matches(path));
            found.map(|file| file.path)
        };
        for (path, kind) in [
            ("log/00000000000000000001.log", Some("log/*.log")),
            ("log/00000000000000000001.log.zst", Some("log/*.log.zst")),
            (
                "log/00000000000000000001.log.torn-2026",
                Some("log/*.torn-*"),
            ),
            ("index/db", Some("index/*")),
            ("index.damaged-2026/snap.1", Some("index.*/*")),
            ("format", Some("format")),
            ("formats", None),
            ("log", None),
            ("log/x/y.log", None),
            ("other", None),
        ] {
            assert_eq!(of(path), kind, "{path}");
        }
        let is_name = |name: &str| FILES.iter().any(|file| file.matches_name(name));
        assert!(is_name("log") && is_name("index.new") && !is_name("other") && !is_name("lo"));
    }
}
