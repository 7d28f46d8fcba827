-- The ledger. Facts are only added: nothing here updates or deletes an entry.
-- Amounts are micro-credits, times are microseconds since 1970 (UTC), quarters are quarter hours since 1970.

-- Teams, keys, operations and budgets by number, so that an entry is narrow.
CREATE TABLE names (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE entries (
    seq         INTEGER PRIMARY KEY,          -- 1, 2, 3 ... without gaps; a hold is named by the seq of its 'held' entry
    kind        INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7), -- 1 held 2 bound 3 settled 4 released 5 doubted 6 corrected 7 granted
    hold        INTEGER NOT NULL,             -- the hold it is about
    began_at    INTEGER NOT NULL,             -- when the call began: budgets go by this
    recorded_at INTEGER NOT NULL,             -- when this was written: finance goes by this; never falls along seq
    team        INTEGER NOT NULL REFERENCES names (id),
    "key"       INTEGER NOT NULL REFERENCES names (id),
    operation   INTEGER NOT NULL REFERENCES names (id),
    amount      INTEGER NOT NULL,             -- the quote; settled: the charge; corrected: the difference; granted: the grant
    job         TEXT,                         -- bound: the upstream's job
    budget      INTEGER REFERENCES names (id),-- granted: the budget
    fingerprint INTEGER,                      -- held: what a repeat of the call is recognised by
    evidence    INTEGER,                      -- 1 reason 2 stated 3 estimated 4 test_mode 5 operator 6 transaction
    detail      TEXT                          -- the upstream's own text, the working, the reason, who and why
) STRICT;

CREATE INDEX bound_entries ON entries (began_at) WHERE kind = 2;
CREATE INDEX granted_entries ON entries (recorded_at) WHERE kind = 7;

-- Charges, derived from the entries in the same transaction; can be worked out anew at any time.
CREATE TABLE sums (
    began_quarter    INTEGER NOT NULL,
    recorded_quarter INTEGER NOT NULL,
    team             INTEGER NOT NULL,
    "key"            INTEGER NOT NULL,
    operation        INTEGER NOT NULL,
    calls            INTEGER NOT NULL,        -- settled calls; a correction alters the sum, not the count
    settled          INTEGER NOT NULL,
    PRIMARY KEY (began_quarter, recorded_quarter, team, "key", operation)
) STRICT, WITHOUT ROWID;

CREATE INDEX sums_by_recording ON sums (recorded_quarter);

-- The holds that were open after entry 'mark' (see facts). Most holds never come here: the mark moves
-- every few thousand entries, and what is open now is this list and the entries after the mark.
CREATE TABLE open_holds (
    hold    INTEGER PRIMARY KEY,
    bound   INTEGER,                          -- its 'bound' entry, if there is one up to the mark
    doubted INTEGER                           -- its 'doubted' entry, if there is one up to the mark
) STRICT;

CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO facts (name, value) VALUES ('mark', 0), ('probes', 0);

-- For people with an SQL prompt.
CREATE VIEW ledger AS
SELECT e.seq,
       CASE e.kind WHEN 1 THEN 'held' WHEN 2 THEN 'bound' WHEN 3 THEN 'settled' WHEN 4 THEN 'released'
                   WHEN 5 THEN 'doubted' WHEN 6 THEN 'corrected' WHEN 7 THEN 'granted' END AS kind,
       e.hold,
       strftime('%Y-%m-%dT%H:%M:%S', e.began_at / 1000000, 'unixepoch')
           || printf('.%06dZ', e.began_at % 1000000) AS began_at,
       strftime('%Y-%m-%dT%H:%M:%S', e.recorded_at / 1000000, 'unixepoch')
           || printf('.%06dZ', e.recorded_at % 1000000) AS recorded_at,
       t.name AS team, k.name AS "key", o.name AS operation,
       printf('%s%d.%06d', CASE WHEN e.amount < 0 THEN '-' ELSE '' END,
              abs(e.amount) / 1000000, abs(e.amount) % 1000000) AS credits,
       e.job, b.name AS budget,
       CASE e.evidence WHEN 1 THEN 'reason' WHEN 2 THEN 'stated' WHEN 3 THEN 'estimated'
                       WHEN 4 THEN 'test_mode' WHEN 5 THEN 'operator' WHEN 6 THEN 'transaction' END AS evidence,
       e.detail
FROM entries e
JOIN names t ON t.id = e.team
JOIN names k ON k.id = e."key"
JOIN names o ON o.id = e.operation
LEFT JOIN names b ON b.id = e.budget;

CREATE VIEW spend AS
SELECT strftime('%Y-%m-%dT%H:%MZ', s.recorded_quarter * 900, 'unixepoch') AS recorded,
       t.name AS team, k.name AS "key", o.name AS operation,
       sum(s.calls) AS calls,
       printf('%s%d.%06d', CASE WHEN sum(s.settled) < 0 THEN '-' ELSE '' END,
              abs(sum(s.settled)) / 1000000, abs(sum(s.settled)) % 1000000) AS credits
FROM sums s
JOIN names t ON t.id = s.team
JOIN names k ON k.id = s."key"
JOIN names o ON o.id = s.operation
GROUP BY s.recorded_quarter, s.team, s."key", s.operation;
