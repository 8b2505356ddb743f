//! The service as its clients meet it: started whole, on a port of its own, and spoken to over HTTP only.

mod answer;
mod app;
mod authenticator;
mod faulty;
mod forge;
mod inbox;
mod logs;
mod person;
mod raw;
mod redis;
mod runner;
mod setup;
mod smtp;
mod stores;
mod transit;

pub(crate) use answer::Answer;
pub(crate) use app::{Call, Pair, TestApp};
pub(crate) use authenticator::{Authenticator, Protected, recovery_codes};
pub(crate) use faulty::{Faulty, Tally, Timed, say, until};
pub(crate) use forge::{Forger, encoded, part};
pub(crate) use inbox::Mail;
pub(crate) use logs::logged;
pub(crate) use person::{BROWSER, PASSWORD, Person, mobile, other};
pub(crate) use raw::RawConnection;
pub(crate) use redis::{Authority, RedisServer};
pub(crate) use runner::{eventually, repeated, run, run_bare};
pub(crate) use setup::{AuditTaker, Setup};
pub(crate) use smtp::MailServer;
pub(crate) use stores::StoreSet;
pub(crate) use transit::TransitEngine;
