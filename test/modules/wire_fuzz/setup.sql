-- Types of all kinds, and queries that give values of them.
CREATE SCHEMA wire_fuzz;
SET search_path = wire_fuzz, public;
CREATE FUNCTION wire_fuzz_check(query text, secret text DEFAULT '')
RETURNS text LANGUAGE c AS 'wire_fuzz';
CREATE FUNCTION wire_fuzz_decode(queries text[], n int, seed int, megabytes int DEFAULT 0)
RETURNS text LANGUAGE c AS 'wire_fuzz';
CREATE FUNCTION wire_fuzz_forge(query text, at int, bytes bytea, tail bytea DEFAULT '', fix bool DEFAULT true)
RETURNS text LANGUAGE c AS 'wire_fuzz';
CREATE FUNCTION wire_fuzz_damage(query text, width int DEFAULT 0, was bigint DEFAULT 0, becomes bigint DEFAULT 0, shift int DEFAULT 0, cut int DEFAULT 0)
RETURNS text LANGUAGE c AS 'wire_fuzz';

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE nested AS (p pair, ps pair[], m mood, "Odd ""name" numeric(10,2));
CREATE DOMAIN plain AS text;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN checked AS positive CHECK (VALUE < 1000000);
CREATE DOMAIN pair_domain AS pair CHECK ((VALUE).a IS DISTINCT FROM 13);
CREATE DOMAIN short AS varchar(5);
CREATE TYPE pair_range AS RANGE (subtype = pair);
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TABLE altered (a int, gone text, b date);
ALTER TABLE altered DROP COLUMN gone;
ALTER TABLE altered ADD COLUMN c text COLLATE "C";
INSERT INTO altered VALUES (1, '2020-01-01', 'x'), (NULL, NULL, repeat('long', 1000));

CREATE TABLE queries (id serial, query text);
INSERT INTO queries (query) VALUES
('SELECT ''plain text''::text'),
('SELECT NULL::text'),
('SELECT NULL::int'),
('SELECT 1::int2'), ('SELECT -5::int4'), ('SELECT 9876543210::int8'),
('SELECT true'), ('SELECT 1.5::float4'), ('SELECT ''NaN''::float8'),
('SELECT 123456.7890::numeric'), ('SELECT ''NaN''::numeric'), ('SELECT 12.3::numeric(10,4) AS x'),
('SELECT ''abc''::varchar(10) AS v'), ('SELECT ''abc''::char(10) AS c'), ('SELECT ''x''::"char"'), ('SELECT ''n''::name'),
('SELECT ''\x00ff''::bytea'), ('SELECT ''{"a": [1, 2, {"b": null}]}''::jsonb'), ('SELECT ''{"a" : 1}''::json'),
('SELECT ''$.a[*] ? (@ > 1)''::jsonpath'),
('SELECT now()::timestamptz(0), localtimestamp, current_date, current_time, localtime, interval ''1 mon 2 days 3.5 sec'''),
('SELECT ''infinity''::timestamptz, ''-infinity''::date'),
('SELECT ''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11''::uuid'),
('SELECT ''10.0.0.0/8''::cidr, ''::1''::inet, ''08:00:2b:01:02:03''::macaddr, ''08:00:2b:01:02:03:04:05''::macaddr8'),
('SELECT B''10101''::bit(5), B''101''::varbit, 12.34::money'),
('SELECT point(1,2), ''[(0,0),(1,1)]''::lseg, ''((0,0),(1,1),(2,0))''::polygon, ''<(0,0),1>''::circle, ''[(0,0),(1,2)]''::path, ''((0,0),(1,1))''::box, ''{1,2,3}''::line'),
('SELECT ''a fat cat''::tsvector, ''fat & (cat | !dog:A*)''::tsquery'),
('SELECT ''1 2 3''::int2vector, ''4 5''::oidvector, 5::oid, ''7''::xid, ''8''::xid8, ''9''::cid, ''(1,2)''::tid, ''16/B374D848''::pg_lsn, ''10:20:10,14''::pg_snapshot'),
('SELECT ''<a>b</a>''::xml'),
('SELECT ''{1,2,NULL}''::int[], ''{}''::text[], ''[2:3][-1:0]={{a,b},{c,NULL}}''::text[]'),
('SELECT ARRAY[''x'', repeat(''y'', 5000)]'),
('SELECT ''happy''::mood, ARRAY[''sad'', ''ok'']::mood[]'),
('SELECT (1, ''x'')::pair'), ('SELECT NULL::pair'), ('SELECT (NULL, NULL)::pair'),
('SELECT ARRAY[(1, ''x'')::pair, NULL, (2, NULL)::pair]'),
('SELECT ((1, ''x'')::pair, ARRAY[(3, ''z'')::pair], ''ok'', 3.14)::nested AS n, 5 AS i'),
('SELECT ROW(1, ''x''::text, NULL::int)'),
('SELECT ROW(1, ROW(''y''::text, ARRAY[ROW(1), ROW(2)]), (1, ''q'')::pair) AS r, ROW(5, 7)'),
('SELECT ARRAY[ROW(1, ''a''::text), ROW(2, ''b''::text)]'),
('SELECT (1, ''x'')::pair::record'),
('SELECT ''text''::plain, 5::positive, 7::checked, ARRAY[1, 2]::positive[], ''abcde''::short'),
('SELECT (1, ''x'')::pair::pair_domain'),
('SELECT int4range(1, 5), int4range(1, 1), numrange(NULL, 5), tstzrange(NULL, NULL), ''[2020-01-01,2020-02-01)''::daterange'),
('SELECT pair_range((1, ''a'')::pair, (2, ''b'')::pair, ''[]''), float_range(1.5, 2.5)'),
('SELECT ''{[1,3), [5,7)}''::int4multirange, ''{}''::nummultirange, ARRAY[''{[1,2)}''::int8multirange]'),
('SELECT ''{}''::pair_multirange, pair_multirange(pair_range((1, ''a'')::pair, (2, ''b'')::pair))'),
('SELECT i, i::text || repeat(''z'', i) AS t, i * 1.5 AS n FROM generate_series(1, 50) i'),
('SELECT i FROM generate_series(1, 0) i'),
('SELECT FROM generate_series(1, 3)'), ('SELECT'),
('SELECT * FROM altered'), ('SELECT altered FROM altered'), ('SELECT ''x'' COLLATE "C" AS c, ''y'' COLLATE "POSIX" AS d, 1 AS e'),
('SELECT array_agg(altered) FROM altered'),
('SELECT ''''::text'), ('SELECT string_agg(md5(i::text), '''') FROM generate_series(1, 300) i'),
('SELECT i AS "Ünïcode", ''grüße'' || i AS t FROM generate_series(1, 3) i'),
('SELECT x.a FROM (VALUES (1)) v(i) LEFT JOIN (SELECT 1 AS i, 5::positive AS a WHERE false) x USING (i)'),
('SELECT ''abc''::char(7) AS a, ''{a,b}''::char(3)[] AS b, ''grüße''::char(9) AS c'),
('SELECT ROW(''x''::char(4), 1.5::numeric(8,3))'),
('SELECT tsvector_agg FROM (SELECT string_agg(''w'' || i, '' '')::tsvector AS tsvector_agg FROM generate_series(1, 40) i) t'),
('SELECT txid_current_snapshot(), ''{1,2,3}''::float8[]');
