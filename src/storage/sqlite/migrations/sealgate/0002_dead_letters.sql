-- Whether a record's outbox holds a dead letter: few do, and an operator asks for those alone.

ALTER TABLE accounts ADD COLUMN outbox_dead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE registrations ADD COLUMN outbox_dead INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN outbox_dead INTEGER NOT NULL DEFAULT 0;
CREATE INDEX accounts_dead ON accounts (user_type, outbox_dead, id);
CREATE INDEX registrations_dead ON registrations (user_type, outbox_dead, id);
CREATE INDEX requests_dead ON requests (user_type, outbox_dead, id);
