# Histories: sessions append unique elements to lists in pairs and read them, from the
# cache and directly; a checker then compares the orders that they have seen.
#
#	create_history_schema($node);
#	my @log = run_histories(seconds => 5, seed => 42, sessions => [ {...}, ... ]);
#	my $verdict = check_histories($node, @log);
#
# One transaction at a time, which has its row locked, appends the same element to both
# lists of a pair.  So there is one order of what was appended, which is in the tables at
# the end, and whatever is read must be a prefix of it.  That makes simple what Elle, Viper
# and PolySI search for in general:
#
#	unknown		A value that no committed state has had: a dirty or lost append.
#	outdated	A read that began after a COMMIT was acknowledged, and does not show it.
#	went back	A session that sees less than it has seen before.
#	own			A transaction that does not see what it has appended itself.
#	torn		A snapshot in which the lists of a pair differ, or change.
#	forked		Two snapshots of one server, each of which sees what the other does not.
#
# On a standby, which may be behind, reads are compared with what the same session has
# read directly before, and what dogpile_get() returns with what was acknowledged.

package Histories;

use strict;
use warnings;

use Exporter 'import';
use File::Spec;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(
  create_history_schema
  run_histories
  check_histories
);

my $npairs = 4;
my $nruns = 0;

sub create_history_schema
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<"EOT");
CREATE TABLE first (k int PRIMARY KEY, list int[] NOT NULL DEFAULT '{}');
CREATE TABLE second (k int PRIMARY KEY, list int[] NOT NULL DEFAULT '{}');
INSERT INTO first SELECT generate_series(1, $npairs);
INSERT INTO second SELECT generate_series(1, $npairs);
EOT
	$node->safe_psql('postgres', <<'EOT');
CREATE SEQUENCE elements;

-- One read: in which table, how, of which pair.
CREATE FUNCTION read_list(region text, way text, tab text, k int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	query text := format('SELECT array_to_string(list, '','') FROM %I WHERE k = %s', tab, k);
	result text;
BEGIN
	IF way = 'direct' THEN
		EXECUTE query INTO result;
	ELSIF way = 'stored' THEN
		result := dogpile_get(region, tab || k);
	ELSIF region LIKE 'auto%' THEN
		result := dogpile_get_or_create(region, tab || k, query);
	ELSIF region LIKE 'rows%' THEN
		result := dogpile_get_or_create(region, tab || k, query, tags => ARRAY[tab || ':' || k]);
	ELSE
		result := dogpile_get_or_create(region, tab || k, query, tags => ARRAY['pair:' || k]);
	END IF;
	RETURN result;
END $$;

-- Both lists of a pair, and what has to be said of it.
CREATE PROCEDURE append_pair(region text, k_ int, element int)
LANGUAGE plpgsql AS $$
DECLARE
	early bool := random() < 0.5;
BEGIN
	IF region LIKE 'tags%' AND early THEN
		PERFORM dogpile_invalidate_tags(ARRAY['pair:' || k_]);
	END IF;
	UPDATE first SET list = list || element WHERE k = k_;
	UPDATE second SET list = list || element WHERE k = k_;
	IF region LIKE 'tags%' AND NOT early THEN
		PERFORM dogpile_invalidate_tags(ARRAY['pair:' || k_]);
	ELSIF region LIKE 'keys%' THEN
		PERFORM dogpile_invalidate(region, 'first' || k_), dogpile_invalidate(region, 'second' || k_);
	END IF;
END $$;

CREATE FUNCTION now_us() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

-- A session.  Lines of its log: transaction, kind, begin and end, and what it is about.
CREATE PROCEDURE live(region text, seed float8, seconds float8, is_standby bool, npairs int)
LANGUAGE plpgsql AS $$
DECLARE
	log text[];
	until_us bigint := now_us() + (seconds * 1000000)::bigint;
	t int := 0;
	k int;
	way text;
	tab text;
	began bigint;
	element int;
	appended bool;
	value text;
	dice float8;
BEGIN
	PERFORM setseed(seed);
	WHILE now_us() < until_us LOOP
		t := t + 1;
		appended := false;
		k := 1 + floor(random() * npairs);
		began := now_us();
		IF random() < 0.4 THEN
			COMMIT;
			SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
			log := log || format('%s begin old %s', t, began);
		ELSE
			COMMIT;
			log := log || format('%s begin new %s', t, began);
		END IF;
		FOR i IN 1 .. 1 + floor(random() * 5) LOOP
			dice := random();
			IF dice < 0.75 OR is_standby OR appended THEN
				IF random() < 0.3 AND NOT appended THEN
					k := 1 + floor(random() * npairs);
				END IF;
				way := CASE WHEN random() < 0.35 THEN 'direct'
							WHEN is_standby AND random() < 0.6 THEN 'stored' ELSE 'cached' END;
				tab := CASE WHEN random() < 0.5 THEN 'first' ELSE 'second' END;
				began := now_us();
				value := read_list(region, way, tab, k);
				CONTINUE WHEN value IS NULL;
				log := log || format('%s %s %s %s %s %s %s %s', t, way, began, now_us(), k, tab,
					CASE WHEN value = '' THEN 0 ELSE cardinality(string_to_array(value, ',')) END,
					md5(value) || ' ' || coalesce(nullif(substring(value FROM '[0-9]*$'), ''), '0'));
			ELSE
				element := nextval('elements');
				BEGIN
					CALL append_pair(region, k, element);
					IF dice > 0.95 THEN
						value := read_list(region, 'cached', 'first', k);
						RAISE EXCEPTION 'back' USING ERRCODE = 'P0100';
					END IF;
					appended := true;
					log := log || format('%s append %s %s %s', t, now_us(), element, k);
				EXCEPTION
					WHEN SQLSTATE 'P0100' THEN
						NULL;
					WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
						EXIT;
				END;
			END IF;
		END LOOP;
		began := now_us();
		IF random() < 0.85 THEN
			COMMIT;
			log := log || format('%s commit %s %s', t, began, now_us());
		ELSE
			ROLLBACK;
			log := log || format('%s rollback %s %s', t, began, now_us());
		END IF;
	END LOOP;
	FOREACH value IN ARRAY log LOOP
		RAISE INFO '%', value;
	END LOOP;
END $$;
EOT
	return;
}

# Run sessions for some seconds: each with a node, a region, is_standby.  Returns what they
# have seen, a list of lines for each.
sub run_histories
{
	my (%run) = @_;
	my $base = PostgreSQL::Test::Utils::tempdir() . '/history' . $nruns++;
	my @runs;
	my $n = 0;

	srand($run{seed});
	foreach my $session (@{ $run{sessions} })
	{
		my $call = sprintf "CALL live('%s', %.6f, %s, %s, %d)", $session->{region},
		  rand(), $run{seconds}, $session->{is_standby} ? 'true' : 'false', $npairs;

		$session->{log} = "$base." . $n++;
		push @runs,
		  IPC::Run::start(
			[
				'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=terse',
				'-d', $session->{node}->connstr('postgres'), '-c', $call
			],
			'<', File::Spec->devnull, '>', File::Spec->devnull, '2>', $session->{log});
	}
	foreach my $i (0 .. $#runs)
	{
		$runs[$i]->finish
		  or die slurp_file($run{sessions}[$i]{log}) =~ s/^INFO:.*\n//gmr;
	}
	return map {
		{ %$_, lines => [ slurp_file($_->{log}) =~ /^INFO:  (.*)$/mg ] }
	} @{ $run{sessions} };
}

# The reads of a session and its transactions, from the lines of its log.
sub parse
{
	my ($session) = @_;
	my (@reads, %transactions);

	foreach (@{ $session->{lines} })
	{
		my ($t, $kind, @facts) = split / /;
		my $transaction = $transactions{$t} //= { appends => [], reads => [] };

		if ($kind eq 'begin') { @$transaction{qw(is_old began)} = ($facts[0] eq 'old', $facts[1]); }
		elsif ($kind eq 'append')
		{
			push @{ $transaction->{appends} }, { element => $facts[1], k => $facts[2] };
		}
		elsif ($kind eq 'commit') { $transaction->{acknowledged} = $facts[1]; }
		elsif ($kind ne 'rollback')
		{
			my %read = (way => $kind, transaction => $transaction, line => $_);

			@read{qw(began ended k tab length md5 last)} = @facts;
			$read{own} = (grep { $_->{k} == $read{k} } @{ $transaction->{appends} })[-1];
			push @reads, \%read;
			push @{ $transaction->{reads} }, \%read;
		}
	}
	return (\@reads, [ values %transactions ]);
}

# What was appended in the end: for each pair, the checksum of each prefix.
sub final_lists
{
	my ($node) = @_;
	my %lists;

	foreach my $k (1 .. $npairs)
	{
		my $first = $node->safe_psql('postgres',
			"SELECT array_to_string(list, ',') FROM first WHERE k = $k");

		is($node->safe_psql('postgres', "SELECT array_to_string(list, ',') FROM second WHERE k = $k"),
			$first, "the lists of pair $k agree");
		$lists{$k} = [ split /,/, $first ];
	}
	return \%lists;
}

sub checksums
{
	my ($node) = @_;
	my %sums;

	foreach (split /\n/, $node->safe_psql('postgres', <<'EOT'))
SELECT k, n, md5(array_to_string(list[1:n], ','))
FROM first, generate_series(0, cardinality(list)) AS n
EOT
	{
		my ($k, $n, $md5) = split /\|/;

		$sums{$k}[$n] = $md5;
	}
	return \%sums;
}

# When which length of each pair was acknowledged, in order of time.
sub acknowledgements
{
	my ($lists, @transactions) = @_;
	my (%place, %acknowledged);

	foreach my $k (keys %$lists)
	{
		$place{ $lists->{$k}[$_] } = $_ + 1 foreach 0 .. $#{ $lists->{$k} };
		$acknowledged{$k} = [];
	}
	my @lost;

	foreach my $transaction (grep { $_->{acknowledged} } @transactions)
	{
		foreach my $append (@{ $transaction->{appends} })
		{
			my $place = $place{ $append->{element} };

			push @lost, "append of $append->{element}" if !$place;
			push @{ $acknowledged{ $append->{k} } },
			  [ $transaction->{acknowledged}, $place // 0 ];
		}
	}
	foreach my $list (values %acknowledged)
	{
		my $most = 0;

		@$list = sort { $a->[0] <=> $b->[0] } @$list;
		$_->[1] = $most = $most > $_->[1] ? $most : $_->[1] foreach @$list;
	}
	return (\%acknowledged, \@lost);
}

# How much of a pair a read that begins at that time must see.
sub length_at
{
	my ($list, $time) = @_;
	my ($low, $high) = (0, scalar @$list);

	while ($low < $high)
	{
		my $middle = int(($low + $high) / 2);

		if ($list->[$middle][0] < $time) { $low = $middle + 1; }
		else { $high = $middle; }
	}
	return $low ? $list->[ $low - 1 ][1] : 0;
}

# Check the reads of one session one after another.
sub judge_session
{
	my ($session, $reads, $sums, $acknowledged, $bad) = @_;
	my (%seen, %seen_directly);

	foreach my $read (@$reads)
	{
		my $k = $read->{k};
		my $note = sub { push @{ $bad->{ $_[0] } }, "$session->{name}: $read->{line}"; };
		my $old = $read->{transaction}{is_old};
		my $must = $session->{is_standby} ? $seen_directly{$k} : $seen{$k};

		if ($read->{own})
		{
			$note->('own') if $read->{last} != $read->{own}{element};
			next;
		}
		$note->('unknown') if ($sums->{$k}[ $read->{length} ] // '') ne $read->{md5};

		# A snapshot may be older; judge_snapshot() checks whether it is one.
		next if $old;
		$note->('went back') if $read->{length} < ($must // 0);
		$note->('outdated')
		  if (!$session->{is_standby} || $read->{way} eq 'stored') &&
		  $read->{length} < length_at($acknowledged->{$k}, $read->{began});
		$seen{$k} = $read->{length} if $read->{length} > ($seen{$k} // 0);
		$seen_directly{$k} = $read->{length}
		  if $read->{way} eq 'direct' && $read->{length} > ($seen_directly{$k} // 0);
	}
	return;
}

# Check what a transaction with one snapshot has read; returns the lengths of pairs.
sub judge_snapshot
{
	my ($session, $transaction, $acknowledged, $bad) = @_;
	my %lengths;

	foreach my $read (grep { !$_->{own} } @{ $transaction->{reads} })
	{
		my $k = $read->{k};

		push @{ $bad->{torn} }, "$session->{name}: $read->{line}, not $lengths{$k}"
		  if exists $lengths{$k} && $lengths{$k} != $read->{length};
		push @{ $bad->{outdated} }, "$session->{name}: $read->{line}"
		  if !$session->{is_standby} &&
		  $read->{length} < length_at($acknowledged->{$k}, $transaction->{began});
		$lengths{$k} = $read->{length};
	}
	return \%lengths;
}

# Is there any of two snapshots that has more of one pair, and less of another?
sub judge_forks
{
	my ($bad, @snapshots) = @_;
	my %best;

	# The most that was seen of k by snapshots with at most that much of j, in one pass.
	foreach my $j (1 .. $npairs)
	{
		foreach my $k (grep { $_ != $j } 1 .. $npairs)
		{
			my @both = sort { $a->{$j} <=> $b->{$j} } grep { exists $_->{$j} && exists $_->{$k} } @snapshots;
			my ($most, $group, $at) = (0, 0, -1);

			foreach my $snapshot (@both)
			{
				if ($snapshot->{$j} != $at)
				{
					$most = $group if $group > $most;
					$at = $snapshot->{$j};
				}
				push @{ $bad->{forked} }, "pairs $j and $k: $snapshot->{$j} and $snapshot->{$k}, but $most before"
				  if $snapshot->{$k} < $most;
				$group = $snapshot->{$k} if $snapshot->{$k} > $group;
			}
		}
	}
	return;
}

# Check everything; returns the number of reads, those from the cache, commits, and errors.
sub check_histories
{
	my ($node, @sessions) = @_;
	my $lists = final_lists($node);
	my $sums = checksums($node);
	my %bad;
	my %verdict = (bad => \%bad, reads => 0, cached => 0, appends => 0);
	my %snapshots;
	my $n = 0;

	foreach my $session (@sessions)
	{
		@$session{qw(reads transactions)} = parse($session);
		$session->{name} = $session->{region} . '/' . $n++;
	}
	my ($acknowledged, $lost) =
	  acknowledgements($lists, map { @{ $_->{transactions} } } @sessions);

	$bad{lost} = $lost if @$lost;
	foreach my $session (@sessions)
	{
		judge_session($session, $session->{reads}, $sums, $acknowledged, \%bad);
		push @{ $snapshots{ $session->{node}->name } },
		  map { judge_snapshot($session, $_, $acknowledged, \%bad) // () }
		  grep { $_->{is_old} } @{ $session->{transactions} };
		$verdict{reads} += @{ $session->{reads} };
		$verdict{cached} += grep { $_->{way} ne 'direct' } @{ $session->{reads} };
	}
	judge_forks(\%bad, @$_) foreach values %snapshots;
	$verdict{appends} += @$_ foreach values %$lists;
	return \%verdict;
}

1;
