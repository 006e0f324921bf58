#!/bin/bash
# What operations cost, in instructions, is held to what was reached (tests/bench/rows).
. "$(dirname "$0")/lib.sh"

table=$(COUNT=0 tests/bench/run 2>&1)
ok $? "no row of bench costs more than tests/bench/rows holds it to"
echo "${table//$'\n'/$'\n'# }" | sed '1s/^/# /'

done_testing
