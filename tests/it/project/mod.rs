//! What surrounds the program: documentation, scripts, benchmark, fuzz corpora.

#[cfg(feature = "bench")]
mod benchmark;
mod documentation;
#[cfg(feature = "fuzzing")]
mod fuzz_corpora;
mod install;
mod systemd_unit;
