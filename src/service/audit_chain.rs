//! Writes the chain of checkpoints over the audit, and lets its beginning go when its time is over.
//!
//! Every link names the entries that are older than [`SETTLED`] and that no link before it names. To find those that came
//! late, each look goes [`LATE`] further back than what was covered. Whoever is killed leaves whole links or none; of two
//! who write the same link one wins, and the other looks again at its next turn. So nothing needs a lease.
//!
//! A link that does not verify vouches for nothing: neither for what was covered nor for where the chain begins.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    crypto::audit_chain::{AuditChain, Digest, Link, entry_digest},
    domain::{clock::Timestamp, ids::AuditId},
    service::{core::Core, failure::Failure},
    storage::{Inserted, SCHEMA, audit::CheckpointRecord},
};

/// Younger entries wait: another may still be on its way that sorts before them.
pub const SETTLED: Duration = Duration::from_secs(30);
/// How late an entry may come to be named still: longer than clocks of servers may be apart.
pub const LATE: Duration = Duration::from_mins(10);
/// How much longer than it must the beginning is kept, so that a link is written for that once an hour.
const SLACK: Duration = Duration::from_hours(1);
/// Entries of one link.
const RUN: usize = 500;
/// Links of one turn.
const TURN: usize = 20;
const PAGE: u32 = 1000;
const LINKS: u32 = 50;

/// What the next link follows.
#[derive(Clone, Debug)]
struct Head {
    place: u64,
    mac: Vec<u8>,
    at: Timestamp,
    through: Timestamp,
    begins_at: u64,
    begins_after: Timestamp,
}

const NEVER: Timestamp = Timestamp::from_millis(0);

impl Head {
    /// Of a chain that has not begun.
    const fn none() -> Self {
        Self {
            place: 0,
            mac: Vec::new(),
            at: NEVER,
            through: NEVER,
            begins_at: 1,
            begins_after: NEVER,
        }
    }

    /// Of the chain as it is: after its last link, and with what the last one that verifies says.
    async fn find(core: &Core) -> Result<Self, Failure> {
        let Some(last) = core.stores.audit.last_checkpoint().await? else {
            return Ok(Self::none());
        };
        let (place, mac) = (last.place(), last.mac.clone());
        let Some(trusted) = trusted(core, last).await? else {
            return Ok(Self {
                place,
                mac,
                ..Self::none()
            });
        };
        Ok(Self {
            place,
            mac,
            at: trusted.at,
            through: trusted.through,
            begins_at: trusted.begins_at,
            begins_after: trusted.begins_after,
        })
    }

    /// Appends a link; `false` when somebody else was faster.
    async fn append(&mut self, core: &Core, entries: Vec<AuditId>, digests: &[Digest]) -> Result<bool, Failure> {
        let newest = entries.last().and_then(AuditId::made_at).unwrap_or(NEVER);
        let (place, at) = (self.place + 1, core.clock.now().max(self.at));
        let through = newest.max(self.through);
        let link = Link {
            place,
            at,
            entries: &entries,
            digests,
            through,
            begins_at: self.begins_at,
            begins_after: self.begins_after,
            previous: &self.mac,
        };
        let mac = AuditChain::new(&core.keyring.current()).sign(&link)?;
        let record = CheckpointRecord {
            id: CheckpointRecord::id_at(place),
            schema: SCHEMA,
            at,
            digests: digests.as_flattened().to_vec(),
            through,
            begins_at: self.begins_at,
            begins_after: self.begins_after,
            previous: self.mac.clone(),
            mac,
            entries,
        };
        if core.stores.audit.append_checkpoint(&record).await? != Inserted::Stored {
            return Ok(false);
        }
        if let Some(lines) = &core.audit_lines {
            lines.take(link_line(&record));
        }
        *self = Self {
            place,
            mac: record.mac,
            at,
            through,
            ..self.clone()
        };
        Ok(true)
    }
}

/// Whether the link's MAC is its own.
#[must_use]
pub fn is_genuine(core: &Core, link: &CheckpointRecord) -> bool {
    let keyring = core.keyring.current();
    let covered = link.link();
    covered.is_some_and(|covered| AuditChain::new(&keyring).verify(&covered, &link.mac))
}

/// The newest link that verifies, from `last` on backwards, as far as that is worth looking.
pub(in crate::service) async fn trusted(
    core: &Core,
    last: CheckpointRecord,
) -> Result<Option<CheckpointRecord>, Failure> {
    const MOST: u64 = 1000;
    let (mut link, newest) = (last.clone(), last.place());
    while !is_genuine(core, &link) {
        tracing::error!(checkpoint = link.place(), "a checkpoint of the audit does not verify");
        let mut place = link.place();
        link = loop {
            let is_near = |before: &u64| *before > 0 && newest - before < MOST;
            let Some(before) = place.checked_sub(1).filter(is_near) else {
                return Ok(None);
            };
            place = before;
            let found = core.stores.audit.checkpoints(place, 1).await?;
            // Its place may be empty: the one that is found stands after it.
            if let Some(found) = found.into_iter().next().filter(|found| found.place() == place) {
                break found;
            }
        };
    }
    Ok(Some(link))
}

/// Covers what is not covered yet; answers how many entries.
pub async fn extend(core: &Core) -> Result<usize, Failure> {
    let mut head = Head::find(core).await?;
    let since = head.through.minus(LATE);
    let before = AuditId::first_at(core.clock.now().minus(SETTLED));
    let covered = covered_since(core, &head, since).await?;
    let mut after = Some(AuditId::first_at(since));
    let (mut run, mut done, mut links) = (Vec::new(), 0, 0);
    while links < TURN {
        let page = core.stores.audit.ids(after.as_ref(), &before, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().cloned().or(after);
        run.extend(page.into_iter().filter(|id| !covered.contains(id)));
        while run.len() >= RUN || (is_last && !run.is_empty()) {
            let rest = run.split_off(run.len().min(RUN));
            let Some(count) = cover(core, &mut head, &run).await? else {
                return Ok(done);
            };
            done += count;
            links += 1;
            run = rest;
        }
        if is_last {
            break;
        }
    }
    Ok(done)
}

/// One link over `ids`; nothing when somebody else was faster.
async fn cover(core: &Core, head: &mut Head, ids: &[AuditId]) -> Result<Option<usize>, Failure> {
    let entries = core.stores.audit.entries(ids).await?;
    let digests: Vec<Digest> = entries
        .iter()
        // One that is no entry at all is named, and found out.
        .map(|entry| entry_digest(entry.body().unwrap_or_default()))
        .collect();
    let ids: Vec<AuditId> = entries.into_iter().map(|entry| entry.id).collect();
    let count = ids.len();
    Ok(head.append(core, ids, &digests).await?.then_some(count))
}

/// What links name that was made after `since`.
async fn covered_since(core: &Core, head: &Head, since: Timestamp) -> Result<BTreeSet<AuditId>, Failure> {
    let mut covered = BTreeSet::new();
    let mut to = head.place;
    while to >= head.begins_at {
        let from = to.saturating_sub(u64::from(LINKS) - 1).max(head.begins_at);
        let links = core.stores.audit.checkpoints(from, LINKS).await?;
        let genuine: Vec<_> = links.into_iter().filter(|link| is_genuine(core, link)).collect();
        // Links before one that covered nothing so young named nothing so young either.
        let is_enough = genuine.first().is_some_and(|first| first.through < since);
        covered.extend(genuine.into_iter().flat_map(|link| link.entries));
        if is_enough {
            break;
        }
        to = from - 1;
    }
    Ok(covered)
}

/// What [`retain`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Entries.
    pub entries: u64,
    /// Links.
    pub links: u64,
}

/// Lets go what is older than `retention`. First a link says where the chain begins from now on; then what stands before
/// that goes, now or, after a crash, at the next turn.
pub async fn retain(core: &Core, retention: Duration) -> Result<Removed, Failure> {
    const BATCHES: usize = 50;
    let mut head = Head::find(core).await?;
    let oldest_kept = core.clock.now().minus(retention);
    if let Some((begins_at, begins_after)) = beginning(core, &head, oldest_kept).await? {
        head.begins_at = begins_at;
        head.begins_after = begins_after;
        if !head.append(core, Vec::new(), &[]).await? {
            return Ok(Removed::default());
        }
    }
    let mut removed = Removed::default();
    for _ in 0..BATCHES {
        let batch = remove_batch(core, &head).await?;
        removed.entries += batch.entries;
        removed.links += batch.links;
        if batch == Removed::default() {
            break;
        }
    }
    Ok(removed)
}

/// The first links that are over with their entries, and the first entries that no link can name any more.
async fn remove_batch(core: &Core, head: &Head) -> Result<Removed, Failure> {
    let audit = &core.stores.audit;
    let mut links = audit.checkpoints(1, LINKS).await?;
    links.retain(|link| link.place() < head.begins_at);
    let mut removed = Removed::default();
    // One that does not verify may name anything.
    for link in links.iter().filter(|link| is_genuine(core, link)) {
        removed.entries += audit.remove_entries(&link.entries).await?;
    }
    if let Some(last) = links.last() {
        removed.links += audit.remove_checkpoints(last.place() + 1, LINKS).await?;
    }
    let first = AuditId::first_at(head.begins_after.minus(LATE));
    let nameless = audit.ids(None, &first, PAGE).await?;
    if !nameless.is_empty() {
        removed.entries += audit.remove_entries(&nameless).await?;
    }
    Ok(removed)
}

/// Where the chain is to begin, if that is worth a link: the first link made since `oldest_kept`, or the one to come.
async fn beginning(core: &Core, head: &Head, oldest_kept: Timestamp) -> Result<Option<(u64, Timestamp)>, Failure> {
    let (mut begin, mut is_worth_it) = ((head.begins_at, head.begins_after), false);
    let mut from = head.begins_at;
    loop {
        let links = core.stores.audit.checkpoints(from, LINKS).await?;
        let is_last = links.len() < LINKS as usize;
        from = links.last().map_or(from, |link| link.place() + 1);
        for link in links.into_iter().filter(|link| is_genuine(core, link)) {
            if link.at >= oldest_kept {
                return Ok(is_worth_it.then_some(begin));
            }
            is_worth_it |= link.at < oldest_kept.minus(SLACK);
            begin = (link.place() + 1, link.through.max(begin.1));
        }
        if is_last {
            return Ok(is_worth_it.then_some(begin));
        }
    }
}

/// A link as a line of JSON, as streams carry it: who keeps its MAC elsewhere finds out that the end of the chain is cut
/// off.
#[must_use]
pub fn link_line(link: &CheckpointRecord) -> String {
    serde_json::json!({
        "audit": "checkpoint",
        "place": link.place(),
        "at": link.at.to_string(),
        "entries": link.entries.len(),
        "mac": data_encoding::HEXLOWER.encode(&link.mac),
    })
    .to_string()
}
