//! What surrounds the program: documentation, scripts, benchmark, fuzz corpora.

#[cfg(feature = "bench")]
mod benchmark;
mod documentation;
#[cfg(feature = "fuzzing")]
mod fuzz_corpora;
mod install;
mod monitoring;
mod package;
mod schemas;
mod systemd_unit;
