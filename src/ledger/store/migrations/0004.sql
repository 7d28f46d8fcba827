-- For ledgers that grow old: sums by month, and what was moved to archives.

-- Charges by months (UTC, counted since January 1970), of the entries up to 'summed' (see facts): it moves
-- with the mark. Whoever wants a sum over years adds the entries after it.
CREATE TABLE month_sums (
    began_month    INTEGER NOT NULL,
    recorded_month INTEGER NOT NULL,
    team           INTEGER NOT NULL,
    "key"          INTEGER NOT NULL,
    operation      INTEGER NOT NULL,
    calls          INTEGER NOT NULL,
    settled        INTEGER NOT NULL,
    PRIMARY KEY (began_month, recorded_month, team, "key", operation)
) STRICT, WITHOUT ROWID;

-- The sums are made by the program, with this step.
INSERT INTO facts (name, value) VALUES ('summed', 0);

-- The entries up to the last one here are read in archives, and no longer here; what is derived from
-- them stays. They are removed little by little once their line is written; grants stay, for budgets over
-- years count them.
CREATE TABLE archives (
    number      INTEGER PRIMARY KEY,
    first       INTEGER NOT NULL UNIQUE,      -- the entries it has
    last        INTEGER NOT NULL UNIQUE,
    before      INTEGER NOT NULL,             -- all were recorded before this moment, and all that were are in it or an earlier one
    recorded_at INTEGER NOT NULL,             -- the last one's
    digest      TEXT NOT NULL,                -- of its entries
    sums        TEXT NOT NULL,                -- of the sums recorded before that moment, which stay here
    path        TEXT NOT NULL                 -- where it was written
) STRICT;

-- Archiving is one more change.
DROP VIEW changed;
CREATE TABLE changes_of_six_kinds (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,              -- a change that is kept again has the same one
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,                     -- the asker's own name, and the kernel's word for them
    what   INTEGER NOT NULL CHECK (what BETWEEN 1 AND 6), -- 1 granted 2 paused 3 resumed 4 reloaded 5 resolved 6 archived
    about  TEXT NOT NULL,                     -- e.g. budget growth-month, team growth, settings
    detail TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
INSERT INTO changes_of_six_kinds SELECT * FROM changes;
DROP TABLE changes;
ALTER TABLE changes_of_six_kinds RENAME TO changes;
CREATE INDEX changes_by_time ON changes (at);

-- For people with an SQL prompt.
CREATE VIEW changed AS
SELECT number,
       strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch')
           || printf('.%06dZ', at % 1000000) AS at,
       who,
       CASE what WHEN 1 THEN 'granted' WHEN 2 THEN 'paused' WHEN 3 THEN 'resumed' WHEN 4 THEN 'reloaded'
                 WHEN 5 THEN 'resolved' WHEN 6 THEN 'archived' END AS what,
       about, detail, reason
FROM changes;
