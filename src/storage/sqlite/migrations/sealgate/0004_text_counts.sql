-- Texts by what they are counted by: all, a user type, a country, a dial prefix.

CREATE TABLE text_counts (
    id         TEXT    NOT NULL PRIMARY KEY,
    updated_at INTEGER NOT NULL,
    doc        BLOB    NOT NULL
) STRICT;
