-- What a new version of a key makes to be done over the records of a user type.

CREATE TABLE key_jobs (
    user_type TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    rev       INTEGER NOT NULL,
    doc       BLOB    NOT NULL,
    PRIMARY KEY (user_type, id)
) STRICT;
