//! The program; all it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    bound_arenas();
    profiletrail::cli::main()
}

/// Lets the C library keep two heaps instead of eight a core, from which every
/// thread takes. What a thread has given back stays in its heap: after all of
/// `changes`, of ten million events, in the server, 394 MiB were resident in
/// sixteen of them, and 76 MiB in two. Calls are received no slower by it: the
/// server's threads seldom take memory at the same time.
fn bound_arenas() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "there is no other way to ask the C library")]
    // SAFETY: no other thread runs yet, and the call takes two numbers.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}
