# Bytes from an external store are hostile until they are decoded.  Values of all types
# are stored in Redis and in files, and then their bytes are changed without the server's
# knowledge: bits flipped, truncated, extended, swapped between keys, replaced.  Every
# changed entry counts as a miss with a line in the log; it never gives a wrong value, a
# wrong type or an error.  Some entries are forged with a checksum that fits.  With a
# secret, entries that were made without it or with another one are refused.
#
# WIRE_SEED in the environment makes other changes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileBackend;
use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;

my $seed = $ENV{WIRE_SEED} // 1;
my $rounds = 8;
my @values = @DogpileBackend::values;
my $redis = start_redis('redis', socket => 1);
my $socket = $redis->connect;

binmode $socket;
srand($seed);
note "seed $seed";

# Ways to change bytes.
my %changes = (
	flip => \&flip,
	cut => sub { substr($_[0], 0, int rand length $_[0]) },
	behead => sub { substr($_[0], 1 + int rand(length($_[0]) - 1)) },
	extend => sub { $_[0] . join('', map { chr int rand 256 } 0 .. int rand 20) },
	insert => sub {
		my $at = int rand length $_[0];

		substr($_[0], 0, $at) . chr(int rand 256) . substr($_[0], $at) . 'x';
	},
	double => sub { $_[0] . $_[0] },
	nonsense => sub { join('', map { chr int rand 256 } 1 .. length $_[0]) });

my $node = new_server(
	'wire',
	"statement_timeout = '60s'",
	"dogpile.regions = 'outside, signed, files, levels'",
	map({
			(   "dogpile_$_.backend = 'redis'",
				"dogpile_$_.servers = '" . $redis->address . "'",
				"dogpile_$_.operation_timeout = '20s'")
		} qw(outside signed levels)),
	"dogpile_levels.local_expiration_time = '1min'",
	"dogpile_levels.namespace = 'shared'",
	"dogpile_files.backend = 'file'");

$node->start;
create_helpers($node);
create_backend_helpers($node);
create_check($node);

check_redis();
check_files();
check_reasons();
check_forged();
check_tags();
check_secret();
check_log($node, 'wire');
$node->stop;
done_testing();

# ---------------------------------------------------------------------------
# Redis, with any bytes

sub read_line
{
	my $line = <$socket> // die 'Redis has closed the connection';

	$line =~ s/\r\n$//;
	return $line;
}

sub read_reply
{
	my ($kind, $rest) = read_line() =~ /^(.)(.*)/s;
	my $value;

	die "Redis: $rest" if $kind eq '-';
	return map { read_reply() } 1 .. $rest if $kind eq '*';
	return $rest if $kind ne '$';
	return undef if $rest < 0;
	read($socket, $value, $rest + 2) == $rest + 2 or die 'Redis: cut short';
	return substr($value, 0, $rest);
}

sub redis
{
	my (@command) = @_;

	syswrite $socket,
	  join('', '*' . @command . "\r\n", map { '$' . length($_) . "\r\n$_\r\n" } @command);
	return read_reply();
}

# The name under which a key of a region is stored.
sub name_of
{
	my ($region, $key) = @_;
	my @names =
	  grep { /^dogpile:\{[^{}]*:$region:\Q$key\E\}:/ } redis('KEYS', '*');

	die "$region: $key has " . @names . ' names' if @names != 1;
	return $names[0];
}

# ---------------------------------------------------------------------------
# The values

sub create_check
{
	my ($node) = @_;

	$node->safe_psql('postgres', <<'EOQ');
-- Asks for what was altered, and tells what is wrong.
CREATE FUNCTION check_altered(region text, key text, type text, query text, is_entry bool)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	expected text;
	got text;
BEGIN
	EXECUTE format('SELECT as_text(v) FROM (%s) AS t(v)', query) INTO expected;
	EXECUTE format('SELECT as_text(dogpile_get($1, $2, result_type => NULL::%s))', type)
		INTO got USING region, key;
	IF is_entry AND (dogpile_exists(region, key) OR got IS NOT NULL) THEN
		RETURN 'no miss: ' || coalesce(got, 'null');
	END IF;
	IF got <> expected THEN
		RETURN format('%s instead of %s', got, expected);
	END IF;
	EXECUTE format('SELECT as_text(dogpile_get_or_create($1, $2, $3, result_type => NULL::%s))', type)
		INTO got USING region, key, query;
	IF got IS DISTINCT FROM expected THEN
		RETURN format('created %s instead of %s', got, expected);
	END IF;
	IF NOT dogpile_exists(region, key) THEN
		RETURN 'not stored again';
	END IF;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END $$;

CREATE TABLE kinds (key text, type text, query text);
EOQ
	my @rows = map {
		my ($type, $expression) = @{ $values[$_] };
		my $query =
		  $expression =~ / FROM / ? "SELECT $expression" : "SELECT ($expression)::$type";

		"('v$_', \$x\$$type\$x\$, \$x\$$query\$x\$)"
	} 0 .. $#values;
	$node->safe_psql('postgres', 'INSERT INTO kinds VALUES ' . join(', ', @rows));
	return;
}

sub create_values
{
	my ($region) = @_;

	is( $node->safe_psql(
			'postgres',
			"SELECT key, type, r FROM (SELECT *, check_altered('$region', key, type, query, false) AS r FROM kinds) AS t WHERE r <> 'ok'"
		),
		'',
		"$region: values of all types");
	return;
}

# Nothing that is there now is one of the values, or was altered.
sub check_values
{
	my ($region, $is_entry, $name) = @_;
	my $offset = log_offset($node);

	is( $node->safe_psql(
			'postgres',
			"SELECT key, type, r FROM (SELECT *, check_altered('$region', key, type, query, $is_entry) AS r FROM kinds) AS t WHERE r <> 'ok'"
		),
		'',
		"$region: $name");
	return $offset;
}

# ---------------------------------------------------------------------------
# Changes

sub flip
{
	my ($bytes) = @_;
	my %bits;

	$bits{ int(rand 8 * length $bytes) } = 1 foreach 0 .. int rand 3;
	vec($bytes, $_, 1) ^= 1 foreach keys %bits;
	return $bytes;
}

sub change
{
	my ($bytes) = @_;
	my @names = sort keys %changes;

	return $changes{ $names[ rand @names ] }->($bytes);
}

sub check_redis
{
	my %name;
	my $count = 0;

	create_values('outside');
	$name{$_} = name_of('outside', "v$_") foreach 0 .. $#values;
	foreach my $round (1 .. $rounds)
	{
		my @bytes = map { redis('GET', $name{$_}) } 0 .. $#values;

		# In one round all get what is right for another key.
		foreach my $i (0 .. $#values)
		{
			redis('SET', $name{$i},
				$round == 1 ? $bytes[ ($i + 1) % @bytes ] : change($bytes[$i]));
			$count++;
		}
		my $offset =
		  check_values('outside', 'true', "round $round: whatever is altered is a miss");
		like(
			slurp_file($node->logfile, $offset),
			qr/LOG:  entry "dogpile:\{postgres:outside:v\d+\}.*" in the store of cache region "outside" cannot be used: /,
			"round $round: the log has it");
	}
	note "$count entries were altered";

	# What entries depend on, too.
	foreach my $name (grep { /!version$/ } redis('KEYS', '*:outside*'))
	{
		redis('SET', $name, change(redis('GET', $name)));
	}
	check_values('outside', 'false', 'altered versions');
	return;
}

# Files of the backend, which have a format of their own.
sub check_files
{
	my $folder = $node->data_dir . '/dogpile';
	my $count = 0;

	create_values('files');
	foreach my $round (1 .. $rounds)
	{
		my @paths;
		my @folders = ($folder);

		while (my $next = shift @folders)
		{
			push @folders, grep { -d } glob "$next/*";
			push @paths, grep { -f && -s } glob "$next/*";
		}
		foreach my $path (grep { rand() < 0.7 } sort @paths)
		{
			my $bytes = slurp_file($path);

			open my $file, '>:raw', $path or die "$path: $!";
			print $file change($bytes);
			close $file;
			$count++;
		}
		check_values('files', 'false', "round $round: altered files do no harm");
	}
	cmp_ok($count, '>', $rounds * @values / 2, 'many files were altered');
	return;
}

# ---------------------------------------------------------------------------
# Single entries

# Change an entry: it is a miss for this reason, which a new session logs.
sub check_refused
{
	my ($region, $key, $bytes, $reason, $name, $type) = @_;
	my $offset = log_offset($node);
	my $what = defined $type ? ", NULL::$type" : '';

	redis('SET', name_of($region, $key), $bytes) if defined $bytes;
	is($node->safe_psql('postgres', "SELECT dogpile_get('$region', '$key'$what) IS NULL"),
		't', "$name: a miss");
	like(
		slurp_file($node->logfile, $offset),
		qr/cannot be used: $reason/,
		"$name: the log tells why");
	return;
}

sub check_reasons
{
	my $create = "SELECT dogpile_set('outside', 'one', 'a text'::text), dogpile_set('outside', 'two', 'another'::text)";

	$node->safe_psql('postgres', $create);
	my ($one, $two) = map { redis('GET', name_of('outside', $_)) } qw(one two);
	my %bad = (
		'of another key' => [ $two, 'its checksum is wrong' ],
		'cut by a byte' => [ substr($one, 0, -1), 'its checksum is wrong' ],
		'a byte longer' => [ "$one\0", 'its checksum is wrong' ],
		'cut to nothing' => [ '', 'it is not an entry' ],
		'cut to six bytes' => [ substr($one, 0, 6), 'its checksum is wrong' ],
		'no entry' => [ 'nonsense', 'it is not an entry' ],
		'of another version' =>
		  [ substr($one, 0, 4) . "\x7f" . substr($one, 5), 'it has another version' ],
		'said to be authentic' =>
		  [ substr($one, 0, 5) . "\x01" . substr($one, 6), 'it is authenticated, but' ]);
	foreach my $name (sort keys %bad)
	{
		check_refused('outside', 'one', @{ $bad{$name} }, $name);
	}
	redis('SET', name_of('outside', 'one'), $one);
	is($node->safe_psql('postgres', "SELECT dogpile_get('outside', 'one')"),
		'a text', 'what is put back is good');
	return;
}

sub crc32c
{
	my ($bytes) = @_;
	my $crc = 0xFFFFFFFF;

	foreach my $byte (unpack 'C*', $bytes)
	{
		$crc ^= $byte;
		$crc = $crc & 1 ? ($crc >> 1) ^ 0x82F63B78 : $crc >> 1 foreach 1 .. 8;
	}
	return $crc ^ 0xFFFFFFFF;
}

# Replace a part of an entry, and put lengths and checksum right.
sub forge
{
	my ($region, $key, $from, $to, $rows_at) = @_;
	my $name = name_of($region, $key);
	my $body = substr(redis('GET', $name), 0, -4);
	my $at = rindex($body, $from);

	die "$key: nothing to replace" if $at < 0;
	substr($body, $at, length $from) = $to;
	return $body . pack('N', crc32c(pack('N', length $name) . $name . $body));
}

sub check_forged
{
	my $damaged = 'its value is damaged';

	$node->safe_psql('postgres', <<'EOQ');
CREATE TYPE char_row AS (c char(7), i int);
SELECT dogpile_get_or_create('outside', 'blanks', $$SELECT 'abc'::char(7)$$);
SELECT * FROM dogpile_query('outside', 'char', $$SELECT 'abc'::char(7) AS c, 1 AS i$$) AS t(c char(7), i int);
SELECT * FROM dogpile_query('outside', 'record', $$SELECT ROW(1) AS r, 1 AS i$$) AS t(r record, i int);
SELECT dogpile_set('outside', 'polygon', '((0,0),(1,1),(2,0))'::polygon);
SELECT dogpile_set('outside', 'path', '((0,0),(1,1),(2,0))'::path);
SELECT dogpile_set('outside', 'bits', '101'::varbit);
SELECT dogpile_set('outside', 'vector', '1 2 3'::int2vector);
SELECT dogpile_set('outside', 'words', 'a fat cat'::tsvector);
SELECT dogpile_set('outside', 'numbers', '{7,8,9}'::int[]);
SELECT dogpile_set('outside', 'tagged', 1, tags => '{tag}');
EOQ
	is( $node->safe_psql(
			'postgres',
			q{SELECT count(*) FROM unnest('{char,blanks,record,polygon,path,bits,vector,words,numbers,tagged}'::text[]) AS k WHERE dogpile_exists('outside', k)}
		),
		10,
		'entries to forge are there');
	my @forged = (
		[ 'char', pack('N', 11), pack('N', 1_000_000_004), 'its type is character\(1000000000\) where character\(7\) is asked for',
			'blanks to add', 'char_row' ],
		[ 'blanks', pack('N', 11), pack('N', 1_000_000_004), $damaged, '... to a single value' ],
		[ 'record', "\xff\xff\x07\xff\xff\xff\xff", "\xff\xff\x07\0\0\0\x05",
			$damaged, 'a row type of this session' ],
		[ 'polygon', pack('N', 3), pack('N', 60_000_000), $damaged, 'points that are not there' ],
		[ 'path', pack('CN', 1, 3), pack('CN', 1, 60_000_000), $damaged, '... in a path' ],
		[ 'bits', pack('N', 3) . "\xa0", pack('N', 2_000_000_000) . "\xa0", $damaged,
			'... bits' ],
		[ 'vector', pack('NN', 3, 0), pack('NN', 130_000_000, 0), $damaged,
			'... elements of a vector' ],
		[ 'words', pack('N', 3), pack('N', 60_000_000), $damaged, '... words' ],
		[ 'numbers', pack('CN', 1, 3), pack('CN', 1, 130_000_000), $damaged,
			'... elements of an array' ],
		[ 'numbers', pack('CN', 1, 3), pack('CN', 255, 3), $damaged, 'dimensions' ],
		[ 'tagged', pack('n', 3) . 'tag', pack('n', 600) . 'x' x 600,
			'it has a tag that is too long', 'a long tag' ]);

	foreach my $case (@forged)
	{
		my ($key, $from, $to, $reason, $name, $type) = @$case;
		my $was = redis('GET', name_of('outside', $key));

		check_refused('outside', $key, forge('outside', $key, $from, $to), $reason,
			"forged: $name", $type);
		redis('SET', name_of('outside', $key), $was);
	}
	return;
}

# In a database of another encoding, tags are the same texts, also for the copies that it
# keeps.
sub check_tags
{
	my $tag = "chr(228) || 'rger'";

	$node->safe_psql('postgres',
		"CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql('latin', 'CREATE EXTENSION dogpile');
	foreach my $from ('postgres', 'latin')
	{
		my $to = $from eq 'latin' ? 'postgres' : 'latin';
		my $get = "SELECT dogpile_get('levels', 'tagged', NULL::int)";

		$node->safe_psql($from,
			"SELECT dogpile_set('levels', 'tagged', 1, tags => ARRAY[$tag])");
		foreach my $where ($from, $to)
		{
			is($node->safe_psql($where, $get), 1, "tagged in $from, found in $where");
			is( $node->safe_psql(
					$where, "SELECT tags = ARRAY[$tag] FROM dogpile_metadata('levels', 'tagged')"
				),
				't',
				'... with its tag');
		}
		is( $node->safe_psql(
				$to, "SELECT dogpile_invalidate_tags(ARRAY[$tag]); $get"),
			"\n",
			"... and gone in $to when that was invalidated there");
	}

	# A tag that cannot be written there.
	$node->safe_psql('postgres',
		q{SELECT dogpile_set('levels', 'foreign', 1, tags => ARRAY[chr(28450)])});
	is($node->safe_psql('latin', "SELECT dogpile_exists('levels', 'foreign')"),
		'f', 'a tag that cannot be converted: a miss');
	return;
}

sub set_secret
{
	my ($secret) = @_;

	# The secret itself is not shown.
	$node->append_conf('postgresql.conf',
		"dogpile_signed.secret = '$secret'\ntest.secret = 'is $secret'");
	$node->reload;
	$node->poll_query_until('postgres',
		"SELECT current_setting('test.secret', true) IS NOT DISTINCT FROM 'is $secret'")
	  or die 'the secret does not change';
	return;
}

sub check_secret
{
	my $set = "SELECT dogpile_set('signed', 'k', 'value'::text)";
	my $get = "SELECT dogpile_get('signed', 'k')";

	$node->safe_psql('postgres', $set);
	set_secret('one');
	check_refused('signed', 'k', undef, 'it is not authenticated', 'made without a secret');
	$node->safe_psql('postgres', $set);
	is($node->safe_psql('postgres', $get), 'value', 'made with this secret');
	my $bytes = redis('GET', name_of('signed', 'k'));
	foreach my $i (1 .. 20)
	{
		my $altered = substr($bytes, 0, 6) . flip(substr($bytes, 6));

		check_refused('signed', 'k', $altered, 'it was made or altered without the secret',
			"altered $i");
	}
	redis('SET', name_of('signed', 'k'), $bytes);
	is($node->safe_psql('postgres', $get), 'value', 'put back');
	set_secret('two');
	check_refused('signed', 'k', undef, 'it was made or altered without the secret',
		'made with another secret');
	set_secret('');
	check_refused('signed', 'k', undef, 'it is authenticated, but the region has no secret',
		'made with a secret, read without');
	return;
}
