# The backend "file", and the wrappers.  Values survive a restart of any kind; files that
# are damaged, have another name or are too many are misses; a base backup of a running
# server starts, and does not serve the values of the other server; if the folder cannot
# be used, values are computed and the log says why; "log" logs all operations, and
# "retry" repeats failed writes.

use strict;
use warnings;

use File::Copy;
use File::Find;
use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @regions = qw(plain small broken logged retried failing);
my $node = new_server(
	'main',
	'wal_level = replica',
	'max_wal_senders = 5',
	"dogpile.regions = '" . join(', ', @regions) . "'",
	(map { "dogpile_$_.backend = 'file'" } @regions),
	"dogpile_small.max_total_size = '1MB'",
	"dogpile_small.max_value_size = '10MB'",
	"dogpile_logged.wrap = 'log'",
	"dogpile_retried.wrap = 'retry, failing'",
	"dogpile_failing.wrap = 'failing'");
my $folder = $node->data_dir . '/dogpile';

$node->append_conf('postgresql.conf',
	"shared_preload_libraries = 'dogpile, " . module_path('failing') . "'");
$node->start;
create_helpers($node);

sub query
{
	my ($sql, $server) = @_;

	return ($server // $node)->safe_psql('postgres', $sql);
}

sub create
{
	my ($region, $key) = @_;

	return "SELECT dogpile_get_or_create('$region', '$key', 'SELECT ran(''$key'')')";
}

# Is a value found, without its query being run?
sub is_hit
{
	my ($region, $key, $name) = @_;
	my $offset = log_offset($node);

	is(query(create($region, $key)), $key, "$name: value");
	is(count_runs($node, $key, $offset), 0, "$name: ... from the cache");
	return;
}

# The files of a region that have values, and those left over.
sub files_of
{
	my ($region) = @_;
	my @files;

	find(
		{   no_chdir => 1,
			wanted => sub {
				push @files, $File::Find::name
				  if -f && m{/[0-9a-f]{2}/[^/]+$};
			}
		},
		"$folder/$region") if -d "$folder/$region";
	return @files;
}

sub last_error
{
	my ($region) = @_;

	return query(
		"SELECT last_error FROM dogpile_servers WHERE address = 'dogpile/$region'");
}

# ---------------------------------------------------------------------------
# Restarts

query(create('plain', 'a'));
query("SELECT dogpile_set('plain', 'é/..\\', 'odd'::text)");
is_hit('plain', 'a', 'same server');
$node->restart;
is_hit('plain', 'a', 'after a restart');
is(query("SELECT dogpile_get('plain', 'é/..\\')"),
	'odd', 'after a restart: a key with odd bytes');
query("SELECT dogpile_set('plain', 'gone', 1)");
query("SELECT dogpile_invalidate('plain', 'gone')");
$node->stop('immediate');
$node->start;
is_hit('plain', 'a', 'after an immediate stop');
is(query("SELECT dogpile_exists('plain', 'gone')"),
	'f', 'what was invalidated stays so');
my @children = split /\n/, query('SELECT pid FROM pg_stat_activity');
$node->kill9;

# The server's other processes may take a moment to see that.
foreach (1 .. 300)
{
	last if !grep { kill 0, $_ } @children;
	select undef, undef, undef, 0.1;
}
$node->start;
is_hit('plain', 'a', 'after kill -9');
query("SELECT dogpile_invalidate('plain', 'a')");
is(query("SELECT dogpile_exists('plain', 'a')"), 'f', 'and can be invalidated');

# Only the owner of the data directory can read the files.
my @modes = map { sprintf '%o', (stat)[2] & 0777 } files_of('plain'),
  glob("$folder/plain/*");
is( join(' ', sort keys %{ { map { $_ => 1 } @modes } }),
	'600 700', 'only the owner can read the files');

# ---------------------------------------------------------------------------
# Damage

sub change_file
{
	my ($file, $change) = @_;
	my $bytes = slurp_file($file);

	$change->(\$bytes);
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $bytes;
	close $fh;
	return;
}

my %damage = (
	'is empty' => sub { ${ $_[0] } = '' },
	'is cut' => sub { substr(${ $_[0] }, -1) = '' },
	'is cut within its head' => sub { substr(${ $_[0] }, 20) = '' },
	'is too long' => sub { ${ $_[0] } .= 'x' },
	'has another magic' => sub { substr(${ $_[0] }, 0, 4) = 'nono' },
	'has a bit flipped' => sub { substr(${ $_[0] }, -1) ^= "\1" },
	'has a length that wraps around' => sub {
		substr(${ $_[0] }, 16) = pack('q<L<L<', -90, 100, 0) . 'x' x 10;
	},
	'is all zeros' => sub { ${ $_[0] } =~ s/./\0/gs });

foreach my $damage (sort keys %damage)
{
	query("SELECT dogpile_invalidate('plain')");
	query(create('plain', 'damaged'));
	change_file($_, $damage{$damage}) foreach files_of('plain');
	my $offset = log_offset($node);

	is(query(create('plain', 'damaged')), 'damaged', "a file that $damage");
	is(count_runs($node, 'damaged', $offset), 1, "... is a miss");
	is_hit('plain', 'damaged', '... and is replaced');
}

# A file under the name of another one: the same hash, or renamed by a user.
query("SELECT dogpile_set('plain', 'one', 1), dogpile_set('plain', 'two', 2)");
{
	my @files = files_of('plain');
	my %size = map { $_ => -s } @files;
	my ($first) = sort { $size{$b} <=> $size{$a} } @files;

	copy($first, $_) foreach grep { $_ ne $first } @files;
	is( query("SELECT coalesce(dogpile_get('plain', 'one'), '1'), coalesce(dogpile_get('plain', 'two'), '2')"),
		'1|2',
		'a file of another name is a miss');
}
query("SELECT dogpile_invalidate('plain')");

# What a crash has left while it was written is removed, once it is old.
append_to_file("$folder/plain/00/$_", 'x')
  foreach map { mkdir "$folder/plain/00", 0700; $_ } qw(tmp.1.1 tmp.1.2);
utime 1, 1, "$folder/plain/00/tmp.1.1";
query("SELECT count(*) FROM dogpile_server_stats('plain')");
ok(!-e "$folder/plain/00/tmp.1.1", 'a file left over is removed');
ok(-e "$folder/plain/00/tmp.1.2", 'one that may be in use is not');
unlink "$folder/plain/00/tmp.1.2";

# ---------------------------------------------------------------------------
# The maximum size

query(join "\n",
	map { "SELECT dogpile_set('small', 'k$_', repeat(md5('$_'), 320));" } 1 .. 300);
my $total = 0;
$total += -s foreach files_of('small');
cmp_ok($total, '<=', 1024 * 1024, 'no more than the limit is kept');
cmp_ok($total, '>', 512 * 1024, '... but most of that');
is( query("SELECT dogpile_exists('small', 'k300'), dogpile_exists('small', 'k1')"),
	't|f', 'the files written least recently have gone');
is( query("SELECT length(dogpile_get_or_create('small', 'large', \$\$ SELECT string_agg(md5(i::text), '') FROM generate_series(1, 40000) AS i \$\$))"),
	32 * 40000,
	'what is larger than the limit is returned');
is(query("SELECT dogpile_exists('small', 'large')"),
	'f', '... not kept');
is( query("SELECT too_large FROM dogpile_stats WHERE region = 'small'"),
	1, '... and counted');
is(query("SELECT dogpile_exists('small', 'k300')"), 't', '... and nothing has gone for it');
is( join(' ', grep { m{/tmp\.[^/]*$} } files_of('small')),
	'', 'no temporary file is left');

# ---------------------------------------------------------------------------
# A base backup of a running server

query("SELECT dogpile_set('plain', 'copied', 1)");
query('CREATE TABLE t (i int)');
my $writer = start_psql($node, join "\n",
	map { "SELECT count(dogpile_set('plain', 'w' || i % 50, repeat('x', i % 5000))) FROM generate_series(1, 500) AS i;" }
	  1 .. 20);
$node->backup('copy');
query("SELECT dogpile_invalidate('plain', 'copied')");
my (undef, $stderr) = finish_psql($writer);
is($stderr, '', 'writing during a base backup');

my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'copy');
$copy->start;
is(query("SELECT dogpile_exists('plain', 'copied')", $copy),
	'f', 'the copy starts, and does not trust the values of the other server');
query("SELECT dogpile_set('plain', 'own', 1)", $copy);
is(query("SELECT dogpile_get('plain', 'own')", $copy), 1, '... but has its own');
is(query("SELECT dogpile_exists('plain', 'w1')", $copy),
	'f', '... and only those');
$copy->restart;
is(query("SELECT dogpile_get('plain', 'own')", $copy), 1, '... after a restart, too');
$copy->stop;

# ---------------------------------------------------------------------------
# A folder that cannot be used

append_to_file("$folder/broken", 'not a folder');
is(query(create('broken', 'a')), 'a', 'a query works without the folder');
query("SELECT dogpile_set('broken', 'a', 1)");
is(query("SELECT dogpile_exists('broken', 'a')"), 'f', '... nothing is kept');
like(last_error('broken'), qr{could not .*/dogpile/broken": Not a directory},
	'... and dogpile_servers says why');
like(slurp_file($node->logfile), qr{LOG: .*"file" failed: could not .*/dogpile/broken"},
	'... and the log');
unlink "$folder/broken";
query(create('broken', 'a'));
is_hit('broken', 'a', 'when it can be used again');

SKIP:
{
	skip 'root may write everywhere', 3 if $> == 0;
	query(create('broken', 'b'));
	my @folders = ("$folder/broken", glob("$folder/broken/??"));

	chmod 0500, @folders;
	is(query(create('broken', 'c')), 'c', 'a query works if nothing can be written');
	like(last_error('broken'), qr{could not .*/dogpile/broken": Permission denied},
		'... and dogpile_servers says why');
	is_hit('broken', 'b', '... and what is there can be read');
	chmod 0700, @folders;
	is(query("SELECT dogpile_invalidate('broken', 'b')"), 't', 'it can be written again');
}

# ---------------------------------------------------------------------------
# Wrappers

my $offset = log_offset($node);
query(create('logged', 'a'));
query("SELECT dogpile_set('logged', 'b', 1)");
query("SELECT dogpile_invalidate('logged', 'b')");
my $log = slurp_file($node->logfile, $offset);
like($log, qr/LOG:  cache backend "file": get ".*" \(miss\).* in \d+ us/, 'log: a miss');
like($log, qr/LOG:  cache backend "file": set ".*" \(ok\).* in \d+ us/, 'log: storing');
$offset = log_offset($node);
query("SELECT dogpile_set('logged', 'c', 1)");
like(slurp_file($node->logfile, $offset),
	qr/cache backend "file": set "\S+:c\}:role/, 'log: what happens at COMMIT');

# How often the servers' calls have failed, from outside the wrappers.
sub failures
{
	return query(
		"SELECT failures FROM dogpile_servers WHERE address = 'dogpile/$_[0]'");
}

foreach my $how ('off', 'on')
{
	my $n = $how eq 'on' ? 1 : 2;

	query("SELECT dogpile_set('retried', 'a', 1)");
	query("SET failing.unreachable = $how; SET failing.failures = $n;"
		. "SELECT dogpile_invalidate('retried', 'a')");
	is(failures('retried'), 0, "retry: no failure is seen (unreachable: $how)");
	is(query("SELECT dogpile_exists('retried', 'a')"),
		'f', '... and what was invalidated is gone');
}
query("SELECT dogpile_set('retried', 'b', 1)");
query("SET failing.failures = 2; SELECT dogpile_set('retried', 'b', 2)");
is(query("SELECT dogpile_get('retried', 'b')"), 2, 'retry: storing, too');
query("SELECT dogpile_set('failing', 'a', 1)");
query("SET failing.failures = 1; SELECT dogpile_invalidate('failing', 'a')");
cmp_ok(failures('failing'), '>', 0, 'without it, there is a failure');
is(query("SELECT dogpile_exists('failing', 'a')"),
	'f', '... but what was invalidated is not served');

check_log($node, 'main');
$node->stop;
done_testing();
