# Values that are too large for each of the limits: a session that sets one gets a message
# that names the limit, those that are created are logged once, and all are counted.  And
# a region in memcached can be flushed although memcached lists no names.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;
use TwoServers;

my $memcached = start_memcached('memcached');
my $down = start_memcached('down');
my $redis = start_redis('redis', 'proto-max-bulk-len' => 1024 * 1024);
my %common = (operation_timeout => '5s', max_value_size => '100MB');
my $node = new_server(
	'main',
	"dogpile.shared_memory = '4MB'",
	server_setting(
		memcached => { %common, backend => 'memcached', servers => $memcached->address },
		down => { backend => 'memcached', servers => $down->address },
		redis => { %common, backend => 'redis', servers => $redis->address },
		file => { %common, backend => 'file', max_total_size => '1MB' },
		memory => { max_value_size => '100MB' },
		limited => { max_value_size => '100kB' }));

$node->start;
create_helpers($node);

sub too_large
{
	return ask($node, "SELECT too_large FROM dogpile_stats WHERE region = '$_[0]'");
}

# What psql prints about a statement besides its result.
sub messages
{
	my ($sql) = @_;
	my ($stdout, $stderr);

	$node->psql('postgres', $sql, stdout => \$stdout, stderr => \$stderr);
	return $stderr;
}

# A text that does not compress.
my $large = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 50000) AS i)";

# Each region, and what its limit is called.
my %limits = (
	memcached => qr/the backend "memcached" does not take its 16\d+ bytes.*larger limit for items \(its option -I\)/s,
	redis => qr/the backend "redis" does not take its 16\d+ bytes.*"proto-max-bulk-len"/s,
	file => qr/the backend "file" does not take its 16\d+ bytes.*"max_total_size"/s,
	memory => qr/it has 16\d+ bytes.*"dogpile\.shared_memory"/s,
	limited => qr/the limit is 100 kB.*"dogpile_limited\.max_value_size"/s);

foreach my $region (sort keys %limits)
{
	my $set = "SELECT dogpile_set('$region', 'k', $large)";
	my $offset = log_offset($node);

	ask($node, "SELECT dogpile_set('$region', 'k', 'old'::text)");
	foreach my $sql ($set, "BEGIN; $set; COMMIT", $set)
	{
		like(messages($sql), qr/WARNING:  value is too large for .*"$region".*$limits{$region}/s,
			"$region: setting what is too large warns");
	}
	is(ask($node, "SELECT dogpile_exists('$region', 'k')"), 'f', "$region: ... and removes the old value");
	is(too_large($region), 3, "$region: ... and is counted");

	$offset = log_offset($node);
	foreach my $i (1 .. 3)
	{
		is( ask($node, "SELECT length(dogpile_get_or_create('$region', 'k$i', \$\$ SELECT $large \$\$))"),
			32 * 50000, "$region: what is created and too large is returned");
	}
	my $log = slurp_file($node->logfile, $offset);
	my @lines = $log =~ /LOG:  value is too large for .*"$region"/g;

	is(scalar @lines, 1, "$region: ... the log tells it once");
	like($log, $limits{$region}, "$region: ... and which limit it is");
	is(too_large($region), 6, "$region: ... and all are counted");

	# By a transaction that has written, it is published at COMMIT.
	ask($node, "BEGIN; SELECT txid_current(); SELECT length(dogpile_get_or_create('$region', 'deferred', \$\$ SELECT $large \$\$)); COMMIT");
	is(too_large($region), 7, "$region: ... at COMMIT, too");
	is(ask($node, "SELECT dogpile_set('$region', 'k', 'small'::text); SELECT dogpile_get('$region', 'k')"),
		"\nsmall", "$region: what is small is stored");
}
is(ask($node, "SELECT sum(failures) FROM dogpile_servers WHERE backend <> 'file'"),
	0, 'none of this is a failure of a server');

# ---------------------------------------------------------------------------
# Flushing

ask($node, "SELECT dogpile_set('memcached', 'f', 1); SELECT dogpile_set('redis', 'f', 1)");
like(messages("SELECT dogpile_flush('memcached')"),
	qr/NOTICE:  values of cache region "memcached" were invalidated but not deleted\nDETAIL:  Backend "memcached" cannot list/,
	'memcached: a flush says that it cannot list names');
is(ask($node, "SELECT dogpile_exists('memcached', 'f')"), 'f', 'memcached: ... and invalidates');
is(messages("SELECT dogpile_flush('redis')"), '', 'redis: a flush deletes');
is(ask($node, "SELECT dogpile_exists('redis', 'f')"), 'f', 'redis: ... and invalidates');
is(ask($node, "SELECT sum(failures) FROM dogpile_servers WHERE backend <> 'file'"),
	0, 'that is no failure of a server, either');

# It is part of the transaction, and does not need the store.
ask($node, "SELECT dogpile_set('memcached', 'f', 1); BEGIN; SELECT dogpile_flush('memcached'); ROLLBACK");
is(ask($node, "SELECT dogpile_exists('memcached', 'f')"), 't', 'ROLLBACK undoes a flush');
ask($node, "SELECT dogpile_set('down', 'f', 1)");
$down->pause;
unlike(messages("SELECT dogpile_flush('down')"), qr/ERROR/, 'a flush works while the store is down');
$down->resume;
wait_until(sub { ask($node, "SELECT dogpile_set('down', 'g', 1); SELECT dogpile_exists('down', 'g')") =~ /t/ },
	'the store is used again');
is(ask($node, "SELECT dogpile_exists('down', 'f')"), 'f', '... and takes effect');

unlike(slurp_file($node->logfile), qr/PANIC: |TRAP: |terminated by signal/,
	'the log tells of nothing that has gone wrong');
$node->stop;
done_testing();
