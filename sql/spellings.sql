--
-- Tags that cannot be made from rows, because of how they are written
--
CREATE SCHEMA spellings;
SET search_path = spellings, public;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS citext;
-- a collation that is not deterministic, where there can be one
SELECT getdatabaseencoding() = 'UTF8' AND EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') AS has_icu \gset
\if :has_icu
CREATE COLLATION regardless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN anycase AS text COLLATE regardless;
\else
CREATE DOMAIN anycase AS citext;
\endif
CREATE DOMAIN small AS int2;
CREATE DOMAIN price AS numeric(6,2);

-- Each is a column of a type, and a tag.  An entry with that tag counts the rows with
-- that value, or with another one, which is equal.  It has to see a new such row; and
-- if the tag is one that the row makes, a row with the other value does not cost it.
CREATE TABLE cases (n serial, type text, tag text, other text, value text);
INSERT INTO cases (type, tag, other, value) VALUES
  ('int', '7', '8', NULL), ('int', '07', '8', NULL), ('int', '+7', '8', NULL), ('int', ' 7', '8', NULL),
  ('int', '7 ', '8', NULL), ('int', '-0', '8', NULL), ('int', '0', '8', NULL), ('int', '-7', '8', NULL),
  ('int', '00', '8', '0'), ('int', '7.0', '8', '7'), ('int', '0x7', '8', '7'), ('int', '7_0', '8', '70'),
  ('int2', '07', '8', NULL), ('int8', '9223372036854775807', '8', NULL), ('int8', '09', '8', NULL),
  ('spellings.small', '7', '8', NULL), ('spellings.small', '07', '8', NULL), ('oid', '7', '8', NULL), ('oid', '07', '8', NULL),
  ('bool', 't', 'f', NULL), ('bool', 'true', 'f', NULL), ('bool', 'yes', 'f', NULL), ('bool', 'T', 'f', NULL),
  ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '00000000-0000-0000-0000-000000000000', NULL),
  ('uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '00000000-0000-0000-0000-000000000000', NULL),
  ('uuid', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '00000000-0000-0000-0000-000000000000', NULL),
  ('uuid', 'a0eebc999c0b4ef8bb6d6bb9bd380a11', '00000000-0000-0000-0000-000000000000', NULL),
  ('numeric(6,2)', '7.00', '8', NULL), ('numeric(6,2)', '7', '8', NULL), ('numeric(6,2)', '7.0', '8', NULL),
  ('numeric(6,2)', '07.00', '8', NULL), ('numeric', '7', '8', NULL), ('numeric', '7.0', '8', NULL),
  ('spellings.price', '7.00', '8', NULL), ('spellings.price', '7.0', '8', NULL),
  ('text', 'a', 'b', NULL), ('text', 'A ', 'b', NULL), ('text', '07', 'b', NULL), ('varchar(10)', 'a', 'b', NULL),
  ('name', 'a', 'b', NULL),
  ('spellings.anycase', 'a', 'b', 'A'), ('citext', 'a', 'b', 'A'),
  ('char(3)', 'a  ', 'b', NULL), ('char(3)', 'a', 'b', NULL), ('bpchar', 'a', 'b', 'a '), ('"char"', 'a', 'b', NULL),
  ('inet', '10.0.0.1', '10.0.0.2', NULL), ('inet', '10.0.0.1/32', '10.0.0.2', NULL),
  ('inet', 'fe80::1', '10.0.0.2', NULL), ('inet', 'FE80:0::1', '10.0.0.2', NULL),
  ('cidr', '10.0.0.0/8', '11.0.0.0/8', NULL), ('cidr', '10/8', '11.0.0.0/8', NULL),
  ('macaddr', '08:00:2b:01:02:03', '08:00:2b:01:02:04', NULL), ('macaddr', '08-00-2B-01-02-03', '08:00:2b:01:02:04', NULL),
  ('bit(3)', '101', '111', NULL), ('varbit', '101', '111', NULL), ('varbit', 'x5', '111', '0101'),
  ('time', '07:00:00', '08:00', NULL), ('time', '7:00', '08:00', NULL), ('time', '07:00:00.0', '08:00', NULL),
  ('pg_lsn', '0/7', '0/8', NULL), ('pg_lsn', '0/07', '0/8', NULL), ('jsonb', '1.0', '2', '1.00');
CREATE FUNCTION make(c cases) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DROP TABLE IF EXISTS spellings.t;
  EXECUTE format('CREATE TABLE spellings.t (v %s)', c.type);
  PERFORM dogpile_watch('spellings.t', 'v:{v}', 'auto');
  EXECUTE format('INSERT INTO spellings.t VALUES (%L)', coalesce(c.value, c.tag));
END $$;
CREATE FUNCTION ask(c cases, OUT answer text) LANGUAGE plpgsql AS $$
BEGIN
  answer := dogpile_get_or_create('auto', 'spelled ' || c.n,
       format('SELECT count(*) FROM spellings.t WHERE v = %L', coalesce(c.value, c.tag)),
       tags => ARRAY['v:' || c.tag]);
END $$;
CREATE PROCEDURE try(INOUT rows text[] DEFAULT '{}') LANGUAGE plpgsql AS $$
DECLARE
  c cases; first text; second text; precise boolean;
BEGIN
  FOR c IN SELECT * FROM cases ORDER BY n LOOP
    PERFORM make(c);
    COMMIT;
    first := ask(c);
    COMMIT;
    EXECUTE format('INSERT INTO spellings.t VALUES (%L)', c.other);
    COMMIT;
    precise := dogpile_exists('auto', 'spelled ' || c.n);
    PERFORM ask(c);
    COMMIT;
    EXECUTE format('INSERT INTO spellings.t VALUES (%L)', coalesce(c.value, c.tag));
    COMMIT;
    second := ask(c);
    COMMIT;
    rows := rows || format('%s %L: %s then %s%s', c.type, c.tag, first, second,
                           CASE WHEN precise THEN ', by the row' ELSE '' END);
  END LOOP;
END $$;
\pset format unaligned
\pset tuples_only on
CALL try() \gset
SELECT unnest(:'rows'::text[]);
\pset format aligned
\pset tuples_only off

-- Several columns: where one ends and the other begins
CREATE TABLE pairs (a int, b text, c int);
SELECT dogpile_watch('pairs', '{a}:{b}', 'auto'), dogpile_watch('pairs', '{a}{c}', 'auto'), dogpile_watch('pairs', '{b}/{c}', 'auto');
CREATE FUNCTION pair(tag text) RETURNS text LANGUAGE sql AS
$$ SELECT dogpile_get_or_create('auto', 'pair ' || tag, 'SELECT count(*) FROM spellings.pairs', tags => ARRAY[tag]) $$;
SELECT tag, pair(tag) FROM unnest(ARRAY['7:x', '07:x', '77', '7:', 'x/7', 'x/07', 'x/y/7', ':x']) AS tag;
INSERT INTO pairs VALUES (1, 'z', 1);
SELECT tag, dogpile_exists('auto', 'pair ' || tag) AS by_the_row FROM unnest(ARRAY['7:x', '07:x', '77', '7:', 'x/7', 'x/07', 'x/y/7', ':x']) AS tag;

DROP SCHEMA spellings CASCADE;
DROP EXTENSION IF EXISTS citext;
