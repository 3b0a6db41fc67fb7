-- What a mirror consists of, empty.
CREATE TABLE IF NOT EXISTS windows (
    window_start TIMESTAMP,
    window_end TIMESTAMP,
    -- the type of the table that is mirrored, once it is
    total_revenue DECIMAL(18, 2),
    -- that were paid on time; NULL while it is not known
    orders BIGINT,
    is_doubled BOOLEAN
);
CREATE TABLE IF NOT EXISTS quarter_hours (
    bucket_start TIMESTAMP NOT NULL,
    bucket_second BIGINT NOT NULL,
    windows INTEGER NOT NULL,
    -- of no more digits: numbers of 128 bits are read ten times slower from a file
    revenue DECIMAL(18, 2),
    orders BIGINT,
    uncounted INTEGER NOT NULL,
    faults INTEGER NOT NULL
);
-- Orders by the window that they fall into, whether or not it has closed; each commit adds rows of its own.
CREATE TABLE IF NOT EXISTS order_windows (
    window_start TIMESTAMP NOT NULL,
    orders BIGINT NOT NULL,
    cents BIGINT NOT NULL
);
-- Of them, those that came after their window had closed, as far as it was looked into.
CREATE TABLE IF NOT EXISTS late_windows (
    window_start TIMESTAMP NOT NULL,
    orders BIGINT NOT NULL,
    cents BIGINT NOT NULL
);
-- Windows whose orders are to be looked into: they are not what the window summed up.
CREATE TABLE IF NOT EXISTS to_judge (window_start TIMESTAMP NOT NULL);
-- Which state of each Iceberg table this is.
CREATE TABLE IF NOT EXISTS mirrored (
    table_name VARCHAR NOT NULL,
    identity VARCHAR NOT NULL,
    snapshot_id BIGINT NOT NULL,
    committed_at TIMESTAMP NOT NULL,
    table_rows BIGINT,
    -- the longest window and the newest one, in microseconds; of orders both are the windows that they are placed in
    longest BIGINT NOT NULL,
    newest BIGINT NOT NULL
);
