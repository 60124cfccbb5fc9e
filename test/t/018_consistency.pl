# A region with depends = auto never returns an outdated value.
#
# Sessions read and write at random; see test/perl/Campaign.pm.  This is the short
# form.  For a long one, set in the environment
#	DOGPILE_CAMPAIGN_SECONDS, DOGPILE_CAMPAIGN_SESSIONS
# and to have the same transactions again, though not at the same moments,
#	DOGPILE_CAMPAIGN_SEED
# With DOGPILE_CAMPAIGN_REGION=nothing, nothing is stored, so that a failure then is one
# of the campaign itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";

use Campaign;
use DogpileTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{DOGPILE_CAMPAIGN_SECONDS} // 18;
my $sessions = $ENV{DOGPILE_CAMPAIGN_SESSIONS} // 10;
my $seed = $ENV{DOGPILE_CAMPAIGN_SEED} // int rand 1_000_000;
my $node = campaign_server('main');

sub counts
{
	my ($counts) = @_;

	return join ', ', map { "$_ $counts->{$_}" } sort keys %$counts;
}

# The commit that is tested, if this is a checkout; else DOGPILE_COMMIT names it.
sub commit
{
	my $commit = $ENV{DOGPILE_COMMIT} // `git rev-parse --short HEAD 2>/dev/null`;

	chomp $commit;
	return $commit || 'unknown';
}

sub first_lines
{
	my ($lines) = @_;

	return join "\n", @$lines[ 0 .. ($#$lines < 4 ? $#$lines : 4) ];
}

# ---------------------------------------------------------------------------
# The checker is able to find errors: a region that does not know what its entries depend
# on is detected at once.

note "seed $seed";
my $plain = run_campaign(
	$node,
	region => 'plain',
	seed => $seed,
	sessions => $sessions,
	seconds => 60);

cmp_ok(scalar @{ $plain->{stale} },
	'>', 0, 'without dependencies, stale values are read and noticed');
note sprintf 'after %.1f s: %s', $plain->{stale_after} // -1, $plain->{stale}[0] // '';

# ---------------------------------------------------------------------------

$node->safe_psql('postgres', 'SELECT dogpile_reset_stats()');
my $offset = log_offset($node);
my $result = run_campaign(
	$node,
	region => $ENV{DOGPILE_CAMPAIGN_REGION} // 'auto',
	seed => $seed,
	sessions => $sessions,
	seconds => $seconds);

note sprintf 'seed %d, commit %s: %d conclusive reads, none stale: at 95 %%, fewer than 1 in %d is',
  $seed, commit(), $result->{conclusive}, $result->{conclusive} / 3
  if $result->{conclusive} && !@{ $result->{stale} };
note sprintf '%d reads, of which %d were conclusive, in %.1f s and %d scripts',
  @$result{qw(reads conclusive seconds rounds)};
note 'writes: ' . counts($result->{writes});
note 'transactions: ' . counts($result->{ends});
note 'disturbed: ' . counts($result->{disturbed});
note 'errors: ' . counts($result->{errors});
note $node->safe_psql('postgres',
	'SELECT to_jsonb(s) FROM dogpile_stats AS s WHERE creations + refused > 0');
note sprintf 'first stale read after %.1f s', $result->{stale_after}
  if $result->{stale_after};

is(first_lines($result->{stale}), '', 'no value is stale');
is(first_lines($result->{unexpected}), '', 'no error but those that must happen');
cmp_ok($result->{conclusive}, '>', 2000, 'many values were compared');
cmp_ok($result->{conclusive} / $result->{reads},
	'>', 0.5, '... most of them conclusively');
is( join(', ',
		grep { !$result->{writes}{$_} } map { $_->{name} } CampaignSchema::campaign_writes()),
	'', 'all kinds of writes have happened');
cmp_ok($result->{ends}{'COMMIT PREPARED'} // 0,
	'>', 0, 'there were transactions in two phases');
is( $node->safe_psql('postgres',
		"SELECT hits > 0.2 * (hits + misses) FROM dogpile_stats WHERE region = 'auto'"),
	't',
	'a good part of the reads were hits');
is( $node->safe_psql('postgres',
		"SELECT verifications > 0, mismatches FROM dogpile_stats WHERE region = 'auto'"),
	't|0',
	'the verifier has found nothing either');
diag $_ foreach slurp_file($node->logfile, $offset) =~
  /cached value differs from what its query returns now\n.*DETAIL:  (.*)/g;

# Terminated sessions have left nothing behind that would keep values from being served.
my $again = "SET campaign.region = 'auto'; SELECT read_many(0.5, 500);";

$node->safe_psql('postgres', $again);
$node->safe_psql('postgres', 'SELECT dogpile_reset_stats()');
$node->safe_psql('postgres', $again);
is( $node->safe_psql('postgres',
		"SELECT hits, misses FROM dogpile_stats WHERE region = 'auto'"),
	'500|0',
	'in the end: all that was read before is served');
check_nothing_is_left($node, 'in the end');
check_log($node, 'in the end', $offset);

$node->stop;
done_testing();
