//! An import from its first record to its last: several accounts at once, in an order that decides who wins, told as it
//! goes on.
//!
//! Of two records that want the same id, address or username, the one that comes first is done before the other begins, so
//! that every run ends the same. A run that was cut off is begun again: what is there stays.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{Stream, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;

use crate::{
    crypto::blind_index::BlindIndexer,
    domain::{
        import::{FieldNote, ImportedAccount},
        user_type::UserType,
    },
    service::{
        core::Core,
        email_filter,
        failure::Failure,
        import::{Imported, import},
    },
    storage::{Unique, email_filter::Added},
};

/// Accounts that are being made at once.
const PARALLEL: usize = 8;
/// How often the keys are read again; an import may last longer than their rotation.
const REREAD: Duration = Duration::from_secs(30);
/// Records between two words about how far it is.
const STRIDE: u64 = 500;

/// Where a record stands.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Counted from 1: lines of a file, records of a database.
    pub number: u64,
    /// What it is known by, if that can be said.
    pub id: Option<String>,
}

/// A record that was read.
#[derive(Debug)]
pub struct Prepared {
    /// Where it stands.
    pub place: Place,
    /// The population; none where that is what is wrong.
    pub user_type: Option<UserType>,
    /// The account, or why it can't be one.
    pub account: Result<ImportedAccount, Vec<FieldNote>>,
    /// What to look at by hand.
    pub notes: Vec<FieldNote>,
}

/// What became of a record that somebody should know of.
#[derive(Debug)]
pub struct Told<'a> {
    /// Where it stands.
    pub place: &'a Place,
    /// The population.
    pub user_type: Option<&'a UserType>,
    /// What became of it.
    pub imported: &'a Imported,
    /// What to look at by hand.
    pub notes: &'a [FieldNote],
}

/// What an import tells.
#[derive(Debug)]
pub enum Tidings<'a> {
    /// Of a record that was not taken over, or not wholly.
    Record(Told<'a>),
    /// How far it is.
    Progress(&'a Tally),
}

/// How many of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All.
    pub seen: u64,
    /// New accounts; what would be, in a dry run.
    pub made: u64,
    /// From an earlier run.
    pub already_there: u64,
    /// From an earlier run, and deleted by their owners since.
    pub erased: u64,
    /// Whose id, address or username another account has.
    pub taken: u64,
    /// That can't be accounts.
    pub invalid: u64,
    /// With something to look at by hand: a spoilt name, a phone that was left out.
    pub noted: u64,
}

impl Tally {
    /// Records that are no accounts now.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.taken + self.invalid
    }
}

/// What only one account may have: user type, kind and value.
type Claim = (UserType, u8, Vec<u8>);

struct Done {
    place: Place,
    user_type: Option<UserType>,
    notes: Vec<FieldNote>,
    claims: Vec<Claim>,
    imported: Result<Imported, Failure>,
}

/// One import.
pub struct ImportRun<'a> {
    core: &'a Core,
    is_dry: bool,
    tell: &'a mut (dyn FnMut(&Tidings<'_>) + Send),
    tally: Tally,
    /// In a dry run, what the accounts that would have been made would have.
    claimed: BTreeSet<Claim>,
    reread_at: Instant,
}

impl std::fmt::Debug for ImportRun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ImportRun({:?})", self.tally)
    }
}

impl<'a> ImportRun<'a> {
    /// Of nothing yet.
    pub fn new(core: &'a Core, is_dry: bool, tell: &'a mut (dyn FnMut(&Tidings<'_>) + Send)) -> Self {
        Self {
            core,
            is_dry,
            tell,
            tally: Tally::default(),
            claimed: BTreeSet::new(),
            reread_at: Instant::now() + REREAD,
        }
    }

    /// Imports what `records` brings. Ends at the first failure, of the source or of the stores.
    pub async fn take<E: From<Failure>>(
        &mut self,
        records: impl Stream<Item = Result<Prepared, E>> + Send,
    ) -> Result<(), E> {
        let core = self.core;
        let mut records = std::pin::pin!(records);
        let mut under_way: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        let mut held: BTreeSet<Claim> = BTreeSet::new();
        let (mut waiting, mut has_more): (Option<(Prepared, Vec<Claim>)>, bool) = (None, true);
        loop {
            tokio::select! {
                Some(done) = under_way.next() => {
                    for claim in &done.claims {
                        held.remove(claim);
                    }
                    self.settle(done).await?;
                }
                next = records.next(), if has_more && waiting.is_none() => match next {
                    Some(prepared) => {
                        let prepared = prepared?;
                        let claims = claims(core, &prepared)?;
                        waiting = Some((prepared, claims));
                    }
                    None => has_more = false,
                },
                else => return Ok(()),
            }
            let may_begin = |(_, claims): &mut (Prepared, Vec<Claim>)| {
                under_way.len() < PARALLEL && !claims.iter().any(|claim| held.contains(claim))
            };
            if let Some((prepared, claims)) = waiting.take_if(may_begin) {
                held.extend(claims.iter().cloned());
                under_way.push(Box::pin(one(core, prepared, claims, self.is_dry)));
            }
        }
    }

    /// Waits until every server knows what was made, and answers how many there were.
    pub async fn finish(self) -> Tally {
        if self.tally.made > 0 && !self.is_dry {
            email_filter::wait_until_known(self.core, Added::Newly, self.core.clock.now()).await;
        }
        self.tally
    }

    async fn settle(&mut self, done: Done) -> Result<(), Failure> {
        let mut imported = done.imported?;
        if self.is_dry && imported == Imported::Made {
            match done.claims.iter().find(|claim| self.claimed.contains(*claim)) {
                Some((_, kind, _)) => imported = Imported::Taken(UNIQUES[usize::from(*kind)]),
                None => self.claimed.extend(done.claims),
            }
        }
        let tally = &mut self.tally;
        tally.seen += 1;
        *match imported {
            Imported::Made => &mut tally.made,
            Imported::AlreadyThere => &mut tally.already_there,
            Imported::Erased => &mut tally.erased,
            Imported::Taken(_) => &mut tally.taken,
            Imported::Invalid(_) => &mut tally.invalid,
        } += 1;
        tally.noted += u64::from(!done.notes.is_empty());
        let is_plain = matches!(imported, Imported::Made | Imported::AlreadyThere);
        if !is_plain || !done.notes.is_empty() {
            (self.tell)(&Tidings::Record(Told {
                place: &done.place,
                user_type: done.user_type.as_ref(),
                imported: &imported,
                notes: &done.notes,
            }));
        }
        if self.tally.seen.is_multiple_of(STRIDE) {
            (self.tell)(&Tidings::Progress(&self.tally));
        }
        if Instant::now() >= self.reread_at {
            if let Err(error) = self.core.keys.reread(self.core).await {
                tracing::warn!(%error, "the keys could not be read again; the known ones serve on");
            }
            self.reread_at = Instant::now() + REREAD;
        }
        Ok(())
    }
}

const UNIQUES: [Unique; 3] = [Unique::Id, Unique::Email, Unique::Username];

async fn one(core: &Core, prepared: Prepared, claims: Vec<Claim>, is_dry: bool) -> Done {
    let Prepared {
        place,
        user_type,
        account,
        notes,
    } = prepared;
    let imported = match (account, &user_type) {
        (Ok(account), Some(user_type)) => import(core, user_type, account, is_dry).await,
        (Ok(_), None) => Ok(Imported::Invalid(vec![FieldNote::new("user_type", "missing")])),
        (Err(invalid), _) => Ok(Imported::Invalid(invalid)),
    };
    Done {
        place,
        user_type,
        notes,
        claims,
        imported,
    }
}

/// By index value: in memory, too, no address stands longer than it must.
fn claims(core: &Core, prepared: &Prepared) -> Result<Vec<Claim>, Failure> {
    let (Ok(account), Some(user_type)) = (&prepared.account, &prepared.user_type) else {
        return Ok(Vec::new());
    };
    let keyring = core.keyring.current();
    let person = &account.person;
    let indexer = BlindIndexer::new(&keyring, user_type);
    let claim = |kind: u8, value: &[u8]| (user_type.clone(), kind, value.to_vec());
    let mut claims = vec![claim(0, account.id.as_str().as_bytes())];
    for candidate in indexer.find_email(&person.email)? {
        claims.push(claim(1, candidate.value.as_bytes()));
    }
    if let Some(username) = &person.username {
        for candidate in indexer.find_username(username)? {
            claims.push(claim(2, candidate.value.as_bytes()));
        }
    }
    Ok(claims)
}
