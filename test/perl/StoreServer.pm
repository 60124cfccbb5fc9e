# A store server: redis-server, redis-sentinel, memcached, one that answers nonsense or
# nothing, or a proxy that breaks connections.  It listens on loopback or on a socket in a
# folder of the test, is a child of the test, and is ended by its process id.

package StoreServer;

use strict;
use warnings;

use Exporter 'import';
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ':sys_wait_h';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  start_redis
  start_redis_cluster
  start_sentinel
  start_memcached
  start_garbage
  start_silence
  start_proxy
);

my @servers;

# Maximum time to wait for a server to answer, in seconds.
my $patience = 30;

# ---------------------------------------------------------------------------
# Any server

sub new
{
	my ($class, %self) = @_;
	my $self = bless \%self, $class;

	$self->{folder} //= PostgreSQL::Test::Utils::tempdir();
	push @servers, $self;
	$self->start;
	return $self;
}

# As the setting "servers" has it.
sub address { return $_[0]->{address}; }

sub start
{
	my ($self) = @_;
	my $pid = fork() // die "fork: $!";

	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', "$self->{folder}/$self->{name}.log";
		open STDERR, '>&', \*STDOUT;
		exec @{ $self->{command} } or POSIX::_exit(1);
	}
	$self->{pid} = $pid;
	$self->wait_for_answer;
	return;
}

# Wait until the server listens.
sub wait_for_answer
{
	my ($self) = @_;
	my $deadline = time + $patience;

	until ($self->connect)
	{
		die "$self->{name} has ended" if waitpid($self->{pid}, WNOHANG) != 0;
		die "$self->{name} does not answer" if time > $deadline;
		sleep 0.02;
	}
	return;
}

sub connect
{
	my ($self) = @_;

	return $self->{address} =~ m{^/}
	  ? IO::Socket::UNIX->new(Peer => $self->{address})
	  : IO::Socket::INET->new(PeerAddr => $self->{address}, Timeout => 1);
}

# End it, by a signal of this name.
sub stop
{
	my ($self, $signal) = @_;

	return if !$self->{pid};
	kill 'CONT', $self->{pid};
	kill $signal // 'TERM', $self->{pid};
	waitpid($self->{pid}, 0);
	$self->{pid} = undef;
	unlink $self->{address} if $self->{address} =~ m{^/};
	return;
}

sub kill9
{
	my ($self) = @_;

	$self->stop('KILL');
	return;
}

# Stop it, and let it continue.
sub pause  { kill 'STOP', $_[0]->{pid}; return; }
sub resume { kill 'CONT', $_[0]->{pid}; return; }

END
{
	my $status = $?;

	$_->kill9 foreach @servers;
	$? = $status;
}

sub free_address
{
	return '127.0.0.1:' . PostgreSQL::Test::Cluster::get_free_port();
}

# ---------------------------------------------------------------------------
# Redis

# Start redis-server.  Options are those of its configuration; "socket" makes it
# listen on a socket only.
sub start_redis
{
	my ($name, %options) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $use_socket = delete $options{socket};
	my $address = $use_socket ? "$folder/redis.sock" : free_address();
	my ($port) = $use_socket ? 0 : $address =~ /:(\d+)/;

	return StoreServer->new(
		name => $name,
		folder => $folder,
		address => $address,
		password => $options{requirepass},
		command => [
			'redis-server', '--port', $port, '--bind', '127.0.0.1',
			'--dir', $folder, '--save', '', '--appendonly', 'no',
			($use_socket ? ('--unixsocket', $address) : ()),
			map { ("--$_", $options{$_}) } sort keys %options
		]);
}

# What redis-cli prints for a command.
sub cli
{
	my ($self, @command) = @_;
	my @where =
	  $self->{address} =~ m{^/}
	  ? ('-s', $self->{address})
	  : ('-h', '127.0.0.1', '-p', ($self->{address} =~ /:(\d+)/)[0]);
	my ($stdout, $stderr);

	push @where, '--user', $self->{user} if defined $self->{user};
	push @where, '--no-auth-warning', '-a', $self->{password}
	  if defined $self->{password};
	IPC::Run::run([ 'redis-cli', @where, @command ],
		'<', '/dev/null', '>', \$stdout, '2>', \$stderr)
	  or die "redis-cli @command: $stderr";
	chomp $stdout;
	return $stdout;
}

# Start a cluster of three masters.
sub start_redis_cluster
{
	my ($name) = @_;
	my @nodes = map {
		start_redis("$name$_",
			'cluster-enabled' => 'yes',
			'cluster-port' => PostgreSQL::Test::Cluster::get_free_port(),
			'cluster-config-file' => 'nodes.conf',
			'cluster-node-timeout' => 1000)
	} 1 .. 3;
	my $deadline = time + $patience;

	# Meeting by hand, since redis-cli would expect the usual bus ports.
	my $range = 0;
	foreach my $i (0 .. 2)
	{
		my $last = int(16384 * ($i + 1) / 3) - 1;

		$nodes[$i]->cli('CLUSTER', 'ADDSLOTSRANGE', $range, $last);
		$nodes[$i]->cli('CONFIG', 'SET', 'cluster-allow-replica-migration', 'no');
		$nodes[$i]->cli('CLUSTER', 'SET-CONFIG-EPOCH', $i + 1);
		$range = $last + 1;
	}
	foreach my $node (@nodes[ 1, 2 ])
	{
		my ($port) = $node->address =~ /:(\d+)/;
		my %command = @{ $node->{command} }[ 1 .. $#{ $node->{command} } ];

		$nodes[0]->cli('CLUSTER', 'MEET', '127.0.0.1', $port,
			$command{'--cluster-port'});
	}
	foreach my $node (@nodes)
	{
		until ($node->cli('CLUSTER', 'INFO') =~ /cluster_state:ok/
			&& $node->cli('CLUSTER', 'INFO') =~ /cluster_known_nodes:3/)
		{
			die "no cluster" if time > $deadline;
			sleep 0.1;
		}
	}
	return @nodes;
}

# Start a Sentinel that watches a master.
sub start_sentinel
{
	my ($name, $service, $master) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $address = free_address();
	my ($port) = $address =~ /:(\d+)/;
	my ($master_port) = $master->address =~ /:(\d+)/;

	append_to_file("$folder/sentinel.conf", <<"EOT");
port $port
bind 127.0.0.1
dir $folder
sentinel monitor $service 127.0.0.1 $master_port 1
sentinel down-after-milliseconds $service 500
sentinel failover-timeout $service 2000
EOT
	return StoreServer->new(
		name => $name,
		folder => $folder,
		address => $address,
		command => [ 'redis-sentinel', "$folder/sentinel.conf" ]);
}

# ---------------------------------------------------------------------------
# memcached

# Options are those of its command line, with '' for those without a value.
sub start_memcached
{
	my ($name, %options) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $use_socket = delete $options{socket};
	my $address = $use_socket ? "$folder/memcached.sock" : free_address();

	return StoreServer->new(
		name => $name,
		folder => $folder,
		address => $address,
		command => [
			'memcached',
			(   $use_socket
				? ('-s', $address)
				: ('-l', '127.0.0.1', '-U', 0, '-p', ($address =~ /:(\d+)/)[0])
			),
			grep { $_ ne '' } %options
		]);
}

# ---------------------------------------------------------------------------
# A server that answers nonsense to everything.
#
# Each connection gets nonsense of one kind: lines that an answer may consist
# of, in any order, random bytes, half a line and no more, an answer that is
# never complete, or one that never ends, in large pieces or in small ones.  Or,
# if the caller gives them, each gets a certain beginning, and a piece again and again.

sub start_garbage
{
	my ($name, $where, @always) = @_;
	my $address = $where // free_address();

	return StoreServer->new(
		name => $name,
		address => $address,
		command => [ $^X, '-e', <<'EOT', $address, @always ]);
use IO::Socket::INET;
use IO::Select;
$SIG{PIPE} = 'IGNORE';
my $listen = IO::Socket::INET->new(LocalAddr => $ARGV[0], Listen => 50,
	ReuseAddr => 1) or die;
my $select = IO::Select->new($listen);
my @nonsense = ("*3\r\n\$-7\r\n", "VALUE x 0 99999999999\r\n", "\$99\r\nshort\r\n",
	"+OK\r\n", ":1\r\n", "-ERR nonsense\r\n", "*-1\r\n", "\0\xff\xfe\x80\r\n",
	"HTTP/1.1 400 Bad Request\r\n\r\n", "END\r\n", "*1000000000\r\n",
	"VALUE a 0 3\r\nabc\r\nEND\r\n", "\x81\0\0\0\xff\0\0\0\xff\xff\xff\xff",
	"STORED\r\n", "NOT_FOUND\r\nEND\r\n", "*3\r\n\$-1\r\n\$3\r\nabc\r\n:7\r\n",
	"*1\r\n" x 100, "\$-2\r\n", "\$3\r\nabcdefgh\r\n", '%' x 5000);
my @beginnings = ("+O", "\$100\r\nno more", "\$2000000000\r\nabc", "VALUE a 0 9\r\nab",
	"*2\r\n\$1\r\na\r\n", "VALU", "*1000000\r\n:1\r\n");
my @endless = ("\$2000000000\r\n", "VALUE a 0 2000000000\r\n", "*1000000000\r\n", "+", "");
my (undef, $beginning, $piece) = @ARGV;
my %kind;
my %is_endless;
@endless = ($beginning) if defined $beginning;
sub answer
{
	my ($fh) = @_;
	my $kind = $kind{$fh};
	if ($kind < 4)
	{
		syswrite($fh, $nonsense[ rand @nonsense ]) foreach 0 .. rand 3;
	}
	elsif ($kind < 5)
	{
		syswrite($fh, join('', map { chr(rand 256) } 0 .. rand 500));
	}
	elsif ($kind < 6)
	{
		syswrite($fh, $beginnings[ rand @beginnings ]);
	}
	elsif (!$is_endless{$fh})
	{
		syswrite($fh, $endless[ rand @endless ]);
		$is_endless{$fh} = $fh;
		$fh->blocking(0);
	}
}
while (1)
{
	foreach my $fh ($select->can_read(%is_endless ? 0.001 : undef))
	{
		if ($fh == $listen)
		{
			my $new = $listen->accept or next;
			$kind{$new} = defined $beginning ? 6 : rand(7);
			$select->add($new);
			next;
		}
		my $got = sysread($fh, my $buffer, 65536);
		if (!$got || rand() < 0.05)
		{
			$select->remove($fh);
			delete $is_endless{$fh};
			delete $kind{$fh};
			close $fh;
			next;
		}
		answer($fh);
	}
	foreach my $fh (values %is_endless)
	{
		syswrite($fh, $piece // ($kind{$fh} < 6.5 ? ":1\r\n" : 'x' x 16384));
	}
}
EOT
}

# A server that accepts connections and does not answer.
sub start_silence
{
	my ($name, $where) = @_;
	my $address = $where // free_address();

	return StoreServer->new(
		name => $name,
		address => $address,
		command => [ $^X, '-e', <<'EOT', $address ]);
use IO::Socket::INET;
my $listen = IO::Socket::INET->new(LocalAddr => $ARGV[0], Listen => 50,
	ReuseAddr => 1) or die;
my @connections;
$| = 1;
while (1)
{
	my $new = $listen->accept;
	push @connections, $new if $new;
	print "accepted\n";
}
EOT
}

# The number of connections made to a server that does not answer.
sub count_accepted
{
	my ($self) = @_;
	my @lines = slurp_file("$self->{folder}/$self->{name}.log") =~ /^accepted$/mg;

	return scalar(@lines);
}

# ---------------------------------------------------------------------------
# A proxy to another server.
#
# Between disturb() and calm() it resets connections at random, some of them
# after it has passed on a part of a request or of an answer.

sub start_proxy
{
	my ($name, $server) = @_;
	my $address = free_address();

	return StoreServer->new(
		name => $name,
		address => $address,
		command => [ $^X, '-e', <<'EOT', $address, $server->address ]);
use IO::Socket::INET;
use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
my $disturbed = 0;
$SIG{USR1} = sub { $disturbed = 1 };
$SIG{USR2} = sub { $disturbed = 0 };
$SIG{PIPE} = 'IGNORE';
my $listen = IO::Socket::INET->new(LocalAddr => $ARGV[0], Listen => 50,
	ReuseAddr => 1) or die;
my $select = IO::Select->new($listen);
my %other;
sub hang_up
{
	my ($fh, $is_reset) = @_;
	foreach my $end (grep { $_ } $fh, $other{$fh})
	{
		setsockopt($end, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $is_reset;
		$select->remove($end);
	}
	foreach my $end (grep { $_ } delete $other{$fh}, $fh)
	{
		delete $other{$end};
		close $end;
	}
}
sub pass_on
{
	my ($to, $data) = @_;
	while (length $data)
	{
		my $n = syswrite($to, $data);
		next if !defined $n && $!{EINTR};
		return 0 if !$n;
		substr($data, 0, $n) = '';
	}
	return 1;
}
while (1)
{
	foreach my $fh ($select->can_read)
	{
		if ($fh == $listen)
		{
			my $new = $listen->accept or next;
			my $there = IO::Socket::INET->new(PeerAddr => $ARGV[1]);
			if (!$there)
			{
				close $new;
				next;
			}
			setsockopt($_, IPPROTO_TCP, TCP_NODELAY, 1) foreach $new, $there;
			$other{$new} = $there;
			$other{$there} = $new;
			$select->add($new, $there);
			next;
		}
		next if !$other{$fh};
		my $got = sysread($fh, my $buffer, 65536);
		next if !defined $got && $!{EINTR};
		my $dice = $got && $disturbed ? rand() : 1;
		if (!$got || $dice < 0.03)
		{
			hang_up($fh, $dice < 0.03);
			next;
		}
		$buffer = substr($buffer, 0, rand length $buffer) if $dice < 0.06;
		hang_up($fh, $dice < 0.06) if !pass_on($other{$fh}, $buffer) || $dice < 0.06;
	}
}
EOT
}

sub disturb { kill 'USR1', $_[0]->{pid}; return; }
sub calm    { kill 'USR2', $_[0]->{pid}; return; }

1;
