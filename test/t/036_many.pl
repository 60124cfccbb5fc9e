# Many changes in one transaction, and many entries: the time is proportional to the number
# of changes, however much is cached, and repeated changes take no memory.
#
# Times are compared with each other only, and the best of several rounds counts.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use List::Util qw(min);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server(
	'main',
	"dogpile.shared_memory = '128MB'",
	"dogpile.regions = 'r, outside'",
	"dogpile_r.vary = ''",
	"dogpile_outside.backend = 'file'",
	"dogpile.max_pending_size = '1GB'",
	"log_statement = 'none'",
	'autovacuum = off',
	'fsync = off');

$node->start;
$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;

-- Milliseconds that a statement takes.
CREATE FUNCTION measure(statement text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
BEGIN
	EXECUTE statement;
	RETURN extract(epoch FROM clock_timestamp() - started) * 1000;
END $$;
SELECT count(dogpile_set('r', 'k' || i, i)) FROM generate_series(1, 200000) AS i;
EOT
is( $node->safe_psql(
		'postgres', q{SELECT entries FROM dogpile_stats WHERE region = 'r'}),
	200_000,
	'there are many entries');

# ---------------------------------------------------------------------------
# Time

my $n = 5_000;

# The best of several rounds, of statements that are rolled back.
sub best
{
	my ($statement) = @_;

	return min map {
		$node->safe_psql('postgres', "BEGIN; SELECT measure(\$\$$statement\$\$); ROLLBACK")
	} 1 .. 7;
}

my $ask = best(
	"SELECT count(dogpile_exists('r', 'none' || i)) FROM generate_series(1, $n) AS i");
foreach my $function ('dogpile_delete', 'dogpile_invalidate')
{
	my $ms = best(
		"SELECT count($function('r', 'none' || i)) FROM generate_series(1, $n) AS i");

	note "$n: exists $ask ms, $function $ms ms";
	cmp_ok($ms, '<', 8 * $ask, "$function of what is not there takes no search");
}

# The whole transaction, with savepoints and without.
sub transaction
{
	my ($count, $statement) = @_;

	return min map {
		$node->safe_psql(
			'postgres', qq{
			SELECT clock_timestamp() AS began \\gset
			BEGIN;
			SELECT count(*) FROM (SELECT $statement FROM generate_series(1, $count) AS i) AS t \\g /dev/null
			SAVEPOINT a;
			SELECT count(*) FROM (SELECT $statement FROM generate_series(1, $count) AS i) AS t \\g /dev/null
			ROLLBACK TO a;
			SELECT count(*) FROM (SELECT $statement FROM generate_series(1, $count) AS i) AS t \\g /dev/null
			RELEASE a;
			COMMIT;
			SELECT extract(epoch FROM clock_timestamp() - :'began') * 1000})
	} 1 .. 3;
}

foreach my $statement (
	q{dogpile_invalidate('r', 'k' || i)},
	q{dogpile_invalidate_tags(ARRAY['t' || i])},
	q{dogpile_set('r', 's' || i, i, tags => ARRAY['t' || i])},
	q{dogpile_set('r', 's' || i, i), dogpile_get('r', 's' || i)})
{
	my $few = transaction(5_000, "$statement OFFSET 0" =~ s/ OFFSET 0//r);
	my $many = transaction(20_000, $statement);

	note "$statement: 5000 in $few ms, 20000 in $many ms";
	cmp_ok($many, '<', 12 * $few, "$statement: time in proportion");
}

# ---------------------------------------------------------------------------
# Memory, with a store that other servers share.

my @growth = split /\n/, $node->safe_psql('postgres', <<'EOT');
CREATE FUNCTION used() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts
$$;
CREATE FUNCTION growth(statement text, n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before bigint := used() + used();
BEGIN
	FOR i IN 1 .. n + n / 4 LOOP
		EXECUTE statement USING i;
		IF i = n / 4 THEN
			before := used();
		END IF;
	END LOOP;
	RETURN (used() - before) / n;
END $$;
BEGIN;
SELECT least(growth(s, 200), growth(s, 200)) || ' ' || s FROM unnest(ARRAY[
	$$SELECT dogpile_invalidate('outside', 'same'), $1$$,
	$$SELECT dogpile_invalidate('outside', 'same', false), $1$$,
	$$SELECT dogpile_invalidate('outside', true), $1$$,
	$$SELECT dogpile_invalidate_tags(ARRAY['same', 'other']), $1$$,
	$$SELECT dogpile_set('outside', 'same', repeat('x', 1000)), $1$$,
	$$SELECT dogpile_get('outside', 'same'), $1$$,
	$$SELECT dogpile_get_or_create('outside', 'created', 'SELECT 1'), $1$$]) AS s;
COMMIT;
EOT

foreach my $line (@growth)
{
	my ($bytes, $statement) = split / /, $line, 2;

	cmp_ok($bytes, '<=', 16, "no memory: $statement");
}
check_log($node, 'many');
$node->stop;

done_testing();
