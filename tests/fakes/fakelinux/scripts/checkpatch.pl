#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0
# Says of a patch what the real one says, in its words and with its last line, for one finding of each kind.
# It knows no commit. A file MUTE in the tree makes it end early.
use strict;
use warnings;

my $file = $ARGV[-1];
my ($name, $line, %count) = ('', 0, ERROR => 0, WARNING => 0, CHECK => 0);
my %known = (
	'\s$' => ['ERROR', 'TRAILING_WHITESPACE', 'trailing whitespace'],
	'\bprintk\(' => ['WARNING', 'PREFER_PR_LEVEL', 'Prefer pr_info(... to printk(KERN_INFO, ...'],
	'== NULL' => ['CHECK', 'COMPARISON_TO_NULL', 'Comparison to NULL could be written "!x"'],
);
exit 1 if -e 'MUTE';
open(my $patch, '<', $file) or die "$file: open failed - $!\n";
while (<$patch>) {
	chomp;
	if (/^Fixes: (\w+)/ && !grep { $_ eq 'UNKNOWN_COMMIT_ID' } @ARGV) {
		$count{WARNING}++;
		print ":1: WARNING:UNKNOWN_COMMIT_ID: Unknown commit id '$1', maybe rebased or not pulled?\n$_\n\n";
	}
	$name = $1 if /^\+\+\+ b\/(.+)/;
	$line = $1 - 1, next if /^@@ -\S+ \+(\d+)/;
	next unless $name && /^[+ ]/ && !/^\+\+\+/;
	$line++;
	for my $sign (sort keys %known) {
		next unless /^\+.*$sign/;
		my ($kind, $type, $text) = @{$known{$sign}};
		$count{$kind}++;
		print "$name:$line: $kind:$type: $text\n#1: FILE: $name:$line:\n$_\n\n";
	}
}
print "total: $count{ERROR} errors, $count{WARNING} warnings, $count{CHECK} checks, 9 lines checked\n";
exit($count{ERROR} + $count{WARNING} + $count{CHECK} ? 1 : 0);
