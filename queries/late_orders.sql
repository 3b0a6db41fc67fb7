-- name:    late_orders
-- asks:    which windows closed before all of their orders were there, and what those that came later are worth
-- params:  $start and $end TIMESTAMP in UTC, inclusive and exclusive
-- grain:   one row per window with late orders, oldest first; none where nothing is known to be late
-- columns: window_start TIMESTAMP in UTC; late_orders BIGINT; late_revenue DECIMAL(38, 2), in no window's revenue
-- reads:   late_orders
SELECT
    window_start,
    late_orders,
    late_revenue
FROM late_orders
ORDER BY window_start;
