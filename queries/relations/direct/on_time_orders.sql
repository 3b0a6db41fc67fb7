-- name:    on_time_orders
-- makes:   how many orders each window summed up; orders that came after it had closed are not among them
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive; $window_seconds INTEGER
-- grain:   one row per window of which it is known: its orders, or the first of them by offset, sum up to its revenue
-- columns: window_start TIMESTAMP in UTC; orders BIGINT
-- reads:   windows, dated_orders
-- An order counts for the window until the window closes, and no later one does: they are the first ones by offset. Of
-- several partitions no offset tells which came first; then it is known only where all together are right.
SELECT
    placed.window_start,
    MAX(placed.orders) AS orders
FROM (
    SELECT
        window_start,
        amount,
        ROW_NUMBER() OVER by_offset AS orders,
        SUM(amount) OVER by_offset AS running,
        SUM(amount) OVER all_of_it AS whole,
        MIN("$$partition") OVER all_of_it AS first_partition,
        MAX("$$partition") OVER all_of_it AS last_partition
    FROM dated_orders
    WINDOW
        by_offset AS (PARTITION BY window_start ORDER BY "$$partition", "$$offset"),
        all_of_it AS (PARTITION BY window_start)
) AS placed
INNER JOIN windows AS summed ON placed.window_start = summed.window_start
WHERE
    placed.running = summed.total_revenue
    -- none that has no amount was summed up
    AND placed.amount IS NOT NULL
    AND (placed.running = placed.whole OR placed.first_partition = placed.last_partition)
GROUP BY placed.window_start;
