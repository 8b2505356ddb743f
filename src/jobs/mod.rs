//! What happens after the answer: the relay hands what is due to the queue, the worker renders and delivers it, and
//! sweeps end what crashes left.
//!
//! The queue is a hand-over, never the truth. A job carries ids, is idempotent, and ends in an
//! [`outcome::Outcome`] that says aloud whether it is done, tried again, or given up; what it says is written into
//! the outbox, and the queue's own retries are not used.
//!
//! To add a message: a [`MessageKind`](crate::domain::message::MessageKind), a file here that prepares it, its arm in
//! [`deliver`], and its three templates.

pub mod account_links;
pub mod already_registered;
pub mod audit;
pub mod collector;
pub mod confirm_address;
pub mod deliver;
pub mod email_sign_in;
pub mod erase;
pub mod files;
pub mod hand_over;
pub mod health;
pub mod mailer;
pub mod notices;
pub mod outcome;
pub mod phone_code;
pub mod queue;
pub mod redis_queue;
pub mod relay;
pub mod requests;
pub mod schedule;
pub mod sms;
pub mod smtp;
pub mod sqlite_queue;
pub mod ticks;
pub mod twilio;
pub mod worker;
