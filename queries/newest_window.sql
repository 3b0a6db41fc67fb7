-- name:    newest_window
-- asks:    when the newest window of a stretch of time begins and ends
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row
-- columns: window_start and window_end TIMESTAMP in UTC; both NULL where there is no window
-- reads:   windows
SELECT
    MAX(window_start) AS window_start,
    MAX(window_end) AS window_end
FROM windows;
