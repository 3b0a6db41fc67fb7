-- Orders that a commit added, or of which it is known by now that they were late.
INSERT INTO order_windows
SELECT
    window_start,
    orders,
    cents,
    late_orders,
    late_cents
FROM batch;
