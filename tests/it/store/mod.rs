//! A whole data folder: kills, full disks, crashes of maintenance, a damaged index.

#[cfg(feature = "fuzzing")]
mod backup_crash;
mod disk_full;
mod format_3_fixture;
mod format_4_fixture;
mod format_fixture;
mod index_damage;
mod index_pruned;
mod kill;
mod prune_answers;
mod prune_bounds;
#[cfg(feature = "fuzzing")]
mod prune_crash;
