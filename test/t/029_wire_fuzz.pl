# The decoder of entries, within a server: values of all kinds of types come back
# unchanged, and damaged ones with a checksum that fits the damage are never read beyond
# their end, are never of a wrong type, never take much memory, and raise no error.
#
# WIRE_FUZZ_INPUTS damaged values are decoded, 50000 by default; WIRE_FUZZ_SEED is the seed.
# With WIRE_FUZZ_VALGRIND=yes in the environment, a standalone backend does this under
# valgrind, which takes some minutes.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $inputs = $ENV{WIRE_FUZZ_INPUTS} // 50000;
my $seed = $ENV{WIRE_FUZZ_SEED} // 1;
my $module = module_path('wire_fuzz');
my $setup = slurp_file("$FindBin::RealBin/../modules/wire_fuzz/setup.sql") =~
  s/AS 'wire_fuzz'/AS '$module'/gr;

# Each session decodes this many: it may learn a limited number of row types.
my $share = 50000;

my $node = new_server('wire_fuzz');

$node->start;
$node->safe_psql('postgres', $setup);

is( $node->safe_psql(
		'postgres', <<'EOT'),
SET search_path = wire_fuzz, public;
SELECT query, wire_fuzz_check(query), wire_fuzz_check(query, 'secret') FROM queries
WHERE wire_fuzz_check(query) <> 'ok' OR wire_fuzz_check(query, 'secret') <> 'ok';
EOT
	'',
	'values come back as they were');

if (($ENV{WIRE_FUZZ_VALGRIND} // '') eq 'yes')
{
	decode_under_valgrind();
}
else
{
	decode();
}
done_testing();

sub decode_statement
{
	my ($n, $seed, $megabytes) = @_;

	return "SELECT wire_fuzz.wire_fuzz_decode(array(SELECT query FROM wire_fuzz.queries ORDER BY id), $n, $seed, $megabytes)";
}

sub decode
{
	my %sum;
	my $offset = log_offset($node);

	for (my $left = $inputs; $left > 0; $left -= $share)
	{
		my $n = $left < $share ? $left : $share;
		my ($stdout, $stderr);
		my $status = $node->psql(
			'postgres',
			'SET search_path = wire_fuzz, public; '
			  . decode_statement($n, $seed, 128),
			stdout => \$stdout,
			stderr => \$stderr);

		is("$status$stderr", '0', "$n damaged values, seed $seed: $stdout");
		$sum{$2} += $1 while $stdout =~ /(\d+) (\w+)/g;
		$seed++;
	}
	note join(', ', map { "$sum{$_} $_" } sort keys %sum);
	is($sum{good} + $sum{damaged} + $sum{unknown}, $inputs, 'all were decoded');
	cmp_ok($sum{good}, '>', $inputs / 100, 'some are good');
	cmp_ok($sum{damaged}, '>', $inputs / 10, 'many are damaged');
	cmp_ok($sum{unknown}, '>', $inputs / 100, 'some are unknown');
	check_log($node, 'fuzzing', $offset);
	$node->stop;
	return;
}

# In some environments a server hangs when it starts under valgrind, but a standalone
# backend does not.
sub decode_under_valgrind
{
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $log = "$folder/valgrind.log";
	my $bindir = $node->config_data('--bindir');
	my $script = "SET search_path = wire_fuzz, public;\n\n"
	  . decode_statement($inputs, $seed, 0) . ";\n\n";
	my ($stdout, $stderr);

	# The dynamic loader compares strings by words.
	append_to_file("$folder/loader",
		"{\n loader\n Memcheck:Addr8\n ...\n fun:_dl_map_object*\n}\n");
	$node->stop;
	my $ok = IPC::Run::run(
		[   'valgrind', '--error-exitcode=99', "--log-file=$log", '--quiet',
			'--num-callers=40', "--suppressions=$folder/loader",
			"$bindir/postgres", '--single', '-j',
			'-D', $node->data_dir, 'postgres'
		],
		'<', \$script,
		'>', \$stdout, '2>', \$stderr);

	ok($ok, 'valgrind has nothing to say') or diag($stderr, slurp_file($log));
	like($stdout, qr/\d+ good, \d+ damaged/, 'decoded');
	note $stdout;
	return;
}
