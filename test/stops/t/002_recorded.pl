# A commit is in WAL, but not yet visible, since its session waits for a synchronous
# standby that never comes.
#
# No session sees the change, so the value from before it is right, and may be created and
# served.  From the moment when the commit is visible, it must not be.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('recorded',
	"dogpile.regions = 'auto, plain'",
	"dogpile_auto.depends = 'auto'",
	'max_prepared_transactions = 10',
	'wal_level = replica',
	'max_wal_senders = 1',
	"synchronous_standby_names = 'nobody'",
	'synchronous_commit = local');

$node->start;
$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;
CREATE TABLE data (v int);
CREATE VIEW total AS SELECT count(*) AS v FROM data;
EOT

# The cached total, and what the statement itself sees.
my $ask = "SELECT dogpile_get_or_create('auto', 'total', 'SELECT v FROM total'), v FROM total";
my $cached = "SELECT dogpile_get('auto', 'total') IS NOT NULL";
my $key = "SELECT dogpile_get('plain', 'key')";

sub ask { return $node->safe_psql('postgres', $_[0]); }

# Call $meanwhile while a script's last commit is in WAL, then let it go on.
sub hold
{
	my ($script, $meanwhile) = @_;
	my $query = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
	my $session = start_psql($node, $script);

	$node->poll_query_until('postgres', "SELECT count(*) = 1 $query")
	  or die 'no session waits for a standby';
	$meanwhile->();
	ask("SELECT pg_cancel_backend(pid) $query");
	finish_psql($session);
	return;
}

my $on = 'SET LOCAL synchronous_commit = on;';

ask("SELECT dogpile_set('plain', 'key', 'old'::text)");
is(ask($ask), '0|0', 'a value is created');
hold("BEGIN; INSERT INTO data VALUES (1); SELECT dogpile_invalidate('plain', 'key'); $on COMMIT;",
	sub {
		is(ask($ask), '0|0', 'it is served while the change is not visible');
		is(ask($cached), 't', 'it is still cached');
	});
is(ask($ask), '1|1', 'the change is visible');
is(ask($cached), 't', 'the new value is cached');
is(ask($key), '', 'a key that was invalidated is gone');

ask("SELECT dogpile_invalidate('auto')");
hold("BEGIN; INSERT INTO data VALUES (1); $on COMMIT;",
	sub { is(ask($ask), '1|1', 'a value is created while the change is not visible'); });
is(ask($ask), '2|2', 'it is gone when the change is visible');

# Two snapshots, one from before and one that began when the record was there.
my @old = map { $node->background_psql('postgres') } 1 .. 2;
my $begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT v FROM total';

is($old[0]->query_safe($begin), '2', 'a snapshot from before');
hold("BEGIN; INSERT INTO data VALUES (1); $on COMMIT;",
	sub {
		is($old[1]->query_safe($begin), '2', 'a snapshot that does not see the record');
		is($_->query_safe($ask), '2|2', 'the old snapshot gets what it sees') foreach @old;
	});
is(ask($ask), '3|3', 'the change is visible');
is($_->query_safe($ask), '2|2', 'the old snapshot is still given what it sees') foreach @old;
$_->query_safe('COMMIT') foreach @old;
is($_->query_safe($ask), '3|3', 'and then the new value') foreach @old;
$_->quit foreach @old;

hold("BEGIN; INSERT INTO data VALUES (1); SAVEPOINT a; SELECT dogpile_set('plain', 'key', 'x'::text); ROLLBACK TO a; $on COMMIT;",
	sub { is(ask($ask), '3|3', 'with a savepoint that was rolled back'); });
is(ask($ask), '4|4', 'the change is visible');
is(ask($key), '', 'what was rolled back is not set');

ask("BEGIN; INSERT INTO data VALUES (1); PREPARE TRANSACTION 'one'");
hold("SET synchronous_commit = on; COMMIT PREPARED 'one';",
	sub {
		is(ask($ask), '4|4', 'COMMIT PREPARED: the change is not visible');
	});
is(ask($ask), '5|5', 'COMMIT PREPARED: the change is visible');
is(ask($cached), 't', 'the new value is cached');

$node->stop;
done_testing();
