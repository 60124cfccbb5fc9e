# Without preloading, CREATE EXTENSION and pg_dump work, and every function raises an
# error that says what is missing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

# An argument of each type that our functions take.
my %arguments = (
	'text' => "'x'::text",
	'text[]' => "ARRAY['x']",
	'boolean' => 'true',
	'bigint' => '1',
	'interval' => "'1 s'::interval",
	'record' => 'ROW(1)',
	'dogpile_literal' => "'x'",
	'regclass' => "'pg_class'::regclass",
	'anyelement' => '1::int');

# Call every function of the extension, except those that need no cache; returns the
# errors.
sub call_all
{
	my ($options) = @_;
	my $functions = $node->safe_psql('postgres', <<'EOT');
SELECT p.proname || '|' || p.prorettype::regtype ||
	'|' || array_to_string(ARRAY(
		SELECT format_type(t, NULL) FROM unnest(p.proargtypes) AS t), ';')
FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid
WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND
	d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dogpile') AND
	p.proname !~ '^dogpile_literal_' AND
	p.proname NOT IN ('dogpile_key', 'dogpile_note_time', 'dogpile_unwatch', 'dogpile_watch_arguments', 'dogpile_watch_changes')
ORDER BY 1
EOT
	my %errors;

	foreach my $line (split /\n/, $functions)
	{
		my ($name, $type, $types) = split /\|/, $line, -1;
		my @values = map { $arguments{$_} // die "no argument of type $_" }
		  split /;/, $types;
		my $call = "$name(" . join(', ', @values) . ')';
		my $stderr;

		$call .= ' AS t(a int)'
		  if $type eq 'record' && $name eq 'dogpile_query';
		$node->psql(
			'postgres', "$options; SELECT * FROM $call",
			stderr => \$stderr,
			extra_params => [ '-v', 'VERBOSITY=verbose' ]);
		$errors{"$name($types)"} = $stderr;
	}
	return %errors;
}

sub check_all_fail
{
	my ($name, $options) = @_;
	my %errors = call_all($options);

	cmp_ok(scalar(keys %errors), '>', 15, "$name: functions were called");
	foreach my $function (sort keys %errors)
	{
		like(
			$errors{$function},
			qr/ERROR:  55000: dogpile must be loaded via "shared_preload_libraries"\nHINT:  Add "dogpile" to "shared_preload_libraries" in postgresql\.conf and restart the server\./,
			"$name: $function tells what is missing");
	}
	return;
}

# ---------------------------------------------------------------------------
# The configuration has lines for the module, but the server does not load it.

$node->init;
$node->append_conf('postgresql.conf', <<'EOT');
dogpile.regions = 'reports'
dogpile.shared_memory = '16MB'
dogpile_reports.expiration_time = '5min'
EOT
$node->start;
create_helpers($node);

check_all_fail('no preload', 'SET client_min_messages = error');
check_all_fail('loaded later', "LOAD 'dogpile'");
is($node->safe_psql('postgres', "SELECT dogpile_key('a', 1) IS NOT NULL"),
	't', 'keys can be made all the same');
is($node->safe_psql('postgres', "SELECT dogpile_note_time('now'::text, 'date'::regtype)"),
	'now', 'what plans call does nothing');
foreach my $view ('dogpile_stats', 'dogpile_entries')
{
	my $stderr;

	$node->psql('postgres', "SELECT * FROM $view", stderr => \$stderr);
	like(
		$stderr,
		qr/ERROR:  dogpile must be loaded via/,
		"no preload: view $view tells what is missing");
}
is( $node->safe_psql(
		'postgres',
		"LOAD 'dogpile'; SHOW dogpile_reports.expiration_time; BEGIN; SAVEPOINT a; ROLLBACK TO a; COMMIT; SELECT 1"
	),
	"5min\n1",
	'loaded later: the session is not disturbed');

# ---------------------------------------------------------------------------
# Objects that use the extension are dumped and restored.

$node->safe_psql('postgres', <<'EOT');
CREATE SCHEMA cache;
ALTER EXTENSION dogpile SET SCHEMA cache;
CREATE VIEW report AS
	SELECT * FROM cache.dogpile_query('reports', 'k', 'SELECT 1, 2::numeric')
		AS t(id int, total numeric);
CREATE VIEW counters AS SELECT region, hits FROM cache.dogpile_stats;
CREATE TABLE has_default (a text DEFAULT cache.dogpile_get('reports', 'k'));
CREATE MATERIALIZED VIEW stored AS
	SELECT cache.dogpile_get_or_create('reports', 'm', 'SELECT 3', NULL::int) AS a
	WITH NO DATA;
CREATE FUNCTION uses() RETURNS text
RETURN cache.dogpile_get_or_create('reports', 'f', 'SELECT 4');
CREATE TABLE watched (a int, b int);
CREATE TRIGGER dogpile_watch AFTER INSERT OR UPDATE OR DELETE ON watched
	FOR EACH ROW EXECUTE FUNCTION cache.dogpile_watch_changes('a:{a}', 'reports', 'b:{no}', '');
ALTER TABLE watched ENABLE ALWAYS TRIGGER dogpile_watch;
EOT

# Nothing is cached, so there is nothing to do and nothing to warn about.
{
	my $stderr;

	$node->psql(
		'postgres',
		'INSERT INTO watched VALUES (1, 1), (2, 2); UPDATE watched SET a = 3; DELETE FROM watched WHERE b = 2',
		stderr => \$stderr);
	is($stderr, '', 'no preload: a table that is watched can be changed');
}

sub dump_and_restore
{
	my ($name, $database) = @_;
	my $sql;

	command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ],
		"$name: pg_dump");
	$sql = slurp_file($dump);
	like($sql, qr/CREATE EXTENSION IF NOT EXISTS dogpile WITH SCHEMA cache;/,
		"$name: the dump creates the extension");
	unlike($sql, qr/CREATE FUNCTION cache\.|CREATE VIEW cache\./,
		"$name: ... and none of its objects by itself");

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	command_ok(
		[
			'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d',
			$node->connstr($database)
		],
		"$name: the dump is restored");
	is( $node->safe_psql(
			$database,
			'SELECT relation, tags, region, enabled FROM cache.dogpile_watched ORDER BY tags'
		),
		"watched|a:{a}|reports|t\nwatched|b:{no}||t",
		"$name: what is watched is restored");
	is( $node->safe_psql(
			$database,
			"SELECT count(*) FROM pg_class WHERE relname IN ('report', 'counters', 'has_default', 'stored')"
		),
		4,
		"$name: with what depends on the extension");
	return;
}

dump_and_restore('no preload', 'copy');
is( $node->safe_psql(
		'copy', "SELECT cache.dogpile_unwatch('watched', 'b:{no}')"),
	1,
	'no preload: a table can be unwatched');
$node->safe_psql('copy', 'DROP EXTENSION dogpile CASCADE');
is($node->safe_psql('copy', "SELECT to_regclass('report') IS NULL"),
	't', 'DROP EXTENSION works without preload');

# ---------------------------------------------------------------------------
# Following the hint helps.

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'dogpile'");
$node->restart;
is($node->safe_psql('postgres', 'SELECT * FROM report'),
	'1|2', 'preloaded: the view works');
is($node->safe_psql('postgres', 'SELECT uses(), uses()'),
	'4|4', 'preloaded: the function works');
$node->safe_psql('postgres', 'REFRESH MATERIALIZED VIEW stored');
is($node->safe_psql('postgres', 'SELECT a FROM stored'),
	'3', 'preloaded: the materialized view works');
dump_and_restore('preloaded', 'another');
is( $node->safe_psql('another', <<'EOT'),
SELECT cache.dogpile_unwatch('watched', 'b:{no}');
SELECT cache.dogpile_set('reports', 'watch', 'x', tags => '{a:3}');
UPDATE watched SET b = 3;
SELECT cache.dogpile_exists('reports', 'watch');
EOT
	"1\n\nf", 'preloaded: the restored table is watched');
is($node->safe_psql('another', 'SELECT * FROM report'),
	'1|2', 'preloaded: the restored view works');
is( $node->safe_psql(
		'postgres', 'SELECT count(DISTINCT database) FROM cache.dogpile_entries'
	),
	2,
	'preloaded: each database has entries of its own');
check_log($node, 'all');

$node->stop;
done_testing();
