# Entries of a database that is dropped or renamed are gone, even if another database gets
# its OID or its name.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q(
shared_preload_libraries = 'dogpile'
dogpile.shared_memory = '8MB'
dogpile.regions = 'plain, live, kept, fixed'
dogpile_live.depends = 'auto'
dogpile_kept.backend = 'file'
dogpile_fixed.backend = 'file'
dogpile_fixed.namespace = 'everybody'
));
$node->start;

# What a key holds: "computed" if nothing.
sub ask
{
	my ($database, $region, $query) = @_;
	$query //= q('computed');
	return $node->safe_psql($database,
		"SELECT dogpile_get_or_create('$region', 'k', \$\$SELECT $query\$\$)");
}

sub make
{
	my ($name, $more) = @_;
	$more //= '';
	$node->safe_psql('postgres', "CREATE DATABASE $name $more");
	$node->safe_psql($name, 'CREATE EXTENSION dogpile');
	return $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = '$name'");
}

my @regions = qw(default plain live kept fixed);

# Another database gets the OID, under another name.
my $oid = make('first');
make('other');
for my $region (@regions)
{
	is(ask('first', $region, q('of the first')), 'of the first', "stored in region $region");
	ask('other', $region, q('of the other'));
	is(ask('first', $region), 'of the first', "... and served");
}
$node->safe_psql('postgres', 'DROP DATABASE first');
is(make('second', "OID = $oid"), $oid, 'the number is back');
is(ask('second', $_), $_ eq 'fixed' ? 'of the first' : 'computed', "another database with the number of one that was dropped, region $_")
  for @regions;
is(ask('other', $_), $_ eq 'fixed' ? 'of the first' : 'of the other', "others keep their values, region $_") for @regions;

# Another database gets the name.
make('first');
is(ask('first', $_), $_ eq 'fixed' ? 'of the first' : 'computed', "another database with the name of one that was dropped, region $_")
  for @regions;

# Names in results, and a name that another database takes.
is(ask('other', 'live', 'current_database()'), 'of the other', 'not asked yet');
$node->safe_psql('other', "SELECT dogpile_invalidate('$_', 'k')") for @regions;
is(ask('other', $_, 'current_database()'), 'other', "the name of a database, region $_") for @regions;
$node->safe_psql('postgres', 'ALTER DATABASE other RENAME TO renamed');
is(ask('renamed', $_, 'current_database()'), $_ eq 'fixed' ? 'other' : 'renamed', "... after it was renamed, region $_")
  for @regions;
$node->safe_psql('postgres', 'ALTER DATABASE second RENAME TO other');
is(ask('other', $_, 'current_database()'), 'other', "... in one that has taken its name, region $_") for @regions;

# What was rolled back has changed nothing.
ask('renamed', $_, q('still there')) for @regions;
$node->safe_psql('postgres', q(
BEGIN;
ALTER DATABASE renamed RENAME TO nobody;
ROLLBACK;
));
is(ask('renamed', $_, q('computed')), $_ eq 'fixed' ? 'other' : 'renamed', "a rename that was rolled back, region $_")
  for @regions;
my ($status) = $node->psql('postgres', 'DROP DATABASE postgres');
isnt($status, 0, 'a database that cannot be dropped');
$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS nobody');

# TOAST tables are not to be relied on.
$node->safe_psql('renamed', 'CREATE TABLE t (v text)');
my $toast = $node->safe_psql('renamed',
	q(SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 't'::regclass));
my $error;
$node->psql('renamed', "SELECT dogpile_get_or_create('live', 'toast', 'SELECT count(*) FROM $toast')",
	stderr => \$error);
like($error, qr/Relation "pg_toast_\d+" belongs to another table/, 'a TOAST table is refused');

done_testing();
