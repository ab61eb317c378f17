//! The program; all it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    bound_heaps();
    profiletrail::cli::main()
}

/// Lets the C library keep two heaps instead of eight a core, from which every
/// thread takes, and give large pieces and the ends of heaps back at once. What
/// a thread has freed stays in its heap otherwise: after all of `changes`, of
/// ten million events, in the server, 394 MiB were resident in sixteen of them.
/// Pieces are large from 1 MiB on: with 128 KiB, the C library's own figure, a
/// long history takes three times as long, since queries read 256 KiB at once.
fn bound_heaps() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "there is no other way to ask the C library")]
    // SAFETY: no other thread runs yet, and each call takes two numbers.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 << 20);
    }
}
