//! What every use case leaves behind when the store fails, or the process ends, at any of its writes; and what two
//! that run at the same time leave behind, whichever of them is stopped wherever.
//!
//! No HTTP and no queue: the use cases run on the embedded store, behind a wrapper that counts, fails and stops their
//! operations ([`faults`]). [`world::World::check`] holds what must be true at every instant, [`world::World::settle`]
//! does what a running installation does by itself: relay, worker, sweep.
//!
//! # To add a use case
//! A test that calls [`cuts::every_cut`] with what happens before, the use case, and what must be true after.

mod administrators;
mod audit;
mod credentials;
mod cuts;
mod damage;
mod enumeration;
mod erasure;
mod faults;
mod keys;
mod ports;
mod process;
mod races;
mod world;

mod interleavings;
mod meetings;
mod messages;
mod registrations;
mod rotation;
mod second_factors;
mod sessions;
