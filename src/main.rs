//! The program; all it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    bound_heaps();
    profiletrail::cli::main()
}

/// Limits the C library to two heaps instead of eight a core, and makes it return large
/// allocations and the ends of heaps at once. Otherwise memory that a thread has freed
/// stays in its heap: after `changes` over ten million events, the server had 394 MiB in
/// sixteen heaps. Allocations are large from 1 MiB on. With the default of 128 KiB, a
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
