# COMMIT PREPARED: what it invalidates, also after a restart and a crash, and that it runs
# no query which statistics would count as the user's.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = qx(pg_config --pkglibdir);
chomp $folder;
plan skip_all => 'pg_stat_statements is not installed'
  unless glob("$folder/pg_stat_statements.{so,dylib,dll}");

my $ask =
  q{SELECT dogpile_get_or_create('auto', 'sum', 'SELECT sum(value) FROM data')};

# What an unprivileged session has run, as pg_stat_statements tells.
sub statements
{
	my ($node) = @_;

	return $node->safe_psql('postgres', <<'EOT');
SELECT string_agg(regexp_replace(query, '''.*''|\$1', '...'), '; ' ORDER BY query)
FROM pg_stat_statements JOIN pg_roles ON pg_roles.oid = userid
WHERE rolname = 'guest' AND calls = 1
EOT
}

sub commit_prepared
{
	my ($node) = @_;

	$node->safe_psql('postgres', q{COMMIT PREPARED 'one'},
		extra_params => [ '-U', 'guest' ]);
	return;
}

foreach my $libraries ('dogpile, pg_stat_statements', 'pg_stat_statements, dogpile')
{
	my $node = new_server(
		($libraries =~ /^(\w+)/)[0] . '_first',
		"shared_preload_libraries = '$libraries'",
		'max_prepared_transactions = 5',
		"dogpile.regions = 'auto'",
		"dogpile_auto.depends = 'auto'",
		"dogpile_auto.vary = ''",
		'pg_stat_statements.track = all');

	$node->start;
	$node->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;
CREATE EXTENSION pg_stat_statements;
CREATE ROLE guest LOGIN;
CREATE TABLE data (value int);
GRANT ALL ON data TO guest;
INSERT INTO data VALUES (1);
-- Rights on the views are not needed.
REVOKE ALL ON pg_prepared_xacts, pg_locks FROM PUBLIC;
REVOKE ALL ON FUNCTION pg_prepared_xact(), pg_lock_status() FROM PUBLIC;
EOT

	my $expected = 1;

	foreach my $between ('nothing', 'restart', 'crash')
	{
		# Others are prepared as well, and hold locks of their own.
		$node->safe_psql(
			'postgres', q{
			BEGIN; INSERT INTO data VALUES (1000); PREPARE TRANSACTION 'other';
			BEGIN; INSERT INTO data VALUES (10); PREPARE TRANSACTION 'one'},
			extra_params => [ '-U', 'guest' ]);
		$node->restart if $between eq 'restart';
		if ($between eq 'crash')
		{
			$node->stop('immediate');
			$node->start;
		}
		is($node->safe_psql('postgres', $ask), $expected, "$libraries: before, $between");
		$node->safe_psql('postgres', 'SELECT pg_stat_statements_reset()');
		commit_prepared($node);
		$expected += 10;
		is($node->safe_psql('postgres', $ask), $expected,
			"$libraries: COMMIT PREPARED invalidates, $between");
		is(statements($node), 'COMMIT PREPARED ...',
			"$libraries: nothing else is run, $between");
		$node->safe_psql('postgres', q{ROLLBACK PREPARED 'other'});
	}

	# Catalogs: a view that is replaced.
	$node->safe_psql('postgres', 'CREATE VIEW shown AS SELECT 1 AS value');
	my $ask_view = $ask =~ s/sum\(value\) FROM data/value FROM shown/r;

	$node->safe_psql('postgres', q{SELECT dogpile_invalidate('auto')});
	$node->safe_psql('postgres',
		q{BEGIN; CREATE OR REPLACE VIEW shown AS SELECT 2 AS value; PREPARE TRANSACTION 'one'}
	);
	$node->restart;
	$node->safe_psql('postgres', q{COMMIT PREPARED 'one'});
	is($node->safe_psql('postgres', $ask_view), 2, "$libraries: the new view");
	check_log($node, $libraries);
	$node->stop;
}

done_testing();
