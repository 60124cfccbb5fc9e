# What the consistency campaign reads and writes: tables, queries whose results are
# cached, functions that check them, and statements that write.
#
# A check of a read compares what the cache returns with what the same query returns
# directly.  Under READ COMMITTED each statement has a snapshot of its own, so a
# difference counts only if the query returns the same before and after.  That is enough
# because no state ever comes back: whatever is written carries a new number from the
# sequence "stamps", and only old rows are deleted.  (TRUNCATE and most DDL need no new
# number: the check's own lock on the table keeps them from happening between before and
# after.)

package CampaignSchema;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(
  create_campaign_schema
  campaign_keys
  campaign_writes
);

# Few keys, so that sessions meet.
my $nkeys = 8;

sub campaign_keys { return $nkeys; }

# ---------------------------------------------------------------------------
# Queries
#
# %s stands for the key.  Weight: how often it is read.  Tag: followed by the key, the tag
# of the entry.  Unsure: when a difference proves nothing.

my $facts = q(count(*) || ' ' || coalesce(max(stamp), 0) || ' ' || coalesce(sum(stamp), 0));

my @queries = (
	{
		name => 'plain',
		weight => 4,
		query => "SELECT $facts FROM plain WHERE k = %s"
	},
	{
		name => 'join',
		weight => 2,
		query =>
		  "SELECT count(*) || ' ' || sum(p.stamp) || ' ' || max(l.stamp) FROM label AS l JOIN plain AS p USING (k) WHERE k = %s"
	},
	{
		name => 'view',
		weight => 2,
		query => "SELECT facts FROM overview WHERE k = %s"
	},
	# Whether a partition that is being detached CONCURRENTLY still counts is decided
	# when the query is planned, and within a function that is done by the snapshot
	# of the statement that calls it, which is older.  And a session may have kept a
	# list of partitions that is no longer true, so another one is asked.
	{
		name => 'parts',
		weight => 4,
		unsure => 'EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending) OR cached = (SELECT facts '
		  . q{FROM dblink(format('host=%s port=%s dbname=%s', current_setting('unix_socket_directories'), }
		  . q{current_setting('port'), current_database()), }
		  . q{'SELECT parts_facts(' || wanted || ')') AS other(facts text))},
		query => "SELECT $facts || ' ' || coalesce(sum(p), 0) FROM parts WHERE k = %s"
	},
	{
		name => 'kin',
		weight => 1,
		query => "SELECT $facts FROM ancestors WHERE k = %s"
	},
	{
		name => 'digest',
		weight => 2,
		query => "SELECT facts || ' ' || stamp FROM digest WHERE k = %s"
	},
	{
		name => 'cascade',
		weight => 2,
		query =>
		  "SELECT count(*) || ' ' || coalesce(sum(parent_id), 0) FROM child WHERE k = %s"
	},
	{
		name => 'trigger',
		weight => 2,
		query =>
		  "SELECT t.stamp || ' ' || d.stamp FROM target AS t JOIN deferred AS d USING (k) WHERE k = %s"
	},
	{
		name => 'loose',
		weight => 2,
		query => "SELECT $facts FROM loose WHERE k = %s"
	},
	{
		name => 'counter',
		weight => 4,
		query => "SELECT stamp::text FROM counters WHERE k = %s"
	},

	# depends on the rows with its tag only
	{
		name => 'watched',
		weight => 4,
		tag => 'watched:',
		query => "SELECT $facts FROM watched WHERE k = %s"
	},

	# by functions, of which one is replaced
	{ name => 'wide', weight => 2, query => "SELECT wide_of(%s)" },
	{ name => 'looked_up', weight => 2, query => "SELECT looked_up(%s)" },
	{ name => 'replaced', weight => 1, query => "SELECT replaced(%s)::text" },

	# many entries, large ones, to have some evicted
	{
		name => 'padded',
		weight => 1,
		variants => 200,
		query => "SELECT stamp || repeat(' ', 6000) FROM label WHERE k = %s"
	},

	# only read by a role that a policy applies to
	{
		name => 'guarded',
		weight => 0,
		query => "SELECT $facts FROM guarded WHERE k = %s"
	});

# The function that checks one read.  Returns 1 if that was conclusive, else 0.
sub judge
{
	my ($query) = @_;
	my $name = $query->{name};
	my $direct = sprintf $query->{query}, 'wanted';
	my $cached = sprintf $query->{query}, '$1';
	my $key = "'$name ' || wanted";
	my $tags =
	  $query->{tag} ? ", tags => ARRAY['$query->{tag}' || wanted]" : '';
	my $unsure = $query->{unsure} // 'false';

	$key .= " || ' ' || trunc(random() * $query->{variants})"
	  if $query->{variants};
	return <<"EOT";
CREATE FUNCTION check_$name(wanted int) RETURNS int LANGUAGE plpgsql AS \$judge\$
DECLARE
	before text := ($direct);
	cached text := dogpile_get_or_create(current_setting('campaign.region'), $key,
		\$query\$$cached\$query\$, params => ROW(wanted)$tags);
	after text;
BEGIN
	IF cached IS NOT DISTINCT FROM before THEN
		RETURN 1;
	END IF;
	PERFORM notice_others();
	after := ($direct);
	IF before IS DISTINCT FROM after OR $unsure THEN
		RETURN (cached IS NOT DISTINCT FROM after)::int;
	END IF;
	RAISE LOG 'stale read: % of % under %, xid %, cached %, direct %, entry %', '$name', wanted,
		current_setting('transaction_isolation'), pg_current_xact_id_if_assigned(),
		left(rtrim(cached), 200), left(rtrim(before), 200),
		(SELECT (m, clock_timestamp(), pg_current_snapshot())
			FROM dogpile_metadata(current_setting('campaign.region'), $key) AS m);
	RETURN 1;
END \$judge\$;
EOT
}

# Read many entries, at random but determined by the seed.
sub reader
{
	my $names = join ', ', map { ($_->{name}) x $_->{weight} } @queries;
	my $branches = join "\n", map {
		"\t\tWHEN '$_->{name}' THEN conclusive := conclusive + check_$_->{name}(k);"
	} @queries;

	return <<"EOT";
CREATE FUNCTION read_many(seed float8, n int, name text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS \$\$
DECLARE
	names text[] := '{$names}';
	conclusive int := 0;
	k int;
BEGIN
	PERFORM setseed(seed);
	FOR i IN 1 .. n LOOP
		k := 1 + trunc(random() * $nkeys);
		CASE coalesce(name, names[1 + trunc(random() * cardinality(names))])
$branches
		END CASE;
	END LOOP;
	RETURN format('reads %s %s', n, conclusive);
END \$\$;
EOT
}

# ---------------------------------------------------------------------------
# Tables, and functions that the statements need

my $tables = <<'EOT';
CREATE EXTENSION dogpile;

CREATE SEQUENCE stamps;

-- Tables whose rows have a key and a stamp.
CREATE TABLE plain (
	id bigint DEFAULT nextval('stamps'),
	k int,
	stamp bigint DEFAULT nextval('stamps'));
CREATE INDEX ON plain (k, id);
CREATE TABLE loose (LIKE plain INCLUDING ALL);
CREATE TABLE viewed (LIKE plain INCLUDING ALL);
CREATE TABLE feed (LIKE plain INCLUDING ALL);
CREATE TABLE guarded (LIKE plain INCLUDING ALL);
CREATE TABLE watched (LIKE plain INCLUDING ALL);
SELECT dogpile_watch('watched', 'watched:{k}');
CREATE TABLE ancestors (LIKE plain INCLUDING ALL);
CREATE TABLE descendants () INHERITS (ancestors);

-- Tables with one row for each key.
CREATE TABLE label (k int PRIMARY KEY, stamp bigint DEFAULT nextval('stamps'));
CREATE TABLE counters (LIKE label INCLUDING ALL);
CREATE TABLE source (LIKE label INCLUDING ALL);
CREATE TABLE target (LIKE label INCLUDING ALL);
CREATE TABLE deferred (LIKE label INCLUDING ALL);
CREATE TABLE lookup (LIKE label INCLUDING ALL);

CREATE VIEW overview AS
	SELECT k, max(l.stamp) || ' ' || count(*) || ' ' || sum(v.stamp) AS facts
	FROM viewed AS v JOIN label AS l USING (k)
	GROUP BY k;

CREATE TABLE parts (
	id bigint DEFAULT nextval('stamps'),
	k int,
	p int,
	stamp bigint DEFAULT nextval('stamps')) PARTITION BY LIST (p);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE parts_9 PARTITION OF parts FOR VALUES IN (9);
CREATE INDEX ON parts (k, id);

CREATE EXTENSION dblink;
CREATE FUNCTION parts_facts(wanted int) RETURNS text LANGUAGE sql STABLE
AS $$ SELECT count(*) || ' ' || coalesce(max(stamp), 0) || ' ' || coalesce(sum(stamp), 0) || ' ' || coalesce(sum(p), 0)
	FROM parts WHERE k = wanted $$;

CREATE FUNCTION attach() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending) THEN
		EXECUTE 'ALTER TABLE parts DETACH PARTITION parts_9 FINALIZE';
	END IF;
	UPDATE parts_9 SET stamp = nextval('stamps');
	EXECUTE 'ALTER TABLE parts ATTACH PARTITION parts_9 FOR VALUES IN (9)';
END $$;

-- The stamp makes each REFRESH bring something new.
CREATE MATERIALIZED VIEW digest AS
	SELECT k, count(*) || ' ' || sum(stamp) AS facts, nextval('stamps') AS stamp
	FROM feed
	GROUP BY k;
CREATE UNIQUE INDEX ON digest (k);

CREATE TABLE parent (id bigint PRIMARY KEY DEFAULT nextval('stamps'));
CREATE TABLE child (
	id bigint DEFAULT nextval('stamps'),
	parent_id bigint REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE,
	k int);
CREATE INDEX ON child (k, id);
CREATE INDEX ON child (parent_id);

CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE %I SET stamp = nextval(''stamps'') WHERE k = $1', TG_ARGV[0])
		USING NEW.k;
	RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER UPDATE ON source
	FOR EACH ROW EXECUTE FUNCTION follow('target');
CREATE CONSTRAINT TRIGGER follow_later AFTER UPDATE ON source
	DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION follow('deferred');

-- A table whose columns change, and that is replaced behind a function.
CREATE FUNCTION create_wide() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'DROP TABLE IF EXISTS wide';
	EXECUTE $q$CREATE TABLE wide AS
		SELECT k, nextval('stamps') AS stamp, nextval('stamps') AS extra
		FROM label$q$;
END $$;
CREATE FUNCTION rename_wide() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	LOCK TABLE wide;
	EXECUTE (SELECT format('ALTER TABLE wide RENAME COLUMN %I TO %I', attname,
						   'extra_' || nextval('stamps'))
			 FROM pg_attribute
			 WHERE attrelid = 'wide'::regclass AND attname LIKE 'extra%');
END $$;
CREATE FUNCTION widen_wide() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER TABLE wide DROP COLUMN IF EXISTS added, '
				   'ADD COLUMN added bigint DEFAULT %s', nextval('stamps'));
END $$;
CREATE FUNCTION wide_of(wanted int) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT to_jsonb(w) FROM wide AS w WHERE w.k = wanted);
END $$;

CREATE FUNCTION looked_up(wanted int) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT stamp::text FROM lookup WHERE k = wanted
$$;

CREATE FUNCTION replaced(k int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 0::bigint';
CREATE FUNCTION replace_function() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE FUNCTION replaced(k int) RETURNS bigint '
				   'LANGUAGE sql STABLE AS ''SELECT %s::bigint''', nextval('stamps'));
END $$;

-- Rows that are seen from some id on, as a table and the policy itself say.
CREATE TABLE floors (id bigint);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY above ON guarded USING (id > 0 AND id >= (SELECT max(id) FROM floors));
CREATE FUNCTION change_policy() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER POLICY above ON guarded '
				   'USING (id > %s AND id >= (SELECT max(id) FROM floors))',
				   (SELECT last_value - 600 - trunc(random() * 300) FROM stamps));
END $$;

-- What other sessions have done to catalogs is noticed when a lock is taken that
-- this transaction does not have yet.
CREATE TABLE nothing ();
CREATE FUNCTION notice_others() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	LOCK TABLE nothing IN ACCESS SHARE MODE;
	RAISE no_data_found;
EXCEPTION WHEN no_data_found THEN
	NULL;
END $$;

INSERT INTO floors VALUES (0);
INSERT INTO label (k) SELECT generate_series(1, {nkeys});
INSERT INTO counters SELECT k FROM label;
INSERT INTO source SELECT k FROM label;
INSERT INTO target SELECT k FROM label;
INSERT INTO deferred SELECT k FROM label;
INSERT INTO lookup SELECT k FROM label;
INSERT INTO plain (k) SELECT k FROM label, generate_series(1, 5);
INSERT INTO viewed (k) SELECT k FROM label, generate_series(1, 5);
INSERT INTO feed (k) SELECT k FROM label, generate_series(1, 5);
INSERT INTO watched (k) SELECT k FROM label, generate_series(1, 5);
INSERT INTO guarded (k) SELECT k FROM label, generate_series(1, 5);
INSERT INTO parts (k, p) SELECT k, p FROM label, unnest('{0, 1, 2, 9}'::int[]) AS p;
REFRESH MATERIALIZED VIEW digest;
SELECT create_wide();

CREATE ROLE ordinary;
GRANT SELECT ON guarded, floors, nothing TO ordinary;
EOT

# ---------------------------------------------------------------------------
# Procedures that repeat the moments around a COMMIT

my $duels = <<'EOT';
-- What the duels are about.
CREATE FUNCTION get_counter(k int) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	RETURN dogpile_get_or_create(current_setting('campaign.region'), 'counter ' || k,
		'SELECT stamp::text FROM counters WHERE k = $1', params => ROW(k));
END $$;

-- Commit again and again, each time with a value in the cache.
CREATE PROCEDURE duel_write(k int, n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		PERFORM get_counter(k);
		COMMIT;
		UPDATE counters SET stamp = nextval('stamps') WHERE counters.k = duel_write.k;
		COMMIT;
	END LOOP;
END $$;

-- Take a snapshot, and at once what the cache gives for it.  Stamps of one row only
-- grow, so under READ COMMITTED, too, every read is conclusive.
CREATE PROCEDURE duel_read(k int, n int, isolation text) LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
	cached bigint;
	after bigint;
BEGIN
	FOR i IN 1 .. n LOOP
		IF isolation = 'repeatable read' THEN
			COMMIT;
			SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
		ELSE
			COMMIT;
			before := (SELECT stamp FROM counters WHERE counters.k = duel_read.k);
		END IF;
		cached := get_counter(k);
		after := (SELECT stamp FROM counters WHERE counters.k = duel_read.k);
		IF cached < coalesce(before, after) OR cached > after THEN
			RAISE LOG 'stale read: counter of % under % at once, before %, cached %, after %',
				k, isolation, before, cached, after;
		END IF;
	END LOOP;
END $$;
EOT

# ---------------------------------------------------------------------------
# Writes
#
# {k}, {p} and {n} stand for a key, a partition and a small number.  Weight: how
# often it is done.  alone: not within a transaction.

my $old = "(SELECT last_value - 500 FROM stamps)";
my $stamp = "stamp = nextval('stamps')";

my @writes = (
	[ insert => 6, "INSERT INTO plain (k) VALUES ({k})" ],
	[ insert_many => 2, "INSERT INTO viewed (k) SELECT {k} FROM generate_series(1, {n})" ],
	[
		update => 6,
		"UPDATE plain SET $stamp WHERE id = (SELECT max(id) FROM plain WHERE k = {k})"
	],
	[ update_counter => 6, "UPDATE counters SET $stamp WHERE k = {k}" ],
	[ delete => 4, "DELETE FROM plain WHERE k = {k} AND stamp < $old" ],
	[ delete_viewed => 2, "DELETE FROM viewed WHERE k = {k} AND stamp < $old" ],
	[ copy => 3, "COPY plain (k) FROM '{folder}/{k}'" ],
	[
		merge => 3,
		"MERGE INTO label USING (VALUES ({k})) AS v (k) ON label.k = v.k "
		  . "WHEN MATCHED THEN UPDATE SET $stamp WHEN NOT MATCHED THEN INSERT (k) VALUES (v.k)"
	],
	[
		merge_delete => 1,
		"MERGE INTO loose USING (VALUES ({k})) AS v (k) ON loose.k = v.k AND loose.stamp < $old "
		  . "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (k) VALUES (v.k)"
	],
	[
		upsert => 3,
		"INSERT INTO lookup (k) VALUES ({k}) ON CONFLICT (k) DO UPDATE SET $stamp"
	],
	[
		writing_cte => 3,
		"WITH done AS (UPDATE viewed SET $stamp "
		  . "WHERE id = (SELECT max(id) FROM viewed WHERE k = {k}) RETURNING k) "
		  . "SELECT 'written ' || count(*) FROM done"
	],
	[ watched_insert => 3, "INSERT INTO watched (k) VALUES ({k})" ],
	[
		watched_update => 3,
		"UPDATE watched SET $stamp WHERE id = (SELECT max(id) FROM watched WHERE k = {k})"
	],
	[
		watched_move => 3,
		"UPDATE watched SET k = k % $nkeys + 1, $stamp "
		  . "WHERE id = (SELECT max(id) FROM watched WHERE k = {k})"
	],
	[ watched_delete => 2, "DELETE FROM watched WHERE k = {k} AND stamp < $old" ],
	[ watched_truncate => 1, "TRUNCATE watched" ],
	[ watch => 2, "SELECT dogpile_watch('watched', 'watched:{column}')" ],
	[ unwatch => 1, "SELECT dogpile_unwatch('watched')" ],
	[ insert_loose => 4, "INSERT INTO loose (k) VALUES ({k})" ],
	[ truncate => 1, "TRUNCATE loose" ],
	[ kin_parent => 1, "INSERT INTO ancestors (k) VALUES ({k})" ],
	[
		kin_child => 2,
		"INSERT INTO descendants SELECT nextval('stamps'), {k}, nextval('stamps')"
	],
	[ kin_delete => 1, "DELETE FROM ancestors WHERE k = {k} AND stamp < $old" ],
	[ part_insert => 3, "INSERT INTO parts (k, p) VALUES ({k}, {p})" ],
	[
		part_move => 3,
		"UPDATE parts SET p = (p + 1) % 3, $stamp "
		  . "WHERE p < 3 AND id = (SELECT max(id) FROM parts WHERE k = {k} AND p < 3)"
	],
	[ part_direct => 3, "UPDATE parts_{p} SET $stamp WHERE k = {k}" ],
	[ part_delete => 2, "DELETE FROM parts WHERE k = {k} AND p <> 9 AND stamp < $old" ],
	[ part_truncate => 1, "TRUNCATE parts_{p}" ],
	[ detach => 2, "ALTER TABLE parts DETACH PARTITION parts_9" ],
	[
		detach_concurrently => 1,
		"ALTER TABLE parts DETACH PARTITION parts_9 CONCURRENTLY",
		alone => 1
	],
	[ attach => 4, "SELECT attach()" ],
	[ feed => 2, "INSERT INTO feed (k) VALUES ({k})" ],
	[
		feed_delete => 1,
		"DELETE FROM feed WHERE stamp < $old AND id NOT IN (SELECT max(id) FROM feed GROUP BY k)"
	],
	[ refresh => 1, "REFRESH MATERIALIZED VIEW digest" ],
	[ refresh_concurrently => 1, "REFRESH MATERIALIZED VIEW CONCURRENTLY digest" ],
	[
		cascade_insert => 3,
		"WITH p AS (INSERT INTO parent DEFAULT VALUES RETURNING id) "
		  . "INSERT INTO child (parent_id, k) SELECT id, {k} FROM p"
	],
	[
		cascade_update => 3,
		"UPDATE parent SET id = nextval('stamps') "
		  . "WHERE id = (SELECT max(parent_id) FROM child WHERE k = {k})"
	],
	[
		cascade_delete => 2,
		"DELETE FROM parent WHERE id IN (SELECT parent_id FROM child WHERE k = {k}) AND id < $old"
	],
	[ trigger => 4, "UPDATE source SET $stamp WHERE k = {k}" ],
	[ alter_rename => 1, "SELECT rename_wide()" ],
	[
		alter_rewrite => 1,
		"ALTER TABLE wide ALTER COLUMN stamp TYPE bigint USING nextval('stamps')"
	],
	[ alter_add => 1, "SELECT widen_wide()" ],
	[ alter_set => 1, "ALTER TABLE plain SET (fillfactor = 5{n})" ],
	[ drop_and_create => 1, "SELECT create_wide()" ],
	[ update_wide => 2, "UPDATE wide SET $stamp WHERE k = {k}" ],
	[ function => 2, "SELECT replace_function()" ],
	[ guarded => 3, "INSERT INTO guarded (k) SELECT k FROM label" ],
	[ floor => 1, "INSERT INTO floors SELECT last_value - 300 FROM stamps" ],
	[ policy => 1, "SELECT change_policy()" ]);

# The writes: each with a name, weight, sql, and whether it must be alone.
sub campaign_writes
{
	return map {
		my ($name, $weight, $sql, %more) = @$_;

		{ name => $name, weight => $weight, sql => $sql, %more }
	} @writes;
}

# ---------------------------------------------------------------------------

# Create it all.
sub create_campaign_schema
{
	my ($node) = @_;

	$node->safe_psql(
		'postgres',
		join("\n",
			$tables =~ s/\{nkeys\}/$nkeys/gr,
			(map { judge($_) } @queries),
			reader(), $duels));
	return;
}

1;
