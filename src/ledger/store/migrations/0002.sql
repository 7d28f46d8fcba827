-- What reconciliation keeps beside the entries: the account's rows, what they were matched with, and
-- what does not agree. Unlike an entry a record may be replaced by a later one of its name.
-- The list of names now also has the kinds of the account's rows.

-- The account's own list of what it took and was given, each row as it was read last.
CREATE TABLE transactions (
    number INTEGER PRIMARY KEY,               -- ours, so that a match is narrow
    source INTEGER NOT NULL CHECK (source BETWEEN 1 AND 2), -- 1 v1 2 legacy
    id     TEXT NOT NULL,                     -- the upstream's
    at     INTEGER NOT NULL,                  -- when the upstream wrote it
    kind   INTEGER NOT NULL REFERENCES names (id), -- what it is for, in the upstream's words
    amount INTEGER NOT NULL,                  -- with the upstream's sign: below zero was taken
    status INTEGER NOT NULL CHECK (status BETWEEN 1 AND 4), -- 1 pending 2 success 3 error 4 unknown
    open   INTEGER NOT NULL CHECK (open IN (0, 1)), -- 1: neither matched nor named by a finding
    UNIQUE (source, id)
) STRICT;

CREATE INDEX transactions_by_time ON transactions (at);
CREATE INDEX open_transactions ON transactions (at) WHERE open = 1;

-- Whose charge a row is. A row belongs to one hold; a hold may have several.
CREATE TABLE matches (
    "transaction" INTEGER PRIMARY KEY REFERENCES transactions (number),
    hold          INTEGER NOT NULL REFERENCES entries (seq),
    how           INTEGER NOT NULL CHECK (how BETWEEN 1 AND 4) -- 1 charge 2 doubt 3 job 4 allocated
) STRICT;

CREATE INDEX matches_by_hold ON matches (hold);

-- Where the account and the entries do not agree.
CREATE TABLE findings (
    number        INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,       -- the same disagreement found again has the same one
    kind          INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 8), -- 1 theirs_only 2 ours_only 3 amount_differs 4 late 5 allocated 6 unexpected_price 7 top_up 8 unit
    found_at      INTEGER NOT NULL,
    at            INTEGER NOT NULL,           -- the moment it is about
    operation     INTEGER REFERENCES names (id),
    team          INTEGER REFERENCES names (id),
    drift         INTEGER NOT NULL,           -- the account's figure less ours
    hold          INTEGER REFERENCES entries (seq),
    "transaction" INTEGER REFERENCES transactions (number),
    detail        TEXT NOT NULL,
    closed_at     INTEGER,                    -- when it was explained
    closed_why    TEXT
) STRICT;

CREATE INDEX findings_by_time ON findings (at);
CREATE INDEX findings_by_transaction ON findings ("transaction") WHERE "transaction" IS NOT NULL;

-- Small things to remember across restarts.
CREATE TABLE notes (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Corrections are few, and found without a search.
CREATE INDEX corrected_entries ON entries (hold) WHERE kind = 6;

-- For people with an SQL prompt.
CREATE VIEW account_rows AS
SELECT CASE x.source WHEN 1 THEN 'v1' WHEN 2 THEN 'legacy' END AS source,
       x.id,
       strftime('%Y-%m-%dT%H:%M:%S', x.at / 1000000, 'unixepoch')
           || printf('.%06dZ', x.at % 1000000) AS at,
       k.name AS kind,
       printf('%s%d.%06d', CASE WHEN x.amount < 0 THEN '-' ELSE '' END,
              abs(x.amount / 1000000), abs(x.amount % 1000000)) AS credits,
       CASE x.status WHEN 1 THEN 'pending' WHEN 2 THEN 'success' WHEN 3 THEN 'error' WHEN 4 THEN 'unknown' END AS status,
       m.hold,
       CASE m.how WHEN 1 THEN 'charge' WHEN 2 THEN 'doubt' WHEN 3 THEN 'job' WHEN 4 THEN 'allocated' END AS matched_by,
       t.name AS team, o.name AS operation
FROM transactions x
JOIN names k ON k.id = x.kind
LEFT JOIN matches m ON m."transaction" = x.number
LEFT JOIN entries e ON e.seq = m.hold
LEFT JOIN names t ON t.id = e.team
LEFT JOIN names o ON o.id = e.operation;

CREATE VIEW disagreements AS
SELECT f.name,
       CASE f.kind WHEN 1 THEN 'theirs_only' WHEN 2 THEN 'ours_only' WHEN 3 THEN 'amount_differs' WHEN 4 THEN 'late'
                   WHEN 5 THEN 'allocated' WHEN 6 THEN 'unexpected_price' WHEN 7 THEN 'top_up' WHEN 8 THEN 'unit' END AS kind,
       strftime('%Y-%m-%dT%H:%M:%S', f.at / 1000000, 'unixepoch')
           || printf('.%06dZ', f.at % 1000000) AS at,
       strftime('%Y-%m-%dT%H:%M:%S', f.found_at / 1000000, 'unixepoch')
           || printf('.%06dZ', f.found_at % 1000000) AS found_at,
       o.name AS operation, t.name AS team,
       printf('%s%d.%06d', CASE WHEN f.drift < 0 THEN '-' ELSE '' END,
              abs(f.drift / 1000000), abs(f.drift % 1000000)) AS drift,
       f.hold, x.id AS "transaction", f.detail,
       strftime('%Y-%m-%dT%H:%M:%S', f.closed_at / 1000000, 'unixepoch')
           || printf('.%06dZ', f.closed_at % 1000000) AS closed_at,
       f.closed_why
FROM findings f
LEFT JOIN names o ON o.id = f.operation
LEFT JOIN names t ON t.id = f.team
LEFT JOIN transactions x ON x.number = f."transaction";
