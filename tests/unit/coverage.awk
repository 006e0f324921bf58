# Sums up what gcov says of the files of mmu/; fails below `least` percent.
/^File / {
	file = $2
	gsub(/'/, "", file)
}
/^Lines executed:/ && file ~ /^mmu\/.*\.[ch]$/ {
	split($2, part, /[:%]/)
	printf "%-16s %6.2f%% of %d lines\n", file, part[2], $4
	lines[file] = $4
	executed[file] = part[2] * $4 / 100
	file = ""
}
END {
	for (file in lines) {
		all += lines[file]
		sum += executed[file]
	}
	if (!all)
		exit 1
	printf "%-16s %6.2f%% of %d lines\n", "mmu/", 100 * sum / all, all
	exit 100 * sum / all < least
}
