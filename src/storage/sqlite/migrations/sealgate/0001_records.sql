-- One table per record: what it is looked up by, and the document itself. The look-up columns repeat what stands in
-- the document and are written with it in one statement.

CREATE TABLE accounts (
    user_type     TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    rev           INTEGER NOT NULL,
    email_ix_0    BLOB    NOT NULL,
    email_ix_1    BLOB    NOT NULL,
    username_ix_0 BLOB    NOT NULL,
    username_ix_1 BLOB    NOT NULL,
    phone_ix_0    BLOB    NOT NULL,
    phone_ix_1    BLOB    NOT NULL,
    outbox_due    INTEGER NOT NULL,
    doc           BLOB    NOT NULL,
    PRIMARY KEY (user_type, id)
) STRICT;
CREATE UNIQUE INDEX accounts_email_ix_0 ON accounts (user_type, email_ix_0);
CREATE UNIQUE INDEX accounts_email_ix_1 ON accounts (user_type, email_ix_1);
CREATE UNIQUE INDEX accounts_username_ix_0 ON accounts (user_type, username_ix_0);
CREATE UNIQUE INDEX accounts_username_ix_1 ON accounts (user_type, username_ix_1);
CREATE INDEX accounts_phone_ix_0 ON accounts (user_type, phone_ix_0);
CREATE INDEX accounts_phone_ix_1 ON accounts (user_type, phone_ix_1);
CREATE INDEX accounts_due ON accounts (user_type, outbox_due, id);

CREATE TABLE registrations (
    user_type  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    rev        INTEGER NOT NULL,
    email_ix_0 BLOB    NOT NULL,
    email_ix_1 BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    outbox_due INTEGER NOT NULL,
    doc        BLOB    NOT NULL,
    PRIMARY KEY (user_type, id)
) STRICT;
CREATE INDEX registrations_email_ix_0 ON registrations (user_type, email_ix_0);
CREATE INDEX registrations_email_ix_1 ON registrations (user_type, email_ix_1);
CREATE INDEX registrations_due ON registrations (user_type, outbox_due, id);
CREATE INDEX registrations_expiry ON registrations (user_type, expires_at, id);

-- `live` is 1 until the session is ended; `ends_at` is the earlier of its two ends.
CREATE TABLE sessions (
    user_type  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    rev        INTEGER NOT NULL,
    account_id TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    live       INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    doc        BLOB    NOT NULL,
    PRIMARY KEY (user_type, id)
) STRICT;
CREATE INDEX sessions_account ON sessions (user_type, account_id, live, created_at, id);
CREATE INDEX sessions_expiry ON sessions (user_type, ends_at, id);

CREATE TABLE requests (
    user_type  TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    rev        INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    outbox_due INTEGER NOT NULL,
    doc        BLOB    NOT NULL,
    PRIMARY KEY (user_type, id)
) STRICT;
CREATE INDEX requests_due ON requests (user_type, outbox_due, id);
CREATE INDEX requests_expiry ON requests (user_type, expires_at, id);

CREATE TABLE audit (
    user_type  TEXT NOT NULL,
    id         TEXT NOT NULL,
    account_id TEXT,
    doc        BLOB NOT NULL,
    PRIMARY KEY (user_type, id)
) STRICT;
CREATE INDEX audit_account ON audit (user_type, account_id, id);

CREATE TABLE audit_checkpoints (
    id  TEXT NOT NULL PRIMARY KEY,
    doc BLOB NOT NULL
) STRICT;

CREATE TABLE heartbeats (
    id  TEXT    NOT NULL PRIMARY KEY,
    at  INTEGER NOT NULL,
    doc BLOB    NOT NULL
) STRICT;
CREATE INDEX heartbeats_at ON heartbeats (at);
