#!/usr/bin/env bash
# Makes .venv hold what requirements.lock and pyproject.toml say; does nothing when it already does.
# Run by make. `bash setup.sh find-python` only prints the Python that it would use.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")"

readonly VENV=.venv
readonly STAMP=$VENV/made-from  # written last, so that an interrupted setup is not taken as done
readonly BIG_FILE_MB=20         # off a terminal only files this big are worth a line of their own

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

python_version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

is_supported() {
    case $1 in 3.11 | 3.12 | 3.13) ;; *) return 1 ;; esac
}

# A name on PATH proves nothing: version managers leave commands there that only fail, so each candidate is run.
find_python() {
    local candidate version seen=
    if [ -n "${PYTHON:-}" ]; then
        version=$(python_version "$PYTHON") || fail "PYTHON=$PYTHON does not run; give a Python 3.11, 3.12 or 3.13."
        is_supported "$version" || fail "PYTHON=$PYTHON is Python $version; give a Python 3.11, 3.12 or 3.13."
        printf '%s\n' "$PYTHON"
        return
    fi
    for candidate in python3 python3.12 python3.13 python3.11 python; do
        version=$(python_version "$candidate") || continue
        if is_supported "$version"; then
            printf '%s\n' "$candidate"
            return
        fi
        seen="${seen:+$seen, }$candidate is $version"
    done
    fail "Python 3.11, 3.12 or 3.13 is needed (${seen:-none is on PATH}); install one, or run make with PYTHON=/path/to/it."
}

# What .venv was made from. The folder is part of it: the commands in a .venv that was moved name the old place.
wanted() {
    cksum requirements.lock pyproject.toml
    printf '%s\n' "$PWD"
}

is_done() {
    [ -x "$VENV/bin/python" ] && [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(wanted)" ] &&
        is_wanted_version "$(python_version "$VENV/bin/python")"
}

is_wanted_version() {
    [ -z "${PYTHON:-}" ] || [ "$1" = "$(python_version "$PYTHON")" ]
}

# A .venv that was made here is brought up to date, with the Python it has; any other is made anew.
make_venv() {
    local python version words
    version=$(python_version "$VENV/bin/python") || version=none
    if is_supported "$version" && is_wanted_version "$version" &&
        head -n 2 "$VENV/bin/pip" 2>/dev/null | grep -qF "$PWD/$VENV/bin/python"; then
        rm -f "$STAMP"
        return
    fi
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no venv module; install it (on Debian and Ubuntu: apt-get install python3-venv) and run make again."
    printf 'Making %s with Python %s\n' "$VENV" "$(python_version "$python")" >&2
    words=$("$python" -m venv --clear "$VENV" 2>&1) || fail "$python could not make $VENV: $words"
}

# Turns pip's lines into one line that changes on a terminal, and into a few lines elsewhere.
narrate() {
    local total=$1 line count=0 doing='' started=$SECONDS status ticks=yes
    [ "${BASH_VERSINFO[0]}" -ge 4 ] || ticks=  # bash 3, as on macOS, cannot tell a timeout from the end
    while :; do
        status=0
        IFS= read -r ${ticks:+-t 1} line || status=$?
        if [ "$status" -gt 128 ]; then  # nothing new for a second: only the clock moves
            show_progress "$count" "$total" "$doing" "$started"
            continue
        elif [ "$status" -ne 0 ]; then
            break
        fi
        case $line in
            'Collecting '* | 'Requirement already satisfied'* | 'Ignoring '*) count=$((count + 1)) ;;
            *' Downloading '*) doing=${line#*Downloading } doing="downloading ${doing##*/}" ;;
            *' Using cached '*) doing=${line#*Using cached } doing="from pip's cache ${doing##*/}" ;;
            'Building wheel'*) doing='building a wheel' ;;
            'Installing collected'*) doing='unpacking' ;;
            *) continue ;;
        esac
        show_progress "$count" "$total" "$doing" "$started"
    done
    [ ! -t 2 ] || printf '\r\033[K' >&2
}

show_progress() {
    local count=$1 total=$2 doing=$3 seconds=$((SECONDS - $4)) size
    if [ -t 2 ]; then
        printf '\r\033[K%s' "$(printf '  %d of %d packages, %d s  %s' "$count" "$total" "$seconds" "$doing" | cut -c1-79)" >&2
        return
    fi
    size=${doing##*(}
    if [[ $doing == *' MB)' && ${size%%[. ]*} -ge $BIG_FILE_MB || $doing == building* || $doing == unpacking ]] &&
        [ "$doing" != "${LAST_SHOWN:-}" ]; then
        LAST_SHOWN=$doing
        printf '  %d of %d packages, %d s  %s\n' "$count" "$total" "$seconds" "$doing" >&2
    fi
}

pip() {
    "$VENV/bin/python" -m pip "$@"
}

# Only setuptools of the lock: what a build would otherwise fetch by itself has no pinned version and no hash.
prepare_builder() {
    awk '/^[^ #]/ {wanted = /^setuptools==/} wanted' requirements.lock >"$VENV/builder.txt"
    # the one package without a wheel holds jars, which are compressed already
    printf '[bdist_wheel]\ncompression = stored\n' >"$VENV/builder.cfg"
    export DIST_EXTRA_CONFIG=$PWD/$VENV/builder.cfg
    pip install --quiet --require-hashes -r "$VENV/builder.txt"
}

# Not compiled: most modules are never imported, and compiling all of them takes as long as downloading them.
install_packages() {
    pip install --progress-bar off --no-compile --no-build-isolation --require-hashes -r requirements.lock |
        narrate "$1"
}

install_ourselves() {
    pip install --quiet --no-build-isolation --no-deps -e .
}

install() {
    local total
    total=$(grep -c '^[a-zA-Z0-9]' requirements.lock)
    printf 'Installing %d packages from requirements.lock\n' "$total" >&2
    # USE_PEP517 makes an old pip build a wheel, which is cached, where it would run setup.py install
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0 PIP_USE_PEP517=1
    if ! prepare_builder || ! install_packages "$total" || ! install_ourselves; then
        fail "pip could not install what requirements.lock names; its own words are above. The next make tries again."
    fi
}

if [ "${1:-}" = find-python ]; then
    find_python
elif ! is_done; then
    trap 'printf "\nsetup: interrupted; the next make begins where it has to.\n" >&2; exit 130' INT
    make_venv
    install
    wanted >"$STAMP"
    printf 'Set up in %d s\n' "$SECONDS" >&2
fi
