# Which entries are evicted: hit ratios on a trace of requests, also after many entries
# have been replaced and removed.
#
# The trace is made by a hash function, so that it is always the same: keys are asked for
# with a frequency like 1/rank, and now and then there is a scan of keys that are not asked
# for again.  The policy (S3-FIFO) determines what to expect.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server(
	'main',
	"dogpile.shared_memory = '1MB'",
	"dogpile.regions = 'cache'",
	"dogpile_cache.vary = ''",
	"log_statement = 'none'",
	'autovacuum = off');

$node->start;
$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;

-- A number from 0 to 1 that depends on two.
CREATE FUNCTION chance(i int, seed int) RETURNS float8 LANGUAGE sql IMMUTABLE
AS $$ SELECT (hashint4extended(i, seed)::numeric / 18446744073709551616.0 + 0.5)::float8 $$;

-- One key for each request; every 600 requests, 100 of a scan.
CREATE TABLE trace AS
	SELECT i, CASE WHEN i % 600 < 100 THEN 'scan' || i
			  ELSE 'k' || floor(exp(chance(i, 1) * ln(4000)))::int END AS key
	FROM generate_series(1, 90000) AS i;
EOT

# A column of the statistics.
sub counter
{
	my ($column) = @_;

	return $node->safe_psql('postgres',
		"SELECT $column FROM dogpile_stats WHERE region = 'cache'");
}

# The share of the trace's last two thirds, by when the cache is full, that is found.
sub hit_ratio
{
	my $ask = q{SELECT count(dogpile_get_or_create('cache', key,
		'SELECT repeat(''x'', 3000)')) FROM (SELECT key FROM trace WHERE i > 0 ORDER BY i) AS t};

	$node->safe_psql('postgres', q{SELECT dogpile_invalidate('cache')});
	$node->safe_psql('postgres', $ask =~ s/i > 0/i <= 30000/r);
	$node->safe_psql('postgres', 'SELECT dogpile_reset_stats()');
	$node->safe_psql('postgres', $ask =~ s/i > 0/i > 30000/r);
	return counter('hits') / 60_000;
}

# The same of a cache of so many entries where the least recently used one goes first.
sub simulate_lru
{
	my ($capacity, @keys) = @_;
	my (%at, @queue);
	my ($hits, $first) = (0, 0);

	foreach my $i (0 .. $#keys)
	{
		my $key = $keys[$i];

		$hits++ if exists $at{$key} && $i >= 30_000;
		push @queue, $key;
		$at{$key} = $#queue;
		while (keys %at > $capacity)
		{
			my $oldest = $queue[$first];

			delete $at{$oldest} if $at{$oldest} == $first;
			$first++;
		}
	}
	return $hits / 60_000;
}

# ... and of one that has the policy of evict.c, with entries of one size.
sub simulate_s3fifo
{
	my ($capacity, @keys) = @_;
	my (%uses, %ghost, @small, @main);
	my ($hits, $nghosts) = (0, 0);

	foreach my $i (0 .. $#keys)
	{
		my $key = $keys[$i];

		if (exists $uses{$key})
		{
			$uses{$key}++ if $uses{$key} < 3;
			$hits++ if $i >= 30_000;
			next;
		}
		while (@small + @main >= $capacity)
		{
			if (@small > $capacity / 10 || !@main)
			{
				my $oldest = shift @small;

				if ($uses{$oldest} > 1)
				{
					$uses{$oldest} = 0;
					push @main, $oldest;
					next;
				}
				$ghost{$oldest} = ++$nghosts;
				delete $uses{$oldest};
			}
			else
			{
				my $oldest = shift @main;

				if ($uses{$oldest} > 0)
				{
					$uses{$oldest}--;
					push @main, $oldest;
					next;
				}
				delete $uses{$oldest};
			}
		}

		my $made = delete $ghost{$key};

		$uses{$key} = 0;
		if (defined $made && $nghosts - $made < @main) { push @main, $key; }
		else { push @small, $key; }
	}
	return $hits / 60_000;
}

# ---------------------------------------------------------------------------
# The ratio.

my @keys =
  split /\n/, $node->safe_psql('postgres', 'SELECT key FROM trace ORDER BY i');
my $ratio = hit_ratio();
my $capacity = counter('entries');
my $lru = simulate_lru($capacity, @keys);
my $s3fifo = simulate_s3fifo($capacity, @keys);

note "$capacity entries: $ratio; LRU $lru, S3-FIFO $s3fifo";
cmp_ok(abs($ratio - $s3fifo), '<', 0.01, 'hit ratio is that of the policy');
cmp_ok($ratio, '>', $lru + 0.05, 'and better than that of a simple one');

# The queues do not lose count of entries that are replaced and removed.
$node->safe_psql('postgres',
	q{SELECT count(dogpile_set('cache', 'r' || i % 100, repeat('y', 150 + i % 5000))) FROM generate_series(1, 1000) AS i}
) foreach 1 .. 20;
$node->safe_psql('postgres',
	q{SELECT count(dogpile_delete('cache', key)) FROM dogpile_entries});
$ratio = hit_ratio();
note "after replacements: $ratio";
cmp_ok(abs($ratio - $s3fifo), '<', 0.01, 'the same after many were replaced');

# ---------------------------------------------------------------------------
# Single entries: how often they were asked for decides whether a scan evicts them.

# Each in a transaction of its own, because COMMIT makes room for all that its transaction
# has set at once.
sub set_keys
{
	my ($prefix, $from, $to) = @_;

	$node->safe_psql('postgres', <<"EOT");
DO \$\$ BEGIN
	FOR i IN $from .. $to LOOP
		PERFORM dogpile_set('cache', '$prefix' || i, repeat('x', 100));
		COMMIT;
	END LOOP;
END \$\$
EOT
	return;
}

sub ask_keys
{
	my ($prefix, $n, $times) = @_;

	$node->safe_psql('postgres',
		"SELECT count(dogpile_get('cache', '$prefix' || i)) FROM generate_series(1, $n) AS i"
	) foreach 1 .. $times;
	return;
}

# How many are there?  Asking does not count as a use.
sub count_keys
{
	my ($prefix) = @_;

	return $node->safe_psql('postgres',
		"SELECT count(*) FROM dogpile_entries WHERE key ~ '^$prefix\\d+\$' AND fresh");
}

$node->safe_psql('postgres', q{SELECT dogpile_invalidate('cache')});
set_keys('scan', 1, 6000);
$capacity = count_keys('scan');
note "$capacity small entries";
set_keys($_, 1, 20) foreach 'once', 'twice', 'replaced';
ask_keys('once', 20, 1);
ask_keys('twice', 20, 2);
ask_keys('replaced', 20, 2);
set_keys('replaced', 1, 20) foreach 1 .. 3;
set_keys('scan', 1, 6000);
is(count_keys('once'), 0, 'what was asked for once goes');
is(count_keys('twice'), 20, 'what was asked for twice stays');
is(count_keys('replaced'), 20, 'a value that is set again keeps its uses');

# Entries that come back soon are not new: they stay when a scan comes.
my $many = int($capacity * 0.6);

set_keys('main', 1, $many);
ask_keys('main', $many, 3);
set_keys('scan', 1, 6000);
cmp_ok(count_keys('main'), '>', 0.95 * $many, 'many are in use');
my $back = int($capacity * 0.3);

set_keys('back', 1, $back);
set_keys('scan', 1, $capacity - $many);
is(count_keys('back'), 0, 'others have gone');
set_keys('back', 1, $back);
set_keys('scan', 1, 6000);
cmp_ok(count_keys('back'), '>', 0.8 * $back, 'those that come back stay');
note count_keys('back') . " of $back have stayed";

check_log($node, 'eviction');
$node->stop;

done_testing();
