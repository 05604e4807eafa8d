#!/usr/bin/env bash
# help, --help of every stage, version, unknown commands.
source "$(dirname "$0")/support.sh"

says '^usage: braintune' "$BRAINTUNE" help || fail help
says '^braintune [0-9]' "$BRAINTUNE" --version || fail version
says 'OpenBLAS' "$BRAINTUNE" version || fail "version names the BLAS kernel"
for stage in $("$BRAINTUNE" help | awk '/^stages/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
    help=$("$BRAINTUNE" "$stage" --help) || fail "$stage --help"
    grep -q 'store  ' <<<"$help" || fail "$stage --help does not list store="
    grep -q 'default' <<<"$help" || fail "$stage --help has no defaults"
done
for command in plan run status rerun preset inspect summary version help; do
    "$BRAINTUNE" "$command" --help >/dev/null || fail "$command --help"
    cmp <("$BRAINTUNE" "$command" --help) <("$BRAINTUNE" help "$command") || fail "help $command is not $command --help"
done
says 'map=' "$BRAINTUNE" inspect anything --help || fail "inspect PATH --help"
set +e
message=$("$BRAINTUNE" encod 2>&1); code=$?
[ $code -eq 2 ] || fail "unknown command: exit $code"
grep -q 'did you mean encode' <<<"$message" || fail "$message"
message=$("$BRAINTUNE" help encod 2>&1); code=$?
[ $code -eq 2 ] || fail "help of an unknown command: exit $code"
grep -q 'did you mean encode' <<<"$message" || fail "$message"
message=$("$BRAINTUNE" inspect README.md out=x.npy 2>&1); code=$?
[ $code -eq 2 ] && grep -q 'map=' <<<"$message" || fail "inspect out= without map=: exit $code, $message"
"$BRAINTUNE" >/dev/null 2>&1; [ $? -eq 2 ] || fail "no command"
out=$("$BRAINTUNE" encode nonsense=1 2>/dev/null); code=$?
[ $code -eq 2 ] && [ -z "$out" ] || fail "messages belong on standard error"
echo ok
