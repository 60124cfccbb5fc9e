# Two transactions have a mark in place of the same token in a store.  What one of them has
# computed has not seen what the other one has changed, so it must not be stored under the
# token that follows, whichever leaves first.  And for standbys that are behind, that token
# is from after the later of their commits.

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
	server_setting(shared => { backend => 'redis', servers => $redis->address }));

$node->start;
$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;
CREATE TABLE data (k int PRIMARY KEY, v int);
INSERT INTO data VALUES (1, 0), (2, 0);
EOT

my $control = $node->background_psql('postgres');

# A session that changes a row, invalidates the total, computes it, and is about to commit.
sub start_writer
{
	my ($row, $stops, $kind) = @_;
	my $invalidate = sprintf "SELECT dogpile_invalidate('shared', 'total'%s)",
	  $kind ? ", $kind" : '';
	my $session = $node->background_psql('postgres');

	$session->query_safe("SET application_name = 'writer $row'");
	$session->query_safe("SET dogpile.stops = '$stops'") if $stops;
	$session->query_safe(<<"EOT");
BEGIN;
UPDATE data SET v = v + 1 WHERE k = $row;
$invalidate;
SELECT dogpile_get_or_create('shared', 'total', 'SELECT sum(v)::int FROM data');
EOT
	return $session;
}

# Let it commit, and go as far as its next stop.
sub commit
{
	my ($session, $row) = @_;

	$session->query_until(qr/committing/, "\\echo committing\nCOMMIT;\n\\echo committed\n");
	wait_for_stop($row);
	return;
}

sub wait_for_stop
{
	my ($row) = @_;

	$node->poll_query_until('postgres',
		"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE application_name = 'writer $row'")
	  or die "writer $row does not wait";
	return;
}

sub hold	{ $control->query_safe("SELECT pg_advisory_lock($_)") foreach @_; return; }
sub let_go { $control->query_safe("SELECT pg_advisory_unlock($_[0])"); return; }

# Wait until it has committed.
sub finish
{
	my ($session) = @_;

	$session->query_until(qr/done/, "\\echo done\n");
	$session->quit;
	return;
}

sub check_total
{
	my ($name) = @_;
	my $total = ask($node, 'SELECT sum(v) FROM data');

	is(ask($node, "SELECT coalesce(dogpile_get('shared', 'total'), '$total')"), $total,
		"$name: nothing outdated is stored");
	is(ask($node, "SELECT dogpile_get_or_create('shared', 'total', 'SELECT sum(v)::int FROM data')"),
		$total, "$name: a value is created");
	is(ask($node, "SELECT dogpile_get('shared', 'total')"), $total, "$name: ... and stored");
	return;
}

# Alone, its value is stored.
my $one = start_writer(1, '');

$one->query_safe('COMMIT');
$one->quit;
is(ask($node, "SELECT dogpile_get('shared', 'total')"), 1, 'alone: what it has computed is stored');
check_total('alone');

# The second one joins the mark and leaves it while the first one is held up.
hold(1);
$one = start_writer(1, 'unmarked=1');
my $two = start_writer(2, '');

commit($one, 1);
$two->query_safe('COMMIT');
$two->quit;
let_go(1);
finish($one);
check_total('the second one leaves first');

# The first one leaves while the second one, which has joined, is held up.
hold(1, 2);
$one = start_writer(1, 'unmarked=1');
$two = start_writer(2, 'unmarked=2');
commit($one, 1);
commit($two, 2);
let_go(1);
finish($one);
let_go(2);
finish($two);
check_total('the first one leaves first');

# How far a standby must have replayed to store a value.
sub position_of_token
{
	my ($version) = grep { /total/ && /version/ } split /\n/, $redis->cli('keys', '*');
	my ($high, $low) = $redis->cli('get', $version) =~ /@([0-9A-F]{8})([0-9A-F]{8})/;

	return "$high/$low";
}

sub check_position
{
	my ($least, $name) = @_;

	cmp_ok(ask($node, "SELECT pg_wal_lsn_diff('" . position_of_token() . "', '$least')"),
		'>=', 0, "$name: the token is from after the later commit");
	return;
}

# The second one commits after the first one has found that it cannot leave alone.
hold(1, 2, 3);
$one = start_writer(1, 'unmarked=1 leaving=3');
$two = start_writer(2, 'marked=2');
commit($one, 1);
commit($two, 2);
let_go(1);
$node->poll_query_until('postgres', <<'EOT') or die 'the first one does not leave';
SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objid = 3
EOT
let_go(2);
finish($two);
my $position = ask($node, 'SELECT pg_current_wal_lsn()');

let_go(3);
finish($one);
check_position($position, 'the second one commits last');
check_total('the second one commits last');

# A soft invalidation has no mark: both read the token, and the one that has committed
# before replaces it first.
hold(1, 2);
$two = start_writer(2, 'softening=2', 'false');
commit($two, 2);
$one = start_writer(1, 'softening=1', 'false');
commit($one, 1);
$position = ask($node, 'SELECT pg_current_wal_lsn()');
let_go(2);
finish($two);
let_go(1);
finish($one);
check_position($position, 'soft');

$control->quit;
check_log($node, 'joint marks');
done_testing();
