#!/bin/bash
# What `make soak-linux` does with the kernel 686.
. "$(dirname "$0")/matrix.sh"

matrix 686
