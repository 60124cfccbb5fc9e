# A randomised consistency campaign: many sessions read through the cache and write,
# while others are cancelled and terminated, and each read is compared with what the
# transaction sees itself.  A seed determines what they do, but not when.
#
#	my $node = campaign_server('main');
#	my $result = run_campaign($node, region => 'auto', seed => 42, seconds => 20);
#
# CampaignSchema.pm defines what is read, written and compared.

package Campaign;

use strict;
use warnings;

use Exporter 'import';
use File::Spec;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use CampaignSchema;
use DogpileTest;

our @EXPORT = qw(
  campaign_server
  run_campaign
);

my @writes = campaign_writes();
my @together = grep { !$_->{alone} } @writes;
my @isolations = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');

# Errors that are expected: other sessions were first, or have interfered.
my $harmless = join '|',
  '40001: ', '40P01: ', '55P03: ',	# serialization, deadlock, lock timeout
  '57014: ', '57P01: ',				# cancelled, terminated
  '25P02: ', '3B001: ',				# what follows an error
  '23503: ', '23505: ',				# a row to refer to has gone, two were first
  # the partition is attached or is not, or a detachment was cancelled
  '42P01: relation "parts_9" is not a partition',
  '42809: "parts_9" is already a partition',
  '55000: partition "parts_9" already pending detach',
  '55000: cannot detach partition',
  '55000: cannot complete detaching partition',
  '55000: cannot (?:ALTER TABLE|TRUNCATE|REFRESH).*because it (?:is being used|has pending)',
  '55000: tuple to be locked was already moved',
  '55006: ',
  # another session has ended what was prepared
  '42704: prepared transaction with identifier',
  '55000: prepared transaction with identifier',
  'cannot PREPARE a transaction that has changed cache entries',
  'cannot PREPARE a transaction that has operated on temporary objects',
  # PostgreSQL's own races of DDL
  '42703: column "extra\w*" does not exist',
  '22004: query string argument of EXECUTE is null',
  'XX000: tuple concurrently (?:updated|deleted)',
  'XX000: could not open relation with OID',
  'XX000: cache lookup failed for relation';

# ---------------------------------------------------------------------------
# The server

# A server for campaigns, started, with all that they need.
#
# The region "auto" must never be outdated.  "plain" may be: it does not know what its
# entries depend on, and shows that outdated values would be noticed.
sub campaign_server
{
	my ($name, @lines) = @_;
	my $node = new_server(
		$name,
		"dogpile.shared_memory = '4MB'",
		"dogpile.regions = 'auto, plain, nothing'",
		"dogpile_nothing.backend = 'null'",
		"dogpile_auto.depends = 'auto'",
		"dogpile_auto.expiration_time = -1",
		"dogpile_auto.verify_fraction = 0.05",
		"dogpile_plain.expiration_time = -1",
		'max_connections = 150',
		'max_prepared_transactions = 100',
		'synchronous_commit = off',
		"deadlock_timeout = '50ms'",
		"lock_timeout = '2s'",
		"statement_timeout = '20s'",
		"log_line_prefix = '%m [%p] %e: '",
		'log_statement = none',
		'log_min_error_statement = panic',
		@lines);

	$node->start;
	create_campaign_schema($node);
	return $node;
}

# ---------------------------------------------------------------------------
# What a session does
#
# Each function returns psql's input.  \echo tells the test how it ended:
#	w NAME true|false		a write, and whether it has failed
#	x POINT true|false		a point of the transaction
#	d N true|false			so many reads that tell nothing themselves

my $folder;			# of files for COPY
my $nprepared = 0;

sub choose { return $_[ rand @_ ]; }

sub choose_weighted
{
	my $dice = 0;

	$dice += $_->{weight} foreach @_;
	$dice = rand $dice;
	foreach (@_)
	{
		$dice -= $_->{weight};
		return $_ if $dice < 0;
	}
	return $_[-1];
}

sub reads
{
	my ($n) = @_;
	my $read = sprintf 'SELECT read_many(%.6f, %d', rand(), 1 + rand $n;

	return "SET ROLE ordinary;\n$read, 'guarded');\nRESET ROLE;\n"
	  if rand() < 0.05;
	return "$read);\n";
}

sub write_one
{
	my $write = choose_weighted(@_);
	my %facts = (
		folder => $folder,
		column => '{k}',
		k => 1 + int rand campaign_keys(),
		p => int rand 3,
		n => 1 + int rand 5);
	my $sql = $write->{sql} =~ s/\{(\w+)\}/$facts{$1}/gr;

	return "$sql;\n\\echo w $write->{name} :ERROR\n";
}

sub write_alone
{
	return write_one(@writes) . "\\echo x alone false\n";
}

# A snapshot, and what is not changed by it.
sub read_only
{
	my $script = 'BEGIN ISOLATION LEVEL ' . choose(@isolations) . " READ ONLY;\n";

	foreach (0 .. rand 4)
	{
		$script .= reads(10);
		$script .= sprintf "SELECT pg_sleep(%.4f);\n", rand 0.03 if rand() < 0.3;
	}
	return "${script}COMMIT;\n";
}

# How a transaction ends.
sub ending
{
	my ($slot) = @_;
	my $dice = rand;
	my $name = "campaign_${slot}_" . $nprepared++;

	return "COMMIT;\n\\echo x end :ERROR\n" if $dice < 0.75;
	return "ROLLBACK;\n\\echo x end :ERROR\n" if $dice < 0.87;
	return "PREPARE TRANSACTION '$name';\n"
	  . (rand() < 0.8 ? reads(10) : '')
	  . (rand() < 0.8 ? 'COMMIT' : 'ROLLBACK')
	  . " PREPARED '$name';\n\\echo x end :ERROR\n";
}

sub savepoint { return "SAVEPOINT s;\n\\echo x savepoint :ERROR\n"; }
sub go_back	  { return "ROLLBACK TO s;\n\\echo x back :ERROR\n"; }

# Reads and writes in any order, with savepoints.
sub read_and_write
{
	my ($slot) = @_;
	my $script = 'BEGIN ISOLATION LEVEL ' . choose(@isolations) . ";\n";
	my $nsavepoints = 0;

	foreach (0 .. 1 + rand 6)
	{
		my $dice = rand;

		if ($dice < 0.45)
		{
			$script .= reads(8);
		}
		elsif ($dice < 0.85)
		{
			$script .= write_one(@together);
		}
		elsif ($nsavepoints == 0 || $dice < 0.93)
		{
			$script .= savepoint();
			$nsavepoints++;
		}
		else
		{
			$script .= go_back();
		}
	}
	return $script . ending($slot);
}

# A meeting at one row.
sub duel
{
	my ($slot) = @_;
	my $dice = rand;
	my $k = 1;

	return "CALL duel_write($k, 150);\n\\echo w duel :ERROR\n\\echo x alone false\n"
	  if $dice < 0.3;
	return join '', map { prepared_duel($slot, $k) } 1 .. 10 if $dice < 0.5;
	return sprintf "CALL duel_read(%d, 200, '%s');\n\\echo d 200 :ERROR\n",
	  $k, choose('read committed', 'repeatable read');
}

sub prepared_duel
{
	my ($slot, $k) = @_;
	my $name = "campaign_${slot}_" . $nprepared++;

	return <<"EOT";
SELECT get_counter($k);
BEGIN;
UPDATE counters SET stamp = nextval('stamps') WHERE k = $k;
\\echo w duel_prepared :ERROR
PREPARE TRANSACTION '$name';
COMMIT PREPARED '$name';
\\echo x end :ERROR
EOT
}

# About a second of all this.
sub make_script
{
	my ($slot) = @_;
	my $script = '';

	foreach (1 .. 60)
	{
		my $dice = rand;

		$script .=
			$dice < 0.35 ? reads(30)
		  : $dice < 0.45 ? read_only()
		  : $dice < 0.60 ? write_alone()
		  : $dice < 0.90 ? read_and_write($slot)
		  :				   duel($slot);
	}
	return $script;
}

# ---------------------------------------------------------------------------
# Sessions

# Let a session begin with a new script.  That in slot 0 disturbs the others.
sub start_session
{
	my ($campaign, $session) = @_;
	my $slot = $session->{slot};
	my $base = "$folder/session$slot";

	# The same whatever the other sessions do.
	srand($campaign->{seed} * 1_000_003 + $slot * 1009 + $session->{round}++);
	$nprepared = $session->{round} * 1000;
	open my $file, '>', "$base.sql" or die "$base.sql: $!";
	print $file $slot ? make_script($slot) : make_disturbance($campaign);
	close $file;
	$session->{out} = "$base.out";
	$session->{run} = IPC::Run::start(
		[
			'psql', '-XAt', '-v', 'ON_ERROR_STOP=0',
			'-d', $campaign->{node}->connstr('postgres')
			  . " application_name=$session->{name} options='-c campaign.region=$campaign->{region}'",
			'-f', "$base.sql"
		],
		'<', File::Spec->devnull, '>', "$base.out", '2>', File::Spec->devnull);
	return;
}

# Add up what is in the output of a session.
sub count_output
{
	my ($result, $output) = @_;
	my @pending;
	my $tag = '';

	foreach my $line (split /\n/, $output)
	{
		if ($line =~ /^reads (\d+) (\d+)$/)
		{
			$result->{reads} += $1;
			$result->{conclusive} += $2;
		}
		elsif ($line =~ /^d (\d+) false$/)
		{
			$result->{reads} += $1;
			$result->{conclusive} += $1;
		}
		elsif ($line =~ /^w (\w+) false$/)
		{
			push @pending, $1;
		}
		elsif ($line =~ /^(cancelled|terminated) true$/)
		{
			$result->{disturbed}{$1}++;
		}
		elsif ($line eq 'x savepoint false')
		{
			push @pending, '';
		}
		elsif ($line eq 'x back false')
		{
			pop @pending while @pending && $pending[-1] ne '';
		}
		elsif ($line =~ /^x (end|alone) (true|false)$/)
		{
			count_end($result, $1 eq 'end' && $2 eq 'false' ? $tag : $1, @pending);
			@pending = ();
		}
		else
		{
			$tag = $line;
		}
	}
	return;
}

# A transaction has ended, and its output says how.
sub count_end
{
	my ($result, $tag, @written) = @_;

	$result->{ends}{$tag}++ if $tag =~ /^[A-Z]/;
	return if $tag !~ /^(?:COMMIT|COMMIT PREPARED|alone)$/;
	$result->{writes}{$_}++ foreach grep { $_ ne '' } @written;
	return;
}

# ---------------------------------------------------------------------------
# Interference

# Ten times a second, cancel or terminate a random session, and end transactions that
# sessions which have ended had prepared.
sub make_disturbance
{
	my ($campaign) = @_;
	my $once = <<'EOT';
SELECT CASE WHEN random() < 0.3 THEN 'terminated ' || pg_terminate_backend(pid)
	ELSE 'cancelled ' || pg_cancel_backend(pid) END
FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'campaign'
	  ORDER BY random() LIMIT 1) AS victim;
SELECT format('COMMIT PREPARED %L', gid) FROM pg_prepared_xacts
WHERE prepared < clock_timestamp() - interval '1 s' \gexec
SELECT pg_sleep(0.2 * random());
EOT

	return "SELECT setseed(0.$campaign->{seed});\n" . $once x 100;
}

# Read what is new in the server's log.
sub read_log
{
	my ($campaign) = @_;
	my $result = $campaign->{result};
	my $log = slurp_file($campaign->{node}->logfile, $campaign->{offset});

	$log =~ s/[^\n]*\z//;
	$campaign->{offset} += length $log;
	foreach my $line (split /\n/, $log)
	{
		my ($state, $severity, $message) =
		  $line =~ /^\d[^\[]*\[\d+\] (\w{5}): ([A-Z]+):  (.*)/ or next;

		if ($message =~ /^stale read: /)
		{
			$result->{stale_after} //= time - $campaign->{start};
			push @{ $result->{stale} }, $message;
		}
		elsif ($severity =~ /^(?:ERROR|FATAL|PANIC)$/)
		{
			$result->{errors}{$state}++;
			push @{ $result->{unexpected} }, $line
			  if "$state: $message" !~ /$harmless/;
		}
	}
	return;
}

# ---------------------------------------------------------------------------

sub start_campaign
{
	my ($node, %options) = @_;

	$folder = PostgreSQL::Test::Utils::tempdir();
	chmod 0755, $folder;
	append_to_file("$folder/$_", "$_\n") foreach 1 .. campaign_keys();
	return {
		node => $node,
		sessions => 10,
		seconds => 20,
		region => 'auto',
		%options,
		offset => log_offset($node),
		start => time,
		result => {
			stale => [],
			unexpected => [],
			errors => {},
			reads => 0,
			conclusive => 0,
		},
	};
}

# Terminate all sessions, and wait for them.
sub end_campaign
{
	my ($campaign, @sessions) = @_;

	while (my @running = grep { $_->{run}->pumpable } @sessions)
	{
		$campaign->{node}->safe_psql('postgres',
			"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name IN ('campaign', 'disturbance')"
		);
		sleep 0.05;
	}
	foreach my $session (@sessions)
	{
		$session->{run}->finish;
		count_output($campaign->{result}, slurp_file($session->{out}));
	}
	$campaign->{node}->safe_psql('postgres',
		"SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts \\gexec");
	read_log($campaign);
	$campaign->{result}{seconds} = time - $campaign->{start};
	return $campaign->{result};
}

# Has everything been done often enough to be meaningful?
sub is_representative
{
	my ($result) = @_;

	return !grep { !$result->{writes}{ $_->{name} } } @writes;
}

# Let sessions read and write at random, until the time is over or an outdated value was
# read.  After that time, they go on until each kind of write has happened.
#
# seed, seconds, sessions, region: as the names say.
#
# Returns what has happened: stale and unexpected (lines of the log), stale_after
# (seconds), reads, conclusive (number of conclusive reads), writes, ends, disturbed,
# errors (counts of each kind), rounds, seconds.
sub run_campaign
{
	my $campaign = start_campaign(@_);
	my $result = $campaign->{result};
	my @sessions = map { { slot => $_, name => 'campaign', round => 0 } }
	  1 .. $campaign->{sessions};
	my $deadline = $campaign->{start} + $campaign->{seconds};

	push @sessions, { slot => 0, name => 'disturbance', round => 0 };
	start_session($campaign, $_) foreach @sessions;
	while (!@{ $result->{stale} }
		&& (time < $deadline || (!is_representative($result) && time < $deadline + 100)))
	{
		sleep 0.05;
		foreach my $session (grep { !$_->{run}->pumpable } @sessions)
		{
			$session->{run}->finish;
			count_output($result, slurp_file($session->{out}));
			start_session($campaign, $session);
		}
		read_log($campaign);
	}
	$result->{rounds} += $_->{round} foreach @sessions;
	return end_campaign($campaign, @sessions);
}

1;
