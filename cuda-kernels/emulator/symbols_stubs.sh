#!/bin/sh
# Writes C++ for every name in a list that no given object defines: a function that answers
# "not supported" and says which one it is.
# usage: symbols_stubs.sh NAMES CODE OBJECT...
set -eu
names=$1
code=$2
shift 2
defined=$(mktemp)
trap 'rm -f "$defined"' EXIT
nm --defined-only "$@" | awk '$2 == "T" {print $3}' | sort -u > "$defined"
echo '#include <cstdio>'
cat <<END
static int refuse(const char* name) {
  std::fprintf(stderr, "muond-emulator: %s is not supported\\n", name);
  return $code;
}
#define STUB(name) int name() { return refuse(#name); }
END
echo 'extern "C" {'
sort -u "$names" | comm -23 - "$defined" | sed 's/.*/STUB(&)/'
echo '}'
