-- Accounts are listed by status. What was stored before says its own in the document: a BSON string, its length before it.

ALTER TABLE accounts ADD COLUMN status TEXT NOT NULL DEFAULT 'active';
UPDATE accounts SET status = 'locked' WHERE instr(doc, X'0273746174757300070000006C6F636B656400') > 0;
UPDATE accounts SET status = 'erased' WHERE instr(doc, X'02737461747573000700000065726173656400') > 0;
CREATE INDEX accounts_status ON accounts (user_type, status, id);
