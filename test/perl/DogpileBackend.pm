# The conformance suite: what every backend must do.
#
#	check_backend($node, 'region', large => 900_000, limit => 1_100_000)
#
# large: this many bytes must be stored, 5 million by default.
# limit: this many are returned, but not stored, and counted as too large; without
#		it there is no such size below the region's max_value_size.

package DogpileBackend;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use DogpileTest;

our @EXPORT = qw(create_backend_helpers check_backend check_single_flight);

# Types and values that must come back as they were: the type's name, and an
# expression.
our @values = (
	[ 'text', "'a text'" ],
	[ 'text', "''" ],
	[ 'text', "'" . 'Zoë, Ωmega, 漢字, 🐘' . "'" ],
	[ 'text', 'NULL' ],
	[ 'text', "E'line\\nbreak\\ttab\\\\backslash'" ],
	[ 'int2', "'-32768'" ],
	[ 'int4', '-2147483648' ],
	[ 'int8', '9223372036854775807' ],
	[ 'bool', 'true' ],
	[ 'float4', "'NaN'" ],
	[ 'float8', '1e-300' ],
	[ 'numeric', '123456789012345678901234567890.000123' ],
	[ 'numeric', "'NaN'" ],
	[ 'money', "'12.50'" ],
	[ 'oid', '4294967295' ],
	[ '"char"', "'x'" ],
	[ 'name', "'a_name'" ],
	[ 'varchar', "'varying'" ],
	[ 'bpchar', "'padded '" ],
	[ 'bytea', "decode(string_agg(lpad(to_hex(i), 2, '0'), ''), 'hex') FROM generate_series(0, 255) AS i" ],
	[ 'date', "'infinity'" ],
	[ 'date', "'4713-01-01 BC'" ],
	[ 'timestamp', "'2026-02-28 23:59:59.999999'" ],
	[ 'timestamptz', "'-infinity'" ],
	[ 'time', "'24:00'" ],
	[ 'timetz', "'12:00+05:30'" ],
	[ 'interval', "'1 year -2 days 3.5 seconds'" ],
	[ 'uuid', "'00112233-4455-6677-8899-aabbccddeeff'" ],
	[ 'inet', "'2001:db8::1/64'" ],
	[ 'macaddr', "'08:00:2b:01:02:03'" ],
	[ 'bit', "B'10101'" ],
	[ 'varbit', "B'1'" ],
	[ 'json', q('{"b": 1,  "a": [null]}') ],
	[ 'jsonb', q('{"b": 1, "a": [null]}') ],
	[ 'point', "'(1,2)'" ],
	[ 'tsvector', "'fat:2 cat:3A'" ],
	[ 'int4range', "'[1,10)'" ],
	[ 'nummultirange', "'{[1,2), [3,4]}'" ],
	[ 'int4[]', "'{}'" ],
	[ 'int4[]', "'[2:3][-1:0]={{1,NULL},{3,4}}'" ],
	[ 'text[]', "'{a,\"b c\",NULL,\"\"}'" ],
	[ 'mood', "'sad'" ],
	[ 'mood[]', "'{sad,\"so so\"}'" ],
	[ 'positive', '42' ],
	[ 'positive[]', "'{1,2}'" ],
	[ 'pair', "'(1,\"a b\")'" ],
	[ 'pair', "'(,)'" ],
	[ 'pair[]', "'{\"(1,x)\",NULL}'" ],
	[ 'nested', "'(\"(7,y)\",\"{happy,sad}\")'" ],
	[ 'moodrange', "'[sad,happy]'" ]);

# What the suite needs in the database besides create_helpers().
sub create_backend_helpers
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<'EOT');
CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy');
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b text);
CREATE TYPE nested AS (p pair, moods mood[]);

-- What the output function of a value's type gives, which a cast may not.
CREATE FUNCTION as_text(v anyelement) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN v IS DISTINCT FROM NULL THEN format('%s', v) END
$$;

-- Creates a value, has it from the cache, and tells what is wrong.
CREATE FUNCTION check_type(region text, type text, expression text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	key text := type || ' ' || expression;
	query text := format('SELECT %s', CASE WHEN expression ~ ' FROM ' THEN expression
		ELSE format('(%s)::%s', expression, type) END);
	expected text;
	got text;
BEGIN
	EXECUTE format('SELECT as_text(v) FROM (%s) AS t(v)', query) INTO expected;
	EXECUTE format('SELECT as_text(dogpile_get_or_create($1, $2, $3, result_type => NULL::%s))', type)
		INTO got USING region, key, query;
	IF got IS DISTINCT FROM expected THEN
		RETURN format('created %s instead of %s', got, expected);
	END IF;
	IF NOT dogpile_exists(region, key) THEN
		RETURN 'not stored';
	END IF;
	EXECUTE format('SELECT as_text(dogpile_get($1, $2, result_type => NULL::%s))', type)
		INTO got USING region, key;
	IF got IS DISTINCT FROM expected THEN
		RETURN format('found %s instead of %s', got, expected);
	END IF;
	IF expected IS NOT NULL AND dogpile_get(region, key) IS DISTINCT FROM expected THEN
		RETURN format('found as text: %s', dogpile_get(region, key));
	END IF;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$;

-- Counts its calls within the session.
CREATE FUNCTION count_calls() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('test.calls',
		(coalesce(nullif(current_setting('test.calls', true), ''), '0')::int + 1)::text, false);
	RETURN current_setting('test.calls')::int;
END $$;
EOT
	return;
}

# Run statements in one session: each with the output that it must have, a name,
# and a pattern for the warning that it must raise, if any.
sub run_statements
{
	my ($node, $prefix, @statements) = @_;
	my $script = '';
	my ($stdout, $stderr);

	$script .= "\\echo ==\n$_->[0];\n" foreach @statements;
	$node->psql('postgres', $script, stdout => \$stdout, stderr => \$stderr,
		on_error_stop => 0);
	my (undef, @outputs) = split /^==\n?/m, $stdout;
	foreach my $i (0 .. $#statements)
	{
		my $output = $outputs[$i] // '(nothing)';

		chomp $output;
		is($output, $statements[$i][1], "$prefix: $statements[$i][2]");
	}
	foreach my $pattern (grep { defined } map { $_->[3] } @statements)
	{
		ok($stderr =~ s/^psql:\S+ WARNING:  $pattern\n?//m, "$prefix: it is warned of");
	}
	is($stderr, '', "$prefix: no errors");
	return;
}

sub check_values
{
	my ($node, $region) = @_;

	run_statements($node, $region,
		map {
			my ($type, $expression) = @$_;
			my $short = length $expression > 30 ? '...' : $expression;

			[ "SELECT check_type('$region', '$type', \$x\$$expression\$x\$)",
				'ok', "$type $short" ]
		} @values);
	return;
}

sub check_result_sets
{
	my ($node, $region) = @_;
	my $rows =
	  "SELECT * FROM dogpile_query('$region', 'rows', 'SELECT i, CASE WHEN i > 1 THEN i::text END, ARRAY[i], count_calls() FROM generate_series(1, 3) AS i') AS t(a int, b text, c int[], d int)";
	my $none =
	  "SELECT count(*) FROM dogpile_query('$region', 'none', 'SELECT count_calls() WHERE false') AS t(a int)";

	run_statements(
		$node, $region,
		[ $rows, "1||{1}|1\n2|2|{2}|2\n3|3|{3}|3", 'rows created' ],
		[ $rows, "1||{1}|1\n2|2|{2}|2\n3|3|{3}|3", 'rows found' ],
		[ $none, 0, 'no rows created' ],
		[ "SELECT dogpile_exists('$region', 'none')", 't', 'no rows are a value' ],
		[ $none, 0, 'no rows found' ],
		[ "SELECT dogpile_get_or_create('$region', 'null', 'SELECT NULL::int')",
			'', 'NULL created' ],
		[ "SELECT dogpile_exists('$region', 'null')", 't', 'NULL is a value' ],
		[ "SELECT dogpile_get('$region', 'null') IS NULL", 't', 'NULL found' ],
		[ "SELECT dogpile_exists('$region', 'nothing')", 'f', 'nothing is not' ],
		[ "SELECT count(*), sum(a) FROM dogpile_query('$region', 'many', 'SELECT i FROM generate_series(1, 400) AS i') AS t(a int)",
			'400|80200', 'many rows created' ],
		[ "SELECT count(*), sum(a) FROM dogpile_query('$region', 'many', 'SELECT 0') AS t(a int)",
			'400|80200', 'many rows found' ]);
	return;
}

# Keys that are hard to name, and that must not be confused with each other.
sub check_keys
{
	my ($node, $region) = @_;
	my @keys = (
		'', ' ', '  ', 'a b', 'a%20b', 'a:b', 'a::b', ':', 'a{b}c', '}{', '#', '%', '!version',
		"two\nlines", "tab\t", 'Zoë', "Zoe\xcc\x88", '漢字', 'x' x 1024, 'x' x 1023 . 'y',
		'é' x 512, "quote''s", '\\', '*', '?[a]', 'UPPER', 'upper', '../../etc', '.', '/');
	my @distinct;
	my %seen = map { $_ => 1 } @keys;
	my $list = join(', ', map { "E'" . s/\\/\\\\/r . "'" } @keys);

	run_statements(
		$node, $region,
		[ "SELECT count(dogpile_set('$region', k, 'value of ' || k)) FROM unnest(ARRAY[$list]) AS k",
			scalar(@keys), 'keys set' ],
		[ "SELECT k FROM unnest(ARRAY[$list]) AS k WHERE dogpile_get('$region', k) IS DISTINCT FROM 'value of ' || k",
			'', 'each key has its own value' ],
		[ "SELECT count(*) FROM unnest(ARRAY[$list]) AS k WHERE dogpile_invalidate('$region', k)",
			scalar(@keys), 'keys invalidated' ],
		[ "SELECT count(*) FROM unnest(ARRAY[$list]) AS k WHERE dogpile_exists('$region', k)",
			0, 'none is left' ]);
	return;
}

sub check_sizes
{
	my ($node, $region, %facts) = @_;
	my $large = $facts{large} // 5_000_000;
	my $random = "string_agg(md5(i::text), '') FROM generate_series(1, $large / 32 - 40) AS i";

	run_statements(
		$node, $region,
		[ "SELECT md5(dogpile_get_or_create('$region', 'large', \$\$ SELECT $random \$\$)) = md5(v) FROM (SELECT $random) AS t(v)",
			't', 'large value created' ],
		[ "SELECT md5(dogpile_get('$region', 'large')) = md5(v) FROM (SELECT $random) AS t(v)",
			't', 'large value found' ],
		[ "SELECT dogpile_set('$region', 'large', 'small'::text)", '', 'replaced by a small one' ],
		[ "SELECT dogpile_get('$region', 'large')", 'small', 'small value found' ]);
	return if !defined $facts{limit};
	run_statements(
		$node, $region,
		[ "SELECT length(dogpile_get_or_create('$region', 'huge', \$\$ SELECT string_agg(md5(i::text), '') FROM generate_series(1, $facts{limit} / 32) AS i \$\$)) > $facts{limit} - 32",
			't', 'what is too large is returned' ],
		[ "SELECT dogpile_exists('$region', 'huge')", 'f', '... not stored' ],
		[ "SELECT dogpile_set('$region', 'large', repeat('x', $facts{limit}), tags => '{huge}')", '', 'set to what is too large',
			qr/value is too large for the store of cache region "$region"\nDETAIL:  It is not stored; the backend "\w+" does not take its \d+ bytes\.(?:\nHINT:  [^\n]*)?/ ],
		[ "SELECT dogpile_exists('$region', 'large')", 'f', '... the old value is gone' ],
		[ "SELECT too_large > 0 FROM dogpile_stats WHERE region = '$region'", 't', '... and counted' ]);
	return;
}

sub check_age
{
	my ($node, $region) = @_;
	my $create = "SELECT dogpile_get_or_create('$region', 'aging', 'SELECT count_calls()', expiration_time => '400ms')";

	run_statements(
		$node, $region,
		[ $create, 1, 'created' ],
		[ $create, 1, 'fresh' ],
		[ "SELECT fresh, age < interval '400ms' FROM dogpile_metadata('$region', 'aging')", 't|t', 'metadata of a fresh entry' ],
		[ 'SELECT pg_sleep(0.45)', '', 'wait' ],
		[ "SELECT fresh FROM dogpile_metadata('$region', 'aging')", 'f', 'stale' ],
		[ "SELECT dogpile_get('$region', 'aging')", 1, 'a stale value can be looked at' ],
		[ $create, 2, 'stale: created again' ],
		[ 'SELECT pg_sleep(3.3)', '', 'wait' ],
		[ "SELECT dogpile_exists('$region', 'aging')", 'f', 'gone' ],
				[ "SELECT dogpile_set('$region', 'long', 1, expiration_time => '40 days')", '', 'set for 40 days' ],
		[ "SELECT dogpile_exists('$region', 'long')", 't', 'found' ]);
	return;
}

sub check_changes
{
	my ($node, $region) = @_;
	my $get = "SELECT dogpile_get('$region', 'k', NULL::int)";
	my $create = "SELECT dogpile_get_or_create('$region', 'k', 'SELECT count_calls() + 100')";

	run_statements(
		$node, $region,
		[ "SELECT dogpile_set('$region', 'k', 1)", '', 'set' ],
		[ $get, 1, 'get' ],
		[ "SELECT dogpile_add('$region', 'k', 2)", 'f', 'add to what is there' ],
		[ $get, 1, '... which stays' ],
		[ "SELECT dogpile_set('$region', 'k', 2)", '', 'set again' ],
		[ $get, 2, '... replaces' ],
		[ "SELECT dogpile_delete('$region', 'k')", 't', 'delete' ],
		[ "SELECT dogpile_delete('$region', 'k')", 'f', 'delete again' ],
		[ $get, '', 'gone' ],
		[ "SELECT dogpile_add('$region', 'k', 3)", 't', 'add' ],
		[ $get, 3, 'added' ],
		[ "SELECT dogpile_invalidate('$region', 'k')", 't', 'invalidate' ],
		[ $get, '', 'invalidated' ],
		[ $create, 101, 'create' ],
		[ $create, 101, 'created' ],
		[ "SELECT dogpile_invalidate('$region', 'k', hard => false)", 't', 'invalidate softly' ],
		[ "SELECT dogpile_get('$region', 'k'), fresh FROM dogpile_metadata('$region', 'k')", '101|f', 'stale' ],
		[ $create, 102, 'created again' ],
		[ "SELECT fresh FROM dogpile_metadata('$region', 'k')", 't', 'fresh again' ],
		[ "SELECT dogpile_invalidate('$region')", '', 'invalidate the region' ],
		[ "SELECT dogpile_exists('$region', 'k')", 'f', 'nothing left' ],
		[ $create, 103, 'created after that' ],
		[ $create, 103, '... and stored' ],
		[ "SELECT dogpile_invalidate('$region', hard => false)", '', 'invalidate the region softly' ],
		[ "SELECT fresh FROM dogpile_metadata('$region', 'k')", 'f', 'all is stale' ],
		[ $create, 104, 'created again' ],
		[ "SELECT dogpile_set('$region', 'tagged', 1, tags => '{a,b,\"c d\",ä,e}')", '', 'set with tags' ],
		[ "SELECT dogpile_get('$region', 'tagged', NULL::int), tags FROM dogpile_metadata('$region', 'tagged')", '1|{a,b,"c d",ä,e}', 'found with tags' ],
		[ "SELECT dogpile_invalidate_tags('{f,g}')", '', 'invalidate other tags' ],
		[ "SELECT dogpile_exists('$region', 'tagged')", 't', 'still there' ],
		[ "SELECT dogpile_invalidate_tags('{e,g}', hard => false)", '', 'invalidate a tag softly' ],
		[ "SELECT dogpile_get('$region', 'tagged', NULL::int), fresh FROM dogpile_metadata('$region', 'tagged')", '1|f', 'stale by its tag' ],
		[ "SELECT dogpile_invalidate_tags('{x,\"c d\"}')", '', 'invalidate a tag' ],
		[ "SELECT dogpile_exists('$region', 'tagged')", 'f', 'gone with it' ],
		[ "SELECT count(dogpile_set('$region', 'many' || i, i)) FROM generate_series(1, 150) AS i", 150, 'set many' ],
		[ "SELECT sum(dogpile_get('$region', 'many' || i, NULL::int)) FROM generate_series(1, 150) AS i", 11325, 'get many' ],
		[ "SELECT count(*) FROM generate_series(1, 150) AS i WHERE dogpile_invalidate('$region', 'many' || i)", 150, 'invalidate many' ],
		[ "SELECT count(dogpile_get('$region', 'many' || i)) FROM generate_series(1, 150) AS i", 0, 'many gone' ]);
	return;
}

# More at a time than go into one call.
sub check_many
{
	my ($node, $region) = @_;
	my $n = 600;

	run_statements($node, "$region: many",
		[ "SELECT count(dogpile_set('$region', 'many ' || i, i, tags => ARRAY['many ' || i])) FROM generate_series(1, $n) AS i WHERE i % 100 = 0", 6, 'values' ],
		[ "BEGIN; SELECT count(dogpile_invalidate('$region', 'many ' || i)) FROM generate_series(1, $n / 2) AS i; SELECT count(dogpile_invalidate_tags(ARRAY['many ' || i])) FROM generate_series($n / 2 + 1, $n) AS i; COMMIT",
			"300\n300", 'invalidated in one transaction' ],
		[ "SELECT count(*) FROM generate_series(1, $n) AS i WHERE i % 100 = 0 AND dogpile_exists('$region', 'many ' || i)", 0, 'none is left' ],
		[ "SELECT dogpile_get_or_create('$region', 'many ' || i, 'SELECT 1', tags => ARRAY['many ' || i]) FROM generate_series(300, $n, 300) AS i", "1\n1", 'created again' ],
		[ "SELECT dogpile_exists('$region', 'many ' || i) FROM generate_series(300, $n, 300) AS i", "t\nt", '... and kept' ]);
	return;
}

sub check_transactions
{
	my ($node, $region) = @_;
	my $get = "SELECT dogpile_get('$region', 'xact', NULL::int)";

	run_statements(
		$node, $region,
		[ "SELECT dogpile_set('$region', 'xact', 1)", '', 'before' ],
		[ "BEGIN; SELECT dogpile_set('$region', 'xact', 2); $get", "\n2", 'own set is seen' ],
		[ "ROLLBACK; $get", 1, 'ROLLBACK undoes a set' ],
		[ "BEGIN; SELECT dogpile_invalidate('$region', 'xact'); $get", "t\n", 'own invalidation is seen' ],
		[ "ROLLBACK; $get", 1, 'ROLLBACK undoes an invalidation' ],
		[ "BEGIN; SAVEPOINT s; SELECT dogpile_set('$region', 'xact', 3); ROLLBACK TO s; COMMIT; $get", "\n1", 'ROLLBACK TO undoes a set' ],
		[ "BEGIN; SELECT dogpile_invalidate('$region', 'xact'); SELECT dogpile_set('$region', 'xact', 4); COMMIT; $get", "t\n\n4", 'invalidated, then set' ],
		[ "BEGIN; SELECT dogpile_set('$region', 'xact', 5); SELECT dogpile_invalidate('$region', 'xact'); COMMIT; $get", "\nt\n", 'set, then invalidated' ],
		[ "BEGIN; SELECT dogpile_invalidate('$region', 'xact'); SELECT dogpile_get_or_create('$region', 'xact', 'SELECT 6'); COMMIT; $get", "f\n6\n6", 'invalidated, then created' ],
		[ "BEGIN; SELECT dogpile_delete('$region', 'xact'); SELECT dogpile_add('$region', 'xact', 6); SELECT dogpile_add('$region', 'xact', 7); SELECT dogpile_delete('$region', 'xact'); SELECT dogpile_get_or_create('$region', 'xact', 'SELECT 8'); SELECT dogpile_delete('$region', 'xact'); SELECT dogpile_add('$region', 'xact', 9); COMMIT; $get", "t\nt\nf\nt\n8\nt\nt\n9", 'added, deleted, created, deleted, added' ],
		[ "BEGIN; SELECT dogpile_delete('$region', 'xact'); SELECT dogpile_add('$region', 'xact', 6); ROLLBACK; $get", "t\nt\n9", 'ROLLBACK undoes an add' ],
		[ "SELECT dogpile_delete('$region', 'xact'); SELECT dogpile_add('$region', 'xact', 6); $get", "t\nt\n6", '... and leaves no lock' ],
		[ "BEGIN; SELECT dogpile_invalidate('$region'); SELECT dogpile_set('$region', 'xact', 7); COMMIT; $get", "\n\n7", 'region invalidated, then set' ]);
	return;
}

# Counters, which are not part of the transaction.
sub check_counters
{
	my ($node, $region) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/count.sql';

	run_statements(
		$node, $region,
		[ "SELECT dogpile_set('$region', 'n', 'a value'::text)", '', 'a value of the same key' ],
		[ "SELECT dogpile_increment('$region', 'n')", 1, 'a counter begins at zero' ],
		[ "SELECT dogpile_increment('$region', 'n', 41)", 42, 'add' ],
		[ "BEGIN; SELECT dogpile_increment('$region', 'n', -2); ROLLBACK; SELECT dogpile_increment('$region', 'n', 0)",
			"40\n40", 'ROLLBACK takes nothing back' ],
		[ "SELECT dogpile_invalidate('$region', 'n'); SELECT dogpile_increment('$region', 'n', 0)",
			"t\n40", 'invalidating the value leaves it alone' ],
		[ "SELECT dogpile_increment('$region', 'big', 9223372036854775000), dogpile_increment('$region', 'big', -9223372036854775000)",
			'9223372036854775000|0', 'large numbers' ],
		[ "DO \$\$ BEGIN PERFORM dogpile_increment('$region', 'max', 9223372036854775807); PERFORM dogpile_increment('$region', 'max', 1, '1h'); EXCEPTION WHEN numeric_value_out_of_range THEN PERFORM set_config('test.caught', 'yes', false); END \$\$; SELECT current_setting('test.caught'), dogpile_increment('$region', 'max', 0)",
			'yes|9223372036854775807', 'out of range' ],
		[ "SELECT dogpile_increment('$region', 'short', 5, '1s')", 5, 'with an expiration time' ],
		[ "SELECT pg_sleep(2.1)", '', 'wait' ],
		[ "SELECT dogpile_increment('$region', 'short', 1, '1s')", 1, '... after which it begins again' ]);
	append_to_file($file, "SELECT dogpile_increment('$region', 'shared');\n");
	$node->command_ok(
		[ 'pgbench', '-n', '-c', 8, '-j', 2, '-t', 50, '-f', $file, 'postgres' ],
		"$region: sessions add to one counter");
	is($node->safe_psql('postgres', "SELECT dogpile_increment('$region', 'shared', 0)"),
		400, "$region: ... and nothing is lost");
	return;
}

# Many sessions ask for a missing value: the query must run once.
sub check_single_flight
{
	my ($node, $region, $nsessions) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/stampede.sql';
	my $offset = log_offset($node);

	append_to_file($file,
		"SELECT dogpile_get_or_create('$region', 'stampede', 'SELECT ran(''$region'', 0.5)');\n");
	$node->command_ok(
		[ 'pgbench', '-n', '-c', $nsessions, '-j', 2, '-t', 2, '-f', $file, 'postgres' ],
		"$region: $nsessions sessions were given a value");
	is(count_runs($node, $region, $offset), 1, "$region: ... that was created once");
	return;
}

sub check_backend
{
	my ($node, $region, %facts) = @_;
	my $offset = log_offset($node);

	check_values($node, $region);
	check_result_sets($node, $region);
	check_keys($node, $region);
	check_sizes($node, $region, %facts);
	check_age($node, $region);
	check_changes($node, $region);
	check_many($node, $region);
	check_transactions($node, $region);
	check_counters($node, $region);
	check_single_flight($node, $region, 15);
	check_nothing_is_left($node, $region);
	check_log($node, $region, $offset);
	return;
}

1;
