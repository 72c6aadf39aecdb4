#!/bin/sh
# Passes, and takes care that init does not learn the word with which the guest is asked to power off.
[ "$1" = -l ] && { echo off_one; exit 0; }
printf 'KTAP version 1\n1..1\n# begin: off_one\nok 1 off_one\n'
mount -t tmpfs -o ro none /run
