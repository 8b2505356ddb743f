//! The binaries as an operator meets them: started, killed, started again, badly configured, cut off from their files.
//!
//! Every test has a folder of its own and starts its own processes, on free ports of the loopback interface; what it
//! started ends with it, by its process id. Nothing is waited for by time alone: a condition is asked again until a
//! deadline.
//!
//! # To add a test
//! A function in the file that its subject names. [`installation::Installation`] starts servers and workers,
//! [`client::Client`] talks to a server, [`outbox::Outbox`] reads what was mailed.

#[path = "../support/fault_proxy.rs"]
#[expect(dead_code, reason = "other suites use other faults")]
mod fault_proxy;

mod audit;
mod certificates;
mod client;
mod installation;
mod otlp;
mod outbox;
mod processes;
mod smtp;
mod stores;
mod waiting;
mod wire;

mod at_rest;
mod commands;
mod dead_letters;
mod delivery;
mod demo;
mod edge;
mod email_filter;
mod erasures;
mod faults;
mod health;
mod import;
mod import_lines;
mod keks;
mod keys;
mod logging;
mod operator;
mod reloading;
mod rotation;
mod starting;
mod stopping;
mod texts;
mod tls;
mod traces;
mod walk;
