-- name:    revenue-summary
-- makes:   the table of revenue per window
-- params:  none
-- grain:   one row per window [window_start, window_end); a window without orders has no row
-- columns: window_start and window_end in UTC; total_revenue in the shop's currency, 18 digits so that an hour at
--          5,000 payments a second fits, NOT NULL so that a total that does not fit stops the statement
-- reads:   none
CREATE TABLE revenue_summary (
    window_start TIMESTAMP(3),
    window_end TIMESTAMP(3),
    total_revenue DECIMAL(18, 2) NOT NULL
);
