-- What the third schema added: changes, and what was saved.
INSERT INTO changes (number, name, at, who, what, about, detail, reason) VALUES
    (1, 'paused-growth', 1762165650000000, 'ann (uid 1000)', 2, 'team growth', 'its new calls are refused', 'a loop'),
    (2, 'resumed-growth', 1762165660000000, 'ann (uid 1000)', 3, 'team growth', 'paused since then', 'mended');
INSERT INTO savings (day, team, operation, how, calls, credits) VALUES (1762128000000000, 1, 6, 1, 3, 180);
