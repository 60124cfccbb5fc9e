--
-- Each function: which call finds which form, arguments, NULLs, errors.
-- Where a value is cached, an empty string is enough for the query: it is not even
-- parsed.
--

-- Says when a query runs, which it must not on a hit.
CREATE FUNCTION compute(value anyelement) RETURNS anyelement
LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE 'computing %', value;
  RETURN value;
END $$;
CREATE TABLE items (id int, price numeric);
INSERT INTO items VALUES (1, 9.99), (2, 20);

--
-- dogpile_get_or_create()
--

-- The query runs once.
SELECT dogpile_get_or_create('reports', 'api answer', 'SELECT compute(42)');
SELECT dogpile_get_or_create('reports', 'api answer', 'SELECT compute(42)');
-- Key and region tell values apart, the query does not.
SELECT dogpile_get_or_create('reports', 'api answer', 'SELECT compute(43)');
SELECT dogpile_get_or_create('reports', 'api Answer', 'SELECT compute(43)');
SELECT dogpile_get_or_create('sessions', 'api answer', 'SELECT compute(44)');
SELECT dogpile_get_or_create('default', 'api answer', 'SELECT compute(45)');
SELECT dogpile_get_or_create('reports', '', 'SELECT compute(46)');
SELECT dogpile_get_or_create('reports', '', 'SELECT compute(47)');

-- The text form takes a value of any type, the other one its own only.
SELECT dogpile_get_or_create('reports', 'api answer', '', NULL::int) + 1 AS answer;
SELECT dogpile_get_or_create('reports', 'api answer', '', NULL::bigint);
SELECT dogpile_get_or_create('reports', 'api answer', '', NULL::text);

-- Which form is called: pg_typeof() is the declared type of the result.
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', 'SELECT 1.5'));
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', '', row(1, 'x')));
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', '', params => NULL));
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', '',
                                       expiration_time => '5 min'));
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', '', tags => '{a}'));
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', '', NULL::record));
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', '', NULL::numeric));
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', '', 0.0, row(1)));
SELECT pg_typeof(dogpile_get_or_create('reports', 'api form', '',
                                       result_type => 0.0, tags => '{a}'));
-- A type in the place of an optional argument is a type.
SELECT dogpile_get_or_create('reports', 'api interval', 'SELECT interval ''1 day''',
                             interval '5 min');
-- What could be either is refused.
SELECT dogpile_get_or_create('reports', 'api form', '', '5 min');
SELECT dogpile_get_or_create('reports', 'api form', '', NULL);
SELECT dogpile_get_or_create('reports', 'api form', '', NULL::items);
SELECT dogpile_get_or_create('reports', 'api form', '', result_type => NULL);
PREPARE ambiguous AS SELECT dogpile_get_or_create($1, $2, $3, $4);
PREPARE unambiguous AS SELECT dogpile_get_or_create($1, $2, $3, tags => $4);
EXECUTE unambiguous('reports', 'api form', '', '{a}');
DEALLOCATE unambiguous;

-- Rows: a composite type takes the row.
SELECT dogpile_get_or_create('reports', 'api row', 'SELECT * FROM items WHERE id = 1',
                             result_type => NULL::items);
SELECT (dogpile_get_or_create('reports', 'api row', '', result_type => NULL::items)).price;
-- The text form refuses several columns.
SELECT dogpile_get_or_create('reports', 'api row', '');

-- Parameters.
SELECT dogpile_get_or_create('reports', 'api params 1',
                             'SELECT $1 + 1', params => row(41));
SELECT dogpile_get_or_create('reports', 'api params 2',
                             'SELECT $2 || pg_typeof($2) || $1', row(42, 'x'));
SELECT dogpile_get_or_create('reports', 'api params 3',
                             'SELECT $1 IS NULL', row(NULL::int));
SELECT dogpile_get_or_create('reports', 'api params 4',
                             'SELECT $1 * $2', params => i)
  FROM items AS i WHERE id = 2;
SELECT dogpile_get_or_create('reports', 'api params 5',
                             'SELECT cardinality($1)', row(ARRAY[1, 2, 3]));
-- The fields of a row type with a dropped column.
CREATE TABLE api_dropped (gone int, a int, b text);
ALTER TABLE api_dropped DROP COLUMN gone;
SELECT dogpile_get_or_create('reports', 'api params 8', 'SELECT $1 || $2',
                             params => row(1, 'x')::api_dropped);
DROP TABLE api_dropped;
-- A parameter that the query does not use.
SELECT dogpile_get_or_create('reports', 'api params 6', 'SELECT $1', row(1, 2));
-- One too few, none at all, one whose type does not fit, no record.
SELECT dogpile_get_or_create('reports', 'api params 7', 'SELECT $1 + $2', row(1));
SELECT dogpile_get_or_create('reports', 'api params 7', 'SELECT $1');
SELECT dogpile_get_or_create('reports', 'api params 7', 'SELECT $1 + 1', row('x'));
SELECT dogpile_get_or_create('reports', 'api params 7', 'SELECT 1', params => 42);
SELECT dogpile_exists('reports', 'api params 7');

-- NULL and no row at all are NULL, and cached.
SELECT dogpile_get_or_create('reports', 'api null', 'SELECT compute(NULL::int)') IS NULL;
SELECT dogpile_get_or_create('reports', 'api null', 'SELECT compute(1)') IS NULL;
SELECT dogpile_get_or_create('reports', 'api none', 'SELECT compute(1) WHERE false') IS NULL;
SELECT dogpile_get_or_create('reports', 'api none', 'SELECT compute(1)') IS NULL;
SELECT dogpile_exists('reports', 'api null'), dogpile_exists('reports', 'api none'),
       dogpile_exists('reports', 'api nothing');

-- Queries that return something else than one value, or are not queries.  They leave
-- nothing behind, so the next call runs its own.
SELECT dogpile_get_or_create('reports', 'api rows', 'SELECT id FROM items');
SELECT dogpile_get_or_create('reports', 'api rows', 'SELECT * FROM items',
                             result_type => NULL::items);
SELECT dogpile_exists('reports', 'api rows');
SELECT dogpile_get_or_create('reports', 'api rows', 'SELECT compute(1)');
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT 1, 2');
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT FROM items LIMIT 1');
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT 1', NULL::text);
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT id FROM items',
                             result_type => NULL::items);
SELECT dogpile_get_or_create('reports', 'api bad', '');
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT 1; SELECT 2');
SELECT dogpile_get_or_create('reports', 'api bad', 'SELEKT 1');
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT 1/0');
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT * FROM no_such_table');
SELECT dogpile_get_or_create('reports', 'api bad', 'CREATE TABLE t (i int)');
SELECT dogpile_get_or_create('reports', 'api bad', 'INSERT INTO items VALUES (3, 3)');
SELECT dogpile_get_or_create('reports', 'api bad',
                             'INSERT INTO items VALUES (3, 3) RETURNING id');
SELECT dogpile_get_or_create('reports', 'api bad',
                             'WITH i AS (INSERT INTO items VALUES (3, 3) RETURNING id) SELECT * FROM i');
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT 1 INTO t');
SELECT dogpile_get_or_create('reports', 'api bad', 'COMMIT');
SELECT dogpile_exists('reports', 'api bad'), count(*) FROM items;
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT id FROM items LIMIT 1 FOR UPDATE');
SELECT dogpile_get_or_create('reports', 'api bad',
                             'SELECT id FROM (SELECT * FROM items FOR UPDATE) AS i LIMIT 1');
-- Whatever rules make of it.
CREATE TABLE api_rules (a int);
CREATE RULE api_insert AS ON INSERT TO api_rules DO INSTEAD NOTHING;
CREATE RULE api_delete AS ON DELETE TO api_rules DO INSTEAD SELECT 1;
CREATE RULE api_update AS ON UPDATE TO api_rules DO ALSO SELECT 1;
SELECT dogpile_get_or_create('reports', 'api bad', 'INSERT INTO api_rules VALUES (1)');
SELECT dogpile_get_or_create('reports', 'api bad', 'DELETE FROM api_rules');
SELECT dogpile_get_or_create('reports', 'api bad', 'UPDATE api_rules SET a = 2');
SELECT dogpile_get_or_create('reports', 'api bad', 'UPDATE api_rules SET a = 2 RETURNING a');
DROP TABLE api_rules;
-- Whatever else is not a query.
PREPARE api_prepared AS SELECT 1;
CREATE PROCEDURE api_procedure() LANGUAGE sql AS 'SELECT 1';
DO $$
DECLARE
  query text;
  detail text;
BEGIN
  FOREACH query IN ARRAY ARRAY[
    'EXPLAIN SELECT 1', 'SHOW work_mem', 'SET work_mem = 64', 'DO ''BEGIN END''', 'CALL api_procedure()',
    'EXECUTE api_prepared', 'DECLARE c CURSOR FOR SELECT 1', 'COPY items TO STDOUT',
    'LISTEN api', 'LOCK TABLE items', 'TRUNCATE items', 'VACUUM items', 'BEGIN', 'ROLLBACK',
    'SAVEPOINT a', 'PREPARE TRANSACTION ''a''', 'CREATE TABLE t AS SELECT 1',
    ';', '-- SELECT 1', 'SELECT 1; COMMIT', 'COMMIT; SELECT 1']
  LOOP
    BEGIN
      PERFORM dogpile_get_or_create('reports', 'api bad', query);
      RAISE NOTICE '%: accepted', query;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
      RAISE NOTICE '%: %: %', query, SQLERRM, detail;
    END;
  END LOOP;
END $$;
DEALLOCATE api_prepared;
DROP PROCEDURE api_procedure();
SELECT dogpile_exists('reports', 'api bad');
-- An error is not cached.
SELECT dogpile_get_or_create('reports', 'api bad', 'SELECT compute(1)');
-- So is VALUES or TABLE a query.
SELECT dogpile_get_or_create('reports', 'api values', 'VALUES (7)');
SELECT dogpile_query('reports', 'api table', 'TABLE items', result_type => NULL::items);
SELECT dogpile_get_or_create('reports', 'api union', '(SELECT 1 UNION SELECT 2) ORDER BY 1 LIMIT 1; -- first');
SELECT dogpile_get_or_create('reports', 'api recursive',
  'WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n) FROM t');

-- A query that asks for its own key, at once or by way of another one.
SELECT dogpile_get_or_create('reports', 'api self',
  $$ SELECT dogpile_get_or_create('reports', 'api self', 'SELECT 1') $$);
SELECT dogpile_get_or_create('reports', 'api self',
  $$ SELECT dogpile_get_or_create('reports', 'api other',
       $i$ SELECT dogpile_get_or_create('reports', 'api self', 'SELECT 1') $i$) $$);
-- Other keys may be nested.
SELECT dogpile_get_or_create('reports', 'api outer',
  $$ SELECT 1 + dogpile_get_or_create('reports', 'api inner', 'SELECT compute(1)', 0) $$);
SELECT dogpile_get('reports', 'api outer'), dogpile_get('reports', 'api inner');

-- NULLs, and keys and regions that cannot be.
SELECT dogpile_get_or_create(NULL, 'k', 'SELECT 1');
SELECT dogpile_get_or_create('reports', NULL, 'SELECT 1');
SELECT dogpile_get_or_create('reports', 'k', NULL);
SELECT dogpile_get_or_create('nosuch', 'k', 'SELECT 1');
SELECT dogpile_get_or_create('reports', repeat('x', 1025), 'SELECT 1');
SELECT dogpile_get_or_create('reports', repeat('x', 1024), 'SELECT 1');
SELECT dogpile_get_or_create('reports', E'api %s "key"\n', 'SELECT 1/0');
SELECT dogpile_get_or_create('reports', E'api %s "key"\n', 'SELECT compute(1)');
SELECT dogpile_exists('reports', E'api %s "key"\n'), dogpile_exists('reports', 'api %s "key"');

--
-- Lifetimes and tags
--

SELECT dogpile_get_or_create('reports', 'api life ' || t, 'SELECT 1',
                             expiration_time => t::interval)
  FROM unnest('{5 min,1 mon,-1,1000000 years}'::text[]) AS t;
SELECT t, expires_at - created_at AS expires_in, gone_at - created_at AS gone_in
  FROM unnest('{5 min,1 mon}'::text[]) AS t,
       dogpile_metadata('reports', 'api life ' || t);
SELECT t, expires_at, gone_at
  FROM unnest('{-1,1000000 years}'::text[]) AS t,
       dogpile_metadata('reports', 'api life ' || t);
-- An entry without a lifetime of its own follows the region's setting as it is when read.
SELECT dogpile_set('reports', 'api life', 'x');
SET dogpile_reports.expiration_time = -1;
SELECT expires_at, gone_at, fresh FROM dogpile_metadata('reports', 'api life');
SET dogpile_reports.expiration_time = '10 min';
SELECT expires_at - created_at AS expires_in, gone_at - created_at AS gone_in, fresh
  FROM dogpile_metadata('reports', 'api life');
RESET dogpile_reports.expiration_time;
-- With a lifetime of 0, only the creator and its waiters get the value.
SELECT dogpile_get_or_create('reports', 'api life 0', 'SELECT compute(1)',
                             expiration_time => '0');
SELECT dogpile_get_or_create('reports', 'api life 0', 'SELECT compute(2)',
                             expiration_time => '0');
-- Negative ones are errors, apart from -1.
SELECT dogpile_set('reports', 'api life', 'x', '-1 s');
SELECT expires_at FROM dogpile_metadata('reports', 'api life');
SELECT dogpile_set('reports', 'api life', 'x', '-5 min');
SELECT dogpile_get_or_create('reports', 'api life', '', expiration_time => '-1 day');

SELECT dogpile_set('reports', 'api life', 'x', '-0.000001 s');
SELECT dogpile_add('reports', 'api life none', 'x', '-1 mon');
SELECT * FROM dogpile_query('reports', 'api life', '', expiration_time => '-2') AS t(v text);
SELECT expires_at, dogpile_exists('reports', 'api life none') FROM dogpile_metadata('reports', 'api life');
-- Their parts may be negative; the end of time is never reached.
SELECT dogpile_set('reports', 'api life ' || t, 'x', t::interval)
  FROM unnest('{-1 mon 31 days,280000 years,2147483647 days}'::text[]) AS t;
SELECT t, CASE WHEN isfinite(expires_at) THEN expires_at - created_at END AS expires_in, gone_at = 'infinity' AS kept, fresh
  FROM unnest('{-1 mon 31 days,280000 years,2147483647 days}'::text[]) AS t,
       dogpile_metadata('reports', 'api life ' || t);
-- A value that has expired is stale, then gone.
SELECT dogpile_set('reports', 'api expired', 'old');
SELECT pg_sleep(1.1);
SET dogpile_reports.expiration_time = '1s';
SELECT fresh FROM dogpile_metadata('reports', 'api expired');
SELECT dogpile_get('reports', 'api expired'), dogpile_exists('reports', 'api expired');
SET dogpile_reports.expiration_time = '1ms';
SELECT dogpile_get('reports', 'api expired'), dogpile_exists('reports', 'api expired');
SELECT dogpile_metadata('reports', 'api expired');
SET dogpile_reports.expiration_time = '1s';
SELECT dogpile_get_or_create('reports', 'api expired', 'SELECT compute(''new''::text)');
RESET dogpile_reports.expiration_time;
SELECT dogpile_get_or_create('reports', 'api expired', 'SELECT compute(''newer''::text)');

-- Tags.
SELECT dogpile_set('reports', 'api tags', 'x', tags => '{a,"b c",NULL}');
SELECT dogpile_set('reports', 'api tags', 'x', tags => '{{a,b},{c,d}}');
SELECT dogpile_set('reports', 'api tags', 'x', tags => ARRAY[repeat('x', 257)]);
SELECT dogpile_set('reports', 'api tags', 'x',
                   tags => array(SELECT i::text FROM generate_series(1, 65) AS i));
SELECT dogpile_set('reports', 'api tags', 'x', tags => '{}');
SELECT tags FROM dogpile_metadata('reports', 'api tags');
SELECT dogpile_set('reports', 'api tags', 'x',
                   tags => array(SELECT lpad(i::text, 256, 'A') FROM generate_series(1, 64) AS i));
SELECT cardinality(tags), tags[1] = lpad('1', 256, 'A') AS first, tags[64] = lpad('64', 256, 'A') AS last
  FROM dogpile_metadata('reports', 'api tags');
SELECT dogpile_invalidate_tags(ARRAY[lpad('64', 255, 'A')]);
SELECT dogpile_exists('reports', 'api tags');
SELECT dogpile_invalidate_tags(ARRAY[lpad('64', 256, 'A')]);
SELECT dogpile_exists('reports', 'api tags');
SELECT dogpile_set('reports', 'api tags', 'x', tags => '{""}');
SELECT tags FROM dogpile_metadata('reports', 'api tags');
SELECT dogpile_invalidate_tags('{""}');
SELECT dogpile_exists('reports', 'api tags');
SELECT dogpile_set('reports', 'api tags', 'x', tags => '{a,"b c",a}');
SELECT tags FROM dogpile_metadata('reports', 'api tags');

--
-- dogpile_query()
--

SELECT * FROM dogpile_query('reports', 'api items', 'SELECT *, compute(id) FROM items')
  AS t(id int, price numeric, computed int);
SELECT sum(price) FROM dogpile_query('reports', 'api items', '')
  AS t(id int, price numeric, computed int);
-- Columns are matched by position and type.
SELECT * FROM dogpile_query('reports', 'api items', '') AS t(a int, b numeric);
SELECT * FROM dogpile_query('reports', 'api items', '') AS t(a int, b numeric, c text);
SELECT * FROM dogpile_query('reports', 'api items', '') AS t(a int, b numeric, c int);
-- With a type there is no need of a list.
SELECT * FROM dogpile_query('reports', 'api typed', 'SELECT * FROM items',
                            result_type => NULL::items);
SELECT (dogpile_query('reports', 'api typed', '', result_type => NULL::items)).*;
SELECT * FROM dogpile_query('reports', 'api ids', 'SELECT id FROM items', NULL::int);
SELECT dogpile_query('reports', 'api ids', '', NULL::int) + 1 AS next;
SELECT * FROM dogpile_query('reports', 'api ids', '', NULL::int) WITH ORDINALITY AS t(id, n);
SELECT * FROM dogpile_query('reports', 'api ids', '', result_type => NULL::record)
  AS t(id int);
SELECT dogpile_query('reports', 'api ids', '', NULL::text);
SELECT * FROM dogpile_query('reports', 'api ids', '', result_type => NULL::items);
-- The scalar forms take one row.
SELECT dogpile_get('reports', 'api ids');
SELECT dogpile_get('reports', 'api ids', NULL::int);
SELECT dogpile_get_or_create('reports', 'api ids', '');
-- No rows, no columns, parameters, a bad query, NULLs.
SELECT * FROM dogpile_query('reports', 'api empty', 'SELECT * FROM items WHERE id = $1',
                            row(0)) AS t(id int, price numeric);
SELECT * FROM dogpile_query('reports', 'api empty', '') AS t(id int, price numeric);
SELECT dogpile_exists('reports', 'api empty');
SELECT count(*) FROM dogpile_query('reports', 'api no columns', 'SELECT FROM items') AS t(id int);
SELECT * FROM dogpile_query('reports', 'api params',
                            'SELECT i * $1 FROM generate_series(1, 3) AS i',
                            params => row(10), expiration_time => '5 min',
                            tags => '{a}') AS t(i int);
SELECT expires_at - created_at AS expires_in, tags
  FROM dogpile_metadata('reports', 'api params');
SELECT * FROM dogpile_query('reports', 'api bad query', 'SELECT 1/0') AS t(i int);
SELECT * FROM dogpile_query('reports', 'api bad query', 'SELECT 1') AS t(i text);
SELECT * FROM dogpile_query('reports', 'api bad query', 'SELECT 1') AS t(i int, j int);
SELECT * FROM dogpile_query('reports', 'api bad query', NULL) AS t(i int);
SELECT * FROM dogpile_query('reports', NULL, 'SELECT 1') AS t(i int);
SELECT * FROM dogpile_query(NULL, 'k', 'SELECT 1') AS t(i int);
SELECT dogpile_exists('reports', 'api bad query');
-- Where no columns can be listed, or none are.
SELECT dogpile_query('reports', 'api items', '');
SELECT * FROM dogpile_query('reports', 'api items', '');
SELECT * FROM dogpile_query('reports', 'api items', '', NULL) AS t(id int);

--
-- dogpile_set(), dogpile_get(), dogpile_exists()
--

SELECT dogpile_set('reports', 'api set', 'hello');
SELECT dogpile_get('reports', 'api set'), dogpile_get('reports', 'api set', ''::text);
SELECT dogpile_set('reports', 'api set', 42);
SELECT dogpile_get('reports', 'api set'), dogpile_get('reports', 'api set', 0);
SELECT dogpile_set('reports', 'api set', NULL);
SELECT dogpile_get('reports', 'api set') IS NULL AS is_null,
       dogpile_exists('reports', 'api set');
SELECT dogpile_set('reports', 'api set', NULL::numeric);
SELECT dogpile_get('reports', 'api set', 0.0) IS NULL AS is_null;
SELECT dogpile_get('reports', 'api set', 0);
-- Which type is stored: strings of all types become text.
SELECT dogpile_set('reports', 'api 1', 'hello'),
       dogpile_set('reports', 'api 2', 'hello'::varchar(5)),
       dogpile_set('reports', 'api 3', 'hello'::char(10)),
       dogpile_set('reports', 'api 4', 'hello'::name),
       dogpile_set('reports', 'api 5', 1.5),
       dogpile_set('reports', 'api 6', '{1,2}'::int[]),
       dogpile_set('reports', 'api 7', row(1, 2)::items),
       dogpile_set('reports', 'api 8', row(1, 'x'));
SELECT i, type, dogpile_get('reports', 'api ' || i)
  FROM generate_series(1, 8) AS i, dogpile_metadata('reports', 'api ' || i);
SELECT dogpile_set('reports', 'api set', 'x'::"char");
-- Parameters of unknown type.
PREPARE set_text AS SELECT dogpile_set($1, $2, $3);
EXECUTE set_text('reports', 'api set', 'prepared');
DEALLOCATE set_text;
SELECT dogpile_get('reports', 'api set', ''::text);
-- Lifetime and tags, by position and by name.
SELECT dogpile_set('reports', 'api set', 'x', '5 min', '{a}');
SELECT expires_at - created_at AS expires_in, tags
  FROM dogpile_metadata('reports', 'api set');
SELECT dogpile_set('reports', 'api set', 1, tags => '{b}', expiration_time => '10 min');
SELECT expires_at - created_at AS expires_in, tags
  FROM dogpile_metadata('reports', 'api set');

-- Nothing there.
SELECT dogpile_get('reports', 'api nothing') IS NULL AS is_null,
       dogpile_get('reports', 'api nothing', 0) IS NULL AS is_null,
       dogpile_exists('reports', 'api nothing');
SELECT * FROM dogpile_metadata('reports', 'api nothing');
-- NULLs, and other mistakes.
SELECT dogpile_set(NULL, 'k', 'x');
SELECT dogpile_set('reports', NULL, 1);
SELECT dogpile_set('nosuch', 'k', 'x');
SELECT dogpile_get(NULL, 'k');
SELECT dogpile_get('reports', NULL);
SELECT dogpile_get('reports', NULL, 0);
SELECT dogpile_get('reports', 'api set', NULL);
SELECT dogpile_get('nosuch', 'k');
SELECT dogpile_get('reports', repeat('x', 1025));
SELECT dogpile_exists(NULL, 'k');
SELECT dogpile_exists('reports', NULL);
SELECT dogpile_exists('nosuch', 'k');
SELECT dogpile_metadata(NULL, 'k');
SELECT dogpile_metadata('reports', NULL);
SELECT dogpile_metadata('nosuch', 'k');

--
-- dogpile_add()
--

SELECT dogpile_add('reports', 'api add', 'first'), dogpile_add('reports', 'api add', 2);
SELECT dogpile_get('reports', 'api add');
SELECT dogpile_add('reports', 'api add null', NULL), dogpile_add('reports', 'api add null', 1);
SELECT dogpile_add('reports', 'api add 2', 1.5, '5 min', '{a}');
SELECT type, expires_at - created_at AS expires_in, tags
  FROM dogpile_metadata('reports', 'api add 2');
-- A stale value counts as there, one that was removed does not.
SELECT dogpile_invalidate('reports', 'api add', hard => false);
SELECT dogpile_add('reports', 'api add', 'second');
SELECT dogpile_invalidate('reports', 'api add');
SELECT dogpile_add('reports', 'api add', 'third');
SELECT dogpile_get('reports', 'api add');
SELECT dogpile_add(NULL, 'k', 'x');
SELECT dogpile_add('reports', NULL, 'x');
SELECT dogpile_add('nosuch', 'k', 'x');

--
-- dogpile_delete(), dogpile_invalidate(), dogpile_invalidate_tags()
--

SELECT dogpile_set('reports', 'api delete', 'x');
SELECT dogpile_delete('reports', 'api delete');
SELECT dogpile_delete('reports', 'api delete');
SELECT dogpile_exists('reports', 'api delete');
SELECT dogpile_delete(NULL, 'k');
SELECT dogpile_delete('reports', NULL);
SELECT dogpile_delete('nosuch', 'k');

-- Hard: no session gets the value any more.
SELECT dogpile_set('reports', 'api hard', 'x');
SELECT dogpile_invalidate('reports', 'api hard');
SELECT dogpile_exists('reports', 'api hard');
SELECT dogpile_invalidate('reports', 'api hard');
-- Soft: it is stale, and the next session that can create it does so.
SELECT dogpile_set('reports', 'api soft', 'old');
SELECT dogpile_invalidate('reports', 'api soft', false);
SELECT fresh FROM dogpile_metadata('reports', 'api soft');
SELECT dogpile_get('reports', 'api soft');
SELECT dogpile_get_or_create('reports', 'api soft', 'SELECT compute(''new''::text)');
SELECT fresh FROM dogpile_metadata('reports', 'api soft');
-- A soft invalidation after a hard one does not revive the value.
SELECT dogpile_set('reports', 'api revived', 'old');
SELECT dogpile_invalidate('reports', 'api revived');
SELECT dogpile_invalidate('reports', 'api revived', false);
SELECT dogpile_exists('reports', 'api revived');

-- A region.  Other regions keep what they have.
SELECT dogpile_set(r, 'api region', 'x') FROM unnest('{reports,sessions}'::text[]) AS r;
SELECT dogpile_invalidate('reports', hard => false);
SELECT r, dogpile_get(r, 'api region'), fresh
  FROM unnest('{reports,sessions}'::text[]) AS r, dogpile_metadata(r, 'api region');
SELECT dogpile_invalidate('reports');
SELECT r, dogpile_exists(r, 'api region') FROM unnest('{reports,sessions}'::text[]) AS r;

-- Which form is called: a literal is a key, whatever it looks like.
SELECT dogpile_set('reports', k, 'x') FROM unnest('{api,true,f}'::text[]) AS k;
SELECT dogpile_invalidate('reports', 'true');
SELECT dogpile_invalidate('reports', 'f');
PREPARE invalidate AS SELECT dogpile_invalidate($1, $2);
EXECUTE invalidate('reports', 'true');
DEALLOCATE invalidate;
SELECT dogpile_exists('reports', 'api');
SELECT dogpile_invalidate('reports', true);
SELECT dogpile_exists('reports', 'api');
SELECT dogpile_invalidate('reports', 42);
-- A NULL key is not taken for the whole region.
SELECT dogpile_set('reports', 'api', 'x');
SELECT dogpile_invalidate('reports', NULL);
SELECT dogpile_invalidate('reports', NULL::boolean);
SELECT dogpile_invalidate('reports', 'api', NULL);
SELECT dogpile_invalidate(NULL);
SELECT dogpile_invalidate(NULL, 'api');
SELECT dogpile_invalidate('nosuch');
SELECT dogpile_invalidate('nosuch', 'api');
SELECT dogpile_exists('reports', 'api');

-- Tags, across regions.
SELECT dogpile_set('reports', 'api tagged 1', 'x', tags => '{api a}'),
       dogpile_set('sessions', 'api tagged 2', 'x', tags => '{api a,api b}'),
       dogpile_set('reports', 'api tagged 3', 'x', tags => '{api b,api c}'),
       dogpile_set('reports', 'api tagged 4', 'x');
SELECT dogpile_invalidate_tags('{api a,api d}');
SELECT dogpile_exists('reports', 'api tagged 1') AS a,
       dogpile_exists('sessions', 'api tagged 2') AS ab,
       dogpile_exists('reports', 'api tagged 3') AS bc,
       dogpile_exists('reports', 'api tagged 4') AS none;
SELECT dogpile_set('reports', 'api soft tag', 'old'::text, tags => '{api soft}');
SELECT dogpile_invalidate_tags('{api soft}', hard => false);
SELECT dogpile_get('reports', 'api soft tag'), fresh FROM dogpile_metadata('reports', 'api soft tag');
SELECT dogpile_get_or_create('reports', 'api soft tag', $$ SELECT 'new'::text $$);
SELECT dogpile_invalidate_tags('{api soft}', NULL);
SELECT dogpile_invalidate_tags('{}');
SELECT dogpile_exists('reports', 'api tagged 3');
SELECT dogpile_invalidate_tags(NULL);
SELECT dogpile_invalidate_tags('{a,NULL}');

-- A value that is set after an invalidation is there.
SELECT dogpile_invalidate_tags('{api e}');
SELECT dogpile_set('reports', 'api after', 'x', tags => '{api e}');
SELECT dogpile_exists('reports', 'api after');

--
-- Arguments by name, in any order; NULL for an optional one is its default.
--

SELECT dogpile_get_or_create(tags => '{api names}', query => 'SELECT compute($1)', params => row(1),
                             expiration_time => '5 min', key => 'api names', region => 'reports');
SELECT dogpile_get_or_create(result_type => 0, query => '', key => 'api names', region => 'reports');
SELECT expires_at - created_at AS expires_in, tags
  FROM dogpile_metadata(key => 'api names', region => 'reports');
SELECT * FROM dogpile_query(query => '', key => 'api names', region => 'reports') AS t(v int);
SELECT dogpile_query(result_type => 0, query => '', key => 'api names', region => 'reports');
SELECT dogpile_get(key => 'api names', region => 'reports'),
       dogpile_get(result_type => 0, key => 'api names', region => 'reports'),
       dogpile_exists(key => 'api names', region => 'reports');
SELECT dogpile_set(value => 'set', key => 'api names', region => 'reports'),
       dogpile_add(value => 1, key => 'api names', region => 'reports');
SELECT dogpile_invalidate(hard => false, key => 'api names', region => 'reports'),
       dogpile_invalidate(hard => false, region => 'reports'),
       dogpile_invalidate(region => 'sessions'),
       dogpile_invalidate_tags(tags => '{api names}'),
       dogpile_delete(key => 'api names', region => 'reports');
SELECT dogpile_get_or_create('reports', 'api nulls', 'SELECT 1', params => NULL,
                             expiration_time => NULL, tags => NULL),
       dogpile_get_or_create('reports', 'api nulls', '', 0, NULL, NULL, NULL);
SELECT expires_at - created_at AS expires_in, tags FROM dogpile_metadata('reports', 'api nulls');
SELECT dogpile_set('reports', 'api nulls', 'x', NULL, NULL), dogpile_set('reports', 'api nulls', 1, NULL, NULL),
       dogpile_add('reports', 'api nulls', 'x', NULL, NULL), dogpile_add('reports', 'api nulls', 1, NULL, NULL);
SELECT expires_at - created_at AS expires_in, tags FROM dogpile_metadata('reports', 'api nulls');

--
-- What was stored by one function, read by another.
--

SELECT dogpile_set('reports', 'api one', 42), dogpile_set('reports', 'api one row', row(1, 2.5)::items),
       dogpile_set('reports', 'api one null', NULL::int);
SELECT * FROM dogpile_query('reports', 'api one', '') AS t(v int);
SELECT * FROM dogpile_query('reports', 'api one', '') AS t(v bigint);
SELECT v IS NULL AS is_null FROM dogpile_query('reports', 'api one null', '', 0) AS t(v);
-- A composite value is one column, not several.
SELECT * FROM dogpile_query('reports', 'api one row', '') AS t(v items);
SELECT * FROM dogpile_query('reports', 'api one row', '') AS t(id int, price numeric);
SELECT dogpile_get_or_create('reports', 'api one row', ''),
       dogpile_get_or_create('reports', 'api one row', '', result_type => NULL::items);
-- An empty result set is a NULL of its type.
SELECT dogpile_query('reports', 'api no row', 'SELECT 1 WHERE false', 0);
SELECT dogpile_get('reports', 'api no row') IS NULL AS is_null,
       dogpile_get('reports', 'api no row', 0) IS NULL AS is_null,
       dogpile_get_or_create('reports', 'api no row', '') IS NULL AS is_null,
       dogpile_exists('reports', 'api no row'), type, rows
  FROM dogpile_metadata('reports', 'api no row');
SELECT dogpile_get('reports', 'api no row', ''::text);
SELECT dogpile_get_or_create('reports', 'api no items', 'SELECT * FROM items WHERE false',
                             result_type => NULL::items) IS NULL AS is_null,
       dogpile_get('reports', 'api no items', NULL::items) IS NULL AS is_null;
-- A row of NULLs is a row.
SELECT dogpile_get_or_create('reports', 'api nulls row', 'SELECT NULL::int, NULL::numeric',
                             result_type => NULL::items);
SELECT dogpile_get('reports', 'api nulls row', NULL::items);
-- Rows without columns are rows.
CREATE TABLE api_no_columns ();
SELECT count(*) FROM dogpile_query('reports', 'api no columns', 'SELECT FROM items',
                                   result_type => NULL::api_no_columns);
SELECT count(*) FROM dogpile_query('reports', 'api no columns', '', result_type => NULL::api_no_columns);
SELECT type, rows FROM dogpile_metadata('reports', 'api no columns');
DROP TABLE api_no_columns;

--
-- A region whose backend is "null" keeps nothing, but a transaction sees what
-- it has set.
--

SELECT dogpile_get_or_create('nothing', 'api', 'SELECT compute(1)');
SELECT dogpile_get_or_create('nothing', 'api', 'SELECT compute(2)');
BEGIN;
SELECT dogpile_set('nothing', 'api', 'x');
SELECT dogpile_get('nothing', 'api'), dogpile_exists('nothing', 'api');
COMMIT;
SELECT dogpile_get('nothing', 'api') IS NULL AS is_null, dogpile_exists('nothing', 'api');
SELECT dogpile_delete('nothing', 'api'), dogpile_invalidate('nothing', 'api', false),
       dogpile_invalidate('nothing');

--
-- dogpile_metadata()
--

SELECT * FROM dogpile_query('reports', 'api metadata',
                            'SELECT id, price AS "the Price", pg_sleep(0.005)::text::varchar(9) FROM items',
                            expiration_time => '5 min', tags => '{a,b}')
  AS t(id int, price numeric, slept varchar(9));
SELECT created_at <= now() AS created, created_at > now() - interval '1 minute' AS recently,
       expires_at - created_at AS expires_in, gone_at - created_at AS gone_in,
       age BETWEEN '0' AND clock_timestamp() - created_at AS age,
       fresh, type, rows, bytes > 0 AS bytes,
       creation_time >= interval '10 ms' AS slept, creation_time < interval '1 minute' AS awoken,
       tags, key_is_locked
  FROM dogpile_metadata('reports', 'api metadata');
SELECT dogpile_set('reports', 'api metadata', 12.34);
SELECT type, rows, bytes > 0 AS bytes, creation_time, tags
  FROM dogpile_metadata('reports', 'api metadata');
-- The session's own lock does not count; test/isolation has those of others.
SELECT dogpile_get_or_create('reports', 'api locked',
  $$ SELECT key_is_locked FROM dogpile_metadata('reports', 'api locked') $$);

--
-- Values that are too large are returned, but not stored.
--

SELECT length(dogpile_get_or_create('reports', 'api large',
                                    'SELECT repeat(''x'', 9000000)'));
SELECT dogpile_exists('reports', 'api large');
SELECT dogpile_add('reports', 'api large', repeat('x', 9000000));
-- What was there before is outdated, and must not stay.
SELECT dogpile_set('reports', 'api large', 'small');
SELECT dogpile_set('reports', 'api large', repeat('x', 9000000));
SELECT dogpile_exists('reports', 'api large');

--
-- What functions are declared to be: any other one would be a mistake.
--

\pset format unaligned
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' AS function,
       p.provolatile AS vol, p.proparallel AS par, p.proisstrict AS strict,
       has_function_privilege('public', p.oid, 'execute') AS public
  FROM pg_proc AS p JOIN pg_depend AS d
       ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension AS e ON d.refobjid = e.oid AND e.extname = 'dogpile'
  ORDER BY p.proname, pg_get_function_arguments(p.oid) COLLATE "C";
-- Views and their columns.
SELECT attrelid::regclass AS view, string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS columns
  FROM pg_attribute
  WHERE attrelid IN ('dogpile_stats'::regclass, 'dogpile_entries'::regclass) AND attnum > 0
  GROUP BY attrelid ORDER BY attrelid::regclass::text COLLATE "C";
\pset format aligned
-- Which roles may read them.
SELECT view, role, has_table_privilege(role, view, 'SELECT') AS may_select,
       has_table_privilege(role, view, 'INSERT, UPDATE, DELETE, TRUNCATE') AS may_write
  FROM unnest('{dogpile_entries,dogpile_stats}'::text[]) AS view,
       unnest('{public,pg_read_all_stats,pg_monitor}'::text[]) AS role
  ORDER BY view COLLATE "C", role COLLATE "C";
-- All have a comment.
SELECT pg_describe_object(classid, objid, 0)
  FROM pg_depend AS d JOIN pg_extension AS e ON d.refobjid = e.oid
  WHERE d.deptype = 'e' AND e.extname = 'dogpile'
    AND classid IN ('pg_proc'::regclass, 'pg_class'::regclass)
    AND obj_description(objid, classid::regclass::text::name) IS NULL;
-- The extension can be moved to another schema.
CREATE SCHEMA api_other;
ALTER EXTENSION dogpile SET SCHEMA api_other;
SELECT api_other.dogpile_exists('reports', 'api after');
SELECT count(*) > 0 AS regions FROM api_other.dogpile_stats;
ALTER EXTENSION dogpile SET SCHEMA public;

DROP SCHEMA api_other;
DROP TABLE items;
DROP FUNCTION compute(anyelement);
