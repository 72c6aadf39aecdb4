#!/bin/sh
# Never ends, and says nothing: the time limit of the suite must end it.
[ "$1" = -l ] && { printf 'hangs_one\nhangs_two\n'; exit 0; }
case " $* " in
*" hangs_one "*) printf 'KTAP version 1\n1..2\n# begin: hangs_one\n'; sleep 6000 ;;
*) printf 'KTAP version 1\n1..1\n# begin: hangs_two\nok 1 hangs_two\n' ;;
esac
