# Imported snapshots, which are older than the transaction that uses them.

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
	"dogpile.regions = 'auto, tagged'",
	"dogpile_auto.depends = 'auto'",
	'autovacuum = off');

$node->start;
$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;
CREATE TABLE t (value text);
INSERT INTO t VALUES ('old');
EOT

sub ask
{
	my ($region, $key) = @_;

	return
	  "SELECT dogpile_get_or_create('$region', '$key', 'SELECT value FROM t', tags => ARRAY['t'])";
}

# What is asked for is watched.
$node->safe_psql('postgres', ask($_, 'known')) foreach 'auto', 'tagged';

my $exporter = $node->background_psql('postgres');
my $importer = $node->background_psql('postgres');

$exporter->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $snapshot = $exporter->query_safe('SELECT pg_export_snapshot()');

$node->safe_psql('postgres',
	q{BEGIN; UPDATE t SET value = 'new'; SELECT dogpile_invalidate_tags(ARRAY['t']); COMMIT});
foreach my $region ('auto', 'tagged')
{
	is($node->safe_psql('postgres', ask($region, 'known')), 'new', "$region: all others");

	# The clock that is noted at BEGIN is not that of the snapshot which comes after.
	$importer->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$importer->query_safe("SET TRANSACTION SNAPSHOT '$snapshot'");
	is($importer->query_safe('SELECT value FROM t'), 'old', "$region: the snapshot");
	is($importer->query_safe(ask($region, 'known')),
		'old', "$region: is not given what is newer");
	is($importer->query_safe(ask($region, 'own')), 'old', "$region: computes for itself");
	$importer->query_safe('COMMIT');
	is($node->safe_psql('postgres', ask($region, 'own')),
		'new', "$region: and not for others");

	# Without an import, it is served.
	$importer->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
	is($importer->query_safe(ask($region, 'known')), 'new', "$region: a new snapshot");
	$importer->query_safe('COMMIT');
}
is( $node->safe_psql(
		'postgres', q{SELECT hits >= 1 FROM dogpile_stats WHERE region = 'auto'}),
	't',
	'which was served');
$_->quit foreach $exporter, $importer;
check_log($node, 'snapshots');
$node->stop;

done_testing();
