//! The limit on open files.

use super::Finding;
use crate::server::OWN_DESCRIPTORS;

/// Whether so many files leave room for the connections; `running` tells whose
/// limit it is.
pub(super) fn limit(open_files: u64, max_connections: u64, running: bool) -> Finding {
    const CHECK: &str = "descriptors";
    let room = open_files.saturating_sub(OWN_DESCRIPTORS);
    let whose = if running {
        "the server"
    } else {
        "a process of this shell"
    };
    let what = format!(
        "{whose} may have {open_files} files open, which leaves {room} for connections; \
         {max_connections} may come (--max-connections)"
    );
    if max_connections > room {
        let way = format!(
            "raise it to {} at least: LimitNOFILE in the systemd unit, or ulimit -n; or lower --max-connections",
            max_connections.saturating_add(OWN_DESCRIPTORS)
        );
        return match running {
            true => Finding::problem(CHECK, what, way),
            false => Finding::warning(CHECK, what, way),
        };
    }
    Finding::ok(CHECK, what)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn the_limit_is_held_against_the_connections() {
        assert_eq!(limit(1024, 512, true).result, Verdict::Ok);
        assert_eq!(limit(1024, 625, true).result, Verdict::Problem);
        assert_eq!(limit(1024, 625, false).result, Verdict::Warning);
        assert_eq!(limit(10, 1, true).result, Verdict::Problem);
        let fix = limit(1024, 800, true).fix.unwrap();
        assert!(fix.contains("to 1200 at least"), "{fix}");
    }
}
