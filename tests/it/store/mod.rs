//! A whole data folder: kills, full disks, crashes of maintenance, a damaged index.

#[cfg(feature = "fuzzing")]
mod anchors;
mod backup_crash;
mod disk_full;
mod erase_interrupted;
mod folder_guards;
mod format_fixture;
mod index_damage;
mod index_pruned;
mod kill;
mod proofs;
mod prune_answers;
mod prune_bounds;
#[cfg(feature = "fuzzing")]
mod prune_crash;
