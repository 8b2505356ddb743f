//! Compares the audit with the chain over it: finds what was changed, removed, moved or put in since it was covered.
//!
//! Entries are walked in order of their ids and links in order of their places, side by side: a link names nothing that is
//! more than [`LATE`] older than what was covered before it, so that no more than that is held at a time. Workers may write
//! meanwhile: what they covered, or let go, in that time is looked up before it is told of.
//!
//! Not found: that the newest links are gone together with their entries, unless one of them was kept elsewhere
//! ([`Anchor`]); and entries that were put in before anything covered them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    crypto::audit_chain::{Digest, entry_digest},
    domain::{clock::Timestamp, ids::AuditId},
    service::{
        audit_chain::{LATE, SETTLED, is_genuine, trusted},
        core::Core,
        failure::Failure,
    },
    storage::audit::{CheckpointRecord, StoredEntry},
};

const PAGE: u32 = 500;
const LINKS: u32 = 50;
/// Findings that are listed; the others are counted.
const LISTED: usize = 1000;
/// How long what is settled may wait for its link before somebody should ask why.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(10);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The entry is not what it was.
    Changed {
        /// Which.
        entry: AuditId,
        /// The link that names it.
        place: u64,
    },
    /// What another entry held stands here.
    Moved {
        /// Which.
        entry: AuditId,
        /// The link that names it.
        place: u64,
    },
    /// The entry is gone.
    Removed {
        /// Which.
        entry: AuditId,
        /// The link that names it.
        place: u64,
    },
    /// No link names the entry, and those that should are there: it was put in, or a link that named it is gone.
    Unnamed {
        /// Which.
        entry: AuditId,
    },
    /// Links are gone.
    LinksMissing {
        /// The first of them.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The link was changed, or its key is gone.
    LinkForged {
        /// Which.
        place: u64,
    },
    /// The link does not continue the one before.
    LinkMoved {
        /// Which.
        place: u64,
    },
    /// The link that was kept elsewhere is not the one that is here, or not here any more.
    NotTheOne {
        /// Which.
        place: u64,
    },
    /// Entries wait for a link for too long, though a worker lives.
    Stalled {
        /// How many.
        entries: u64,
    },
}

/// A link that was kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Its place.
    pub place: u64,
    /// Its MAC.
    pub mac: Vec<u8>,
}

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that are as they were.
    pub entries: u64,
    /// Entries that no link names yet.
    pub waiting: u64,
    /// Links that verify.
    pub links: u64,
    /// The first link that is kept.
    pub begins_at: u64,
    /// The last link.
    pub last: Option<Anchor>,
    /// What is wrong; the first thousand.
    pub findings: Vec<Finding>,
    /// What is wrong beside that.
    pub more: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < LISTED {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// Looks at all of it.
pub async fn verify_audit(core: &Core, anchor: Option<&Anchor>) -> Result<Report, Failure> {
    let audit = &core.stores.audit;
    let (now, newest) = (core.clock.now(), audit.last_checkpoint().await?);
    let last = match newest.clone() {
        Some(newest) => trusted(core, newest).await?,
        None => None,
    };
    let mut walk = Walk::new(core, newest.as_ref(), last.as_ref());
    let settled = AuditId::first_at(now.minus(SETTLED));
    let mut after: Option<AuditId> = None;
    loop {
        let page = audit.page(after.as_ref(), PAGE).await?;
        let Some(end) = page.last() else { break };
        after = Some(end.id.clone());
        for entry in page {
            walk.meet(entry, &settled).await?;
        }
    }
    walk.end().await?;
    let Walk {
        mut report, stalled, ..
    } = walk;
    // Without a worker nobody is to blame: the next one covers them.
    if stalled > 0 && has_worker(core, now).await? {
        report.find(Finding::Stalled { entries: stalled });
    }
    if let Some(anchor) = anchor {
        check(core, anchor, &mut report).await?;
    }
    forgive(core, newest.map_or(0, |newest| newest.place()), &mut report).await?;
    Ok(report)
}

async fn has_worker(core: &Core, now: Timestamp) -> Result<bool, Failure> {
    const SILENCE: std::time::Duration = std::time::Duration::from_secs(30);
    Ok(!core.stores.heartbeats.since(now.minus(SILENCE)).await?.is_empty())
}

async fn check(core: &Core, anchor: &Anchor, report: &mut Report) -> Result<(), Failure> {
    if anchor.place < report.begins_at {
        return Ok(());
    }
    let found = core.stores.audit.checkpoints(anchor.place, 1).await?;
    if !found
        .first()
        .is_some_and(|link| link.place() == anchor.place && link.mac == anchor.mac)
    {
        report.find(Finding::NotTheOne { place: anchor.place });
    }
    Ok(())
}

/// What workers did since the walk began is nothing that is wrong.
async fn forgive(core: &Core, newest: u64, report: &mut Report) -> Result<(), Failure> {
    let mut begins_at = report.begins_at;
    let mut named = BTreeSet::new();
    let mut from = newest + 1;
    loop {
        let links = core.stores.audit.checkpoints(from, LINKS).await?;
        let Some(last) = links.last() else { break };
        from = last.place() + 1;
        for link in links.into_iter().filter(|link| is_genuine(core, link)) {
            begins_at = begins_at.max(link.begins_at);
            named.extend(link.entries);
        }
    }
    report.findings.retain(|finding| match finding {
        Finding::Removed { place, .. } | Finding::LinksMissing { last: place, .. } => *place >= begins_at,
        Finding::Unnamed { entry } => !named.contains(entry),
        _ => true,
    });
    Ok(())
}

struct Walk<'c> {
    core: &'c Core,
    report: Report,
    /// The next place to read links from, and the last one to.
    from: u64,
    to: u64,
    loaded: VecDeque<CheckpointRecord>,
    /// The link that was looked at last: its place, its MAC, and what was covered by then.
    place: u64,
    mac: Option<Vec<u8>>,
    through: Timestamp,
    /// What links name and was not met yet.
    named: BTreeMap<AuditId, (u64, Digest)>,
    digests: BTreeMap<Digest, AuditId>,
    moved: BTreeSet<AuditId>,
    begins_after: Timestamp,
    covered: Timestamp,
    now: Timestamp,
    stalled: u64,
}

impl<'c> Walk<'c> {
    fn new(core: &'c Core, newest: Option<&CheckpointRecord>, last: Option<&CheckpointRecord>) -> Self {
        let never = Timestamp::from_millis(0);
        let begins_at = last.map_or(1, |last| last.begins_at);
        let begins_after = last.map_or(never, |last| last.begins_after);
        Self {
            core,
            report: Report {
                begins_at,
                last: last.map(|last| Anchor {
                    place: last.place(),
                    mac: last.mac.clone(),
                }),
                ..Report::default()
            },
            from: begins_at,
            to: newest.map_or(0, CheckpointRecord::place),
            loaded: VecDeque::new(),
            place: begins_at - 1,
            mac: None,
            through: begins_after,
            named: BTreeMap::new(),
            digests: BTreeMap::new(),
            moved: BTreeSet::new(),
            begins_after,
            covered: last.map_or(never, |last| last.through),
            now: core.clock.now(),
            stalled: 0,
        }
    }

    async fn meet(&mut self, entry: StoredEntry, settled: &AuditId) -> Result<(), Failure> {
        let made_at = entry.id.made_at().unwrap_or(self.now);
        while self.through.minus(LATE) <= made_at && self.load().await? {}
        self.give_up_before(&entry.id);
        let digest = entry.body().map(entry_digest);
        if let Some((place, covered)) = self.named.remove(&entry.id) {
            self.compare(entry.id, place, covered, digest);
        } else if made_at > self.covered.minus(LATE) {
            // Also what came late since: the next link names it.
            self.report.waiting += 1;
            if entry.id < *settled && made_at < self.now.minus(PATIENCE) {
                self.stalled += 1;
            }
        } else if made_at > self.begins_after {
            self.report.find(Finding::Unnamed { entry: entry.id });
        }
        Ok(())
    }

    fn compare(&mut self, entry: AuditId, place: u64, covered: Digest, found: Option<Digest>) {
        self.digests.remove(&covered);
        if found == Some(covered) {
            self.report.entries += 1;
            return;
        }
        let other = found.and_then(|found| self.digests.get(&found).cloned());
        if let Some(other) = other {
            self.moved.insert(other);
            self.report.find(Finding::Moved { entry, place });
        } else if self.moved.remove(&entry) {
            self.report.find(Finding::Moved { entry, place });
        } else {
            self.report.find(Finding::Changed { entry, place });
        }
    }

    /// What stands before `id` and was not met is not there.
    fn give_up_before(&mut self, id: &AuditId) {
        while let Some(first) = self.named.first_entry() {
            if first.key() >= id {
                return;
            }
            let (entry, (place, digest)) = first.remove_entry();
            self.digests.remove(&digest);
            self.report.find(Finding::Removed { entry, place });
        }
    }

    /// Looks at one more link; `false` when there is none.
    async fn load(&mut self) -> Result<bool, Failure> {
        if self.loaded.is_empty() && self.from <= self.to {
            let links = self.core.stores.audit.checkpoints(self.from, LINKS).await?;
            self.from = links.last().map_or(self.to, CheckpointRecord::place) + 1;
            let to = self.to;
            self.loaded.extend(links.into_iter().filter(|link| link.place() <= to));
        }
        let Some(link) = self.loaded.pop_front() else {
            return Ok(false);
        };
        let place = link.place();
        if place > self.place + 1 {
            self.report.find(Finding::LinksMissing {
                first: self.place + 1,
                last: place - 1,
            });
            self.mac = None;
        }
        self.place = place;
        if is_genuine(self.core, &link) {
            if self.mac.as_ref().is_some_and(|mac| *mac != link.previous) {
                self.report.find(Finding::LinkMoved { place });
            }
            self.report.links += 1;
            self.mac = Some(link.mac.clone());
            self.through = link.through.max(self.through);
            if let Some(covered) = link.link() {
                for (entry, digest) in covered.entries.iter().zip(covered.digests) {
                    self.named.insert(entry.clone(), (place, *digest));
                    self.digests.insert(*digest, entry.clone());
                }
            }
        } else {
            self.report.find(Finding::LinkForged { place });
            // The next one is not to be blamed.
            self.mac = None;
        }
        Ok(true)
    }

    /// No entry is left.
    async fn end(&mut self) -> Result<(), Failure> {
        while self.load().await? {}
        if self.place < self.to {
            self.report.find(Finding::LinksMissing {
                first: self.place + 1,
                last: self.to,
            });
        }
        while let Some((entry, (place, _))) = self.named.pop_first() {
            self.report.find(Finding::Removed { entry, place });
        }
        Ok(())
    }
}
