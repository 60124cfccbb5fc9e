# A backup is restored in place, over the data directory that it was made from: all
# directories and most files stay the same, with other contents.  The backend "file" must
# not serve values that were invalidated since the backup was made, if the data are newer
# than it; nor values that were made from data that no longer exist.

use strict;
use warnings;

use File::Find;
use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my $node = new_server(
	'main',
	server_setting(files => { backend => 'file' }),
	'wal_level = replica',
	'max_wal_senders = 5',
	'autovacuum = off');
my $data = $node->data_dir;

$node->start;
create_helpers($node);
ask($node, 'CREATE TABLE data (a int); INSERT INTO data VALUES (0)');

# Change the table and invalidate what was made from it.
sub change
{
	my ($value) = @_;

	ask($node, "UPDATE data SET a = $value; SELECT dogpile_invalidate_tags('{data}')");
	return;
}

sub cache
{
	my ($key) = @_;

	return ask($node,
		"SELECT dogpile_get_or_create('files', '$key', 'SELECT a FROM data', tags => '{data}')");
}

# What is cached, and what is true.
sub cached { return ask($node, "SELECT dogpile_get('files', '$_[0]')"); }
sub truth  { return ask($node, 'SELECT a FROM data'); }

# Paths of all files below a directory, without the directory.
sub files_of
{
	my ($root) = @_;
	my @files;

	find({ no_chdir => 1, wanted => sub { push @files, substr($_, length $root) if -f $_ } }, $root);
	return @files;
}

# Write over what is there.
sub copy_file
{
	my ($from, $to) = @_;
	my $folder = $to =~ s{/[^/]*$}{}r;

	PostgreSQL::Test::Utils::system_or_bail('mkdir', '-p', $folder) if !-d $folder;
	open my $out, '>', $to or die "$to: $!";
	binmode $out;
	print $out slurp_file($from);
	close $out or die "$to: $!";
	return;
}

# Restore a backup in place; the server is stopped.  Files that it does not have stay.
#
# skip: files that are not restored.
sub restore
{
	my ($backup, $skip) = @_;
	my $inode = (stat "$data/dogpile/files")[1];

	foreach my $file (grep { !$skip || $_ !~ $skip } files_of($backup))
	{
		next if $file =~ m{/(?:postgresql\.conf|backup_manifest|postmaster\.\w+)$};
		copy_file("$backup$file", "$data$file");
	}
	is((stat "$data/dogpile/files")[1], $inode, 'the directory of the cache is the same as before');
	return;
}

# Without later WAL.
sub remove_wal
{
	my ($backup) = @_;

	unlink grep { !-e "$backup/pg_wal/" . (m{([^/]+)$})[0] } glob "$data/pg_wal/0*";
	return;
}

# A backup of a stopped server.
sub cold_backup
{
	my ($name) = @_;
	my $backup = PostgreSQL::Test::Utils::tempdir() . "/$name";

	$node->stop;
	PostgreSQL::Test::Utils::system_or_bail('cp', '-a', $data, $backup);
	$node->start;
	return $backup;
}

# ---------------------------------------------------------------------------
# A base backup of a running server

# All WAL is replayed: the data are the latest, and the cache is that of the backup.
sub check_hot_backup
{
	change(1);
	is(cache('k'), 1, 'base backup: a value is cached');
	$node->backup('hot');
	change(2);
	is(cached('k'), '', 'base backup: ... and invalidated');
	cache('later');
	$node->stop;
	restore($node->backup_dir . '/hot');
	$node->start;
	is(truth(), 2, 'base backup, all WAL: the data are those of now');
	is(cached('k'), '', 'base backup, all WAL: the value of then is not served');
	return;
}

# Later WAL is lost, and the data are those of the backup.
sub check_earlier_data
{
	my $backup = $node->backup_dir . '/earlier';

	change(3);
	is(cache('k'), 3, 'earlier data: a value is cached');
	$node->backup('earlier');
	change(4);
	cache($_) foreach 'k', 'later';
	$node->stop;
	remove_wal($backup);
	restore($backup);
	$node->start;
	is(truth(), 3, 'base backup, no later WAL: the data are those of then');
	foreach my $key ('k', 'later')
	{
		unlike(cached($key), qr/4/, "base backup, no later WAL: no value is served of what is gone ($key)");
	}
	is(cache('k'), 3, 'base backup: values can be cached again');
	$node->restart;
	is(cached('k'), 3, 'base backup: ... and survive a restart');
	return;
}

# ---------------------------------------------------------------------------
# A copy of a stopped server

# skip: what is not restored.
sub check_cold_backup
{
	my ($name, $skip, $expected) = @_;
	my $value = truth() + 2;

	change($value);
	is(cache('k'), $value, "$name: a value is cached");
	my $backup = cold_backup($name =~ s/\W/_/gr);

	# Values without a tag are not invalidated; nor are those from data that will be lost.
	is(cached('k'), $value, "$name: it is there after a restart");
	ask($node, "UPDATE data SET a = -1; SELECT dogpile_get_or_create('files', 'later $name', 'SELECT a FROM data', tags => '{data}')");
	$node->stop;
	remove_wal($backup);
	restore($backup, $skip);
	$node->start;
	is(truth(), $value, "$name: the data are those of then");
	is(cached('k'), $expected // $value, "$name: so are values in the cache");
	is(cached("later $name"), '', "$name: what was made of data that are gone is not served");
	return;
}

check_hot_backup();
check_earlier_data();
check_cold_backup('copy', undef);
check_cold_backup('copy without the cache', qr{^/dogpile/}, '');

# Files that were written since one of the last starts are used, older ones are not.
sub check_many_starts
{
	cache('k');
	$node->restart foreach 1 .. 3;
	isnt(cached('k'), '', 'values survive several restarts');

	# A damaged file says nothing, and what it had recorded is lost.
	$node->stop;
	copy_file("$data/PG_VERSION", "$data/dogpile/starts");
	$node->start;
	is(cached('k'), '', 'without a list of starts nothing is believed');
	cache('k');
	$node->restart;
	isnt(cached('k'), '', '... and a new one is begun');
	return;
}

# Change the last byte of a file.
sub damage
{
	my ($file) = @_;
	my $content = slurp_file($file);

	substr($content, -1) ^= chr(1);
	open my $out, '>', $file or die "$file: $!";
	binmode $out;
	print $out $content;
	close $out or die "$file: $!";
	return;
}

# Another start of the machine, and files that are torn.
sub check_damage
{
	my $folder = "$data/dogpile/files";

	cache('k');
	$node->stop;
	damage("$folder/origin");
	$node->start;
	is(cached('k'), '', 'what is of another start of the machine is not served');
	cache('k');
	isnt(cached('k'), '', '... and values can be cached again');
	my @files = grep { m{/[0-9a-f]{2}/\w+$} } files_of($folder);

	damage("$folder$_") foreach @files;
	is(cached('k'), '', 'what is damaged is not served');
	cmp_ok(scalar(grep { -e "$folder$_" } @files), '<', scalar @files, '... and is removed');
	return;
}

check_many_starts();
check_damage();
unlike(slurp_file($node->logfile), qr/PANIC: |TRAP: |could not write file|terminated by signal/,
	'the log tells of nothing that has gone wrong');
$node->stop;
done_testing();
