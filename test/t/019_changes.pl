# Changes that are not made by ordinary transactions of sessions: of apply workers of
# logical replication, of prepared transactions across a restart, of sessions with
# track_counts off; a hot standby; autovacuum, which changes nothing; and settings that a
# reload changes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @settings = (
	"shared_preload_libraries = '" . module_path('slow_commit') . ", dogpile'",
	"dogpile.shared_memory = '4MB'",
	"dogpile.regions = 'auto, bypassed, ignored, flip, plain'",
	"dogpile_auto.depends = 'auto'",
	"dogpile_bypassed.depends = 'auto'",
	"dogpile_bypassed.nondeterministic = 'bypass'",
	"dogpile_ignored.depends = 'auto'",
	"dogpile_ignored.nondeterministic = 'ignore'",
	'wal_level = logical',
	'max_prepared_transactions = 10',
	'autovacuum = off',
	'autovacuum_naptime = 1s',
	'logical_decoding_work_mem = 64kB',
	'');

sub new_node
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', join("\n", @settings));
	$node->start;
	return $node;
}

my $schema = <<'EOT';
-- The witness of a creation, which does not make it one that cannot be cached.
CREATE FUNCTION computed(what text) RETURNS void LANGUAGE plpgsql STABLE
AS $$ BEGIN RAISE LOG 'ran: %', what; END $$;
CREATE FUNCTION ask(region text, query text) RETURNS text LANGUAGE sql VOLATILE
AS $$
	SELECT dogpile_get_or_create(region, query,
		format('SELECT (%s)::text FROM computed(%L)', query, query))
$$;
CREATE TABLE t (id int PRIMARY KEY, v int);
CREATE TABLE other (id int PRIMARY KEY, v int);
CREATE TABLE parts (id int PRIMARY KEY, v int);
CREATE TABLE two (id int PRIMARY KEY, v int);
CREATE TABLE seen (id int);
EOT

sub query
{
	my ($node, $sql, @options) = @_;

	return $node->safe_psql('postgres', $sql, @options);
}

# The value that the cache returns, and how often it was computed.
sub ask
{
	my ($node, $query, %how) = @_;
	my $region = $how{region} // 'auto';
	my $offset = log_offset($node);
	my $role = $how{role} ? "SET ROLE $how{role};" : '';
	my ($stdout, $stderr);

	$node->psql(
		'postgres', "$role SELECT ask('$region', '$query')",
		stdout => \$stdout,
		stderr => \$stderr,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($stdout, $stderr, count_runs($node, $query, $offset));
}

sub is_hit
{
	my ($node, $query, $value, $name, %how) = @_;
	my ($stdout, $stderr, $runs) = ask($node, $query, %how);

	is("$stdout$stderr", $value, "$name: value");
	is($runs, 0, "$name: ... from the cache");
	return;
}

sub is_computed
{
	my ($node, $query, $value, $name, %how) = @_;
	my ($stdout, $stderr, $runs) = ask($node, $query, %how);

	is("$stdout$stderr", $value, "$name: value");
	is($runs, 1, "$name: ... computed");
	return;
}

# Computed once, and then found.
sub is_new
{
	is_computed(@_);
	is_hit(@_);
	return;
}

sub is_refused
{
	my ($node, $query, $pattern, $name, %how) = @_;
	my ($stdout, $stderr, $runs) = ask($node, $query, %how);

	is($stdout, '', "$name: no value");
	like($stderr, $pattern, "$name: the reason is in the message");
	return;
}

sub reload_setting
{
	my ($node, $setting, $value) = @_;

	query($node, "ALTER SYSTEM SET $setting = '$value'");
	query($node, 'SELECT pg_reload_conf()');
	$node->poll_query_until('postgres',
		"SELECT current_setting('$setting') = '$value'")
	  or die "timed out waiting for $setting";
	return;
}

my $sum = 'SELECT coalesce(sum(v), 0) FROM t';
my $sum_other = 'SELECT coalesce(sum(v), 0) FROM other';
my $sum_parts = 'SELECT coalesce(sum(v), 0) FROM parts';
my $sum_two = 'SELECT coalesce(sum(v), 0) FROM two';
my $seen = 'SELECT count(*) FROM seen';

# ---------------------------------------------------------------------------
# Logical replication: what an apply worker does.

my $publisher = new_node('publisher');
my $subscriber = new_node('subscriber');

$publisher->safe_psql('postgres', "CREATE EXTENSION dogpile; $schema");
$subscriber->safe_psql('postgres', "CREATE EXTENSION dogpile; $schema");
query($subscriber, <<'EOT');
DROP TABLE parts;
CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.seen VALUES (NEW.id);
	RETURN NEW;
END $$;
CREATE TRIGGER see AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION see();
ALTER TABLE t ENABLE ALWAYS TRIGGER see;
EOT

# Wait until the subscriber has what the publisher has.
sub catch_up
{
	my ($subscription) = @_;

	$publisher->wait_for_catchup($subscription);
	$subscriber->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'"
	) or die 'timed out waiting for tables to be copied';
	return;
}

my $connection = $publisher->connstr . ' dbname=postgres';

query($publisher,
	'INSERT INTO t VALUES (1, 1); INSERT INTO parts VALUES (1, 1), (2, 2)');
query($publisher, 'CREATE PUBLICATION p FOR TABLE t, parts');
is_new($subscriber, $sum, 0, 'before the subscription');
is_new($subscriber, $sum_parts, 0, 'before the subscription, parts');
is_new($subscriber, $sum_other, 0, 'another table');
is_new($subscriber, $seen, 0, 'a table that a trigger writes to');
query($subscriber,
	"CREATE SUBSCRIPTION s CONNECTION '$connection' PUBLICATION p WITH (streaming = on)"
);
catch_up('s');
is_new($subscriber, $sum, 1, 'tables were copied');
is_new($subscriber, $sum_parts, 3, 'tables were copied, parts');
is_new($subscriber, $seen, 1, 'tables were copied, trigger');
ask($subscriber, $sum_other);

foreach my $change (
	[ 'INSERT', 'INSERT INTO t VALUES (2, 2)', 3 ],
	[ 'UPDATE', 'UPDATE t SET v = 20 WHERE id = 2', 21 ],
	[ 'UPDATE of a key', 'UPDATE t SET id = 3, v = 30 WHERE id = 2', 31 ],
	[ 'DELETE', 'DELETE FROM t WHERE id = 3', 1 ],
	[ 'TRUNCATE', 'TRUNCATE t', 0 ],
	[
		'a large transaction',
		'INSERT INTO t SELECT i, 1 FROM generate_series(1, 5000) AS i', 5000
	],
	[
		'several statements',
		'BEGIN; DELETE FROM t; SAVEPOINT a; INSERT INTO t VALUES (1, 99); ROLLBACK TO a; INSERT INTO t VALUES (1, 7); COMMIT',
		7
	])
{
	my ($name, $sql, $value) = @$change;

	query($publisher, $sql);
	catch_up('s');
	is_new($subscriber, $sum, $value, "applied $name");
}
is_new($subscriber, $seen, 5003, 'applied, by way of a trigger');

# What was rolled back, or does not concern the table, is no change.
query($publisher,
	'BEGIN; INSERT INTO t VALUES (100, 100); ROLLBACK; INSERT INTO parts VALUES (11, 11)'
);
catch_up('s');
is_hit($subscriber, $sum, 7, 'applied ROLLBACK');
is_new($subscriber, $sum_parts, 14, 'applied INSERT into a partition');
query($publisher, 'UPDATE parts SET id = 12 WHERE id = 1');
catch_up('s');
is_new($subscriber, $sum_parts, 14, 'applied a move between partitions');
is_hit($subscriber, $sum_other, 0, 'another table');

# Readers ask all the time, while changes are applied: each value is at least as new as
# what the reader can see itself, in the same session.
query($publisher, 'INSERT INTO other VALUES (1, 0)');
query($subscriber, 'CREATE TABLE bad (answer text, truth text)');
my $reader = start_psql($subscriber, <<'EOT');
DO $$
DECLARE
	truth bigint;
	answer bigint;
BEGIN
	LOOP
		SELECT coalesce(sum(v), 0) INTO truth FROM t;
		answer := dogpile_get_or_create('auto', 'reader', 'SELECT coalesce(sum(v), 0) FROM t');
		-- The sum only grows.
		IF answer < truth THEN
			RAISE LOG 'stale: % instead of %', answer, truth;
		END IF;
		COMMIT;
		EXIT WHEN truth > 1000000;
	END LOOP;
END $$;
EOT
query($publisher, "UPDATE t SET v = v + 1") foreach (1 .. 30);
query($publisher, 'UPDATE t SET v = 2000000');
catch_up('s');
finish_psql($reader);
my @stale = slurp_file($subscriber->logfile) =~ /LOG:  (stale: .*)/g;
is("@stale[0 .. ($#stale < 2 ? $#stale : 2)]",
	'', 'readers are never given what is older than what they see');
is_new($subscriber, $sum, 2000000, 'after all changes');

# Prepared transactions are applied as such by a subscription that asks for it.
# Their COMMIT PREPARED cannot be noticed.
query($publisher, 'CREATE PUBLICATION p2 FOR TABLE two');
is_new($subscriber, $sum_two, 0, 'before two_phase');
query($subscriber,
	"CREATE SUBSCRIPTION s2 CONNECTION '$connection' PUBLICATION p2 WITH (two_phase = on)"
);
catch_up('s2');
is_refused(
	$subscriber,
	$sum_two,
	qr/ERROR:  0A000: .*cannot determine here what values of cache region .* depend on\nDETAIL:  .*"s2" has two_phase/,
	'two_phase');
is_computed($subscriber, $sum_two, 0, 'two_phase, bypass', region => 'bypassed')
  foreach (1, 2);
query($publisher,
	"BEGIN; INSERT INTO two VALUES (1, 1); PREPARE TRANSACTION 'two'");
catch_up('s2');
is_computed($subscriber, $sum_two, 0, 'two_phase, prepared', region => 'bypassed');
query($publisher, "COMMIT PREPARED 'two'");
catch_up('s2');
is_computed($subscriber, $sum_two, 1, 'two_phase, committed', region => 'bypassed');

# That applies to all tables, because of what triggers may do there.  Nor is an old value
# served that was cached before.
my $sum_leaf = 'SELECT coalesce(sum(v), 0) FROM leaf_1';

query($publisher, <<'EOT');
CREATE TABLE leaf (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE leaf_1 PARTITION OF leaf FOR VALUES FROM (0) TO (10);
ALTER PUBLICATION p2 SET (publish_via_partition_root = true);
ALTER PUBLICATION p2 ADD TABLE leaf;
EOT
query($subscriber, <<'EOT');
CREATE TABLE leaf (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE leaf_1 PARTITION OF leaf FOR VALUES FROM (0) TO (10);
CREATE TRIGGER see AFTER INSERT ON two FOR EACH ROW EXECUTE FUNCTION see();
ALTER TABLE two ENABLE ALWAYS TRIGGER see;
EOT
query($subscriber, 'DROP SUBSCRIPTION s2');
query($subscriber,
	"CREATE SUBSCRIPTION s2 CONNECTION '$connection' PUBLICATION p2 WITH (two_phase = on, copy_data = off)"
);
catch_up('s2');
$subscriber->poll_query_until('postgres',
	"SELECT subtwophasestate = 'e' FROM pg_subscription WHERE subname = 's2'")
  or die 'timed out waiting for two_phase';
is_refused($subscriber, $sum_leaf, qr/"s2" has two_phase/,
	'two_phase, partition');
query($publisher,
	"BEGIN; INSERT INTO two VALUES (2, 2); PREPARE TRANSACTION 'three'");
catch_up('s2');
is( $subscriber->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'),
	1, 'two_phase, prepared');
ask($subscriber, $seen);
query($publisher, "COMMIT PREPARED 'three'");
catch_up('s2');
my $now = query($subscriber, $seen);

isnt((ask($subscriber, $seen))[0] || $now,
	$now - 1, 'two_phase, by way of a trigger: no old value');
query($publisher, 'DELETE FROM two WHERE id = 2');
catch_up('s2');
query($subscriber, 'DROP TRIGGER see ON two');
query($subscriber, 'DROP SUBSCRIPTION s2');
is_new($subscriber, $sum_two, 1, 'two_phase is over');
query($subscriber, 'UPDATE two SET v = 2');
is_new($subscriber, $sum_two, 2, 'two_phase is over, own changes');
# Without two_phase, a prepared transaction is applied at COMMIT PREPARED.
query($publisher,
	"BEGIN; UPDATE t SET v = 5 WHERE id = 1; PREPARE TRANSACTION 'one'");
ask($subscriber, $sum);
is_hit($subscriber, $sum, 2000000, 'prepared');
query($publisher, "COMMIT PREPARED 'one'");
catch_up('s');
is_new($subscriber, $sum, 5, 'prepared and committed');

query($subscriber, 'ALTER SUBSCRIPTION s DISABLE');
query($subscriber, 'DROP SUBSCRIPTION s');
check_nothing_is_left($subscriber, 'subscriber');
check_log($subscriber, 'subscriber');
$subscriber->stop;

# ---------------------------------------------------------------------------
# Prepared transactions, over a restart and a crash.

my $node = $publisher;

query($node, <<'EOT');
CREATE ROLE regress_reader;
GRANT SELECT ON t, other TO regress_reader;
CREATE FUNCTION factor() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1';
TRUNCATE t, other, two;
INSERT INTO t VALUES (1, 1);
INSERT INTO other VALUES (1, 1);
EOT

my $scaled = 'SELECT factor() * v FROM other';

foreach my $way ('fast', 'immediate')
{
	my $value = query($node, $sum);

	is_new($node, $sum, $value, "$way: before");
	query($node, <<"EOT");
BEGIN;
UPDATE t SET v = v + 10;
PREPARE TRANSACTION 'data';
BEGIN;
REVOKE SELECT ON other FROM regress_reader;
PREPARE TRANSACTION 'revoke';
BEGIN;
CREATE OR REPLACE FUNCTION factor() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT @{[$value + 1]}';
PREPARE TRANSACTION 'function';
BEGIN;
INSERT INTO two VALUES (1, 1);
PREPARE TRANSACTION 'undone';
EOT
	my $offset = log_offset($node);

	$node->stop($way);
	$node->start;
	my $factor = query($node, 'SELECT factor()');

	ask($node, $sum);
	is((ask($node, $sum))[0], $value, "$way: prepared");
	is((ask($node, $scaled))[0], $factor, "$way: function replaced, prepared");
	is((ask($node, $sum_two))[0], 0, "$way: prepared, to be undone");
	is((ask($node, $sum_other, role => 'regress_reader'))[0],
		1, "$way: REVOKE prepared")
	  foreach (1, 2);
	query($node, "COMMIT PREPARED 'data'");
	is_new($node, $sum, $value + 10, "$way: committed");
	query($node, "COMMIT PREPARED 'revoke'");
	is_refused(
		$node, $sum_other,
		qr/permission denied for table other/,
		"$way: REVOKE committed",
		role => 'regress_reader');
	query($node, "COMMIT PREPARED 'function'");
	is_new($node, $scaled, $value + 1, "$way: function replaced");
	query($node, "ROLLBACK PREPARED 'undone'");
	is((ask($node, $sum_two))[0], 0, "$way: undone");
	is_hit($node, $sum_two, 0, "$way: undone");
	query($node, 'GRANT SELECT ON other TO regress_reader');
	is_new($node, $sum_other, 1, "$way: GRANT", role => 'regress_reader');
}

# ---------------------------------------------------------------------------
# Privileges that are revoked, and functions that are replaced: between the moment when
# others can see the change and the one when they get its invalidation messages.

query($node, <<'EOT');
CREATE TABLE fought (v int);
INSERT INTO fought VALUES (1);
GRANT SELECT ON fought TO regress_reader;
CREATE FUNCTION public.version() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
EOT
my $gate = PostgreSQL::Test::Utils::tempdir() . '/gate';
my $fought = 'SELECT v FROM fought';
my $version = 'SELECT public.version()';
my $warm = $node->background_psql('postgres', on_error_stop => 0);

# Let a change stand still in its COMMIT; returns its session.
sub start_change
{
	my ($sql, $visible) = @_;
	append_to_file($gate, 'closed');
	my $session = start_psql($node, "SET slow_commit.file = '$gate'; $sql");

	$node->poll_query_until('postgres', $visible)
	  or die 'timed out waiting for a change to become visible';
	return $session;
}

# What a session with cached catalogs returns meanwhile, and what others return after.
sub check_change
{
	my ($name, $sql, $visible, $query, $pattern, $role) = @_;

	$warm->query_safe("SET ROLE $role");
	$warm->query_safe("SELECT ask('auto', '$query'), dogpile_delete('auto', '$query')")
	  foreach (1 .. 3);
	my $change = start_change($sql, $visible);

	$warm->query("SELECT ask('auto', '$query')");
	unlink $gate;
	finish_psql($change);
	my ($stdout, $stderr) = ask($node, $query, role => $role);

	like("$stdout$stderr", $pattern, $name);
	return;
}

check_change(
	'REVOKE on a table',
	'REVOKE SELECT ON fought FROM regress_reader',
	"SELECT NOT has_table_privilege('regress_reader', 'fought', 'SELECT')",
	$fought, qr/permission denied for table fought/,
	'regress_reader');
check_change(
	'function replaced',
	"CREATE OR REPLACE FUNCTION public.version() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 2; END'",
	'SELECT public.version() = 2',
	$version,
	qr/^2$/,
	'regress_reader');
check_change(
	'REVOKE on a function',
	'REVOKE EXECUTE ON FUNCTION public.version() FROM PUBLIC',
	"SELECT NOT has_function_privilege('regress_reader', 'public.version()', 'EXECUTE')",
	$version,
	qr/permission denied for function version/,
	'regress_reader');
query($node,
	'CREATE ROLE regress_group; GRANT SELECT ON fought TO regress_group; GRANT regress_group TO regress_reader'
);
check_change(
	'REVOKE of a membership',
	'REVOKE regress_group FROM regress_reader',
	"SELECT NOT pg_has_role('regress_reader', 'regress_group', 'MEMBER')",
	$fought,
	qr/permission denied for table fought/,
	'regress_reader');
query($node, 'ALTER ROLE regress_reader SUPERUSER');
check_change(
	'ALTER ROLE',
	'ALTER ROLE regress_reader NOSUPERUSER',
	"SELECT NOT rolsuper FROM pg_roles WHERE rolname = 'regress_reader'",
	$fought,
	qr/permission denied for table fought/,
	'regress_reader');

# ... and rows.
check_change(
	'INSERT',
	'INSERT INTO fought VALUES (2)',
	'SELECT count(*) = 2 FROM fought',
	'SELECT count(*) FROM fought',
	qr/^2$/,
	'postgres');
$warm->quit;

# ---------------------------------------------------------------------------
# A partition that is being detached, while other sessions still see it.

query($node, <<'EOT');
CREATE TABLE whole (id int) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF whole FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF whole FOR VALUES IN (2);
INSERT INTO whole VALUES (1), (2);
EOT
my $whole = 'SELECT count(*) FROM whole';
my $old = $node->background_psql('postgres');

is_new($node, $whole, 2, 'partitions');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($old->query_safe($whole), 2, 'partitions, seen by an older transaction');
my $detach =
  start_psql($node, 'ALTER TABLE whole DETACH PARTITION part_1 CONCURRENTLY');

$node->poll_query_until('postgres',
	'SELECT bool_or(inhdetachpending) FROM pg_inherits')
  or die 'timed out waiting for a partition to be detached';
is_new($node, $whole, 1, 'being detached');
is($old->query_safe("SELECT ask('auto', '$whole')"),
	2, 'being detached, for the older transaction');
is_hit($node, $whole, 1, 'being detached, for others');
$old->query_safe('COMMIT');
finish_psql($detach);
is((ask($node, $whole))[0], 1, 'detached');
is($old->query_safe("SELECT ask('auto', '$whole')"),
	1, 'detached, for the older session');
$old->quit;

# ---------------------------------------------------------------------------
# An unlogged table, which a crash empties.

query($node, 'CREATE UNLOGGED TABLE unlogged (v int)');
my $unlogged = 'SELECT count(*) FROM unlogged';

is_new($node, $unlogged, 0, 'unlogged table');
query($node, 'INSERT INTO unlogged VALUES (1)');
is_new($node, $unlogged, 1, 'unlogged table, changed');
$node->stop('immediate');
$node->start;
is_new($node, $unlogged, 0, 'unlogged table, after a crash');

# ---------------------------------------------------------------------------
# A role whose sessions have track_counts off.

query($node, <<'EOT');
CREATE ROLE regress_quiet SUPERUSER LOGIN;
ALTER ROLE regress_quiet SET track_counts = off;
EOT
my $before = query($node, $sum);
my @quiet = (extra_params => [ '-U', 'regress_quiet' ]);

is_new($node, $sum, $before, 'track_counts: before');
is(query($node, 'SHOW track_counts', @quiet), 'off', 'track_counts: off');
query($node, 'UPDATE t SET v = v + 1', @quiet);
is_new($node, $sum, $before + 1, 'track_counts: UPDATE');
query($node, 'INSERT INTO other VALUES (2, 2)', @quiet);
is_hit($node, $sum, $before + 1, 'track_counts: another table');
is( query($node, "SELECT ask('auto', '$sum'); UPDATE t SET v = v + 1; SELECT ask('auto', '$sum')", @quiet),
	($before + 1) . "\n" . ($before + 2),
	'track_counts: own changes');
is_new($node, $sum, $before + 2, 'track_counts: changes of others');
query($node, 'BEGIN; UPDATE t SET v = 0; ROLLBACK', @quiet);
is_hit($node, $sum, $before + 2, 'track_counts: ROLLBACK');

# ... and a server with track_counts off.
reload_setting($node, 'track_counts', 'off');
query($node, 'UPDATE t SET v = v + 1');
is_new($node, $sum, $before + 3, 'track_counts off everywhere');
reload_setting($node, 'track_counts', 'on');
is_hit($node, $sum, $before + 3, 'track_counts on again');

# ---------------------------------------------------------------------------
# Autovacuum changes nothing.

query($node, <<'EOT');
CREATE TABLE vacuumed (id int, v int)
	WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0,
		  autovacuum_analyze_threshold = 1, autovacuum_analyze_scale_factor = 0);
INSERT INTO vacuumed SELECT i, i FROM generate_series(1, 1000) AS i;
DELETE FROM vacuumed WHERE id > 500;
EOT
my $vacuumed = 'SELECT sum(v) FROM vacuumed';

is_new($node, $vacuumed, 125250, 'vacuumed table');
reload_setting($node, 'autovacuum', 'on');
$node->poll_query_until('postgres',
	"SELECT autovacuum_count > 0 AND autoanalyze_count > 0 FROM pg_stat_user_tables WHERE relname = 'vacuumed'"
) or die 'timed out waiting for autovacuum';
is_hit($node, $vacuumed, 125250, 'autovacuum has been there');
reload_setting($node, 'autovacuum', 'off');
query($node, 'VACUUM ANALYZE vacuumed');
is_hit($node, $vacuumed, 125250, 'VACUUM');

# ---------------------------------------------------------------------------
# Settings that are changed by a reload.

my $value = query($node, $sum);

is_new($node, $sum, $value, 'none', region => 'flip');
query($node, 'UPDATE t SET v = v + 1');
is_hit($node, $sum, $value, 'none, changed', region => 'flip');
reload_setting($node, 'dogpile_flip.depends', 'auto');
is_new($node, $sum, $value + 1, 'turned on', region => 'flip');
query($node, 'UPDATE t SET v = v + 1');
is_new($node, $sum, $value + 2, 'turned on, changed', region => 'flip');
reload_setting($node, 'dogpile_flip.depends', 'none');
query($node, 'UPDATE t SET v = v + 1');
is_new($node, $sum, $value + 3, 'turned off', region => 'flip');
query($node, 'UPDATE t SET v = v + 1');
is_hit($node, $sum, $value + 3, 'turned off, changed', region => 'flip');
reload_setting($node, 'dogpile_flip.depends', 'auto');
is_new($node, $sum, $value + 4, 'turned on again', region => 'flip');
query($node, 'UPDATE t SET v = v + 1');
is_new($node, $sum, $value + 5, 'turned on again, changed', region => 'flip');

# For a while there is no region with depends = auto.
is_new($node, $sum_other, 3, 'before no region depends', region => 'flip');
reload_setting($node, "dogpile_$_.depends", 'none')
  foreach qw(auto bypassed ignored flip);
query($node, 'UPDATE other SET v = 10');
reload_setting($node, "dogpile_$_.depends", 'auto')
  foreach qw(auto bypassed ignored flip);
is((ask($node, $sum_other, region => 'flip'))[0],
	20, 'what has changed while no region depended');

# A session that is idle while the setting changes uses the new one.
my $session = $node->background_psql('postgres');

reload_setting($node, 'dogpile_flip.depends', 'none');
$session->query_safe('SELECT 1');
reload_setting($node, 'dogpile_flip.depends', 'auto');
ask($node, $sum, region => 'flip');
is_hit($node, $sum, $value + 5, 'turned on beside a session', region => 'flip');
$session->query_safe('UPDATE t SET v = v + 1');
is_new($node, $sum, $value + 6, 'changed by that session', region => 'flip');
$session->quit;

my $random = 'SELECT random() < 2';

is_refused(
	$node, $random,
	qr/ERROR:  0A000: .*"flip" is not deterministic\nDETAIL:  .*random\(\) is volatile/,
	'throw',
	region => 'flip');
reload_setting($node, 'dogpile_flip.nondeterministic', 'bypass');
my $offset = log_offset($node);

is_computed($node, $random, 'true', 'bypass', region => 'flip') foreach (1, 2);
like(slurp_file($node->logfile, $offset),
	qr/LOG:  .*flip.*\n.*random\(\) is volatile/, 'bypass: the log has the reason');
reload_setting($node, 'dogpile_flip.nondeterministic', 'ignore');
is_new($node, $random, 'true', 'ignore', region => 'flip');
reload_setting($node, 'dogpile_flip.nondeterministic', 'throw');
is_refused(
	$node, $random,
	qr/is not deterministic/,
	'throw again: what was stored meanwhile is not served',
	region => 'flip');

# ---------------------------------------------------------------------------
# Foreign tables.

SKIP:
{
	skip 'file_fdw is not installed', 1
	  if query($node,
		"SELECT count(*) FROM pg_available_extensions WHERE name = 'file_fdw'")
	  == 0;
	my $path = PostgreSQL::Test::Utils::tempdir() . '/foreign.csv';

	append_to_file($path, "1\n2\n");
	query($node, <<"EOT");
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE far (v int) SERVER files OPTIONS (filename '$path', format 'csv');
CREATE TABLE near (v int) PARTITION BY LIST (v);
CREATE TABLE near_1 PARTITION OF near FOR VALUES IN (5);
INSERT INTO near VALUES (5);
EOT
	my $far = 'SELECT sum(v) FROM far';
	my $near = 'SELECT sum(v) FROM near';

	is_refused(
		$node, $far,
		qr/ERROR:  0A000: .*is not deterministic\nDETAIL:  .*"far" is a foreign table/,
		'foreign table');
	is_computed($node, $far, 3, 'foreign table, bypass', region => 'bypassed')
	  foreach (1, 2);
	is_new($node, $far, 3, 'foreign table, ignore', region => 'ignored');
	is_new($node, $near, 5, 'without a foreign partition');
	query($node, 'ALTER TABLE near ATTACH PARTITION far FOR VALUES IN (1, 2)');
	is_refused(
		$node, $near,
		qr/"far" is a foreign table/,
		'with a foreign partition');
}

# ---------------------------------------------------------------------------
# Hot standby: changes are not noticed there.

is_new($node, $sum_two, 0, 'of the primary');
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is_refused(
	$standby, $sum_two,
	qr/ERROR:  0A000: .*cannot determine here what values of cache region .* depend on\nDETAIL:  .*(standby|recovery)/,
	'standby');
is_computed($standby, $sum_two, 0, 'standby, bypass', region => 'bypassed')
  foreach (1, 2);
query($node, 'INSERT INTO two VALUES (1, 4)');
$node->wait_for_catchup($standby);
is_computed($standby, $sum_two, 4, 'standby, bypass, changed',
	region => 'bypassed');
is_new($standby, $sum_two, 4, 'standby, none', region => 'plain');
is_new($standby, $sum_two, 4, 'standby, ignore', region => 'ignored');
query($node, <<'EOT');
INSERT INTO two VALUES (2, 4);
BEGIN;
UPDATE t SET v = v + 1;
PREPARE TRANSACTION 'data';
BEGIN;
REVOKE SELECT ON other FROM regress_reader;
PREPARE TRANSACTION 'revoke';
EOT
$node->wait_for_catchup($standby);
$standby->promote;
is_new($standby, $sum_two, 8, 'promoted');

# What was prepared on the primary is committed here.
$value = query($standby, $sum);
ask($standby, $sum);
is((ask($standby, $sum))[0], $value, 'promoted, prepared');
isnt((ask($standby, $sum_other, role => 'regress_reader'))[0],
	'', 'promoted, REVOKE prepared');
query($standby, "COMMIT PREPARED 'data'");
is_new($standby, $sum, $value + 1, 'promoted, committed');
query($standby, "COMMIT PREPARED 'revoke'");
is_refused(
	$standby, $sum_other,
	qr/permission denied for table other/,
	'promoted, REVOKE committed',
	role => 'regress_reader');
query($standby, 'INSERT INTO two VALUES (3, 4)');
is_new($standby, $sum_two, 12, 'promoted, changed');
is_new($standby, $sum_two, 12, 'promoted, bypass', region => 'bypassed');
check_nothing_is_left($standby, 'standby');
check_log($standby, 'standby');
$standby->stop;

check_nothing_is_left($node, 'primary');
check_log($node, 'primary');
$node->stop;
done_testing();
