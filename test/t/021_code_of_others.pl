# Types are identified by name in a store, and on another server the name may belong to
# another role.  Two servers share a store; on the first one the types are harmless, and
# on the second one they and all that belongs to them (constraints of domains, comparisons
# of ranges) are owned by the role "guest".  A superuser there reads in all ways what the
# first server has stored, and none of the guest's functions may run.  Nor may one run as
# a key_mangler, or because a row of a watched table changes.

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

my $redis = start_redis('redis');
my %outside = (
	backend => 'redis',
	servers => $redis->address,
	connect_timeout => '20s',
	operation_timeout => '20s');
my @lines = server_setting(
	open => { %outside, vary => '' },
	own => {%outside},
	copies => { %outside, vary => '', local_expiration_time => '1h' },
	mangled => { %outside, vary => '', key_mangler => 'app.mangle' });
my ($one, $two) = map { new_server($_, @lines) } 'one', 'two';

foreach my $node ($one, $two)
{
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION dogpile');
}

# ---------------------------------------------------------------------------
# The types

my $types = <<'EOT';
CREATE DOMAIN app.d AS int%CHECK (app.check_int(VALUE))%;
CREATE DOMAIN app.folded AS int%CHECK (VALUE > 0 AND app.check_const(1))%;
CREATE DOMAIN app.t AS text%CHECK (app.check_text(VALUE))%;
CREATE DOMAIN app.dd AS app.d;
CREATE TYPE app.e AS ENUM ('a', 'b');
CREATE DOMAIN app.de AS app.e%CHECK (app.check_text(VALUE::text))%;
CREATE DOMAIN app.dr AS int4range%CHECK (app.check_text(VALUE::text))%;
CREATE TYPE app.pair AS (a app.d, b text);
CREATE DOMAIN app.dpair AS app.pair%CHECK (app.check_text(VALUE::text))%;
CREATE TYPE app.num AS (n int);
CREATE TYPE app.r AS RANGE (subtype = app.d, multirange_type_name = app.mr);
EOT

my $spies = <<'EOT';
CREATE SEQUENCE app.runs;
CREATE FUNCTION app.spy() RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'guest' THEN
		PERFORM nextval('app.runs');
		EXECUTE 'ALTER ROLE guest SUPERUSER';
	END IF;
	RETURN true;
END $$;
CREATE FUNCTION app.check_int(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN app.spy(); END';
CREATE FUNCTION app.check_const(int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN app.spy(); END';
CREATE FUNCTION app.check_text(text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN app.spy(); END';
CREATE FUNCTION app.mangle(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM app.spy(); RETURN $1; END';
CREATE FUNCTION app.lower(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM app.spy(); RETURN $1; END';
EOT

# Operators of a composite type that the guest owns.  Only a superuser can create an
# operator class, but the functions in it can belong to any role.
my $operators = join(
	'',
	map {
		my ($name, $operator) = @$_;

		"CREATE FUNCTION app.$name(app.num, app.num) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM app.spy(); RETURN (\$1).n $operator (\$2).n; END';\n"
		  . "CREATE OPERATOR app.$operator (LEFTARG = app.num, RIGHTARG = app.num, FUNCTION = app.$name);\n"
	  } [ 'lt', '<' ], [ 'le', '<=' ], [ 'eq', '=' ], [ 'ge', '>=' ], [ 'gt', '>' ])
  . "CREATE FUNCTION app.cmp(app.num, app.num) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM app.spy(); RETURN (\$1).n - (\$2).n; END';\n";

$one->safe_psql('postgres',
	'CREATE SCHEMA app;'
	  . ($types =~ s/%[^%]*%//gr)
	  . 'CREATE TYPE app.rnum AS RANGE (subtype = app.num, multirange_type_name = app.mrnum);'
	  . "CREATE FUNCTION app.mangle(text) RETURNS text LANGUAGE sql AS 'SELECT lower(\$1)';");
$two->safe_psql('postgres',
	"CREATE ROLE guest; CREATE SCHEMA app AUTHORIZATION guest; SET ROLE guest; $spies"
	  . ($types =~ s/%/ /gr)
	  . $operators
	  . 'RESET ROLE; CREATE OPERATOR CLASS app.num_ops FOR TYPE app.num USING btree AS '
	  . 'OPERATOR 1 app.<, OPERATOR 2 app.<=, OPERATOR 3 app.=, OPERATOR 4 app.>=, OPERATOR 5 app.>, FUNCTION 1 app.cmp(app.num, app.num);'
	  . 'SET ROLE guest; CREATE TYPE app.rnum AS RANGE (subtype = app.num, subtype_opclass = app.num_ops, multirange_type_name = app.mrnum)');

# Values, and whether they can be read where the types are harmless.
my %values = (
	domain => '42::app.d',
	folded => '1::app.folded',
	text => "'x'::app.t",
	twice => '1::app.dd',
	enum => "'a'::app.de",
	range => "'[1,5)'::app.dr",
	composite => "ROW(1, 'x')::app.pair",
	over => "ROW(1, 'x')::app.pair::app.dpair",
	array => 'ARRAY[1, 2]::app.d[]',
	composites => "ARRAY[ROW(1, 'x')]::app.pair[]",
	bounds => 'app.r(1, 5)',
	multi => 'app.mr(app.r(1, 5))',
	compared => 'app.rnum(ROW(1)::app.num, ROW(5)::app.num)',
	comparisons => 'app.mrnum(app.rnum(ROW(1)::app.num, ROW(5)::app.num))',
	record => 'ROW(1::app.d, ROW(2::app.d))',
	records => 'ARRAY[ROW(1::app.d)]');
my @regions = qw(open own copies);

# None of the guest's functions has run as another role.
sub check_guest
{
	my ($name) = @_;

	is( ask($two, "SELECT is_called, rolsuper FROM app.runs, pg_roles WHERE rolname = 'guest'"),
		'f|f', "$name: the guest's functions have not run");
	return;
}

sub store
{
	ask($one, "SELECT dogpile_set('$_[0]', '$_', $values{$_})") foreach sort keys %values;
	return;
}

# ---------------------------------------------------------------------------
# Reading

foreach my $region (@regions)
{
	my $keys = "unnest('{" . join(',', sort keys %values) . "}'::text[]) AS k";
	my $n = keys %values;

	store($region);
	is(ask($one, "SELECT count(dogpile_get('$region', k)) FROM $keys"),
		$n, "$region: all values are there");
	is(ask($two, "SELECT count(*) FROM $keys WHERE dogpile_exists('$region', k)"),
		$n, "$region: all exist on the other server");
	is(ask($two, "SELECT sum(rows) FROM $keys, dogpile_metadata('$region', k)"),
		$n, "$region: it knows what they are");
	is( ask($two, "SELECT type FROM dogpile_metadata('$region', 'composites')"),
		'app.pair[]', "$region: their types, too");
	check_guest("$region, exists and metadata");

	my $offset = log_offset($two);
	is(ask($two, "SELECT count(dogpile_get('$region', k)) FROM $keys"),
		0, "$region: none is returned as text");
	like(
		slurp_file($two->logfile, $offset),
		qr/entry ".*" in the store of cache region "$region" cannot be used: constraints of domain app\.\w+ call functions that are not built in/,
		"$region: the log says why");
	foreach my $type ('int', 'text', 'record', 'int[]', 'app.pair', 'app.pair[]', 'app.d[]', 'app.r', 'app.mr', 'app.rnum', 'app.mrnum', 'app.e', 'int4range')
	{
		is( ask($two, "SELECT count(dogpile_get('$region', k, result_type => NULL::$type)) FROM $keys"),
			0, "$region: nor as $type");
	}
	is(ask($two, "SELECT count(*) FROM $keys WHERE dogpile_add('$region', k, 1)"),
		0, "$region: none is missing");
	check_guest("$region, get and add");

	# What is created in their place is the reader's own.
	is( ask($two, "SET dogpile_$region.verify_fraction = 1; SELECT count(*) FROM $keys, dogpile_query('$region', k, 'SELECT NULL::app.d[], 1') AS t(a app.d[], b int)"),
		$n, "$region: values are created in their place");
	store($region);
	is( ask($two, "SET dogpile_$region.verify_fraction = 1; SELECT string_agg(DISTINCT dogpile_get_or_create('$region', k, 'SELECT ''mine'''), ',') FROM $keys, generate_series(1, 2)"),
		'mine', "$region: also as text, and verified");
	check_guest("$region, creation and verification");
}

ask($two, 'SET ROLE guest; CREATE TABLE app.none (a app.d)');

# Callers that ask for a domain check it, and no caller gets a copy that is not checked.
is( ask($two, "SET ROLE guest; SELECT dogpile_set('copies', 'own', 42::app.d); SELECT dogpile_get('copies', 'own', NULL::app.d)"),
	"\n42", 'a call that asks for a domain gets it');
is( ask($two, "SELECT dogpile_get('copies', 'own'), (SELECT count(*) FROM dogpile_query('copies', 'own', 'SELECT a FROM app.none') AS t(v app.d))"),
	'|0', 'others are not');
check_guest('a copy that was not checked');

# Values that this server has stored itself are treated like those of other servers.
is( ask($one, "BEGIN; SELECT dogpile_set('$_', 'typed', 1); SELECT dogpile_get('$_', 'typed', ''::text), dogpile_get('$_', 'typed'); COMMIT; SELECT dogpile_get('$_', 'typed', 0), dogpile_get('$_', 'typed', ''::text)"),
	"\n|1\n1|", "$_: another type is a miss, before COMMIT and after")
  foreach @regions;

# The values on the other server, where nothing is wrong with the types.
is( ask($one, "SELECT dogpile_set('open', 'k', 43::app.d); SELECT dogpile_get('open', 'k'), dogpile_get('open', 'k', NULL::app.d), dogpile_get('open', 'k', 0)"),
	"\n43|43|43", 'domains without constraints are read by all');

# ---------------------------------------------------------------------------
# Storing

# A superuser reads the guest's table, which runs no function, and caches the result.
ask($two, "SET ROLE guest; CREATE TABLE app.tab (a app.d, p app.pair, r app.rnum); INSERT INTO app.tab VALUES (1, ROW(2, 'x'), app.rnum(ROW(1)::app.num, ROW(5)::app.num))");
ask($two, 'SELECT dogpile_reset_stats()');
my ($status, $stdout, $stderr) = $two->psql('postgres', <<'EOT');
SET log_min_messages = error;
BEGIN;
SELECT dogpile_set('open', 'a', a), dogpile_set('open', 'p', p), dogpile_set('open', 'r', r), dogpile_set('open', 'tab', tab) FROM app.tab;
COMMIT;
SELECT dogpile_set('open', 'p', p) FROM app.tab;
EOT
is($status, 0, 'a value that cannot be stored is no error');
like($stderr, qr/WARNING:  value cannot be stored in cache region "open": constraints of domain app\.d call functions that are not built in/,
	'a set warns');
like($stderr, qr/ranges of type app\.rnum are compared by functions that are not written in C/, '... of ranges, too');
is( ask($two, "SELECT string_agg(dogpile_exists('open', k)::text, ','), (SELECT unstorable FROM dogpile_stats WHERE region = 'open') FROM unnest('{a,p,r,tab}'::text[]) AS k"),
	'true,false,false,false|4', 'they are counted');
my @said = slurp_file($two->logfile) =~ /LOG:  value cannot be stored in cache region "open": (.*)/g;
is(scalar(@said), 2, 'the log says each reason once') or diag(join("\n", @said));
check_guest('storing');

# ---------------------------------------------------------------------------
# Other functions

# A mangling function that does not belong to a superuser is not called.
foreach my $call ("get('mangled', 'k')", "set('mangled', 'k', 1)", "exists('mangled', 'k')", "invalidate('mangled', 'k')", "increment('mangled', 'k')",
	"get_or_create('mangled', 'k', 'SELECT 1')", "add('mangled', 'k', 1)")
{
	($status, $stdout, $stderr) = $two->psql('postgres', "SELECT dogpile_$call");
	like($stderr, qr/function app\.mangle\(text\), the key_mangler of cache region "mangled", does not belong to a superuser/,
		"dogpile_$call: the mangler is refused");
}
check_guest('key_mangler');

# One that belongs to a superuser runs with a search_path without schemas of the guest.
my $superuser = ask($two, 'SELECT current_user');
ask($two, qq(CREATE OR REPLACE FUNCTION app.mangle(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN lower(\$1); END'; ALTER FUNCTION app.mangle OWNER TO "$superuser"));
is( ask($two, "SET search_path = app, pg_catalog; SELECT public.dogpile_set('mangled', 'KEY', 1); SELECT public.dogpile_get('mangled', 'key'), current_setting('search_path')"),
	"\n1|app, pg_catalog", 'a mangler of a superuser');
is(ask($one, "SELECT dogpile_get('mangled', 'Key')"), '1', '... makes the same names everywhere');
check_guest('search_path of the mangler');

# Making tags from rows checks no constraints.
ask($two, "SET ROLE guest; CREATE TABLE app.watched (id app.d, name app.t); SELECT dogpile_watch('app.watched', 'row:{id}:{name}'); INSERT INTO app.watched VALUES (1, 'x')");
ask($two, 'DELETE FROM app.watched');
check_guest('watched rows');

# Errors that are caught.
is( ask($two, <<'EOT'), '', 'errors are caught');
DO $$
BEGIN
	FOR i IN 1 .. 3 LOOP
		BEGIN
			PERFORM dogpile_get_or_create('open', 'composite', 'SELECT 1/0', result_type => NULL::app.pair);
		EXCEPTION WHEN OTHERS THEN
			PERFORM dogpile_get('open', 'composite');
		END;
	END LOOP;
END $$;
EOT
check_guest('exceptions');

check_log($_, $_->name) foreach $one, $two;
$_->stop foreach $one, $two;
done_testing();
