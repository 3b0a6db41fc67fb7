-- The hops of one verdict, in the order of the flow.
SELECT
    hops.id, hops.stage, hops.name, hops.title, delays.delay_ms, delays.normal_ms, delays.state,
    COALESCE(delays.reason, '') AS reason, COALESCE(delays.hint, '') AS hint, delays.records
FROM delays INNER JOIN hops ON delays.hop = hops.id
WHERE delays.at_ms = $at_ms
ORDER BY hops.id;
