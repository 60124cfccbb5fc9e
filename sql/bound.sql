--
-- How sure one can be of what was not seen: mismatch_bound in dogpile_stats
--
SET client_min_messages = warning;
CREATE TABLE bound_numbers AS SELECT 1 AS n;
SELECT dogpile_reset_stats();
SELECT mismatch_bound IS NULL AS unknown FROM dogpile_stats WHERE region = 'sessions';
SET dogpile_sessions.verify_fraction = 1;
CREATE FUNCTION bound_read(key text, times int) RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT count(dogpile_get_or_create('sessions', key, 'SELECT n FROM bound_numbers')) FROM generate_series(1, times)
$$;
SELECT bound_read('bound', 1);
SELECT bound_read('bound', 1);
SELECT verifications, mismatches, round(mismatch_bound::numeric, 6) AS bound FROM dogpile_stats WHERE region = 'sessions';
SELECT bound_read('bound', 99);
SELECT verifications, mismatches, round(mismatch_bound::numeric, 6) AS bound,
       abs(mismatch_bound * verifications / 3 - 1) < 0.02 AS rule_of_three
  FROM dogpile_stats WHERE region = 'sessions';
-- with mismatches: the bounds of Clopper and Pearson for 1 of 101, and 10 of 110
UPDATE bound_numbers SET n = 2;
SET log_min_messages = fatal;
SELECT bound_read('bound', 1);
SELECT verifications, mismatches, round(mismatch_bound::numeric, 6) AS bound FROM dogpile_stats WHERE region = 'sessions';
SELECT bound_read('bound', 9);
SELECT verifications, mismatches, round(mismatch_bound::numeric, 6) AS bound FROM dogpile_stats WHERE region = 'sessions';
-- nothing but mismatches
SELECT dogpile_reset_stats();
SELECT bound_read('bound', 3);
SELECT verifications, mismatches, mismatch_bound FROM dogpile_stats WHERE region = 'sessions';
SELECT dogpile_delete('sessions', 'bound');
DROP FUNCTION bound_read;
DROP TABLE bound_numbers;
