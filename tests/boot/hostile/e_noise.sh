#!/bin/sh
# Binary noise, colours and carriage returns around one result line.
[ "$1" = -l ] && { echo noise_one; exit 0; }
printf 'KTAP version 1\r\n1..1\r\n# begin: noise_one\n'
head -c 4096 /dev/urandom
printf '\n\033[32mok 1 noise_one\033[0m\r\n'
