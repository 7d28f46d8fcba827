-- What the fourth schema added: sums by month, made by its step up to entry 13, and a call after them that was
-- free; a change. It had not archived anything yet.
INSERT INTO entries (seq, kind, hold, began_at, recorded_at, team, "key", operation, amount, job, budget,
                     fingerprint, evidence, detail) VALUES
    (14, 1, 14, 1762165700000000, 1762165700000000, 1, 3, 6, 30, NULL, NULL, 15, NULL, NULL),
    (15, 3, 14, 1762165700000000, 1762165701000000, 1, 3, 6, 0, NULL, NULL, NULL, 4, NULL);
INSERT INTO sums (began_quarter, recorded_quarter, team, "key", operation, calls, settled) VALUES
    (1957961, 1957961, 1, 3, 6, 1, 0);
INSERT INTO changes (number, name, at, who, what, about, detail, reason) VALUES
    (3, 'reloaded-1', 1762165710000000, 'ann (uid 1000)', 4, 'settings', 'one key more', '');
