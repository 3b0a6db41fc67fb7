-- What was found of windows that waited.
INSERT INTO late_windows
SELECT
    window_start,
    orders,
    cents
FROM batch
WHERE orders > 0;
