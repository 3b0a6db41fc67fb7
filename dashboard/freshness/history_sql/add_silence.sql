-- For how long a source is silent.
INSERT INTO silences (minute, source, longest_ms)
VALUES ($minute, $source, $longest_ms)
ON CONFLICT (minute, source) DO UPDATE SET longest_ms = MAX(longest_ms, excluded.longest_ms);
