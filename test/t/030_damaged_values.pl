# Values that are damaged in chosen places: in a store, in entries whose checksum is right
# nevertheless, and in shared memory, where only a bug of the module could damage them.
# Each is detected before it is used.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $module = module_path('wire_fuzz');
my $setup = slurp_file("$FindBin::RealBin/../modules/wire_fuzz/setup.sql") =~
  s/AS 'wire_fuzz'/AS '$module'/gr;
my $node = new_server('damaged');

$node->start;
$node->safe_psql('postgres', $setup);

# What a call returns, or its error.
sub answer
{
	my ($call) = @_;
	my ($status, $stdout, $stderr) =
	  $node->psql('postgres', "SELECT wire_fuzz.wire_fuzz_$call");

	return $status == 0 ? $stdout : $stderr =~ /ERROR:  (.*)/ ? $1 : $stderr;
}

# Entries: the head is at fixed places, in network byte order.
my $head = 'its head is damaged';
my %entries = (
	'as it was' => [ "'SELECT 1', 0, ''", 'ok' ],
	'a time behind all that there are' => [ "'SELECT 1', 6, '\\x7fffffffffffffff'", $head ],
	'... and before' => [ "'SELECT 1', 6, '\\x8000000000000000'", $head ],
	'the last time that there is' => [ "'SELECT 1', 6, int8send(9223371331200000000 - 1)", 'ok' ],
	'a lifetime below zero' => [ "'SELECT 1', 14, float8send(-5)", $head ],
	'... that is no number' => [ "'SELECT 1', 14, float8send('NaN')", $head ],
	'... that stands for the region' => [ "'SELECT 1', 14, float8send(-2)", 'ok' ],
	'... that never ends' => [ "'SELECT 1', 14, float8send(-1)", 'ok' ],
	'a duration beyond all' => [ "'SELECT 1', 22, '\\x8000000000000000'", $head ],
	'the longest duration' => [ "'SELECT 1', 22, '\\x7fffffffffffffff'", 'ok' ],
	'bytes behind the rows' => [ "'SELECT 1', 0, '', '\\x00', false", $head ],
	'bytes behind the last row' => [ "'SELECT 1', 0, '', '\\x00', true", 'its value is damaged' ],
	'... and behind many' => [ "'SELECT generate_series(1, 9)', 0, '', 'R', true", 'its value is damaged' ]);

foreach my $name (sort keys %entries)
{
	my ($arguments, $expected) = @{ $entries{$name} };

	is(answer("forge($arguments)"), $expected, "entry: $name");
}

# Values in memory: numbers in the order of this machine.
my $corrupt = 'cached value is corrupt';
my $record = "'SELECT ROW(1) AS r, 2 AS x'";
my $rows = "'SELECT 1234567890, 9 FROM generate_series(1, 3)'";
my %values = (
	'as it was' => [ "'SELECT ''abc''::text'", 'ok' ],
	'a text cut short' => [ "'SELECT ''abc''::text', cut => 1", 'corrupt' ],
	'a text longer than it is' => [ "'SELECT ''abc''::text', 8, 7, 8", 'corrupt' ],
	'a number cut short, as it says' => [ "'SELECT 5::bigint', 8, 8, 4, cut => 4", 'corrupt' ],
	'nothing but a part of a head' => [ "'SELECT 5::bigint', cut => 9", 'corrupt' ],
	'a record' => [ $record, 'ok' ],
	'a record of a row type that is not there' => [ "$record, 4, 2249, 1, -4", $corrupt ],
	'... far from there' => [ "$record, 4, 2249, 1000000, -4", $corrupt ],
	'... below zero' => [ "$record, 4, 2249, -1, -4", $corrupt ],
	'rows' => [ $rows, 'ok' ],
	'rows cut short' => [ "$rows, cut => 8", $corrupt ],
	'more rows than there are' => [ "$rows, 8, 3, 4", $corrupt ],
	'a row type beyond the end' => [ "$rows, 4, 3, 2147483647, -8", 'corrupt' ],
	'row types of records beyond the end' => [ "$rows, 4, 3, 2147483647, -4", 'corrupt' ]);

foreach my $name (sort keys %values)
{
	my ($arguments, $expected) = @{ $values{$name} };

	is(answer("damage($arguments)"), $expected, "value: $name");
}

check_log($node, 'damaged values');
$node->stop;
done_testing();
