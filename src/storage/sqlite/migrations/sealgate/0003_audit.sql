-- The audit is read across user types too, in order of its ids; and who has had which checkpoint is remembered.

CREATE INDEX audit_all ON audit (id);

CREATE TABLE audit_cursors (
    id    TEXT    NOT NULL PRIMARY KEY,
    place INTEGER NOT NULL
) STRICT;
