# How the background worker ends, and that it is started again: when the server shuts
# down, it ends without a FATAL message, whatever it is doing.

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

# Several, so that waiting for each in turn takes longer than pg_ctl waits.
my @silent = map { start_silence("silent$_") } 1 .. 4;
my $node = new_server(
	'main',
	'restart_after_crash = on',
	server_setting(
		map {
			("outside$_" => {
				backend => 'redis',
				servers => $silent[$_]->address,
				operation_timeout => '250ms'
			})
		} 0 .. $#silent));

# Wait for a worker that is another one than before.
sub wait_for_worker
{
	my ($before) = @_;
	my @pids;

	wait_until(
		sub {
			@pids = grep { $_ != $before } workers_of($node);
			return @pids == 1;
		},
		'there is a new worker');
	return $pids[0];
}

# The worker that was there has ended without an error.
sub check_end
{
	my ($name, $worker, $offset) = @_;
	my $log = slurp_file($node->logfile, $offset);

	unlike($log, qr/ \[$worker\] .*(FATAL|ERROR|PANIC|WARNING)/, "$name: the worker raises nothing");
	unlike($log, qr/FATAL:  terminating background worker/, "$name: nor does it in other words");
	like($log, qr/background worker "dogpile worker" \(PID $worker\) exited with exit code 1/,
		"$name: it has ended by itself");
	return;
}

# --------------------------------------------------------------------
# The worker sleeps.

$node->start;
create_helpers($node);
foreach my $mode ('smart', 'fast', 'restart')
{
	my $worker = wait_for_worker(0);
	my $offset = log_offset($node);

	if ($mode eq 'restart')
	{
		$node->restart;
	}
	else
	{
		$node->stop($mode);
		$node->start;
	}
	check_end($mode, $worker, $offset);
}

# --------------------------------------------------------------------
# It waits for a server that does not answer.

my @regions = map { "outside$_" } 0 .. $#silent;

$node->safe_psql('postgres', join '', map { "SELECT dogpile_invalidate('$_');" } @regions);
$node->stop('immediate');
$node->append_conf('postgresql.conf', "dogpile_$_.operation_timeout = '60s'") foreach @regions;

foreach my $mode ('smart', 'fast')
{
	my @accepted = map { $_->count_accepted } @silent;

	# Suspicions are kept, so the first to ask these servers is the worker.
	$node->start;
	wait_until(
		sub { grep { $silent[$_]->count_accepted > $accepted[$_] } 0 .. $#silent },
		'the worker asks a server');
	my $worker = worker_of($node);
	my $offset = log_offset($node);

	$node->stop($mode);
	check_end("$mode, waiting", $worker, $offset);
}

# --------------------------------------------------------------------
# It is terminated, and it ends with all other processes in a crash.

$node->append_conf('postgresql.conf', "dogpile_$_.servers = ''") foreach @regions;
$node->start;

my $worker = wait_for_worker(0);
my $offset = log_offset($node);

kill 'TERM', $worker;
my $next = wait_for_worker($worker);
check_end('terminated', $worker, $offset);

my $session = start_psql($node, 'SELECT pg_sleep(1000);');
$node->poll_query_until('postgres',
	"SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(1000)%' AND application_name = 'beside'")
  or die 'timed out waiting for the session';
kill 'KILL',
  $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'beside'");
finish_psql($session);
isnt(wait_for_worker($next), $next, 'after a crash there is a worker again');

$node->stop;
done_testing();
