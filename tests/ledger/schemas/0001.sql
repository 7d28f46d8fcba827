-- What a ledger of the first schema had in it: a settled call and its correction, a job, a doubt, a call that
-- was under way, one given back, an estimate, and a grant. Written for a file of exactly that schema.
INSERT INTO names (id, name) VALUES
    (1, 'growth'),
    (2, 'research'),
    (3, 'growth-crm'),
    (4, 'research-notebook'),
    (5, 'research-jobs'),
    (6, 'search_leads'),
    (7, 'email_find_bulk'),
    (8, 'all'),
    (9, '');
INSERT INTO entries (seq, kind, hold, began_at, recorded_at, team, "key", operation, amount, job, budget,
                     fingerprint, evidence, detail) VALUES
    (1, 1, 1, 1762164000000000, 1762164000000000, 1, 3, 6, 100, NULL, NULL, 11, NULL, NULL),
    (2, 3, 1, 1762164000000000, 1762164001000000, 1, 3, 6, 60, NULL, NULL, NULL, 2, '0.00006'),
    (3, 1, 3, 1762164010000000, 1762164010000000, 1, 3, 7, 200, NULL, NULL, 12, NULL, NULL),
    (4, 2, 3, 1762164010000000, 1762164011000000, 1, 3, 7, 200, 'job-a', NULL, NULL, NULL, NULL),
    (5, 1, 5, 1762164020000000, 1762164020000000, 2, 4, 6, 300, NULL, NULL, 13, NULL, NULL),
    (6, 5, 5, 1762164020000000, 1762164330000000, 2, 4, 6, 300, NULL, NULL, NULL, 1, 'no answer within 310 s'),
    (7, 1, 7, 1762164900000000, 1762164900000000, 1, 3, 6, 400, NULL, NULL, 14, NULL, NULL),
    (8, 1, 8, 1762164901000000, 1762164901000000, 2, 4, 6, 50, NULL, NULL, NULL, NULL, NULL),
    (9, 4, 8, 1762164901000000, 1762164902000000, 2, 4, 6, 50, NULL, NULL, NULL, 1, 'the upstream refused it: 422'),
    (10, 1, 10, 1762165000000000, 1762165000000000, 2, 5, 6, 500, NULL, NULL, NULL, NULL, NULL),
    (11, 3, 10, 1762165000000000, 1762165003000000, 2, 5, 6, 450, NULL, NULL, NULL, 3, '3 × 0.00015'),
    (12, 6, 1, 1762164000000000, 1762165500000000, 1, 3, 6, -10, NULL, NULL, NULL, 5, 'ann: the invoice says less'),
    (13, 7, 13, 1762165600000000, 1762165600000000, 9, 9, 9, 1000, NULL, 8, NULL, 5, 'ann: a large order');
INSERT INTO sums (began_quarter, recorded_quarter, team, "key", operation, calls, settled) VALUES
    (1957960, 1957960, 1, 3, 6, 1, 60),
    (1957960, 1957961, 1, 3, 6, 0, -10),
    (1957961, 1957961, 2, 5, 6, 1, 450);
INSERT INTO open_holds (hold, bound, doubted) VALUES (3, 4, NULL), (5, NULL, 6);
UPDATE facts SET value = 6 WHERE name = 'mark';
UPDATE facts SET value = 2 WHERE name = 'probes';
