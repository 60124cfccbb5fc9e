# Transactions that begin on a standby and continue after its promotion see what their
# snapshot shows, and other sessions get no outdated value from them.
#
# Replay on a standby invalidates nothing there, so it is not known whether a snapshot that
# was taken then sees all changes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');

$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', <<'EOT');
shared_preload_libraries = 'dogpile'
dogpile.shared_memory = '2MB'
dogpile.regions = 'auto, bypassed, ignored'
dogpile_auto.depends = 'auto'
dogpile_bypassed.depends = 'auto'
dogpile_bypassed.nondeterministic = 'bypass'
dogpile_ignored.depends = 'auto'
dogpile_ignored.nondeterministic = 'ignore'
autovacuum = off
max_standby_streaming_delay = -1
EOT
$primary->start;
$primary->safe_psql('postgres', <<'EOT');
CREATE EXTENSION dogpile;
CREATE TABLE t (value text);
INSERT INTO t VALUES ('old');
EOT
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');

$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

sub ask
{
	my ($region, $key) = @_;

	return
	  "SELECT dogpile_get_or_create('$region', '$key', 'SELECT value FROM t')";
}

# The table is watched from now on, before any of the snapshots.
foreach my $region ('bypassed', 'ignored')
{
	is($standby->safe_psql('postgres', ask($region, 'early')),
		'old', "$region: on the standby");
}

my %sessions;
my %levels = (repeatable => 'REPEATABLE READ', committed => 'READ COMMITTED');

foreach my $name (sort keys %levels)
{
	$sessions{$name} = $standby->background_psql('postgres');
	$sessions{$name}->query_safe("BEGIN ISOLATION LEVEL $levels{$name}");
	is($sessions{$name}->query_safe('SELECT value FROM t'), 'old', "$name: begins");
}
$primary->safe_psql('postgres', q{UPDATE t SET value = 'new'});
$primary->wait_for_catchup($standby);

# Still on the standby: other sessions have seen the new value.
is($standby->safe_psql('postgres', ask('ignored', 'standby')),
	'new', 'ignored: another session');
is($sessions{repeatable}->query_safe(ask('ignored', 'standby')),
	'old', 'repeatable read is not given it');
$standby->promote;

is($standby->safe_psql('postgres', ask('auto', 'shared')),
	'new', 'created after the promotion');
is($standby->safe_psql('postgres', 'SELECT value FROM t'), 'new', 'the table');
is($sessions{repeatable}->query_safe(ask('auto', 'shared')),
	'old', 'repeatable read sees what its snapshot shows');
is($sessions{committed}->query_safe(ask('auto', 'shared')),
	'new', 'read committed sees what is there');

# What it computes itself is not published, at once or at COMMIT.
is($sessions{repeatable}->query_safe(ask('auto', 'own')), 'old', 'its own value');
is($standby->safe_psql('postgres', ask('auto', 'own')), 'new', 'no other session gets it');
$sessions{repeatable}->query_safe(q{SELECT dogpile_invalidate('auto', 'late')});
is($sessions{repeatable}->query_safe(ask('auto', 'late')), 'old', 'what it has invalidated');
is($sessions{repeatable}->query_safe('SELECT value FROM t'), 'old', 'its snapshot');
$sessions{repeatable}->query_safe('COMMIT');
is($standby->safe_psql('postgres', ask('auto', 'late')),
	'new', 'nor does one after its COMMIT');

# The next one is like any other.
$standby->safe_psql('postgres', ask('auto', 'next'));
$sessions{repeatable}->query_safe("BEGIN ISOLATION LEVEL $levels{repeatable}");
is($sessions{repeatable}->query_safe(ask('auto', 'next')), 'new', 'the next transaction');
my $hits = q{SELECT hits FROM dogpile_stats WHERE region = 'auto'};
$sessions{repeatable}->query_safe('COMMIT');
cmp_ok($standby->safe_psql('postgres', $hits), '>=', 1, 'which was served');
$_->quit foreach values %sessions;
check_log($standby, 'standby');

done_testing();
