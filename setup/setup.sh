#!/bin/sh
# Installs what the suite needs and skips what exists:
# packages of this system, .venv, native programs, kernels of the virtual device.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# --- Python: python3 if it is 3.11 or newer, else a newer one on PATH.
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
with_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
new_pythons() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if has "$name" && new_enough "$name"; then echo "$name"; fi
    done
}
usable_python() { for name in $(new_pythons); do if with_venv "$name"; then echo "$name"; return; fi; done; }

needs_python="the suite needs Python 3.11 or newer"
if has python3 && [ -z "$(new_pythons)" ]; then
    fail "$needs_python, python3 is $(python3 -V 2>&1) -> put a newer one on PATH (python3.11 to python3.14)"
fi

# --- Packages: setup/debian-packages.txt.
table=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' setup/debian-packages.txt | awk '{print $1}')
has dpkg-query ||
    fail "this system has no dpkg -> install these packages (Debian's names):" \
        "$(echo "$table" | sed -e 's/|.*//' -e 's/?//' | tr '\n' ' ')"

installed() {
    case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null || true)" in ii*) true ;; *) false ;; esac
}
known() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'; }
chromium_here() { has chromium || has google-chrome || has google-chrome-stable; }
provided() {
    case "$1" in
        python3-venv) [ -n "$(usable_python)" ] ;;
        chromium) chromium_here || [ -e .venv/.chromium-asked ] ;;
        *) false ;;
    esac
}
absent=""
for entry in $table; do
    there=no
    for name in $(echo "${entry%\?}" | tr '|' ' '); do
        if installed "$name" || provided "$name"; then there=yes; fi
    done
    [ "$there" = yes ] || absent="$absent $entry"
done

if [ -n "$absent" ]; then
    root=no
    if [ "$(id -u)" = 0 ] && has apt-get; then
        root=yes
        say "reading the package lists"
        apt-get update -q >/dev/null
    fi
    missing=""
    unknown=""
    for entry in $absent; do
        taken=""
        names=$(echo "${entry%\?}" | tr '|' ' ')
        for name in $names; do
            if [ -z "$taken" ] && known "$name"; then taken=$name; fi
        done
        case "$entry" in
            *\?) missing="$missing${taken:+ $taken}" ;;
            *) missing="$missing ${taken:-${names%% *}}"; [ -n "$taken" ] || unknown="$unknown ${names%% *}" ;;
        esac
    done
    if [ -n "$missing" ]; then
        [ $root = yes ] ||
            fail "missing packages:$missing -> as root: apt-get install -y --no-install-recommends$missing"
        [ -z "$unknown" ] ||
            fail "apt does not know$unknown -> enable the archive component that has it" \
                "(Ubuntu: universe), or use Debian 12, Debian 13 or Ubuntu 24.04"
        say "installing$missing"
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null
    fi
fi

python=$(usable_python)
[ -n "$python" ] ||
    fail "$needs_python with venv; without it: $(new_pythons | tr '\n' ' ')-> install its venv package"

# --- .venv: made again if the requirements or the Python changed.
stamp=$({ cat requirements.txt requirements-docs.txt; "$python" -V; } | sha256sum | cut -d' ' -f1)
if [ "$(cat .venv/.requirements.sha256 2>/dev/null || true)" != "$stamp" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    say "making .venv from requirements.txt with $("$python" -V)"
    rm -rf .venv
    "$python" -m venv .venv
    .venv/bin/python -m pip install -q --disable-pip-version-check -r requirements.txt -r requirements-docs.txt
    echo "$stamp" > .venv/.requirements.sha256
fi

# --- Chromium: only the browser tests need it, so setup goes on without it.
if ! chromium_here && ! [ -e .venv/.chromium-asked ]; then
    say "this system has no Chromium package: fetching playwright's"
    with_libraries=""
    [ "$(id -u)" != 0 ] || with_libraries=--with-deps
    # shellcheck disable=SC2086
    .venv/bin/python -m playwright install $with_libraries --only-shell chromium >.venv/chromium.log 2>&1 ||
        say "no Chromium (see .venv/chromium.log): tests/browser fails until chromium or google-chrome is on PATH"
    touch .venv/.chromium-asked
fi

.venv/bin/python -m harness.native
.venv/bin/python -m android_tests.virtual prepare
