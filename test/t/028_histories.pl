# No history shows an impossible order: sessions append to lists in pairs, and read them
# from the cache and directly; see test/perl/Histories.pm.  On one server, with depends =
# auto, with row tags, with tags and with keys; and on two servers that share a store.
#
# This is the short form.  For a long one, set in the environment
#	DOGPILE_HISTORY_SECONDS, DOGPILE_HISTORY_SESSIONS, DOGPILE_HISTORY_SEED
# and for some regions only, DOGPILE_HISTORY_REGIONS, such as 'auto,tags_outside'.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use Histories;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;
use TwoServers;

my $seconds = ($ENV{DOGPILE_HISTORY_SECONDS} // 18) / 6;
my $nsessions = $ENV{DOGPILE_HISTORY_SESSIONS} // 6;
my $seed = $ENV{DOGPILE_HISTORY_SEED} // int rand 1_000_000;
my %wanted = map { $_ => 1 } split /,/,
  $ENV{DOGPILE_HISTORY_REGIONS} // 'auto,rows,tags,keys,tags_outside,keys_outside';
my $redis = start_redis('redis');
my %inside = (expiration_time => '-1', snapshot_reads => 'on');
my %outside = (
	snapshot_reads => 'on',
	backend => 'redis',
	servers => $redis->address,
	connect_timeout => '20s',
	operation_timeout => '20s');
my @lines = (
	server_setting(
		auto => { %inside, depends => 'auto' },
		rows => { %inside, depends => 'auto' },
		tags => {%inside},
		keys => {%inside},
		plain => {%inside},
		tags_outside => {%outside},
		keys_outside => {%outside}),
	"dogpile.shared_memory = '16MB'",
	'max_connections = 60',
	"lock_timeout = '5s'",
	"deadlock_timeout = '100ms'");

sub describe
{
	my ($bad) = @_;

	return join "\n", map { "$_ (" . @{ $bad->{$_} } . "): $bad->{$_}[0]" } sort keys %$bad;
}

# Run sessions, and check their histories.
sub check
{
	my ($name, $primary, @sessions) = @_;
	my $verdict = check_histories($primary,
		run_histories(seconds => $seconds, seed => $seed++, sessions => \@sessions));

	is(describe($verdict->{bad}), '', "$name: no order that cannot be");
	cmp_ok($verdict->{cached}, '>', 200, "$name: many reads were judged");
	cmp_ok($verdict->{appends}, '>', 20, "$name: ... and appends");
	note "$name: $verdict->{reads} reads, $verdict->{cached} of them by the cache; $verdict->{appends} appends";
	return $verdict->{reads};
}

sub begin_anew
{
	my ($node) = @_;

	ask($node, "UPDATE first SET list = '{}'; UPDATE second SET list = '{}'");
	ask($node, "SELECT dogpile_invalidate(r) FROM unnest('{auto,rows,tags,keys,plain,tags_outside,keys_outside}'::text[]) AS r");
	return;
}

note "seed $seed";
my $primary = new_server('primary', @lines);
my $total = 0;

$primary->append_conf('postgresql.conf', "wal_level = replica\nmax_wal_senders = 4");
$primary->append_conf('pg_hba.conf', 'local replication all trust');
$primary->start;
create_helpers($primary);
create_history_schema($primary);
ask($primary, "SELECT dogpile_watch('$_', '$_:{k}', 'rows')") foreach 'first', 'second';

# The checker is able to find errors: no session invalidates anything in this region.
my $verdict = check_histories($primary,
	run_histories(
		seconds => 2,
		seed => $seed,
		sessions => [ map { { node => $primary, region => 'plain' } } 1 .. $nsessions ]));

ok($verdict->{bad}{outdated} && $verdict->{bad}{'went back'},
	'without invalidation, outdated reads and sessions that go back are noticed');
ok($verdict->{bad}{torn}, '... and snapshots that are none');

foreach my $region (grep { $wanted{$_} } 'auto', 'rows', 'tags', 'keys')
{
	begin_anew($primary);
	$total += check($region, $primary,
		map { { node => $primary, region => $region } } 1 .. $nsessions);
}

# Two servers that share a store.
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
foreach my $region (grep { $wanted{$_} } 'tags_outside', 'keys_outside')
{
	begin_anew($primary);
	$primary->wait_for_catchup($standby);
	$total += check($region, $primary,
		(map { { node => $primary, region => $region } } 1 .. $nsessions),
		(map { { node => $standby, region => $region, is_standby => 1 } } 1 .. 2));
}
note "$total reads were checked";

$standby->stop;
$primary->stop;
done_testing();
