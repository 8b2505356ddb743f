-- Wrapped keys, in a file of their own: its back-ups can expire sooner, and a back-up of the records without it reads
-- nothing.

CREATE TABLE deks (
    user_type TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    rev       INTEGER NOT NULL,
    doc       BLOB    NOT NULL,
    PRIMARY KEY (user_type, id)
) STRICT;

CREATE TABLE keyring (
    id  TEXT NOT NULL PRIMARY KEY,
    doc BLOB NOT NULL
) STRICT;
