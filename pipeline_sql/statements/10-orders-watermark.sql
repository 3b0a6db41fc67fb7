-- name:    orders-watermark
-- makes:   event time for the orders that change data capture writes: the order's own date, 5 seconds of disorder
-- params:  none
-- grain:   none, it alters a table
-- columns: none
-- reads:   none
-- the linter does not know MODIFY WATERMARK; Flink itself checks it
-- noqa: disable=PRS,CP02,RF04
ALTER TABLE `shiftleft.public.orders` MODIFY WATERMARK FOR orderdate AS orderdate - INTERVAL '5' SECOND;
