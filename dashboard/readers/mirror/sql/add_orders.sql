-- Orders that a commit added.
INSERT INTO order_windows
SELECT
    window_start,
    orders,
    cents
FROM batch;
