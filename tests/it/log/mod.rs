//! The log alone, mostly on a simulated disk: crashes, damage, repair, sealing.

mod crash;
mod damage;
mod forged_segment;
mod planted_frames;
mod repair;
mod sealing;
mod torn_end;
