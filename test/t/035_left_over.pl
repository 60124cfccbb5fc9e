# Entries from earlier: of a region that was less strict, and copies of entries in a store
# that have become stale.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server(
	'main',
	"dogpile.regions = 'strict, copied'",
	"dogpile_strict.depends = 'auto'",
	"dogpile_strict.nondeterministic = 'ignore'",
	"dogpile_copied.backend = 'file'",
	"dogpile_copied.expiration_time = '3s'",
	"dogpile_copied.local_expiration_time = '1h'");

sub query { return $node->safe_psql('postgres', $_[0]); }

$node->start;
query('CREATE EXTENSION dogpile');
query('CREATE TABLE data AS SELECT 1 AS value');

# ---------------------------------------------------------------------------
# A region that ignored what its values depend on no longer does.

my $since = "SELECT count(*) FROM data WHERE now() > ''2020-01-01''";
my $sure = 'SELECT count(*) FROM data';

query("SELECT dogpile_get_or_create('strict', 'since', '$since')");
query("SELECT dogpile_get_or_create('strict', 'sure', '$sure')");
is(query("SELECT dogpile_exists('strict', 'since')"), 't', 'what is ignored is stored');
$node->append_conf('postgresql.conf', "dogpile_strict.nondeterministic = 'throw'");
$node->reload;
ok($node->poll_query_until('postgres', 'SHOW dogpile_strict.nondeterministic', 'throw'),
	'the region has become strict');
is(query("SELECT dogpile_exists('strict', 'since')"), 'f', 'what was ignored is none');
is(query("SELECT dogpile_exists('strict', 'sure')"), 't', 'what is known stays');

my ($result, $stdout, $stderr) =
  $node->psql('postgres', "SELECT dogpile_get_or_create('strict', 'since', '$since')");
like($stderr, qr/not deterministic/, 'and it is an error to create it');

# ---------------------------------------------------------------------------
# A copy is valid for an hour, but its entry only for seconds.

my $value = "SELECT dogpile_get_or_create('copied', 'value', 'SELECT value FROM data')";

is(query($value), '1', 'a value is stored outside');
query('UPDATE data SET value = 2');

my $seen = 1;

foreach (1 .. 300)
{
	$seen = query($value);
	last if $seen ne '1';
	usleep(100_000);
}
is($seen, '2', 'a copy lives no longer than its entry');

check_log($node);
$node->stop;
done_testing();
