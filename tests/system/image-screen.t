#!/bin/bash
# What a person sees of an image: the whole page, read from QEMU's picture of the screen or from
# VGA's text, is what the report on COM1 makes it; in other resolutions and depths, bare and on
# Nestling; with failures; without a screen. Then a key restarts the machine.
. "$(dirname "$0")/lib.sh"

temporary_dir
reader=$BUILD/read-screen

# monitor COMMAND: one for QEMU's monitor, and what it says.
monitor() {
	perl -MIO::Socket::UNIX -e '
		my $s = IO::Socket::UNIX->new(shift) or exit 1;
		sub answer { my $b = ""; while (sysread $s, $b, 4096, length $b) { last if $b =~ /\(qemu\) $/ } $b }
		answer();
		syswrite $s, "@ARGV\n";
		print answer();' "$dir/monitor" "$@"
}

# page COLUMNS ROWS BITS UNDER PROCESSOR: the page that the log makes, in large letters only its first
# row; without what is told of SVM.
page() {
	tr -d '\r' <"$log" | perl -e '
		my ($columns, $rows, $name, $bits, $under, $version, $serial) = @ARGV;
		my ($points, $failed, $skipped, $known, @failures, %groups) = (0, 0, 0, 0);
		my ($end, $verdict) = ("all groups have run");
		while (<STDIN>) {
			chomp;
			if (/^(not )?ok \d+ - ((.*?): .*?)( # (SKIP|TODO).*)?$/) {
				$points++;
				$groups{$3} = 1 if $3 ne "";
				if ($1) { $failed++; push @failures, " $2" }
				elsif (defined $5) { $5 eq "SKIP" ? $skipped++ : $known++ }
			} elsif (/^1\.\.0 # SKIP (.*)/) {
				($end, $verdict) = ("nothing was tested", "Not run: $1");
			} elsif (/^# / && $failed && !/^# (filtered|group:|\d+ of \d+)/) {
				push @failures, "   $_";
			}
		}
		my ($groups, $bar, $good) = (scalar keys %groups, $columns - 32, $points - $failed);
		$bar = 60 if $bar > 60;
		my ($marks, $dots) = $groups ? ("#" x $bar, "") : ("", "." x $bar);
		my $notes = $skipped + $known ? " ($skipped skipped, $known known to differ here)" : "";
		my $bad = $failed ? ", $failed failed" : "";
		$verdict //= $failed ? "$points points: $failed failed" : "$points points: $good good";
		my @page = ("") x $rows;
		my $title = " Nestling: $name, $bits-bit";
		$page[0] = $title . " " x ($columns - 1 - length($version) - length $title) . $version;
		$page[2] = " Processor  QEMU TCG CPU version 2.5+";
		$page[5] = " Runs       $under";
		$page[7] = " Groups     [$marks$dots] $groups of $groups";
		$page[8] = " Ended      $end";
		$page[9] = " Points     $points: $good good$notes$bad";
		$page[11 + $_] = $failures[$_] for 0 .. $#failures;
		$page[$rows - 4] = " $verdict";
		$page[$rows - 1] = " COM1 has the whole report. A key restarts the machine (or its reset button).";
		print "$_\n" for @page;' "$@"
}

# The picture, or VGA's text, as lines: letters of the verdict once, what is told of SVM not at all.
read_pixels() { # COLUMNS ROWS SCALE
	local top=$((($2 - 4) * 16 * $3))
	monitor "screendump $dir/picture" >/dev/null
	"$reader" "$dir/picture" "$3" >"$dir/small" && "$reader" "$dir/picture" $((2 * $3)) 0 $top >"$dir/large" || return
	awk -v rows="$2" -v large="$(head -1 "$dir/large")" '
		NR == rows - 3 && /\xef\xbf\xbd/ { print large; next }
		NR == rows - 2 && /\xef\xbf\xbd/ { print ""; next }
		{ print }
		END { for (i = NR; i < rows; i++) print "" }' "$dir/small"
}

read_text() {
	monitor "pmemsave 0xb8000 4000 \"$dir/cells\"" >/dev/null # unquoted it is a division
	perl -e 'open F, "<", $ARGV[0]; read F, $b, 4000;
		for (0 .. 24) {
			my $line = join "", map { chr(ord substr $b, 2 * $_, 1) } $_ * 80 .. $_ * 80 + 79;
			$line =~ s/ +$//;
			$line =~ s/(.) /$1/g if $_ == 21 && $line =~ /^(. )*.$/;
			print "$line\n";
		}' "$dir/cells"
}

# shows NAME BITS UNDER COLUMNS ROWS SCALE VARIABLE=VALUE...: an image runs to its end; its page, and a
# key. A SCALE of 0 is VGA's text.
shows() {
	local name=$1 bits=$2 under=$3 columns=$4 rows=$5 scale=$6 runner i=0 image
	shift 6
	new_log "$name"
	rm -f "$dir/monitor"
	env LOG="$log" TIMEOUT="$RUN_TIMEOUT" DEBUG_EXIT=0 "$@" \
		QEMUFLAGS="$(flags_of "$@") -monitor unix:$dir/monitor,server=on,wait=off" \
		tests/run </dev/null >/dev/null 2>"$log.runner" &
	runner=$!
	until grep -qasE '^(1\.\.|Bail out)' "$log" || ! kill -0 "$runner" 2>/dev/null; do
		sleep 0.1
	done
	image=$(printf '%s\n' "$@" | sed -n 's/^L1=//p')
	page "$columns" "$rows" "$(sed -E 's/(32|64)$//' <<<"$image")" "$bits" "$under" "$(cat "$BUILD/version")" >"$dir/page"
	# The last lines come behind the report.
	while [ "$i" -lt 50 ]; do
		if [ "$scale" = 0 ]; then read_text; else read_pixels "$columns" "$rows" "$scale"; fi >"$dir/screen"
		grep -q 'A key restarts' "$dir/screen" && break
		kill -0 "$runner" 2>/dev/null || break
		sleep 0.1
		i=$((i + 1))
	done
	grep -qE '^ SVM        revision 1, 1[56] ASIDs, (nested paging, )?vGIF' "$dir/screen"
	ok $? "$name: the screen tells of SVM"
	sed -i '4,5s/.*//' "$dir/screen"
	diff "$dir/page" "$dir/screen" >"$dir/differs"
	ok $? "$name: and the rest is what COM1 makes it"
	sed 's/^/# /' "$dir/differs"
	monitor "sendkey a" >/dev/null
	wait "$runner"
	grep -qF 'the machine was reset' "$log.runner"
	ok $? "$name: a key restarts the machine"
}

flags_of() {
	printf '%s\n' "$@" | sed -n 's/^QEMUFLAGS=//p'
}

some='CMDLINE=filter=machine.i*'
bare="bare, in QEMU"
nested="on Nestling, in QEMU"
export MEM=128M

shows "text, bare" 32 "$bare" 80 25 0 L1=pae BARE=1 BOOT=direct "$some"
shows "text, npt=off" 64 "$nested" 80 25 0 L1=long BOOT=direct L0CMDLINE=npt=off "$some"
# What the image does not know does not end the machine, as it should have.
shows "a point that fails" 32 "$bare" 80 25 0 L1=hostile32 BARE=1 BOOT=direct CMDLINE=case=unknown
grep -q '^ : unknown$' "$dir/screen" && grep -q '^   # the machine goes on$' "$dir/screen"
ok $? "a point that fails: it is named, and what was wrong"
shows "nothing to test" 64 "$bare" 80 25 0 L1=svm64 BARE=1 BOOT=direct CMDLINE=filter=none.such
grep -q 'Not run: no group matches the filter' "$dir/page"
ok $? "nothing to test: it says why"
shows "BIOS, 800x600x16" 32 "$bare" 100 37 1 L1=pae BARE=1 BOOT=grub SCREEN=800x600x16 "$some"
shows "BIOS, 2560x1440x32" 64 "$bare" 160 45 2 L1=long BARE=1 BOOT=grub SCREEN=2560x1440x32 \
	CMDLINE="levels=5 ${some#CMDLINE=}"
shows "OVMF, 1024x768x32" 64 "$bare" 128 48 1 L1=svm64 BARE=1 BOOT=grub-efi SCREEN=1024x768x32 MEM=256M "$some"

# On Nestling: by GRUB, and by the EFI program in whatever mode the firmware has.
shows "BIOS, Nestling" 64 "$nested" 128 48 1 L1=long BOOT=grub SCREEN=1024x768x32 "$some"
shows "EFI program" 32 "$nested" 160 50 1 L1=pae BOOT=uefi SCREEN=any MEM=256M L0CMDLINE=npt=off "$some"

# Without a UART on COM1 the verdict is all that comes.
run "no serial port" L1=pae BARE=1 BOOT=direct SERIAL=none "$some"
[ "$status" = 0 ] && [ ! -s "$log" ]
ok $? "no serial port: the image goes on without"

# With colours by index, or none: COM1 has the report all the same.
image_passes "no screen" L1=pae BARE=1 BOOT=direct "$some" QEMUFLAGS="-vga none"
image_passes "colours by index" L1=pae BARE=1 BOOT=grub SCREEN=640x480x8 "$some"
grep -qaF '# the screen has colours by index, which cannot be drawn' "$log"
ok $? "colours by index: one line says so"
done_testing
