-- name:    no_orders
-- makes:   what stands for on_time_orders where there is no table of completed orders: of no window it is known
-- params:  none
-- grain:   no row
-- columns: window_start TIMESTAMP in UTC; orders BIGINT
-- reads:   none
SELECT
    CAST(NULL AS TIMESTAMP) AS window_start,
    CAST(NULL AS BIGINT) AS orders
WHERE 1 = 0;
