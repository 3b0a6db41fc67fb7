-- Windows that came to the table.
INSERT INTO latencies (minute, bucket, windows)
VALUES ($minute, $bucket, $windows)
ON CONFLICT (minute, bucket) DO UPDATE SET windows = windows + excluded.windows;
