-- What alerts remember from one look to the next, what is still to be told, and what people have snoozed.
CREATE TABLE IF NOT EXISTS watches (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    watches TEXT NOT NULL
) STRICT;
-- a row for each message and way to tell it, until it is told; next_at in seconds since 1970
CREATE TABLE IF NOT EXISTS letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    way TEXT NOT NULL,
    id TEXT NOT NULL,
    notice TEXT NOT NULL,
    next_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    fault TEXT NOT NULL DEFAULT '',
    UNIQUE (way, id)
) STRICT;
-- what came of each open alert in each way: when a message was taken last, and why one after it never was
CREATE TABLE IF NOT EXISTS deliveries (
    alert TEXT NOT NULL,
    way TEXT NOT NULL,
    told_at REAL,
    refusal TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (alert, way)
) STRICT;
CREATE TABLE IF NOT EXISTS snoozes (
    subject TEXT PRIMARY KEY,
    until REAL NOT NULL,
    who TEXT NOT NULL
) STRICT;
