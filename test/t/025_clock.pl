# The time of day is set back, and forward: no entry becomes younger.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# Skip the test where LD_PRELOAD does not work.
plan skip_all => 'needs LD_PRELOAD' unless $^O eq 'linux';

my $node = new_server(
	'shifted',
	"dogpile.regions = 'memory, outside, lasting, kept'",
	"dogpile_memory.expiration_time = '2s'",
	"dogpile_outside.backend = 'file'",
	"dogpile_outside.expiration_time = '2s'",
	"dogpile_lasting.expiration_time = '10min'",
	"dogpile_kept.backend = 'file'",
	"dogpile_kept.expiration_time = '1h'");
my $shift_file = $node->basedir . '/shift';

# Shift the time of day that the server sees by this many seconds.
sub shift_day
{
	my ($seconds) = @_;

	# The file stays the same, as the server has it mapped.
	open my $file, '+<', $shift_file or die "cannot write $shift_file: $!";
	binmode $file;
	syswrite $file, pack('q', $seconds);
	close $file;
	return;
}

# With the library in front of all others.
sub start_shifted
{
	local $ENV{LD_PRELOAD} = module_path('day_shift') . '.so';
	local $ENV{DAY_SHIFT_FILE} = $shift_file;

	return $node->start;
}

sub query { return $node->safe_psql('postgres', $_[0]); }

sub create
{
	my ($region, $key) = @_;

	return query("SELECT dogpile_get_or_create('$region', '$key', 'SELECT 1')");
}

# Fresh, stale, or not there.
sub state_of
{
	my ($region, $key) = @_;

	return query("SELECT CASE WHEN fresh THEN 'fresh' WHEN NOT fresh THEN 'stale' ELSE 'none' END
	              FROM dogpile_metadata('$region', '$key')");
}

# Is it no longer fresh after some seconds, rather than an hour?
sub expires
{
	my ($region, $key) = @_;

	foreach (1 .. 300)
	{
		return 1 if state_of($region, $key) ne 'fresh';
		usleep(100_000);
	}
	return 0;
}

append_to_file($shift_file, pack('q', 0));
start_shifted();
query('CREATE EXTENSION dogpile');

# The server sees the shifted time, or this test proves nothing.
my $before = query('SELECT extract(epoch FROM now())::bigint');
shift_day(-7200);
cmp_ok(query('SELECT extract(epoch FROM now())::bigint'),
	'<', $before - 3600, 'the server sees another time of day');
shift_day(0);

# Set back by an hour: entries from before
create('memory', 'before');
create('outside', 'before');
create('lasting', 'before');
my $old = $node->background_psql('postgres');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
shift_day(-3600);
is(state_of('lasting', 'before'), 'fresh', 'an entry that lasts is fresh still');
ok(expires('memory', 'before'), 'an entry in memory gets no younger');
ok(expires('outside', 'before'), 'nor does one outside');

# ... and those that are created now, or from an earlier snapshot
create('lasting', 'after');
is(state_of('lasting', 'after'), 'fresh', 'a new entry is fresh');
create('memory', 'after');
ok(expires('memory', 'after'), 'and one expires');
$old->query_safe("SELECT dogpile_get_or_create('memory', 'old', 'SELECT 1')");
$old->query_safe('COMMIT');
ok(expires('memory', 'old'), 'an entry from a snapshot of before gets no younger');
$old->quit;

# Users see the time of day.
is( query("SELECT now() - created_at < interval '5 min' AND created_at <= clock_timestamp() AND
                  age < interval '5 min' AND expires_at - created_at = interval '10 min'
             FROM dogpile_metadata('lasting', 'before')"),
	't', 'what is shown is the time of day');
is( query("SELECT count(*) FROM generate_series(1, 10000) AS n,
                  LATERAL dogpile_metadata('lasting', left('before', 6 + 0 * n)) AS m
            WHERE m.expires_at - m.created_at <> interval '10 min'"),
	0, '... and times that are shown together are of the same moment');
is( query("SELECT bool_and(now() - created_at < interval '5 min' AND created_at <= clock_timestamp())
             FROM dogpile_entries WHERE region = 'lasting'"),
	't', 'also in the list of entries');

# Time goes on where it was: a jump forward makes entries older.
shift_day(3600);
is(state_of('lasting', 'before'), 'stale', 'a jump forward makes an entry older');
create('lasting', 'ahead');
shift_day(0);
is(state_of('lasting', 'ahead'), 'fresh', 'one from before the clock was corrected is fresh');

# An entry in a store that has expired by the earlier clock is no younger by the present
# one.
create('kept', 'moved');
shift_day(5400);
is(state_of('kept', 'moved'), 'stale', 'a jump forward makes one outside older');
shift_day(0);
is(state_of('kept', 'moved'), 'stale', 'and a correction back no younger');
create('memory', 'corrected');
ok(expires('memory', 'corrected'), 'and new ones expire');

# After a restart the server only knows of the clock that entries do not come from the
# future.
create('outside', 'kept');
create('kept', 'kept');
$node->stop;
shift_day(-3600);
start_shifted();
is(state_of('kept', 'kept'), 'none', 'an entry from the future is none');
create('kept', 'kept');
is(state_of('kept', 'kept'), 'fresh', 'and is replaced');
create('outside', 'kept');
ok(expires('outside', 'kept'), 'by one that expires');

check_log($node);
$node->stop;
done_testing();
