# The file of a suspicion is written and removed without the lock of their table: at any
# moment another session may add the same suspicion, or settle it.  Whatever the order,
# a region that is suspect has one file, and one that is settled has none.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;
use TwoServers;

my $redis = start_redis('redis');
my $node = new_server('primary',
	server_setting(
		shared => {
			backend => 'redis',
			servers => $redis->address,
			connect_timeout => '200ms',
			operation_timeout => '200ms'
		}));

$node->start;
$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;
CREATE TABLE data (a int);
EOT

my $control = $node->background_psql('postgres');

sub hold	{ $control->query_safe("SELECT pg_advisory_lock($_)") foreach @_; return; }
sub let_go { $control->query_safe("SELECT pg_advisory_unlock($_[0])"); return; }

sub wait_for_stop
{
	my ($lock, $name) = @_;

	$node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objid = $lock")
	  or die "$name: no session waits for $lock";
	return;
}

# Begin a commit that invalidates; it stops where "stops" says.
sub start_commit
{
	my ($stops) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe("SET dogpile.stops = '$stops'") if $stops;
	$session->query_safe("BEGIN; INSERT INTO data VALUES (1); SELECT dogpile_invalidate('shared', 'k')");
	$session->query_until(qr/committing/, "\\echo committing\nCOMMIT;\n\\echo committed\n");
	return $session;
}

sub finish
{
	my ($session) = @_;

	$session->query_until(qr/done/, "\\echo done\n");
	$session->quit;
	return;
}

sub files
{
	my @files = glob $node->data_dir . '/dogpile/*suspect.*';

	return scalar @files;
}

sub set_value
{
	$node->poll_query_until('postgres',
		"SELECT dogpile_set('shared', 'k', 'old'::text); SELECT dogpile_exists('shared', 'k')", "\nt")
	  or die 'the store is not used again';
	return;
}

sub check_settled
{
	my ($name) = @_;

	$redis->resume;
	wait_until(sub { files() == 0 }, "$name: settled, without a file left");
	is(ask($node, "SELECT dogpile_exists('shared', 'k')"), 'f', "$name: the old value is not given");
	return;
}

# Another session adds the same suspicion, and its file is written first.
set_value();
hold(1);
$redis->pause;
my $one = start_commit('doubted=1');
wait_for_stop(1, 'added twice');
is(files(), 0, 'added twice: the first one has not written its file');
my $two = start_commit('');
finish($two);
is(files(), 1, 'added twice: the second one has');
let_go(1);
finish($one);
is(files(), 1, 'added twice: the first one needs none');
check_settled('added twice');

# The suspicion is settled before its file is written.  That it is no longer held by
# then takes a store that fails after the commit only.
set_value();
hold(1, 2);
$one = start_commit('visible=2 doubted=1');
wait_for_stop(2, 'settled before');
$redis->pause;
let_go(2);
wait_for_stop(1, 'settled before');
$redis->resume;
$node->poll_query_until('postgres', "SELECT dogpile_set('shared', 'other', 'x'::text); SELECT dogpile_exists('shared', 'other')", "\nt")
  or die 'the region is not settled';
is(files(), 0, 'settled before: there is no file yet');
let_go(1);
finish($one);
check_settled('settled before');

# Settled and suspect again: the later suspicion has a file of its own.
set_value();
hold(1, 2);
$one = start_commit('visible=2 doubted=1');
wait_for_stop(2, 'settled between');
$redis->pause;
let_go(2);
wait_for_stop(1, 'settled between');
$redis->resume;
set_value();
$redis->pause;
$two = start_commit('');
finish($two);
is(files(), 1, 'settled between: the second suspicion has a file');
let_go(1);
finish($one);
is(files(), 1, 'settled between: ... and keeps it');
$node->stop('immediate');
$node->start;
$control = $node->background_psql('postgres');
is(ask($node, "SELECT dogpile_exists('shared', 'k')"), 'f',
	'settled between: after a crash the old value is not given');
is(files(), 1, 'settled between: the file has been read');
check_settled('settled between');

# A crash before the file is written: the transaction has not committed.
set_value();
hold(1);
$redis->pause;
$one = start_commit('doubted=1');
wait_for_stop(1, 'crash');
my $rows = ask($node, 'SELECT count(*) FROM data');

$node->stop('immediate');
$node->start;
is(ask($node, 'SELECT count(*) FROM data'), $rows, 'crash: the transaction has not committed');
is(files(), 0, 'crash: there is no file');
$redis->resume;

# Files of several processes that were cut off, one without a number, and two of a region.
$node->stop;
my $folder = $node->data_dir . '/dogpile';

mkdir $folder unless -d $folder;
append_to_file("$folder/new.suspect.0123456789abcdef.77", "shared\n{dog");
append_to_file("$folder/suspect.0123456789abcdef", "lost\n{lost}!version\n");
append_to_file("$folder/suspect.fedcba9876543210.9", "gone\n{gone}!version\n");
append_to_file("$folder/suspect.fedcba9876543210.4", "gone\n{gone}!version\n");
$node->start;
my @names = map { s{.*/}{}r } glob "$folder/*suspect*";

is(scalar(grep { /^new/ } @names), 0, 'start: what was cut off is removed');
is(scalar(@names), 2, 'start: one file for each region') or diag("@names");
$node->stop;

done_testing();
