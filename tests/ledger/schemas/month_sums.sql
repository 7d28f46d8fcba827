-- How the first guards of the fourth schema made the sums by month.
INSERT INTO month_sums
SELECT CAST(strftime('%Y', began_day * 86400, 'unixepoch') AS INTEGER) * 12
           + CAST(strftime('%m', began_day * 86400, 'unixepoch') AS INTEGER) - 23641 AS began_month,
       CAST(strftime('%Y', recorded_day * 86400, 'unixepoch') AS INTEGER) * 12
           + CAST(strftime('%m', recorded_day * 86400, 'unixepoch') AS INTEGER) - 23641 AS recorded_month,
       team, "key", operation, sum(calls), sum(settled)
FROM (SELECT began_quarter / 96 AS began_day, recorded_quarter / 96 AS recorded_day,
             team, "key", operation, sum(calls) AS calls, sum(settled) AS settled
      FROM sums GROUP BY began_day, recorded_day, team, "key", operation)
GROUP BY began_month, recorded_month, team, "key", operation;
UPDATE facts SET value = (SELECT max(seq) FROM entries) WHERE name = 'summed';
