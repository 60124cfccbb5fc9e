# A value that was computed with an outdated list of partitions is not stored.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $module = module_path('old_partitions');
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q(
shared_preload_libraries = 'dogpile'
dogpile.shared_memory = '8MB'
dogpile.regions = 'live'
dogpile_live.depends = 'auto'
));
$node->start;
$node->safe_psql('postgres', qq(
CREATE EXTENSION dogpile;
CREATE FUNCTION old_partitions_keep(regclass) RETURNS void LANGUAGE c AS '$module';
CREATE FUNCTION old_partitions_restore(regclass) RETURNS void LANGUAGE c AS '$module';
CREATE TABLE sale (day int, amount int) PARTITION BY LIST (day);
CREATE TABLE sale_1 PARTITION OF sale FOR VALUES IN (1);
INSERT INTO sale VALUES (1, 10);
CREATE TABLE sale_2 (day int, amount int);
INSERT INTO sale_2 VALUES (2, 20);
CREATE FUNCTION total() RETURNS bigint STABLE LANGUAGE plpgsql AS
\$\$ BEGIN RETURN (SELECT sum(amount) FROM sale); END \$\$;
));

my $get = q(SELECT dogpile_get_or_create('live', 'sales', 'SELECT sum(amount) FROM sale'));
my $get_total = q(SELECT dogpile_get_or_create('live', 'total', 'SELECT total()'));

# One session does it all, with another one in between.
my $attach = $node->connstr . ' dbname=postgres';
$node->safe_psql('postgres', 'CREATE EXTENSION dblink');
my $script = qq(
SELECT dblink_connect('other', '$attach');
SELECT old_partitions_keep('sale');
SELECT dblink_exec('other', 'ALTER TABLE sale ATTACH PARTITION sale_2 FOR VALUES IN (2)');
SELECT 1 FROM sale LIMIT 1;
SELECT old_partitions_restore('sale');
);
my $out = $node->safe_psql('postgres', $script . q(SELECT 'old ' || sum(amount) FROM sale;));
like($out, qr/old 10$/, 'the list of this session is outdated');
is($node->safe_psql('postgres', 'SELECT sum(amount) FROM sale'), '30', '... and not that of others');

for ([$get, 'sales', 'a query'], [$get_total, 'total', 'a function'])
{
	my ($query, $key, $what) = @$_;
	my @lines;

	$node->safe_psql('postgres', 'ALTER TABLE sale DETACH PARTITION sale_2');
	$node->safe_psql('postgres', $query);
	$out = $node->safe_psql('postgres', $script . qq(
$query;
SELECT dogpile_exists('live', '$key');
$query;
));
	@lines = split /\n/, $out;
	is($lines[-3], '10', "$what reads by an outdated list");
	is($lines[-2], 'f', '... and its value is not stored');
	is($lines[-1], '30', '... and the session is cured');
	is($node->safe_psql('postgres', $query), '30', '... and other sessions get the right value');
}

done_testing();
