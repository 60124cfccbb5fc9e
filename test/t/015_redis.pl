# Redis in all its forms: a failover by Sentinel, slots of a Redis Cluster that move and a
# node of it that dies, users and passwords, a server that restarts, and one without
# encryption.  In all cases queries get their values, and the cache works again by itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StoreServer;
use Test::More;
use Time::HiRes qw(sleep time);

my $patience = $PostgreSQL::Test::Utils::timeout_default;

# Sentinel: a master with a replica.
my $master = start_redis('master');
my $replica = start_redis('replica', replicaof => join ' ', split /:/,
	$master->address);
my $sentinel = start_sentinel('sentinel', 'service', $master);

# A list of two: the first is a replica of the second.
my $second = start_redis('second');
my $first = start_redis('first', replicaof => join ' ', split /:/,
	$second->address);

my @cluster = start_redis_cluster('cluster');

# Users and what they may do.
my $acl = start_redis('acl');
$acl->cli(qw(ACL SETUSER dogpile on), '>se cret', qw(~* &* +@all));
$acl->cli(qw(ACL SETUSER default off));
$acl->{user} = 'dogpile';
$acl->{password} = 'se cret';

my $wrong = start_redis('wrong', requirepass => 'right');
my $silent = start_redis('silent', requirepass => 'right');
my $restarted = start_redis('restarted', port => 0, socket => 1);

my %settings = (
	sentinel => "sentinels = '127.0.0.1:1, " . $sentinel->address . "'",
	list => "servers = '" . $first->address . ', ' . $second->address . "'",
	cluster => "servers = '" . $cluster[0]->address . "'",
	acl => "servers = '" . $acl->address =~ s/127.0.0.1/localhost/r . "'",
	encrypted => "servers = '" . $acl->address . "'",
	nameless => "servers = 'dogpile.invalid'",
	wrong => "servers = '" . $wrong->address . "'",
	silent => "servers = '" . $silent->address . "'",
	restarted => "servers = '" . $restarted->address . "'");
my $node = new_server(
	'main',
	"dogpile.regions = '" . join(', ', sort keys %settings) . "'",
	(map { ("dogpile_$_.backend = 'redis'", "dogpile_$_.$settings{$_}") }
		  sort keys %settings),
	(map { "dogpile_$_.operation_timeout = '20s'" } grep { $_ ne 'silent' } sort keys %settings),
	"dogpile_sentinel.service_name = 'service'",
	"dogpile_cluster.cluster = on",
	"dogpile_acl.user = 'dogpile'",
	"dogpile_acl.password = 'se cret'",
	"dogpile_acl.database = 5",
	"dogpile_wrong.password = 'no'",
	"dogpile_encrypted.tls = 'verify'",
	"dogpile_restarted.local_expiration_time = 0");

$node->start;
create_helpers($node);

sub query
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sub create
{
	my ($region, $key) = @_;

	return "SELECT dogpile_get_or_create('$region', '$key', 'SELECT ran(''$key'')')";
}

# What the view has of a server; names are unique to a region here.
sub fact
{
	my ($region, $what) = @_;
	my ($address) = $settings{$region} =~ /'(.*)'/;

	return query("SELECT $what FROM dogpile_servers WHERE address = '$address'");
}

# Is a value created once and then found?
my $nkeys = 0;

sub check_works
{
	my ($region, $name) = @_;
	my $key = $region . '_' . $nkeys++;
	my $offset = log_offset($node);

	is(query(create($region, $key)), $key, "$name: created");
	is(query(create($region, $key)), $key, "$name: found");
	is(count_runs($node, $key, $offset), 1, "$name: ... without creating it again");
	return;
}

sub wait_for
{
	my ($name, $condition) = @_;
	my $deadline = time + $patience;

	until ($condition->())
	{
		die "timed out: $name" if time > $deadline;
		sleep 0.1;
	}
	return;
}

# Does a region work again by itself?  Queries must get their values meanwhile.
sub wait_until_works
{
	my ($region, $name) = @_;
	my $deadline = time + $patience;
	my $bad = 0;

	while (time < $deadline)
	{
		my $key = $region . '_' . $nkeys++;

		$bad++ if query(create($region, $key)) ne $key;
		last if query("SELECT dogpile_exists('$region', '$key')") eq 't';
		sleep 0.1;
	}
	is($bad, 0, "$name: all queries get their values");
	check_works($region, $name);
	return;
}

check_works($_, $_) foreach qw(sentinel list cluster acl restarted);

# ---------------------------------------------------------------------------
# A connection that was idle while the server restarted

my $session = $node->background_psql('postgres');

$session->query_safe("SELECT dogpile_set('restarted', 'a', 1)");
is($session->query_safe("SELECT dogpile_get('restarted', 'a', NULL::int)"),
	1, 'restarted: before');
$restarted->stop;
$restarted->start;
is($session->query_safe("SELECT dogpile_exists('restarted', 'a')"),
	'f', 'restarted: reading by the same session');
$restarted->stop;
$restarted->start;
$session->query_safe("SELECT dogpile_set('restarted', 'b', 2)");
is($session->query_safe("SELECT dogpile_get('restarted', 'b', NULL::int)"),
	2, 'restarted: writing by the same session');
is(fact('restarted', 'failures'), 0, 'restarted: nothing has failed');

# ---------------------------------------------------------------------------
# Users and passwords

is($acl->cli('-n', 5, 'DBSIZE') > 0, 1, 'acl: the database that was asked for');
is(query(create('wrong', 'a')), 'a', 'wrong password: the query works');
like(fact('wrong', 'last_error'), qr/WRONGPASS/, '... and the reason is shown');
is(query(create('silent', 'a')), 'a', 'no password: the query works');
like(fact('silent', 'last_error'), qr/NOAUTH/, '... and the reason is shown');

# This server has no TLS.  With hiredis before 1.0 neither have we, and the region
# cannot be used.
{
	my (undef, $stdout, $stderr) = $node->psql('postgres', create('encrypted', 'a'));
	my $is_unusable = $stderr =~ /ERROR:  cache region "encrypted" cannot be used\nDETAIL: .*no TLS for Redis/;

	ok($is_unusable || $stdout eq 'a', 'no TLS: the query works, or the region is refused') or diag($stderr);
	ok($is_unusable || fact('encrypted', 'last_error') =~ /TLS/, '... and the reason is shown');
}
is(query(create('nameless', 'a')), 'a', 'no such host: the query works');
like(fact('nameless', 'last_error'), qr/could not look up the host/, '... and the reason is shown');
unlike(slurp_file($node->logfile), qr/LOG:.*failed.*se cret/, 'passwords are not in the log');
$node->append_conf('postgresql.conf', "dogpile_wrong.password = 'right'");
$node->reload;
wait_until_works('wrong', 'the right password');

# ---------------------------------------------------------------------------
# A list of servers: the one that accepts writes is used

like($first->cli('ROLE'), qr/^slave/, 'list: the first is a replica');
wait_for('replication', sub { $first->cli('DBSIZE') == $second->cli('DBSIZE') });
$second->cli(qw(REPLICAOF), split /:/, $first->address);
$first->cli(qw(REPLICAOF NO ONE));
wait_until_works('list', 'list: they change places');
$first->kill9;
$second->cli(qw(REPLICAOF NO ONE));
wait_until_works('list', 'list: the first dies');

# ---------------------------------------------------------------------------
# Sentinel

wait_for('replica',
	sub { $sentinel->cli(qw(SENTINEL replicas service)) =~ /slave-priority/
		  && $replica->cli('INFO', 'replication') =~ /master_link_status:up/ });
query("SELECT dogpile_set('sentinel', 'before', 1)");
wait_for('replication', sub { $replica->cli('WAIT', 0, 0) ne '' && $replica->cli('DBSIZE') == $master->cli('DBSIZE') });
$master->kill9;
is(query(create('sentinel', 'down')), 'down', 'the master is gone: the query works');
wait_until_works('sentinel', 'after the failover');
is($replica->cli('ROLE') =~ /^master/ ? 1 : 0, 1, 'the replica is the master');
is(query("SELECT dogpile_get('sentinel', 'before', NULL::int)"),
	1, 'what it had is found');

# The old master comes back as a replica; then it is asked to take over.  The
# connection that a session has stays open, and answers READONLY.
$session->query_safe("SELECT dogpile_set('sentinel', 'c', 3)");
$master->start;
wait_for('the old master',
	sub { $master->cli('INFO', 'replication') =~ /master_link_status:up/ });
wait_for('a failover that is asked for',
	sub { eval { $sentinel->cli(qw(SENTINEL FAILOVER service)) } // '' eq 'OK' });
wait_for('the end of it', sub { $master->cli('ROLE') =~ /^master/ });
{
	my $deadline = time + $patience;

	until ($session->query_safe("SELECT dogpile_exists('sentinel', 'd')") eq 't')
	{
		die 'the session does not find the new master' if time > $deadline;
		$session->query_safe("SELECT dogpile_set('sentinel', 'd', 4)");
	}
	pass('an open session follows');
}
wait_until_works('sentinel', 'after the second failover');

# ---------------------------------------------------------------------------
# Cluster: slots move

my @ids = map { $_->cli('CLUSTER', 'MYID') } @cluster;

# The slot of a key's names, and the node that has it.
sub slot_of
{
	my ($key) = @_;

	return $cluster[0]->cli('CLUSTER', 'KEYSLOT', "{postgres:cluster:$key}");
}

sub owner_of
{
	my ($slot) = @_;

	return int grep { $slot >= int(16384 * $_ / 3) } 1 .. 2;
}

query("SELECT count(dogpile_set('cluster', 'm' || i, i)) FROM generate_series(1, 30) AS i");
my $slot = slot_of('m1');
my $from = owner_of($slot);
my $to = ($from + 1) % 3;
my @names = split /\n/, $cluster[$from]->cli('CLUSTER', 'GETKEYSINSLOT', $slot, 100);

cmp_ok(scalar(@names), '>', 0, 'cluster: the key has names in its slot');
$cluster[$to]->cli('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $ids[$from]);
$cluster[$from]->cli('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $ids[$to]);

# Nothing has moved: what is there is found, what is not is asked for there.
is(query("SELECT dogpile_get('cluster', 'm1', NULL::int)"), 1, 'cluster: the slot is about to move');

# Half of it, and then all.
my $half = pop @names;
my ($port) = $cluster[$to]->address =~ /:(\d+)/;
$cluster[$from]->cli('MIGRATE', '127.0.0.1', $port, $half, 0, 5000);
is(query("SELECT dogpile_get('cluster', 'm1', NULL::int)"), 1, 'cluster: some names have moved (ASK)');
$cluster[$from]->cli('MIGRATE', '127.0.0.1', $port, $_, 0, 5000) foreach @names;
is(query("SELECT dogpile_get('cluster', 'm1', NULL::int)"), 1, 'cluster: all have moved');
is(query("SELECT dogpile_invalidate('cluster', 'm1'), dogpile_exists('cluster', 'm1')"), 't|f',
	'cluster: invalidated meanwhile');
is(query(create('cluster', 'm1')), 'm1', 'cluster: created meanwhile');
is(query("SELECT sum(dogpile_get('cluster', 'm' || i, NULL::int)) FROM generate_series(2, 30) AS i"),
	464, 'cluster: the other keys are found');

my $moved = $node->background_psql('postgres');
$moved->query_safe("SELECT dogpile_get('cluster', 'm2')");
$cluster[$_]->cli('CLUSTER', 'SETSLOT', $slot, 'NODE', $ids[$to]) foreach $to, $from, 3 - $from - $to;
$moved->query_safe("SELECT dogpile_set('cluster', 'm1', 7)");
is($moved->query_safe("SELECT dogpile_get('cluster', 'm1', NULL::int)"), 7,
	'cluster: the slot has moved (MOVED)');
$moved->quit;
# With half of a slot's keys moved, Redis refuses commands on several of them.
like(fact('cluster', 'last_error'), qr/^$|TRYAGAIN/, 'cluster: nothing else has failed');

# ---------------------------------------------------------------------------
# Cluster: a master dies, and its replica takes its place

my $spare = start_redis('spare',
	'cluster-enabled' => 'yes',
	'cluster-port' => PostgreSQL::Test::Cluster::get_free_port(),
	'cluster-config-file' => 'nodes.conf',
	'cluster-node-timeout' => 1000);
{
	my ($port) = $cluster[0]->address =~ /:(\d+)/;
	my %command = @{ $cluster[0]->{command} }[ 1 .. $#{ $cluster[0]->{command} } ];

	$spare->cli('CLUSTER', 'MEET', '127.0.0.1', $port, $command{'--cluster-port'});
}
wait_for('the spare node is known',
	sub { !grep { $_->cli('CLUSTER', 'INFO') !~ /cluster_known_nodes:4/ } @cluster, $spare });
wait_for('it can replicate',
	sub { (eval { $spare->cli('CLUSTER', 'REPLICATE', $ids[2]) } // '') eq 'OK' });
wait_for('it does replicate',
	sub { $spare->cli('INFO', 'replication') =~ /master_link_status:up/ });
wait_for('the others know',
	sub { !grep { $_->cli('CLUSTER', 'NODES') !~ /slave $ids[2]/ } @cluster });
$cluster[2]->kill9;
is(query("SELECT count(*) FROM generate_series(1, 20) AS i, LATERAL (SELECT dogpile_get_or_create('cluster', 'n' || i, 'SELECT 1') OFFSET 0) AS t"),
	20, 'cluster: a node is gone: queries work');
wait_for('the spare node has taken over',
	sub { $spare->cli('ROLE') =~ /^master/
		  && $cluster[0]->cli('CLUSTER', 'INFO') =~ /cluster_state:ok/ });
wait_until_works('cluster', 'cluster: after the failover');
query("SELECT count(dogpile_set('cluster', 'o' || i, i)) FROM generate_series(1, 50) AS i");
is(query("SELECT sum(dogpile_get('cluster', 'o' || i, NULL::int)) FROM generate_series(1, 50) AS i"),
	1275, 'cluster: ... all slots are served');

$session->quit;
check_nothing_is_left($node, 'redis');
check_log($node, 'redis');
$node->stop;
done_testing();
