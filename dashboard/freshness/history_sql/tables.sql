-- Times are milliseconds since 1970 in UTC, lengths milliseconds; `minute` and `minutes` count those since 1970.
CREATE TABLE IF NOT EXISTS hops (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    stage TEXT NOT NULL,
    title TEXT NOT NULL
) STRICT;

-- The worst verdict of each minute (`minute` says of which), and each that was not as the one before (`is_change`).
-- State: 0 fresh, 1 waiting, 2 late, 3 stale, 4 unknown. The greater `badness`, the worse.
CREATE TABLE IF NOT EXISTS verdicts (
    at_ms INTEGER PRIMARY KEY,
    minute INTEGER UNIQUE,
    is_change INTEGER NOT NULL,
    state INTEGER NOT NULL,
    badness INTEGER NOT NULL,
    as_of_ms INTEGER,
    held INTEGER REFERENCES hops (id),
    notes TEXT NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS changes ON verdicts (at_ms) WHERE is_change;

CREATE TABLE IF NOT EXISTS delays (
    at_ms INTEGER NOT NULL,
    hop INTEGER NOT NULL REFERENCES hops (id),
    state INTEGER NOT NULL,
    delay_ms INTEGER,
    normal_ms INTEGER NOT NULL,
    records INTEGER,
    reason TEXT,
    hint TEXT,
    PRIMARY KEY (at_ms, hop)
) STRICT, WITHOUT ROWID;

-- For how long at most a source had been silent in a minute.
CREATE TABLE IF NOT EXISTS silences (
    minute INTEGER NOT NULL,
    source TEXT NOT NULL,
    longest_ms INTEGER NOT NULL,
    PRIMARY KEY (minute, source)
) STRICT, WITHOUT ROWID;

-- How many windows came to the table in a minute, by how long after their end: bucket n is from 1.1^n to 1.1^(n+1) s.
CREATE TABLE IF NOT EXISTS latencies (
    minute INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    windows INTEGER NOT NULL,
    PRIMARY KEY (minute, bucket)
) STRICT, WITHOUT ROWID;
