# A session is killed at each of its steps on the way through a creation or a COMMIT,
# which makes PostgreSQL restart all others.
#
# Afterwards the cache in shared memory is empty; an external store has kept its values,
# but no session may get one that the transaction has invalidated, if it is committed; and
# everything works.
#
# Another commit is in WAL, but not visible, when it happens.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('crashing',
	"dogpile.regions = 'auto, outside'",
	"dogpile_auto.depends = 'auto'",
	"dogpile_outside.backend = 'file'",
	# so long a mark that a crash has left behind is in the way
	"dogpile_outside.grace_time = '1s'",
	'restart_after_crash = on',
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

my $total = 0;
my $ask = "SELECT dogpile_get_or_create('auto', 'total', 'SELECT v FROM total')";

# Kill a session that waits for this, and wait until the server is back.
sub kill_waiting
{
	my ($wait_event) = @_;
	my $query = "FROM pg_stat_activity WHERE wait_event = '$wait_event' AND backend_type = 'client backend'";

	$node->poll_query_until('postgres', "SELECT count(*) = 1 $query")
	  or die "no session waits for $wait_event";
	my $pid = $node->safe_psql('postgres', "SELECT pid $query");
	my $offset = log_offset($node);

	kill 'KILL', $pid;
	wait_for_log_line($node, qr/database system is ready to accept connections/, $offset)
	  or die 'the server does not come back';
	$node->poll_query_until('postgres', 'SELECT true') or die 'no connection';
	return;
}

# What must be true after each crash; whether it was committed.
sub check_after
{
	my ($name, $committed) = @_;

	$total++ if $committed;
	is($node->safe_psql('postgres', "SELECT v FROM total"), $total, "$name: the data");
	is($node->safe_psql('postgres', "SELECT count(*) FROM dogpile_entries WHERE region = 'auto'"),
		0, "$name: shared memory holds nothing");
	isnt($node->safe_psql('postgres', "SELECT dogpile_get('outside', 'key')"),
		'old', "$name: what was invalidated is gone outside")
	  if $committed;
	is($node->safe_psql('postgres', $ask), $total, "$name: a value is created");
	is($node->safe_psql('postgres', "SELECT dogpile_get('auto', 'total')"), $total,
		"$name: and cached");
	$node->poll_query_until('postgres',
		"SELECT dogpile_set('outside', 'key', 'new'::text) IS NULL; SELECT dogpile_get('outside', 'key') = 'new'",
		"f\nt");
	is($node->safe_psql('postgres', "SELECT dogpile_get('outside', 'key')"),
		'new', "$name: the store outside works again");
	check_nothing_is_left($node, $name);
	return;
}

# Run a script in a session that waits at a stop, and kill it there.
sub crash_at
{
	my ($stop, $script) = @_;
	my $gate = $node->background_psql('postgres');

	$gate->query_safe('SELECT pg_advisory_lock(1)');
	$node->safe_psql('postgres',
		"$ask; SELECT dogpile_set('outside', 'key', 'old'::text)");
	my $victim = start_psql($node,
		($stop eq 'recorded' ? '' : "SET dogpile.stops = '$stop=1';\n") . $script);

	kill_waiting($stop eq 'recorded' ? 'SyncRep' : 'advisory');
	finish_psql($victim);
	eval { $gate->quit };
	return;
}

my $change = "INSERT INTO data VALUES (1);\n";
my $invalidate = "SELECT dogpile_invalidate('outside', 'key');\n";

foreach my $stop ('marked', 'visible', 'ticked', 'unmarked')
{
	crash_at($stop, "BEGIN;\n$change${invalidate}COMMIT;\n");
	check_after("commit at $stop", $stop ne 'marked');

	crash_at($stop, "BEGIN;\nSAVEPOINT a;\n$change${invalidate}RELEASE a;\nCOMMIT;\n");
	check_after("commit of a savepoint at $stop", $stop ne 'marked');
}

# What was rolled back is not marked, so it is the rest that is held up.
crash_at('marked', "BEGIN;\nSAVEPOINT a;\n$change${invalidate}ROLLBACK TO a;\n${change}COMMIT;\n");
check_after('commit after a savepoint was rolled back', 0);

foreach my $stop ('marked', 'visible', 'ticked')
{
	$node->safe_psql('postgres', "BEGIN;\n${change}PREPARE TRANSACTION 'one'");
	crash_at($stop, "COMMIT PREPARED 'one';\n");
	my $left = $node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts');

	is($left, $stop eq 'marked' ? 1 : 0, "COMMIT PREPARED at $stop: whether it was committed");
	$total += 1 - $left;
	check_after("COMMIT PREPARED at $stop", 0);
	if ($left)
	{
		$node->safe_psql('postgres', "COMMIT PREPARED 'one'");
		$total++;
		is($node->safe_psql('postgres', $ask), $total, 'COMMIT PREPARED after the crash');
	}
}

# The commit record is there, so the transaction is committed when the server is back.
crash_at('recorded',
	"BEGIN;\n$change${invalidate}SET LOCAL synchronous_commit = on;\nCOMMIT;\n");
check_after('commit in the log, not visible', 1);

foreach my $stop ('noted', 'computed', 'published')
{
	crash_at($stop,
		"SELECT dogpile_invalidate('auto', 'total');\n$ask;\n");
	check_after("creation at $stop", 0);
}

$node->stop;
done_testing();
