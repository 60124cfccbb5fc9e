# A store that does not do what it should: dogpile_add() does not claim to have stored
# anything, and administrators can see the reason.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;

my $redis = start_redis('redis');
my $locked = start_redis('locked', requirepass => 'right');
my $weak = start_redis('weak');
my $memcached = start_memcached('memcached');
my $nowhere = StoreServer::free_address();

# Servers that repeat in their errors what they have been sent.
sub start_parrot
{
	my ($name, $answer) = @_;
	my $address = StoreServer::free_address();

	return StoreServer->new(
		name => $name,
		address => $address,
		command => [ $^X, '-e', <<'EOS', $address, $answer ]);
use IO::Socket::INET;
my $listen = IO::Socket::INET->new(LocalAddr => $ARGV[0], Listen => 50, ReuseAddr => 1) or die;
while (my $client = $listen->accept)
{
	syswrite($client, "$ARGV[1]\r\n" x 3) while sysread($client, my $buffer, 65536);
}
EOS
}
my $password = 'hush-' . 'abcdefgh' x 10;
my %parrots = (
	parrot => "-ERR unknown command `AUTH`, with args beginning with: `$password`, ",
	babbler => "-ERR $password is not the password, but maybe $password is",
	mumbler => '-ERR ' . ('x' x 70) . " $password");
my %servers = map { $_ => start_parrot($_, $parrots{$_}) } sort keys %parrots;
my %settings = (
	up => "backend = 'redis' servers = '" . $redis->address . "'",
	unlocked => "backend = 'redis' servers = '" . $redis->address . "' distributed_lock = 'off' database = '1'",
	refused => "backend = 'redis' servers = '$nowhere'",
	password => "backend = 'redis' servers = '" . $locked->address . "' password = 'wrong'",
	weak => "backend = 'redis' servers = '" . $weak->address . "' user = 'weak' password = 'weak'",
	none => "backend = 'redis'",
	(map { $_ => "backend = 'redis' password = '$password' wrap = 'log' servers = '" . $servers{$_}->address . "'" } sort keys %parrots),
	cached => "backend = 'memcached' servers = '" . $memcached->address . "'");
my $node = new_server(
	'main',
	"dogpile.regions = '" . join(', ', sort keys %settings) . "'",
	map {
		my $region = $_;
		map { "dogpile_$region.$_" } $settings{$region} =~ /(\w+ = '[^']*')/g
	} sort keys %settings);

$node->start;
create_helpers($node);

sub query { return $node->safe_psql('postgres', $_[0]); }

sub add
{
	my ($region, $key) = @_;

	return query("SELECT coalesce(dogpile_add('$region', '$key', 'x'::text)::text, 'unknown')");
}

# While the servers work
foreach my $region ('up', 'unlocked', 'cached', 'default')
{
	is(add($region, 'a'), 'true', "$region: added");
	is(add($region, 'a'), 'false', "$region: not twice");
}

# Servers that refuse
foreach my $region ('refused', 'password')
{
	foreach my $attempt (1 .. 4)
	{
		is(add($region, 'a'), 'unknown', "$region: attempt $attempt adds nothing that is known of");
	}
	my (undef, undef, $stderr) = $node->psql('postgres', "SELECT dogpile_flush('$region')");
	my $reason = $region eq 'password' ? qr/WRONGPASS|invalid (?:username-)?password|AUTH/ : qr/Connection refused/;

	like($stderr, qr/ERROR:  store of cache region "$region" failed: .*$reason/, "$region: dogpile_flush tells why");
}
is(query("SELECT state FROM dogpile_servers WHERE address = '$nowhere'"), 'down', 'refused: down');
isnt(query("SELECT state FROM dogpile_servers WHERE address = '" . $locked->address . "'"),
	'up', 'password: not up');
is(query("SELECT string_agg(DISTINCT state, ' ') FROM dogpile_servers WHERE address IN ('" . $redis->address . "', '" . $memcached->address . "')"),
	'up', 'the others are up');
my (undef, undef, $stderr) = $node->psql('postgres', "SELECT dogpile_add('none', 'a', 1)");
like($stderr, qr/ERROR:  cache region "none" cannot be used/, 'no servers: cannot be used');
is(query("SELECT count(*) FROM dogpile_servers WHERE address = ''"), '0', '... and counts as no server');

# Messages of a server about the password are shown without it.
foreach my $region (sort keys %parrots)
{
	my $address = $servers{$region}->address;

	is(add($region, 'a'), 'unknown', "$region: nothing is added");
	my (undef, undef, $error) = $node->psql('postgres', "SELECT dogpile_flush('$region')");
	my $last = query("SELECT last_error FROM dogpile_servers WHERE address = '$address'");

	like($last, qr/says: ERR/, "$region: there is an error");
	unlike("$last$error", qr/hush|gha|abc/, "$region: ... without the password");
}

# A server that answers, but does nothing.
is(query("SELECT state FROM dogpile_servers WHERE address = '" . $weak->address . "'"), '', 'weak: not asked yet');
$weak->cli(qw(ACL SETUSER weak on >weak +ping));
is(add('weak', 'a'), 'unknown', 'weak: nothing is added');
is(query("SELECT state FROM dogpile_servers WHERE address = '" . $weak->address . "'"), 'failing', 'weak: failing');
$weak->cli(qw(ACL SETUSER weak on >weak ~* &* +@all));
is(add('weak', 'a'), 'true', 'weak: strong again');
is(query("SELECT state FROM dogpile_servers WHERE address = '" . $weak->address . "'"), 'up', '... and up');

# Two sessions ask for a lock, while the store goes down
my $session = $node->background_psql('postgres');
is($session->query_safe("SELECT dogpile_add('up', 'lock', 1)"), 't', 'a lock');
$redis->kill9;
foreach my $region ('up', 'unlocked')
{
	is($session->query_safe("SELECT coalesce(dogpile_add('$region', 'other lock', 1)::text, 'unknown')"),
		'unknown', "$region: killed: unknown, with an open connection");
	is(add($region, 'other lock'), 'unknown', "$region: killed: unknown, with a new one");
}
is($session->query_safe("BEGIN; SELECT dogpile_add('up', 'x', 1) IS NULL; SELECT dogpile_get('up', 'x') IS NULL; COMMIT"),
	"t\nt", 'killed: nothing is pending');
$session->quit;
check_nothing_is_left($node, 'store down');

$node->stop;
unlike(slurp_file($node->logfile), qr/hush-|ghab/, 'no password is in the log');
done_testing();
