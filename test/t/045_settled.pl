# Settling a suspect region must not remove the mark of another transaction that is about
# to commit, or values from before its COMMIT could be stored and returned after it; and
# once the mark is gone, the region works.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;
use TwoServers;

my $redis = start_redis('redis');
my %common = (
	backend => 'redis',
	servers => $redis->address,
	connect_timeout => '200ms',
	operation_timeout => '200ms');
my $node = new_server('main', server_setting(settled => {%common}, other => {%common}));

$node->start;
create_helpers($node);

sub redis
{
	my @address = $redis->address =~ m{^/}
	  ? ('-s', $redis->address)
	  : $redis->address =~ /^(.*):(\d+)$/ ? ('-h', $1, '-p', $2) : die;
	my ($out, $err) = run_command([ 'redis-cli', @address, @_ ]);

	return $out;
}

# Does the store keep what is created?
sub keeps
{
	my ($region) = @_;

	return ask($node,
		"SELECT dogpile_get_or_create('$region', 'k', 'SELECT ran(''$region'')') = '$region'"
		  . " AND dogpile_exists('$region', 'k')") eq 't';
}

wait_until(sub { keeps('settled') && keeps('other') }, 'the regions work');

# The mark of a transaction on another server, in the place of the region's token.
my ($version) = grep { /settled\}!version$/ } split /\n/, redis('KEYS', '*');
my $mark = '!01' . '4' x 13 . '!' . '5' x 8 . '@' . '6' x 16;

ok($version, 'the region has a token');
is(redis('SET', $version, $mark), 'OK', '... in whose place there is a mark');

# An invalidation that could not be delivered to the store.
$redis->pause;
$node->safe_psql('postgres', "SELECT dogpile_invalidate('settled', 'x')");
$redis->resume;
wait_until(sub { keeps('other') }, 'the store answers again');

# The worker and this session have tried to settle that.
my $offset = log_offset($node);

ok(!keeps('settled'), 'as long as the mark is there, nothing is kept');
is(redis('GET', $version), $mark, '... and it stays');
is(count_runs($node, 'settled', $offset), 1, '... and values are computed');

redis('DEL', $version);
wait_until(sub { keeps('settled') }, 'the region works again');
pass('once it is gone, values are kept again');

$node->stop;
done_testing();
