#!/bin/bash
# What `make soak-linux` does with the kernel i386.
. "$(dirname "$0")/matrix.sh"

matrix i386
