-- What shows that entries are as they were written.

-- One line for each span of entries, which begins after the one before and ends where the mark moves (see
-- facts), and with each month (UTC) of recording. The first line says where the digests begin: the entries
-- up to it were written before there were any. The lines of archived entries stay.
CREATE TABLE digests (
    last   INTEGER PRIMARY KEY,               -- the span's last entry
    digest TEXT NOT NULL                      -- SHA-256 of the digest before and the entries; empty: here they begin
) STRICT;

INSERT INTO digests (last, digest) SELECT value, '' FROM facts WHERE name = 'mark';
