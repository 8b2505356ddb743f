//! [`Documents`] for every record, over its table.
//!
//! *Atomic* and *unique*: a change reads, decides and writes inside one `BEGIN IMMEDIATE` transaction, which excludes
//! every other writer; the unique indexes decide inserts. *Durable* and *current*: see
//! [`database`](crate::storage::sqlite::database).

use std::{str::FromStr, sync::Arc};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    domain::{ids::Id as _, user_type::UserType},
    storage::{
        documents::{Documents, Inserted, Record, Ref, StoreError, Unique, Updated, Verdict},
        encoding::{decode, encode_as},
        schema::{Schema, Schemas, version_of},
        sqlite::{
            cache::Cache,
            database::{Database, Query},
            errors::is_duplicate,
        },
    },
};

/// A value that is looked up by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Cell<'a> {
    /// Binds the value to the next place of `query`.
    pub(super) fn bind_to(self, query: Query<'a>) -> Query<'a> {
        match self {
            Self::Integer(value) => query.bind(value),
            Self::Text(value) => query.bind(value),
            Self::Bytes(value) => query.bind(value),
        }
    }
}

/// How a record stands in its table, beside the document.
pub(super) trait Row: Record<Id: FromStr> {
    /// Columns it is looked up by, beside user type and id.
    const LOOKUPS: &'static [&'static str];
    /// Those that are unique within the user type, in the order in which a loser is told of them.
    const UNIQUE: &'static [(&'static str, Unique)];
    /// The columns' values, in their order.
    fn lookups(&self) -> Vec<Cell<'_>>;
}

/// The table of one record.
#[derive(Debug)]
pub(super) struct Table<R> {
    pub(super) database: Arc<Database>,
    insert: Arc<str>,
    find: Arc<str>,
    update: Arc<str>,
    delete: Arc<str>,
    cache: Option<Cache<R>>,
    versions: Arc<str>,
    schema: Schema,
}

impl<R: Row> Table<R> {
    pub(super) fn new(database: &Arc<Database>, schemas: &Schemas) -> Self {
        let table = R::NAME;
        let columns: Vec<&str> = ["rev"].iter().chain(R::LOOKUPS).chain(&["doc"]).copied().collect();
        let places = vec!["?"; columns.len()].join(", ");
        Self {
            database: Arc::clone(database),
            insert: format!(
                "INSERT INTO {table} (user_type, id, {}) VALUES (?, ?, {places})",
                columns.join(", ")
            )
            .into(),
            find: format!("SELECT doc FROM {table} WHERE user_type = ? AND id = ?").into(),
            update: format!(
                "UPDATE {table} SET {} = ? WHERE user_type = ? AND id = ?",
                columns.join(" = ?, ")
            )
            .into(),
            delete: format!("DELETE FROM {table} WHERE user_type = ? AND id = ?").into(),
            versions: format!("SELECT id, doc FROM {table} WHERE user_type = ? AND id > ? ORDER BY id LIMIT ?").into(),
            schema: schemas.of(R::NAME),
            cache: None,
        }
    }

    /// One whose records are remembered by their names, because most requests ask for some of them.
    pub(super) fn remembering(database: &Arc<Database>, schemas: &Schemas) -> Self {
        Self {
            cache: Some(Cache::new()),
            ..Self::new(database, schemas)
        }
    }

    /// Ids that a look-up `SELECT id ...` finds.
    pub(super) async fn ids(&self, query: Query<'_>) -> Result<Vec<R::Id>, StoreError> {
        let rows = self.database.read(query).await?;
        rows.iter()
            .map(|row| {
                let id: &str = row.try_get("id").map_err(|error| self.database.failure(&error))?;
                id.parse()
                    .map_err(|_| StoreError::Damaged(format!("{} has an invalid id", R::NAME)))
            })
            .collect()
    }

    /// Records that a look-up `SELECT id, doc ...` finds.
    pub(super) async fn records(&self, query: Query<'_>) -> Result<Vec<R>, StoreError> {
        let rows = self.database.read(query).await?;
        rows.iter()
            .map(|row| {
                let (id, doc) = id_and_document(&self.database, row)?;
                self.schema.decode(format_args!("{} {id}", R::NAME), doc)
            })
            .collect()
    }

    /// The same, each with its id; without the record where it can't be read.
    pub(super) async fn listed(&self, query: Query<'_>) -> Result<Vec<(R::Id, Option<R>)>, StoreError> {
        let rows = self.database.read(query).await?;
        rows.iter()
            .map(|row| {
                let (id, doc) = id_and_document(&self.database, row)?;
                let parsed = id.parse();
                let parsed = parsed.map_err(|_| StoreError::Damaged(format!("{} has an invalid id", R::NAME)))?;
                let record = self.schema.decode(format_args!("{} {id}", R::NAME), doc);
                Ok((
                    parsed,
                    record.map_or_else(StoreError::pass_over, |record| Ok(Some(record)))?,
                ))
            })
            .collect()
    }

    /// Whether a look-up finds nothing.
    pub(super) async fn is_none(&self, query: Query<'_>) -> Result<bool, StoreError> {
        Ok(self.database.read(query).await?.is_empty())
    }

    async fn read(&self, key: &Ref<R::Id>) -> Result<Option<R>, StoreError> {
        let rows = self.database.read(bind_key(self.query(&self.find), key)).await?;
        rows.first().map(|row| self.decode(key, row)).transpose()
    }

    fn decode(&self, key: &Ref<R::Id>, row: &SqliteRow) -> Result<R, StoreError> {
        let doc: &[u8] = row.try_get("doc").map_err(|error| self.database.failure(&error))?;
        self.schema.decode(format_args!("{} {key}", R::NAME), doc)
    }

    /// Runs `insert` or `update` over `record`. The unique value that another record has, if that stopped it.
    async fn put(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        query: Query<'_>,
        record: &R,
        key: &Ref<R::Id>,
        is_new: bool,
    ) -> Result<Option<Unique>, StoreError> {
        match query.execute(&mut **transaction).await {
            Ok(_) => Ok(None),
            Err(error) if is_duplicate(&error) => match self.taken(transaction, record, key, is_new).await? {
                None => Err(self.database.failure(&error)),
                taken => Ok(taken),
            },
            Err(error) => Err(self.database.failure(&error)),
        }
    }

    /// Which value another record has. Asked while the write lock is still held, so that the answer is the one that
    /// stopped the write; SQLite's own message names whichever index it looked at first.
    async fn taken(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        record: &R,
        key: &Ref<R::Id>,
        is_new: bool,
    ) -> Result<Option<Unique>, StoreError> {
        if is_new && self.has_row(transaction, bind_key(self.query(&self.find), key)).await? {
            return Ok(Some(Unique::Id));
        }
        let values: Vec<(&str, Cell<'_>)> = R::LOOKUPS.iter().copied().zip(record.lookups()).collect();
        for (column, unique) in R::UNIQUE {
            let Some((_, value)) = values.iter().find(|(name, _)| name == column) else {
                continue;
            };
            let sql = format!(
                "SELECT doc FROM {} WHERE user_type = ? AND {column} = ? AND id <> ?",
                R::NAME
            );
            let query = sqlx::query(AssertSqlSafe(sql)).bind(key.user_type.as_str());
            let query = value.bind_to(query).bind(key.id.as_str());
            if self.has_row(transaction, query).await? {
                return Ok(Some(*unique));
            }
        }
        Ok(None)
    }

    async fn has_row(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        query: Query<'_>,
    ) -> Result<bool, StoreError> {
        let row = query.fetch_optional(&mut **transaction).await;
        row.map(|row| row.is_some())
            .map_err(|error| self.database.failure(&error))
    }

    /// The statements are put together from constants alone.
    #[expect(clippy::unused_self, reason = "only a table's own statements come this way")]
    fn query<'q>(&self, sql: &Arc<str>) -> Query<'q> {
        sqlx::query(AssertSqlSafe(Arc::clone(sql)))
    }
}

/// The record in a row of `id, doc`.
pub(super) fn document<T: serde::de::DeserializeOwned>(
    database: &Database,
    name: &str,
    row: &SqliteRow,
) -> Result<T, StoreError> {
    let (id, doc) = id_and_document(database, row)?;
    decode(format_args!("{name} {id}"), doc)
}

fn id_and_document<'r>(database: &Database, row: &'r SqliteRow) -> Result<(&'r str, &'r [u8]), StoreError> {
    let parts = row.try_get("id").and_then(|id| Ok((id, row.try_get("doc")?)));
    parts.map_err(|error| database.failure(&error))
}

fn bind_key<'q, I: crate::domain::ids::Id>(query: Query<'q>, key: &Ref<I>) -> Query<'q> {
    query.bind(key.user_type.to_string()).bind(key.id.to_string())
}

/// Binds what follows the key in `INSERT`, and what precedes it in `UPDATE`.
fn bind_row<'q, R: Row>(mut query: Query<'q>, record: &'q R, doc: &'q [u8]) -> Result<Query<'q>, StoreError> {
    let rev =
        i64::try_from(record.rev()).map_err(|_| StoreError::Damaged(format!("{} has an invalid rev", R::NAME)))?;
    query = query.bind(rev);
    for cell in record.lookups() {
        query = cell.bind_to(query);
    }
    Ok(query.bind(doc))
}

#[async_trait]
impl<R: Row> Documents<R> for Table<R> {
    async fn insert(&self, record: &R) -> Result<Inserted, StoreError> {
        let key = record.key();
        let doc = encode_as(self.schema, format_args!("{} {key}", R::NAME), record)?;
        let query = bind_row(bind_key(self.query(&self.insert), &key), record, &doc)?;
        self.database
            .bounded(async {
                let mut transaction = self.database.begin().await?;
                match self.put(&mut transaction, query, record, &key, true).await? {
                    Some(unique) => Ok(Inserted::Taken(unique)),
                    None => self.database.commit(transaction).await.map(|()| Inserted::Stored),
                }
            })
            .await
    }

    async fn find(&self, key: &Ref<R::Id>) -> Result<Option<R>, StoreError> {
        // Taken before anything is read: see `cache`.
        let version = self.cache.as_ref().and_then(|_| self.database.version());
        let (Some(cache), Some(version)) = (&self.cache, version) else {
            return self.read(key).await;
        };
        let name = key.to_string();
        if let Some(record) = cache.get(&name, version) {
            return Ok(Some(R::clone(&record)));
        }
        let record = self.read(key).await?;
        if let Some(record) = &record {
            cache.keep(name, version, Arc::new(record.clone()));
        }
        Ok(record)
    }

    async fn update(
        &self,
        key: &Ref<R::Id>,
        decide: &mut (dyn for<'r> FnMut(&'r mut R) -> Verdict + Send),
    ) -> Result<Updated, StoreError> {
        self.database
            .bounded(async {
                let mut transaction = self.database.begin().await?;
                let row = bind_key(self.query(&self.find), key)
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(|error| self.database.failure(&error))?;
                let Some(row) = row else {
                    return Ok(Updated::Missing);
                };
                let mut record = self.decode(key, &row)?;
                let rev = record.rev();
                if decide(&mut record) == Verdict::Leave {
                    return Ok(Updated::Left);
                }
                record.set_rev(rev + 1);
                let doc = encode_as(self.schema, format_args!("{} {key}", R::NAME), &record)?;
                let query = bind_key(bind_row(self.query(&self.update), &record, &doc)?, key);
                match self.put(&mut transaction, query, &record, key, false).await? {
                    Some(unique) => Ok(Updated::Taken(unique)),
                    None => self.database.commit(transaction).await.map(|()| Updated::Stored),
                }
            })
            .await
    }

    async fn delete(&self, key: &Ref<R::Id>) -> Result<bool, StoreError> {
        let removed = self.database.write(bind_key(self.query(&self.delete), key)).await?;
        Ok(removed > 0)
    }

    fn schema(&self) -> Schema {
        self.schema
    }

    async fn versions(
        &self,
        user_type: &UserType,
        after: Option<&R::Id>,
        limit: u32,
    ) -> Result<Vec<(R::Id, u16)>, StoreError> {
        let after = after.map_or("", |id| id.as_str());
        let query = self.query(&self.versions).bind(user_type.as_str()).bind(after);
        let rows = self.database.read(query.bind(limit)).await?;
        rows.iter()
            .map(|row| {
                let (id, doc) = id_and_document(&self.database, row)?;
                let damaged = || StoreError::Damaged(format!("{} {id}", R::NAME));
                let parsed = id.parse().map_err(|_| damaged())?;
                Ok((parsed, version_of(doc).ok_or_else(damaged)?))
            })
            .collect()
    }
}
