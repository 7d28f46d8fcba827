-- What people changed while the guard ran, and what calls did not take.

-- One line for each change, in the order they were made; none is ever altered.
CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,              -- a change that is kept again has the same one
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,                     -- the asker's own name, and the kernel's word for them
    what   INTEGER NOT NULL CHECK (what BETWEEN 1 AND 5), -- 1 granted 2 paused 3 resumed 4 reloaded 5 resolved
    about  TEXT NOT NULL,                     -- e.g. budget growth-month, team growth, settings
    detail TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE INDEX changes_by_time ON changes (at);

-- What calls would have taken and did not: one running sum for each day, team, operation and reason.
CREATE TABLE savings (
    day       INTEGER NOT NULL,               -- the first moment of the day (UTC)
    team      INTEGER NOT NULL REFERENCES names (id),
    operation INTEGER NOT NULL REFERENCES names (id),
    how       INTEGER NOT NULL CHECK (how BETWEEN 1 AND 4), -- 1 replayed 2 joined 3 idempotent 4 database
    calls     INTEGER NOT NULL,
    credits   INTEGER NOT NULL,
    PRIMARY KEY (day, team, operation, how)
) STRICT, WITHOUT ROWID;

-- For people with an SQL prompt.
CREATE VIEW changed AS
SELECT number,
       strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch')
           || printf('.%06dZ', at % 1000000) AS at,
       who,
       CASE what WHEN 1 THEN 'granted' WHEN 2 THEN 'paused' WHEN 3 THEN 'resumed' WHEN 4 THEN 'reloaded'
                 WHEN 5 THEN 'resolved' END AS what,
       about, detail, reason
FROM changes;

CREATE VIEW saved AS
SELECT strftime('%Y-%m-%d', s.day / 1000000, 'unixepoch') AS day,
       t.name AS team, o.name AS operation,
       CASE s.how WHEN 1 THEN 'replayed' WHEN 2 THEN 'joined' WHEN 3 THEN 'idempotent' WHEN 4 THEN 'database' END AS how,
       s.calls,
       printf('%d.%06d', s.credits / 1000000, s.credits % 1000000) AS credits
FROM savings s
JOIN names t ON t.id = s.team
JOIN names o ON o.id = s.operation;
