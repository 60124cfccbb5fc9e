# A hundred sessions ask for one key, which is created once; and for many keys while
# sessions are cancelled and terminated at random, after which every value is right, and
# no lock or memory is left over or missing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $nsessions = 100;
my $seconds = 15;
my $megabytes = 4;
my @regions = ('exact', 'aging', 'other');

my $node = new_server(
	'main',
	"dogpile.shared_memory = '${megabytes}MB'",
	"dogpile.regions = 'exact, aging, other'",
	"dogpile_aging.expiration_time = '100ms'",
	"dogpile_aging.hard_expiration_factor = 3",
	"deadlock_timeout = '100ms'",
	"log_statement = 'none'",
	'max_connections = 130');

$node->start;
create_helpers($node);

# What a new store holds.
my $capacity = measure_capacity($node, $megabytes, @regions);

# ---------------------------------------------------------------------------
# One key.

# All sessions at once; returns how long each has taken, in seconds, sorted.
sub stampede
{
	my ($name, $sql) = @_;
	my $prefix = PostgreSQL::Test::Utils::tempdir() . "/$name";
	my @latencies;

	append_to_file("$prefix.sql", "$sql;\n");
	$node->command_ok(
		[
			'pgbench', '-n', '-c', $nsessions, '-j', 2, '-t', 1, '-l',
			"--log-prefix=$prefix", '-f', "$prefix.sql", 'postgres'
		],
		"$name: all sessions were given a value");
	foreach my $file (glob "$prefix.[0-9]*")
	{
		push @latencies, map { (split)[2] / 1e6 } split /\n/,
		  slurp_file($file);
	}
	is(scalar(@latencies), $nsessions, "$name: number of sessions");
	@latencies = sort { $a <=> $b } @latencies;
	note sprintf('%s: median %.3f s, longest %.3f s',
		$name, @latencies[ $nsessions / 2, -1 ]);
	return @latencies;
}

# The region's counters since the last reset.
sub counters
{
	my ($columns) = @_;

	return $node->safe_psql('postgres',
		"SELECT $columns FROM dogpile_stats WHERE region = 'exact'");
}

my $creation = 2;
my $get =
  "SELECT dogpile_get_or_create('exact', 'one', 'SELECT ran(''one'', $creation)')";

# Cold: all sessions wait for the creator, and no longer.
my $offset = log_offset($node);

$node->safe_psql('postgres', 'SELECT dogpile_reset_stats()');
my @latencies = stampede('cold', $get);

is(count_runs($node, 'one', $offset), 1, 'cold: the query ran once');
is( counters('creations, waits + hits, stale_hits'),
	join('|', 1, $nsessions - 1, 0),
	'cold: the others have waited');
cmp_ok($latencies[-1], '<', 2 * $creation, 'cold: no session has waited for two');

# Stale: only the creator waits.
$offset = log_offset($node);
$node->safe_psql('postgres',
	"SELECT dogpile_invalidate('exact', 'one', false), dogpile_reset_stats()");
@latencies = stampede('stale', $get);
is(count_runs($node, 'one', $offset), 1, 'stale: the query ran once');
is( counters('creations, waits, stale_hits + hits'),
	join('|', 1, 0, $nsessions - 1),
	'stale: no session has waited');
cmp_ok($latencies[-1], '>=', $creation, 'stale: the creator creates');
cmp_ok($latencies[-2], '<', $creation / 2, 'stale: the others do not wait');
check_nothing_is_left($node, 'stale');

# ---------------------------------------------------------------------------
# Many keys.
#
# "truth" has the current version of each key; a session that changes it invalidates the
# key in the same transaction, so that sessions that ask afterwards must get that version
# or a later one.

$node->safe_psql('postgres', <<'EOT');
CREATE TABLE truth (key int PRIMARY KEY, version int NOT NULL);
INSERT INTO truth SELECT i, 1 FROM generate_series(1, 40) AS i;

CREATE FUNCTION compute(k int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v int;
BEGIN
	SELECT version INTO STRICT v FROM truth WHERE key = k;
	PERFORM pg_sleep(random() * 0.01);
	RETURN make_value(k::text, v, (k * k * k) % 7000);
END $$;

CREATE FUNCTION change(k int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE truth SET version = version + 1 WHERE key = k;
	PERFORM dogpile_invalidate('exact', k::text);
END $$;

-- COMMIT makes changes visible some moments before the cache knows of them, so
-- a value that seems too old gets a second look.
CREATE FUNCTION check_current(k int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	expected int;
	found int;
BEGIN
	SELECT version INTO expected FROM truth WHERE key = k;
	found := check_value(k::text,
		dogpile_get_or_create('exact', k::text, 'SELECT compute($1)', ROW(k)));
	FOR i IN 1 .. 50 LOOP
		EXIT WHEN found >= expected;
		PERFORM pg_sleep(0.1);
		found := check_value(k::text, dogpile_get('exact', k::text));
	END LOOP;
	IF found < expected THEN
		RAISE EXCEPTION 'wrong value for key %: version % instead of %',
			k, found, expected;
	END IF;
END $$;

CREATE PROCEDURE kill_at_random(seconds float8) LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := clock_timestamp();
BEGIN
	WHILE clock_timestamp() < start + seconds * interval '1 second' LOOP
		PERFORM CASE WHEN random() < 0.1 THEN pg_terminate_backend(pid)
				ELSE pg_cancel_backend(pid) END
		FROM (SELECT pid FROM pg_stat_activity
			  WHERE application_name = 'beside' AND state = 'active' AND
				pid <> pg_backend_pid()
			  ORDER BY random() LIMIT 2) AS victims;
		COMMIT;
		PERFORM pg_sleep(0.01);
	END LOOP;
END $$;
EOT

# Some statement, in a transaction of its own.  Statements joined by \; are
# sent together, so that a cancelled BEGIN takes the rest with it.
sub random_statement
{
	my $key = 1 + int(rand() * rand() * 40);
	my $other = 1 + $key % 40;
	my $dice = rand(100);
	my $aging =
	  "check_value('$other', dogpile_get_or_create('aging', '$other', 'SELECT compute($other)', tags => '{t$other}'))";
	my $exact =
	  "check_value('$key', dogpile_get_or_create('exact', '$key', 'SELECT compute(\$1)', ROW($key)))";

	return "SELECT check_current($key);" if $dice < 30;
	return "SELECT $aging;" if $dice < 50;
	return "SELECT $exact;" if $dice < 60;
	return "SELECT change($key);" if $dice < 66;
	return
	  "BEGIN\\; SELECT change($key)\\; SELECT $exact\\; COMMIT;\nROLLBACK;"
	  if $dice < 70;
	return
	  "BEGIN\\; SELECT $exact\\; SAVEPOINT s\\; SELECT change($key)\\; SELECT dogpile_set('exact', '$key', 'undone')\\; ROLLBACK TO s\\; SELECT $exact\\; COMMIT;\nROLLBACK;"
	  if $dice < 74;
	return
	  "BEGIN ISOLATION LEVEL REPEATABLE READ\\; SELECT $exact\\; SELECT $aging\\; COMMIT;\nROLLBACK;"
	  if $dice < 78;
	return "SELECT dogpile_get_or_create('exact', 'fails', 'SELECT 1 / 0 FROM pg_sleep(0.01)');"
	  if $dice < 82;
	return
	  "SELECT dogpile_get_or_create('aging', 'outer$key', 'SELECT dogpile_get_or_create(''aging'', ''outer$other'', ''SELECT 1 FROM pg_sleep(0.01)'')');"
	  if $dice < 86;
	return "SELECT dogpile_invalidate('aging', '$other', " . ('true', 'false')[ rand(2) ] . ');'
	  if $dice < 90;
	return "SELECT dogpile_invalidate_tags('{t$other}');" if $dice < 93;
	return "SELECT dogpile_invalidate('aging');" if $dice < 94;
	return
	  "SELECT dogpile_set('other', '$other', make_value('$other', 1, 1000 * $other * $other), tags => '{t$key}');"
	  if $dice < 97;
	return "SELECT check_value('$other', dogpile_get('other', '$other'));";
}

sub random_session
{
	my @script = map { random_statement() } 1 .. 200;
	my $kind = rand();

	unshift @script, "SET statement_timeout = '50ms';" if $kind < 0.1;
	unshift @script,
	  "SET dogpile_exact.lock_timeout = '5ms'; SET dogpile_aging.lock_timeout = '5ms';"
	  . ' SET dogpile_aging.lock_timeout_action = compute;'
	  if $kind > 0.8;
	return start_psql($node, join("\n", @script, ''));
}

$offset = log_offset($node);
$node->safe_psql('postgres', 'SELECT dogpile_reset_stats()');

my @sessions = map { random_session() } 1 .. $nsessions;
my $killer = start_psql($node, "CALL kill_at_random($seconds);");
my @ended;

while (psql_is_running($killer))
{
	foreach my $session (@sessions)
	{
		next if psql_is_running($session);
		push @ended, $session;
		$session = random_session();
	}
}
finish_psql($killer);
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'beside'"
);
push @ended, @sessions;

# What has happened?  By SQLSTATE.
my %errors;

foreach my $session (@ended)
{
	my (undef, $stderr) = finish_psql($session);

	$errors{$1}++ while $stderr =~ /(?:ERROR|FATAL):  (\w{5}): /g;
	foreach my $line (grep { /XX\d\d\d|wrong value|P0001/ } split /\n/, $stderr)
	{
		diag($line);
	}
}
note join(', ', map { "$_: $errors{$_}" } sort keys %errors);
note $node->safe_psql('postgres',
	'SELECT region, hits, stale_hits, misses, waits, wait_timeouts, creations, failed_creations, refused, evictions FROM dogpile_stats'
);
foreach my $expected (
	[ '57014', 'cancelled' ],
	[ '57P01', 'terminated' ],
	[ '22012', 'failed' ],
	[ '55P03', 'timed out' ])
{
	my ($code, $what) = @$expected;

	cmp_ok(delete $errors{$code} // 0, '>', 20, "load: some have $what");
}

# Deadlocks, serialization failures, and statements after an error.
delete $errors{$_} foreach '40P01', '40001', '25P02';
is_deeply(\%errors, {}, 'load: no other errors');

$node->poll_query_until('postgres',
	"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'beside'"
) or die 'timed out waiting for sessions to end';
check_nothing_is_left($node, 'load');
check_log($node, 'load', $offset);
is( $node->safe_psql(
		'postgres',
		"SELECT bool_and(hits > 0 AND creations > 0 AND waits > 0), sum(stale_hits) > 0, sum(evictions) > 0, sum(refused) > 0 FROM dogpile_stats WHERE region IN ('exact', 'aging')"
	),
	't|t|t|t',
	'load: all of it has happened');

# What is cached now is the truth.
is( $node->safe_psql(
		'postgres',
		"SELECT count(*) FROM truth WHERE check_value(key::text, dogpile_get('exact', key::text)) <> version"
	),
	0,
	'load: every value is current');
cmp_ok(
	$node->safe_psql(
		'postgres',
		"SELECT count(check_value(key::text, dogpile_get('exact', key::text))) FROM truth"
	),
	'>', 0,
	'load: ... and there are some');
is(measure_capacity($node, $megabytes, @regions),
	$capacity, 'load: no memory is missing');
check_nothing_is_left($node, 'end');

$node->stop;
done_testing();
