# What a restart leaves: nothing in the store, and the settings.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server(
	'main',
	"dogpile.shared_memory = '2MB'",
	"dogpile.regions = 'reports'",
	"dogpile_reports.expiration_time = '5min'",
	"dogpile_reports.max_value_size = '64kB'");

sub count_entries
{
	return $node->safe_psql('postgres',
		'SELECT count(*) FROM dogpile_entries');
}

$node->start;
create_helpers($node);

# ---------------------------------------------------------------------------
# The store is empty after each way to stop, and works.

foreach my $mode ('smart', 'fast', 'immediate')
{
	my $offset;

	$node->safe_psql('postgres', <<'EOT');
SELECT dogpile_set('reports', 'set', 'old');
SELECT dogpile_get_or_create('default', 'created', 'SELECT ''old''');
EOT
	is(count_entries(), 2, "$mode: there are entries");
	$node->stop($mode);
	$node->start;
	is(count_entries(), 0, "$mode: none after the restart");
	is( $node->safe_psql(
			'postgres',
			"SELECT dogpile_get('reports', 'set'), dogpile_exists('default', 'created')"
		),
		'|f',
		"$mode: nothing is found");
	is( $node->safe_psql(
			'postgres',
			'SELECT sum(hits + creations + sets + entries + bytes) FROM dogpile_stats'
		),
		0,
		"$mode: the counters are zero");

	$offset = log_offset($node);
	foreach (1 .. 2)
	{
		is( $node->safe_psql(
				'postgres',
				"SELECT dogpile_get_or_create('default', 'created', 'SELECT ran(''$mode'')')"
			),
			$mode,
			"$mode: values are created");
	}
	is(count_runs($node, $mode, $offset), 1, "$mode: ... once");
}

# ---------------------------------------------------------------------------
# Settings.

is( $node->safe_psql(
		'postgres',
		"SELECT name, setting, unit, context, source FROM pg_settings WHERE name IN ('dogpile.shared_memory', 'dogpile_reports.expiration_time', 'dogpile_reports.max_value_size') ORDER BY 1"
	),
	join("\n",
		'dogpile.shared_memory|2048|kB|postmaster|configuration file',
		'dogpile_reports.expiration_time|300|s|user|configuration file',
		'dogpile_reports.max_value_size|64|kB|sighup|configuration file'),
	'pg_settings shows settings');
is($node->safe_psql('postgres', 'SHOW dogpile_reports.expiration_time'),
	'5min', 'SHOW');

# The size of the store is changed by a restart, and by nothing else.
my $small = measure_capacity($node, 2, 'reports', 'default');

$node->append_conf('postgresql.conf', "dogpile.shared_memory = '4MB'");
$node->reload;
$node->poll_query_until('postgres',
	"SELECT pending_restart FROM pg_settings WHERE name = 'dogpile.shared_memory'"
) or die 'timed out waiting for the reload';
is($node->safe_psql('postgres', 'SHOW dogpile.shared_memory'),
	'2MB', 'reload: the size stays');
$node->restart;
is($node->safe_psql('postgres', 'SHOW dogpile.shared_memory'),
	'4MB', 'restart: the size is the new one');

my $large = measure_capacity($node, 4, 'reports', 'default');

cmp_ok(abs($large / $small - 2), '<', 0.05, 'twice the memory holds twice as much');
check_nothing_is_left($node, 'larger store');

# Out of range: PostgreSQL's own message, and the default.
my $offset = log_offset($node);

$node->append_conf('postgresql.conf', "dogpile.shared_memory = '10kB'");
$node->restart;
is($node->safe_psql('postgres', 'SHOW dogpile.shared_memory'),
	'128MB', 'too small a store: the default is used');
like(
	slurp_file($node->logfile, $offset),
	qr/10 kB is outside the valid range for parameter "dogpile\.shared_memory" \(1024 .. /,
	'too small a store is reported');

# The smallest one that is possible.
$node->append_conf('postgresql.conf', "dogpile.shared_memory = '1MB'");
$node->restart;
is( $node->safe_psql(
		'postgres',
		"SELECT dogpile_set('reports', 'k', 'v'); SELECT dogpile_get('reports', 'k')"
	),
	"\nv",
	'the smallest store works');

$node->stop;
done_testing();
