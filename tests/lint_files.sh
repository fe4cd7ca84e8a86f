#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Check what compilers do not see. Ends with 1 and a line for each complaint.
set -u
status=0
complain() {
	echo "$1"
	status=1
}

files=$(find Kconfig Makefile .ci core arch features images defconfigs tests -type f ! -name '*.pyc' | sort)
for file in $files; do
	case $file in
	*.c | *.h | *.S | *.ld | *.py | *.sh | *.mk | */Kconfig | Kconfig | Makefile | .ci/run)
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' || complain "$file: no SPDX line on top"
		;;
	esac
	case $file in
	*.sh | .ci/run) sh -n "$file" || complain "$file: not a shell script" ;;
	*.py) /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file" || complain "$file: not Python" ;;
	esac
	case $file in
	*.c | *.h) [ "$(wc -l <"$file")" -le 700 ] || complain "$file: more than 700 lines; split it" ;;
	esac
	grep -nHE 'TODO|FIXME|XXX:' "$file" | grep -v '^tests/lint_files.sh:' && complain "$file: unfinished"
	grep -nHE '[ 	]+$' "$file" && complain "$file: blanks at the end of a line"
done
exit $status
