#!/bin/sh
# Installs what the suite needs, each step only if it is not there yet:
# Debian packages, .venv, native programs, kernels of the virtual device.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

wanted=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' setup/debian-packages.txt | awk '{print $1}')
list_of_wanted=$(echo "$wanted" | tr '\n' ' ')

command -v dpkg-query >/dev/null 2>&1 ||
    fail "this system has no dpkg; on Debian 12 the packages wanted are: $list_of_wanted"

missing=""
for package in $wanted; do
    # A Python that brings its own venv does not need Debian's.
    if [ "$package" = python3-venv ] && python3 -c 'import ensurepip, venv' 2>/dev/null; then
        continue
    fi
    state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    case "$state" in
        ii*) ;;
        *) missing="$missing $package" ;;
    esac
done

if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        fail "packages wanted:$missing -> as root: apt-get install -y --no-install-recommends$missing"
    fi
    say "installing$missing"
    apt-get update -q >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null
fi

python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    fail "Python 3.11 is wanted, python3 here is $(python3 -V 2>&1)"

stamp=$(cat requirements.txt requirements-docs.txt | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/.requirements.sha256 2>/dev/null || true)" != "$stamp" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    say "making .venv from requirements.txt"
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check -r requirements.txt -r requirements-docs.txt
    echo "$stamp" > .venv/.requirements.sha256
fi

.venv/bin/python -m harness.native
.venv/bin/python -m android_tests.virtual prepare
