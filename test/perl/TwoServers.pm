# Helpers for tests of several PostgreSQL servers that share a store: killing a server with
# all its processes, stopping processes, and conditions on more than one server.

package TwoServers;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use DogpileTest;

our @EXPORT = qw(
  ask
  count_all_runs
  kill_server
  server_setting
  wait_until
  worker_of
  workers_of
);

# The output of one statement.
sub ask
{
	my ($node, $sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

# Wait until a condition holds that poll_query_until() cannot check.
sub wait_until
{
	my ($condition, $what) = @_;
	my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;

	until ($condition->())
	{
		die "timed out waiting until $what" if time > $deadline;
		sleep 0.05;
	}
	return;
}

# How often ran() was called with this argument, on all servers.
sub count_all_runs
{
	my ($what, @nodes) = @_;
	my $runs = 0;

	$runs += count_runs($_, $what) foreach @nodes;
	return $runs;
}

# Lines of configuration for regions: their names, and the settings of each.
sub server_setting
{
	my %regions = @_;

	return (
		"dogpile.regions = '" . join(', ', sort keys %regions) . "'",
		map {
			my $region = $_;

			map { "dogpile_$region.$_ = '$regions{$region}{$_}'" }
			  sort keys %{ $regions{$region} }
		} sort keys %regions);
}

# What is in a file of a process, or nothing if the process has ended.
sub read_process_file
{
	my ($pid, $name) = @_;

	open my $file, '<', "/proc/$pid/$name" or return '';
	local $/ = undef;
	return <$file> // '';
}

# The processes of a server with matching titles, without the postmaster.  Read from
# /proc, because a minimal machine has no ps.
sub processes_of
{
	my ($node, $title) = @_;
	my $postmaster = postmaster_of($node);
	my @pids;

	foreach my $pid (map { m{(\d+)$} } glob '/proc/[0-9]*')
	{
		my ($parent) = read_process_file($pid, 'stat') =~ /.*\) \S+ (\d+)/s;

		push @pids, $pid
		  if ($parent // 0) == $postmaster && read_process_file($pid, 'cmdline') =~ $title;
	}
	return @pids;
}

sub postmaster_of
{
	my ($node) = @_;

	return (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
}

# The processes that are the extension's worker: one, or none.
sub workers_of
{
	my ($node) = @_;

	return processes_of($node, qr/dogpile worker/);
}

# The process of the extension's worker.
sub worker_of
{
	my ($node) = @_;
	my @pids = workers_of($node);

	die 'there is no worker' if @pids != 1;
	return $pids[0];
}

# Kill a server as a failure of its machine would: none of its processes notices that
# another one has ended, and none runs any further.
sub kill_server
{
	my ($node) = @_;
	my $postmaster = postmaster_of($node);

	kill 'STOP', $postmaster;
	my @pids = processes_of($node, qr/./);

	kill 'STOP', @pids;
	kill 'KILL', @pids;
	$node->kill9;

	# A killed process may take a moment to end and release its memory.
	wait_until(sub { !grep { kill 0, $_ } $postmaster, @pids },
		'all processes of the server are gone');
	return;
}

1;
