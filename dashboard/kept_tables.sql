-- What people keep on the page: notes on a time, and views by name. Moments are microseconds since 1970.
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    start INTEGER NOT NULL,
    -- exclusive; a note on a moment ends where it starts
    until INTEGER NOT NULL CHECK (until >= start),
    text TEXT NOT NULL,
    who TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
-- an empty owner is everybody
CREATE TABLE IF NOT EXISTS views (
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    who TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT;
