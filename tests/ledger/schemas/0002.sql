-- What the second schema added: rows of the account, whose they are, a finding, and notes.
INSERT INTO transactions (number, source, id, at, kind, amount, status, open) VALUES
    (1, 1, 'txn_1', 1762164001000000, 6, -60, 2, 0),
    (2, 1, 'txn_2', 1762165003000000, 6, -450, 2, 0),
    (3, 2, 'legacy_3', 1762165200000000, 6, -70, 2, 0),
    (4, 1, 'txn_4', 1762165300000000, 6, -80, 1, 1);
INSERT INTO matches ("transaction", hold, how) VALUES (1, 1, 1), (2, 10, 1);
INSERT INTO findings (number, name, kind, found_at, at, operation, team, drift, hold, "transaction", detail,
                      closed_at, closed_why) VALUES
    (1, 'theirs legacy_3', 1, 1762165700000000, 1762165200000000, 6, NULL, 70, NULL, 3, 'nobody called', NULL, NULL);
INSERT INTO notes (name, value) VALUES ('reconciliation.seq', '12'), ('pauses', '{}');
