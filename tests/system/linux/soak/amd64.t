#!/bin/bash
# What `make soak-linux` does with the kernel amd64.
. "$(dirname "$0")/matrix.sh"

matrix amd64
