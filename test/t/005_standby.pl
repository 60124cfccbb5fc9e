# A hot standby has a cache of its own; a read-only transaction on the primary uses the
# cache of the primary.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');

$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', <<'EOT');
shared_preload_libraries = 'dogpile'
dogpile.shared_memory = '2MB'
dogpile.regions = 'reports'
EOT
$primary->start;
create_helpers($primary);
$primary->safe_psql('postgres', <<'EOT');
CREATE TABLE t (a int);
INSERT INTO t VALUES (1), (2);
CREATE FUNCTION writes() RETURNS int LANGUAGE sql
AS 'INSERT INTO t VALUES (3) RETURNING a';
SELECT dogpile_set('reports', 'of the primary', 'x');
EOT
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

# The output of a script, and its errors.
sub run
{
	my ($node, $script) = @_;
	my ($stdout, $stderr);

	$node->psql(
		'postgres', $script,
		stdout => \$stdout,
		stderr => \$stderr,
		on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($stdout, $stderr);
}

# What is possible without writing: on the standby, and in read-only transactions on the
# primary.
sub check_read_only
{
	my ($name, $node, $begin, $commit) = @_;
	my $offset = log_offset($node);
	my ($stdout, $stderr);

	foreach (1 .. 2)
	{
		is( $node->safe_psql(
				'postgres',
				"$begin SELECT dogpile_get_or_create('reports', 'created', 'SELECT ran(''$name'')') $commit"
			),
			$name,
			"$name: get_or_create");
	}
	is(count_runs($node, $name, $offset), 1, "$name: the query ran once");
	is( $node->safe_psql(
			'postgres',
			"$begin SELECT * FROM dogpile_query('reports', 'rows', 'SELECT a FROM t WHERE a < 3 ORDER BY a') AS t(a int) $commit"
		),
		"1\n2",
		"$name: query");

	$node->safe_psql('postgres',
		"$begin SELECT dogpile_set('reports', 'set', 'value', tags => '{t}'); SELECT dogpile_add('reports', 'added', 'value') $commit"
	);
	is( $node->safe_psql(
			'postgres',
			"SELECT dogpile_get('reports', 'set'), dogpile_get('reports', 'added')"
		),
		'value|value',
		"$name: set and add");
	$node->safe_psql('postgres',
		"$begin SELECT dogpile_invalidate_tags('{t}'); SELECT dogpile_delete('reports', 'added') $commit"
	);
	is( $node->safe_psql(
			'postgres',
			"SELECT dogpile_exists('reports', 'set'), dogpile_exists('reports', 'added')"
		),
		'f|f',
		"$name: invalidate and delete");
	$node->safe_psql('postgres',
		"$begin SELECT dogpile_invalidate('reports', 'created') $commit");
	is($node->safe_psql('postgres', "SELECT dogpile_exists('reports', 'created')"),
		'f', "$name: invalidate");

	# A query that writes is refused, and nothing is stored.
	($stdout, $stderr) = run($node,
		"$begin SELECT dogpile_get_or_create('reports', 'writes', 'SELECT writes()') $commit"
	);
	like(
		$stderr,
		qr/ERROR:  25006: cannot execute INSERT in a read-only transaction/,
		"$name: a query that writes is refused");
	is($node->safe_psql('postgres', "SELECT dogpile_exists('reports', 'writes')"),
		'f', "$name: ... and leaves nothing");
	return;
}

# ---------------------------------------------------------------------------
# Hot standby.

is( $standby->safe_psql(
		'postgres',
		"SELECT pg_is_in_recovery(), dogpile_exists('reports', 'of the primary')"
	),
	't|f',
	'standby: the store is its own');
check_read_only('standby', $standby, '', '');
is( $standby->safe_psql(
		'postgres',
		"SELECT hits > 0, creations, sets, entries > 0 FROM dogpile_stats WHERE region = 'reports'"
	),
	't|2|2|t',
	'standby: statistics');
is( $primary->safe_psql(
		'postgres',
		"SELECT hits, creations, sets, entries FROM dogpile_stats WHERE region = 'reports'"
	),
	'0|0|1|1',
	'standby: the primary has no part in that');

# One creator on the standby, too, also in a transaction that keeps its snapshot.
foreach my $level ('read committed', 'repeatable read')
{
	my $offset = log_offset($standby);
	my $script =
	  "BEGIN ISOLATION LEVEL $level; SELECT dogpile_get_or_create('reports', '$level', 'SELECT ran(''$level'', 2)'); COMMIT;";
	my @sessions = map { start_psql($standby, $script) } 1 .. 10;

	foreach my $session (@sessions)
	{
		my ($stdout, $stderr) = finish_psql($session);

		is("$stdout$stderr", "$level\n", "standby, $level: value");
	}
	is(count_runs($standby, $level, $offset),
		1, "standby, $level: ten sessions, one creation");
}

# ---------------------------------------------------------------------------
# Read-only transactions of the primary.

check_read_only('read only', $primary, 'BEGIN READ ONLY;', '; COMMIT;');
check_read_only('read only, serializable',
	$primary, 'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;', '; COMMIT;');
is( $primary->safe_psql(
		'postgres',
		"BEGIN READ ONLY; SELECT dogpile_set('reports', 'undone', 'x'); ROLLBACK; SELECT dogpile_exists('reports', 'undone')"
	),
	"\nf",
	'read only: ROLLBACK undoes');

# A waiter in a read-write transaction takes over from a creator in a read-only one.
my $offset = log_offset($primary);
my $query =
  "SELECT dogpile_get_or_create('reports', 'mixed', 'SELECT writes() FROM (SELECT ran(''mixed'', 2)) AS r(x) WHERE x IS NOT NULL')";
my $reader = start_psql($primary, "BEGIN READ ONLY; $query;");

wait_for_creator($primary);
my $writer = start_psql($primary, "$query;");

wait_for_waiters($primary, 1);
my (undef, $error) = finish_psql($reader);
my ($value) = finish_psql($writer);

like($error, qr/25006/, 'read only: the creator fails');
is($value, "3\n", 'read only: the waiter does not');
is(count_runs($primary, 'mixed', $offset), 2, 'read only: both have tried');

# ---------------------------------------------------------------------------
# Promotion: what was cached stays, and everything works as on a primary.

$primary->wait_for_catchup($standby);
$standby->safe_psql('postgres',
	"SELECT dogpile_set('reports', 'kept', 'value')");
$standby->promote;
is( $standby->safe_psql(
		'postgres',
		"SELECT pg_is_in_recovery(), dogpile_get('reports', 'kept')"),
	'f|value',
	'promoted: values are kept');
is( $standby->safe_psql(
		'postgres',
		"SELECT dogpile_get_or_create('reports', 'writes', 'SELECT writes()')"
	),
	3,
	'promoted: queries may write');
is( $standby->safe_psql(
		'postgres',
		"BEGIN; DELETE FROM t; SELECT dogpile_invalidate('reports', 'writes'); SELECT dogpile_get_or_create('reports', 'count', 'SELECT count(*) FROM t'); COMMIT; SELECT dogpile_get('reports', 'count'), dogpile_exists('reports', 'writes')"
	),
	"t\n0\n0|f",
	'promoted: changes take effect at COMMIT');
check_nothing_is_left($standby, 'promoted');
check_log($standby, 'standby');
check_log($primary, 'primary');

$standby->stop;
$primary->stop;
done_testing();
