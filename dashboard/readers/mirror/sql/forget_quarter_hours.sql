-- Before they are summed up anew.
DELETE FROM quarter_hours
WHERE
    bucket_start >= $first
    AND bucket_start < $last;
