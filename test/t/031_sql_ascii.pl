# A database with encoding SQL_ASCII does not know in which encoding its texts are.  Values,
# tags, keys and names of types are stored as they are, and come back so.  Databases with
# other encodings get those that are valid in UTF-8.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my $node = new_server(
	'ascii',
	server_setting(
		outside => { backend => 'file', namespace => 'shared', vary => '' },
		mangled => { backend => 'file', namespace => 'shared', vary => '', key_mangler => 'sha1' }));

$node->start;
$node->safe_psql('postgres',
	"CREATE DATABASE $_ ENCODING '$_' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
  foreach 'sql_ascii', 'utf8';
$node->safe_psql($_, 'CREATE EXTENSION dogpile') foreach 'sql_ascii', 'utf8';

# Bytes of LATIN1, and of UTF-8: "gr", u with two dots, "n".
my %texts = (latin => 'gr\xfcn', utf8 => 'gr\xc3\xbcn', ascii => 'green');

foreach my $region ('outside', 'mangled')
{
	foreach my $name (sort keys %texts)
	{
		my $text = "E'$texts{$name}'";

		is( $node->safe_psql(
				'sql_ascii', <<EOQ), 't|t|t|t', "$region, $name: comes back as it was");
SET client_min_messages = error;
SELECT dogpile_set('$region', 'v $name', $text), dogpile_set('$region', $text, 1),
  dogpile_set('$region', 'a $name', ARRAY[$text, 'x']), dogpile_set('$region', 't $name', 2, tags => ARRAY[$text]) \\g /dev/null
SELECT dogpile_get('$region', 'v $name') = $text, dogpile_get('$region', $text) = '1', dogpile_get('$region', 'a $name', NULL::text[]) = ARRAY[$text, 'x'],
  (SELECT tags = ARRAY[$text] FROM dogpile_metadata('$region', 't $name'))
EOQ
		is( $node->safe_psql(
				'sql_ascii',
				"SELECT dogpile_invalidate_tags(ARRAY[$text]) \\g /dev/null\nSELECT dogpile_exists('$region', 't $name'), dogpile_exists('$region', 'v $name')"
			),
			'f|t',
			"$region, $name: its tags are found");

		# A text that is not valid in another database is a miss there.
		my $given = $name ne 'latin' ? 't' : '';

		is( $node->safe_psql('utf8', "SELECT dogpile_get('$region', 'v $name') = '" . ($name eq 'utf8' ? "gr\xc3\xbcn" : 'green') . "'"),
			$given, "$region, $name: in a database in UTF-8");
	}
	is($node->safe_psql('sql_ascii', "SELECT unstorable FROM dogpile_stats WHERE region = '$region'"),
		0, "$region: everything was stored");
}
is( $node->safe_psql('utf8', "SELECT dogpile_set('outside', 'back', U&'gr\\00FCn') \\g /dev/null\nSELECT dogpile_get('outside', 'back') = U&'gr\\00FCn'"),
	't', 'from a database in UTF-8');
is($node->safe_psql('sql_ascii', "SELECT dogpile_get('outside', 'back') = E'gr\\xc3\\xbcn'"),
	't', '... its bytes are returned');
check_log($node, 'sql_ascii');
$node->stop;
done_testing();
