# What another module writes when dogpile has already seen what a transaction has
# changed: in a callback before the commit that is called later.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my $node = new_server('main', "dogpile.regions = 'auto'", "dogpile_auto.depends = 'auto'");

# The last setting counts.
$node->append_conf('postgresql.conf',
	"shared_preload_libraries = '" . module_path('late_writer') . ", dogpile'");
$node->start;
create_helpers($node);
ask($node, 'CREATE TABLE data (a int); CREATE TABLE other (a int)');

my $query = q{SELECT dogpile_get_or_create('auto', 'count', 'SELECT count(*) FROM data')};
my $late = q{SET late_writer.statement = 'INSERT INTO data VALUES (1)';};

is(ask($node, $query), '0', 'nothing was written');
is(ask($node, q{SELECT dogpile_get('auto', 'count')}), '0', '... which is cached');

ask($node, $late);
is(ask($node, $query), '1', 'a transaction that only writes late is seen');

ask($node, "BEGIN; INSERT INTO other VALUES (1); $late COMMIT");
is(ask($node, $query), '2', '... and one that has written before');

# The value is stored at COMMIT, when what was written late is visible.
ask($node, q{SELECT dogpile_delete('auto', 'count')});
is(ask($node, "BEGIN; INSERT INTO other VALUES (1); $query; $late COMMIT"),
	'2', 'a value that was computed before it was written');
is(ask($node, q{SELECT coalesce(dogpile_get('auto', 'count'), 'nothing')}),
	'nothing', '... is not stored');
is(ask($node, $query), '3', '... but computed once more');

ask($node, "BEGIN; SELECT dogpile_set('auto', 'x', 1); CREATE TABLE third (a int); $late COMMIT");
is(ask($node, $query), '4', 'one that has changed catalogs, and the cache');

check_log($node, 'late writers');
done_testing();
