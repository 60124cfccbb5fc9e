# A million operations on values of all sizes while memory is full.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $nsessions = 4;
my $operations = 250_000;
my $megabytes = 8;
my @regions = ('limited', 'mixed', 'default');

my $node = new_server(
	'main',
	"dogpile.shared_memory = '${megabytes}MB'",
	"dogpile.regions = 'mixed, limited'",
	"log_statement = 'none'",
	"dogpile_limited.max_value_size = '10kB'");

$node->start;
create_helpers($node);

my $capacity = measure_capacity($node, $megabytes, @regions);

# A column of a region's statistics.
sub counter
{
	my ($region, $column) = @_;

	return $node->safe_psql('postgres',
		"SELECT $column FROM dogpile_stats WHERE region = '$region'");
}

# ---------------------------------------------------------------------------
# A large value takes the place of as many small ones as it needs.

my ($small) = split /\n/,
  $node->safe_psql('postgres', 'SELECT DISTINCT memory FROM dogpile_entries');

foreach my $size (100_000, 1_000_000)
{
	my $before = counter('default', 'entries');

	$node->safe_psql('postgres',
		"SELECT dogpile_set('mixed', 'large', repeat('x', $size))");

	my $large = $node->safe_psql('postgres',
		"SELECT memory FROM dogpile_entries WHERE region = 'mixed'");
	my $evicted = $before - counter('default', 'entries');

	cmp_ok($large, '<', 1.1 * $size, "$size bytes: memory for them");
	cmp_ok(abs($evicted * $small - $large),
		'<=', 0.01 * $large + 2 * $small, "$size bytes: no more is evicted");
	$node->safe_psql('postgres', "SELECT dogpile_invalidate('mixed', 'large')");
	$node->safe_psql('postgres', "CALL fill('default', 'again$size', 20000)");
}

# ---------------------------------------------------------------------------
# A value that is too large is returned, counted, and not stored.

foreach my $case (
	[ 'limited', 20_000, 'max_value_size' ],
	[ 'default', 3_000_000, 'its share of the memory' ])
{
	my ($region, $size, $limit) = @$case;
	my $offset = log_offset($node);
	my $entries = counter($region, 'entries');
	my $evictions = counter($region, 'evictions');

	$node->safe_psql('postgres', 'SELECT dogpile_reset_stats()');
	foreach (1 .. 2)
	{
		is( $node->safe_psql(
				'postgres',
				"SELECT check_value('k', dogpile_get_or_create('$region', 'k', 'SELECT make_value(ran(''k''), 7, $size)'))"
			),
			7,
			"over $limit: the value is returned");
	}
	is(count_runs($node, 'k', $offset), 2, "over $limit: it is not stored");
	is(counter($region, 'too_large'), 2, "over $limit: it is counted");
	is(counter($region, 'entries'), $entries, "over $limit: entries stay");

	# Setting one removes what it should have replaced.
	$node->safe_psql('postgres', <<"EOT");
SET client_min_messages = error;
SELECT dogpile_set('$region', 'k', 'old');
SELECT dogpile_set('$region', 'k', repeat('x', $size));
EOT
	is($node->safe_psql('postgres', "SELECT dogpile_exists('$region', 'k')"),
		'f', "over $limit: setting it removes the old value");
	is(counter($region, 'too_large'), 3, "over $limit: that is counted");
}

# ---------------------------------------------------------------------------
# A million operations.
#
# Sizes are such that a few large values and many small ones compete: one of a
# thousand has up to 1 MB, one of a hundred up to 50 kB.

$node->safe_psql('postgres', <<'EOT');
CREATE FUNCTION random_length() RETURNS int LANGUAGE sql VOLATILE AS $$
	SELECT (random() * CASE WHEN r < 0.001 THEN 1000000 WHEN r < 0.01 THEN 50000
							WHEN r < 0.3 THEN 3000 ELSE 100 END)::int
	FROM (SELECT random() AS r OFFSET 0) AS dice
$$;

CREATE PROCEDURE churn(seed float8, operations int, INOUT sets int DEFAULT 0,
					   INOUT seen int DEFAULT 0, INOUT missed int DEFAULT 0)
LANGUAGE plpgsql AS $$
DECLARE
	dice float8;
	key text;
	tag text[];
	version int;
	value text;
BEGIN
	PERFORM setseed(seed);
	FOR i IN 1 .. operations LOOP
		dice := random();
		key := (random() ^ 3 * 20000)::int;
		tag := ARRAY['t' || (random() * 300)::int];
		CASE
		WHEN dice < 0.6 THEN
			IF check_value(key, dogpile_get('mixed', key)) IS NULL THEN
				missed := missed + 1;
			ELSE
				seen := seen + 1;
			END IF;
		WHEN dice < 0.8 THEN
			value := make_value(key, i, random_length());
			IF dice < 0.65 THEN
				PERFORM dogpile_set('mixed', key, value,
									dice * interval '1 second', tag);
			ELSIF dice < 0.7 THEN
				PERFORM dogpile_set('mixed', key, value, tags => tag);
			ELSE
				PERFORM dogpile_set('mixed', key, value);
			END IF;
			sets := sets + 1;
			IF dogpile_get('mixed', key) <> value THEN
				RAISE EXCEPTION 'wrong value: not what was just set';
			END IF;
		WHEN dice < 0.9 THEN
			PERFORM check_value(key,
				dogpile_get_or_create('mixed', key, 'SELECT make_value($1, 0, $2)',
									  ROW(key, random_length()),
									  expiration_time => dice * interval '1 second'));
		WHEN dice < 0.97 THEN
			PERFORM dogpile_invalidate('mixed', key, dice < 0.95);
		WHEN dice < 0.98 THEN
			PERFORM dogpile_invalidate_tags(tag);
		WHEN dice < 0.9999 THEN
			IF dogpile_add('mixed', key, make_value(key, 1, random_length())) THEN
				sets := sets + 1;
			END IF;
		ELSE
			PERFORM dogpile_invalidate('mixed');
		END CASE;
		IF i % 5 = 0 THEN
			IF random() < 0.05 THEN
				-- Counters are not undone.
				ROLLBACK;
			ELSE
				COMMIT;
			END IF;
		END IF;
	END LOOP;
END $$;
SELECT dogpile_reset_stats();
EOT

my $offset = log_offset($node);
my @sessions =
  map { start_psql($node, "CALL churn(0.$_, $operations);") } 1 .. $nsessions;
my ($sets, $found, $missed) = (0, 0, 0);

# Entries and bytes may be asked for at any time.
while (psql_is_running($sessions[0]))
{
	last
	  if $node->safe_psql('postgres',
		'SELECT sum(evictions) > 1000 FROM dogpile_stats') eq 't';
}
cmp_ok(
	$node->safe_psql('postgres', 'SELECT sum(memory) FROM dogpile_entries'),
	'<=', $megabytes * 1024 * 1024,
	'memory stays within its limit');

foreach my $session (@sessions)
{
	my ($stdout, $stderr) = finish_psql($session);

	is($stderr, '', 'no errors');
	like($stdout, qr/^\d+\|\d+\|\d+$/, 'all operations were done');
	chomp $stdout;
	my @counts = split /\|/, $stdout;

	$sets += $counts[0] // 0;
	$found += $counts[1] // 0;
	$missed += $counts[2] // 0;
}
note "$sets sets, $found found, $missed missed";
note $node->safe_psql('postgres',
	"SELECT hits, stale_hits, misses, creations, evictions, refused, too_large, entries, bytes FROM dogpile_stats WHERE region = 'mixed'"
);
check_nothing_is_left($node, 'a million operations');
check_log($node, 'a million operations', $offset);
is(counter('mixed', 'sets'), $sets, 'sets are counted');
cmp_ok($found, '>', $operations * $nsessions / 20, 'values were found');
cmp_ok(counter('mixed', 'evictions'), '>', 1_000, 'entries were evicted');

# How much is free now depends on the last removals; nothing is free once more has been
# set than fits.
$node->safe_psql('postgres', "CALL fill('mixed', 'full', 20000)");
cmp_ok($node->safe_psql('postgres', 'SELECT sum(memory) FROM dogpile_entries'),
	'>=', 0.85 * $megabytes * 1024 * 1024 * 0.9,
	'memory is in use');
is(measure_capacity($node, $megabytes, @regions),
	$capacity, 'no memory is missing');

# Each entry that is invalidated by itself gives its memory back at once.
$node->safe_psql('postgres',
	"SELECT count(dogpile_delete(region, key)) FROM dogpile_entries");
is( $node->safe_psql(
		'postgres',
		"SELECT count(*) FROM dogpile_entries WHERE fresh"),
	0,
	'all entries can be deleted');
check_nothing_is_left($node, 'deleted');

$node->stop;
done_testing();
