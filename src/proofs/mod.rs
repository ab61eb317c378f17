//! Proofs over the log of events: a Merkle tree, signed checkpoints of it, and the
//! proof of one event.
//!
//! The events are the leaves of a tree as in RFC 6962, in the order of their `seq`
//! ([`crate::log::leaf_input`]). The folder `proofs/` holds the data that cannot always
//! be made from the log:
//!
//! | file | content |
//! | --- | --- |
//! | `tiles` | 32 bytes for each complete 256 leaves: the root of their subtree |
//! | `checkpoint` | the last signed note: origin, number of events, root ([`Checkpoint`]) |
//! | `partial` | the leaves after the last complete tile, as they were signed |
//! | `key` | the Ed25519 key of the signer; in no backup |
//! | `anchor-*` | checkpoints that somebody else has signed, too ([`anchors`]) |
//!
//! **Following.** A thread of a server reads synced events and appends tiles
//! ([`start_prover`]). No event waits for it.
//!
//! **Signing** ([`Prover::sign`]) happens at most once a minute, and when a command asks.
//! The events are synced before they are seen here; then the tiles are synced, and the
//! tree is checked against the last checkpoint. The leaves after the last tile and the
//! new note are written under temporary names, synced and renamed. Only then the note is
//! published. So all published checkpoints are consistent, even if the process dies at
//! any point. A tree that is smaller than the last checkpoint, or does not begin with it,
//! is never signed: a signature cannot be taken back.
//!
//! **Pruned and lost events.** A pruned record keeps its leaf as a tombstone, unless its
//! whole tile is pruned: then only the tile's root in `tiles` is left, and the last
//! checkpoint pins it. The leaf of an event that a repair has lost comes from `partial`,
//! or is not needed, since its tile has a root. A record that never had a leaf when it
//! was signed has a stand-in ([`crate::log::stand_in`]).
//!
//! `docs/proofs.md` says why others sign a checkpoint a day ([`start_countersigning`]), and why
//! a restored folder gets a new key and an origin of its own.

mod anchors;
mod bundle;
mod countersign;
mod edge;
mod examine;
mod load;
mod note;
mod prover;
mod source;
mod stamp;
mod thread;
mod tree;

pub use anchors::{Anchor, AnchorSummary, is_anchor_name};
pub use bundle::{
    BundleFile, Checked, CheckedStamp, CheckedWitness, Trusted, check_bundle, pruned,
};
pub use countersign::{Countersigner, CountersignerState, Countersigning, start_countersigning};
pub use examine::{Comparison, Examined, Old, examine};
pub use note::{Checkpoint, Vkey, base64, hash_of, pem};
pub use prover::{Kept, ProofError, Prover};
pub use thread::start_prover;
pub use tree::{Hash, is_consistent, is_included};

#[cfg(test)]
mod tests;
